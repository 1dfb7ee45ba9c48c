//! Logs in memory with a fixed clock and fixed ids, call sites made while the test runs, and a sink with a gate.

use std::sync::{Arc, Condvar, Mutex, OnceLock};

use serde_json::Value;
use spanline::record::Timestamp;
use spanline::sink::{Lines, Memory, Next, Sink};
use spanline::{Builder, Error, Output};
use tracing::callsite::{Callsite, Identifier};
use tracing::field::{Field, FieldSet, ValueSet};
use tracing::metadata::Kind;
use tracing::subscriber::{Interest, with_default};
use tracing::{Event, Level, Metadata, Span};
use tracing_subscriber::prelude::*;

use crate::support::strict;
use crate::support::wait::PATIENCE;

/// 2026-11-20T10:15:38.123456789Z.
pub(crate) const NOW: Timestamp = Timestamp::from_nanos(1_795_169_738_123_456_789);

/// A log whose lines are the same in every run. Its shutdown waits as long as any test does: without optimizations, a busy
/// machine needs seconds to escape a megabyte of text.
pub(crate) fn fixed() -> Builder {
    spanline::builder().clock(|| NOW).id_seed(1).filter("trace").shutdown_timeout(PATIENCE, PATIENCE)
}

/// The lines that `run` logs, as text.
pub(crate) fn text_of(builder: Builder, run: impl FnOnce()) -> Vec<String> {
    let memory = Memory::new();
    let (layer, guard) = builder.output(Output::new(memory.clone())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), run);
    guard.close().unwrap();
    memory.lines()
}

/// The lines that `run` logs, parsed strictly.
pub(crate) fn lines_of(builder: Builder, run: impl FnOnce()) -> Vec<Value> {
    text_of(builder, run).iter().map(|line| strict::line(line)).collect()
}

/// The lines that `run` logs with only the clock and the ids set, parsed strictly.
pub(crate) fn lines(run: impl FnOnce()) -> Vec<Value> {
    lines_of(fixed(), run)
}

/// The lines in `memory`, each read strictly.
pub(crate) fn parsed(memory: &Memory) -> Vec<Value> {
    memory.lines().iter().map(|line| strict::line(line)).collect()
}

/// The messages of the lines.
pub(crate) fn messages(memory: &Memory) -> Vec<String> {
    parsed(memory).iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

/// A call site made while the test runs: name, target and fields may be anything. It is never freed.
#[derive(Debug)]
pub(crate) struct Site(OnceLock<Metadata<'static>>);

/// A value for a field of a [`Site`]; `None` leaves the field empty.
pub(crate) type Given<'v> = Option<&'v dyn tracing::field::Value>;

impl Site {
    pub(crate) fn event(target: &str, level: Level, fields: &[&str]) -> &'static Self {
        Self::new("event nowhere", target, level, fields, Kind::EVENT)
    }

    pub(crate) fn span(name: &str, target: &str, fields: &[&str]) -> &'static Self {
        Self::new(name, target, Level::INFO, fields, Kind::SPAN)
    }

    /// An event with a place in the source.
    pub(crate) fn placed(target: &str, level: Level, fields: &[&str], file: &'static str, line: u32) -> &'static Self {
        let name = format!("event {file}:{line}");
        Self::make(&name, target, level, fields, Kind::EVENT, Some((file, line)))
    }

    fn new(name: &str, target: &str, level: Level, fields: &[&str], kind: Kind) -> &'static Self {
        Self::make(name, target, level, fields, kind, None)
    }

    fn make(
        name: &str,
        target: &str,
        level: Level,
        fields: &[&str],
        kind: Kind,
        place: Option<(&'static str, u32)>,
    ) -> &'static Self {
        let leak = |text: &str| -> &'static str { Box::leak(Box::from(text)) };
        let names: Vec<&'static str> = fields.iter().map(|name| leak(name)).collect();
        let site: &'static Self = Box::leak(Box::new(Self(OnceLock::new())));
        let fields = FieldSet::new(Box::leak(names.into_boxed_slice()), Identifier(site));
        let (file, line) = place.unzip();
        let (name, target) = (leak(name), leak(target));
        site.0.set(Metadata::new(name, target, level, file, line, file.map(|_| target), fields, kind)).unwrap();
        site
    }

    pub(crate) fn meta(&'static self) -> &'static Metadata<'static> {
        self.0.get().unwrap()
    }

    /// Logs an event in the current span.
    pub(crate) fn log(&'static self, given: &[Given<'_>]) {
        self.with_values(given, |values| Event::dispatch(self.meta(), values));
    }

    /// Opens a span inside the current one.
    pub(crate) fn open(&'static self, given: &[Given<'_>]) -> Span {
        self.with_values(given, |values| Span::new(self.meta(), values))
    }

    fn with_values<R>(&'static self, given: &[Given<'_>], with: impl FnOnce(&ValueSet<'_>) -> R) -> R {
        let set = self.meta().fields();
        let fields: Vec<Field> = set.iter().collect();
        assert!(fields.len() == given.len() && given.len() <= MAX_FIELDS);
        let Some(first) = fields.first() else {
            let none: [(&Field, Given<'_>); 0] = [];
            return with(&set.value_set(&none));
        };
        let values: [(&Field, Given<'_>); MAX_FIELDS] =
            std::array::from_fn(|at| (fields.get(at).unwrap_or(first), given.get(at).copied().flatten()));
        with(&set.value_set(&values))
    }
}

/// The most fields of a [`Site`].
pub(crate) const MAX_FIELDS: usize = 300;

impl Callsite for Site {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0.get().unwrap()
    }
}

/// The complaints of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    /// Returns a hook for [`Builder::on_complaint`].
    pub(crate) fn hook(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let said = Arc::clone(&self.0);
        move |text| said.lock().unwrap().push(text.to_owned())
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Keeps lines back until the test opens it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    open: Arc<(Mutex<bool>, Condvar)>,
    pub(crate) memory: Memory,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.open.0.lock().unwrap() = true;
        self.open.1.notify_all();
    }
}

impl Sink for Gate {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let mut open = self.open.0.lock().unwrap();
        while !*open {
            open = self.open.1.wait(open).unwrap();
        }
        drop(open);
        self.memory.write(lines)
    }
}
