//! One walk over a configuration: what it found, and what the program has registered.

use std::path::Path;

use super::kind::Key;
use super::mistakes::Mistake;
use super::own::{MakeSchema, MakeSink};
use super::tree::Place;

/// A text with more mistakes is no configuration; the rest is not read.
const MAX_MISTAKES: usize = 1000;

/// What all sections of one walk share.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) mistakes: Vec<Mistake>,
    /// A row for each key that was asked for.
    pub(crate) rows: Vec<Row>,
    /// Keys are described, and nothing is read.
    pub(crate) is_description: bool,
    pub(crate) registered: Registered,
    /// The text is only checked, perhaps for a program with more features.
    pub(crate) is_check: bool,
}

/// A key, and what the text says about it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The keys around it.
    pub(crate) path: String,
    pub(crate) key: Key,
    /// The value as one line of TOML, and its place.
    pub(crate) value: Option<(String, Place)>,
}

/// The sinks and schemas of the program, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registered {
    pub(crate) sinks: Vec<(String, MakeSink)>,
    pub(crate) schemas: Vec<(String, MakeSchema)>,
}

impl Registered {
    pub(crate) fn sink(&self, name: &str) -> Option<&MakeSink> {
        self.sinks.iter().rev().find(|(known, _)| known == name).map(|(_, make)| make)
    }

    pub(crate) fn schema(&self, name: &str) -> Option<&MakeSchema> {
        self.schemas.iter().rev().find(|(known, _)| known == name).map(|(_, make)| make)
    }
}

impl Walk {
    /// A walk that only describes.
    pub(crate) fn description() -> Self {
        Self { is_description: true, ..Self::default() }
    }

    pub(crate) fn mistake(&mut self, place: Place, key: impl Into<String>, message: impl Into<String>) {
        if !self.is_full() {
            self.mistakes.push(Mistake::new(place, key, message));
        }
    }

    /// Returns whether the limit of mistakes is reached, so that no others are looked for.
    pub(crate) fn is_full(&self) -> bool {
        self.mistakes.len() >= MAX_MISTAKES
    }
}

/// Returns whether a file is JSON, by its name.
pub(crate) fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}
