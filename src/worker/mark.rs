//! The facts about a record that decide whether it may be an echo.

use std::hash::{DefaultHasher, Hash, Hasher};

use tracing::{Level, Metadata};

use crate::queue::{Entry, Head};
use crate::record::{Fields, Key, Timestamp, Value};

/// A call site of WARN passes for this number of batches in a row, each with a line of it inside a window.
const WARN_BATCHES: u32 = 4;
/// The number of such batches for ERROR, whose lines matter most.
const ERROR_BATCHES: u32 = 64;

/// Where lines come from: a call site of `tracing`, by the address of its metadata, or a target of the `log` crate, hashed
/// to an odd number. All call sites of the `log` crate share their metadata.
pub(super) type Site = usize;

/// The facts about a record that decide its fate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) site: Site,
    pub(super) time: Timestamp,
    /// It passes in any case: a line of an appender, or one that was held back.
    pub(super) is_exempt: bool,
    /// For how many batches it passes: more than none for a WARN or ERROR.
    pub(super) free_batches: u32,
    pub(super) meta: Option<&'static Metadata<'static>>,
}

impl Mark {
    /// `holds_back`: some lines were held back by a flight recorder. Their times are old.
    pub(super) fn of(entry: &Entry, bytes: &[u8], holds_back: bool) -> Self {
        let Head::Event { meta, is_log } = entry.head else {
            return Self { site: 0, time: entry.time, is_exempt: true, free_batches: 0, meta: None };
        };
        let is_held_back = || holds_back && Fields::new(bytes).any(|(key, _)| key == Key::HeldBack);
        let site = if is_log { log_site(meta, bytes) } else { std::ptr::from_ref(meta).addr() };
        let free_batches = match *meta.level() {
            Level::ERROR => ERROR_BATCHES,
            Level::WARN => WARN_BATCHES,
            _ => 0,
        };
        Self { site, time: entry.time, is_exempt: is_held_back(), free_batches, meta: (!is_log).then_some(meta) }
    }

    /// Returns the target, except for a record of the `log` crate.
    pub(super) fn target(&self) -> Option<&'static str> {
        self.meta.map(Metadata::target)
    }
}

fn log_site(meta: &'static Metadata<'static>, bytes: &[u8]) -> Site {
    let target = Fields::new(bytes).find(|(key, _)| key.name(meta) == Some("log.target"));
    let mut hasher = DefaultHasher::new();
    if let Some((_, Value::Str(target))) = target {
        target.hash(&mut hasher);
    }
    hasher.finish() as usize | 1
}
