//! One thing that is wrong.

use serde_json::{Value, json};

use crate::scan::Place;

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Finding {
    /// A word for it, which stays the same.
    pub(crate) kind: &'static str,
    /// How many lines, requests or services it concerns.
    pub(crate) count: u64,
    /// What is wrong, in one sentence.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) advice: &'static str,
    pub(crate) example: Option<Example>,
}

/// A line that shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Example {
    pub(crate) place: Place,
    /// The beginning of the line.
    pub(crate) line: Vec<u8>,
}

/// How much of a line is shown, in bytes.
const MAX_BYTES: usize = 160;

impl Example {
    pub(super) fn new(place: Place, line: &[u8]) -> Self {
        Self { place, line: line.get(..MAX_BYTES).unwrap_or(line).to_vec() }
    }

    /// Returns the first of two.
    pub(super) fn first(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }
}

impl Finding {
    /// `name` returns that of an input.
    pub(crate) fn json(&self, name: impl Fn(usize) -> String) -> Value {
        let example = self.example.as_ref().map(
            |example| json!({ "file": name(example.place.input), "byte": example.place.at, "line": example.text() }),
        );
        json!({
            "kind": self.kind,
            "count": self.count,
            "text": self.text,
            "advice": self.advice,
            "example": example,
        })
    }
}

/// A count with its first example.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) example: Option<Example>,
}

impl Seen {
    pub(super) fn add(&mut self, place: Place, line: &[u8]) {
        self.count += 1;
        if self.example.as_ref().is_none_or(|example| place < example.place) {
            self.example = Some(Example::new(place, line));
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.example = Example::first(self.example.take(), other.example);
    }

    /// Returns a finding if there is something.
    pub(super) fn finding(self, kind: &'static str, text: String, advice: &'static str) -> Option<Finding> {
        (self.count > 0).then_some(Finding { kind, count: self.count, text, advice, example: self.example })
    }
}
