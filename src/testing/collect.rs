//! The output of a capture: its schema keeps the records, and its sink prints the lines.
//!
//! A thread inherits the buffer in which the test harness captures what is printed. So the output's worker prints into the
//! buffer of the test that has started it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use super::record::Record;
use crate::error::Error;
use crate::record::{self, discard};
use crate::schema::{Color, Console, Schema};
use crate::sink::{Lines, Next, Profile, Sink};
use crate::sync;

/// The records of a capture.
#[derive(Clone, Debug, Default)]
pub(super) struct Records(Arc<Mutex<Vec<Record>>>);

impl Records {
    pub(super) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *sync::lock(&self.0))
    }
}

/// Keeps each record, and renders it for people. It is asked once for each record, because no line is too long.
pub(super) struct Collect {
    pub(super) records: Records,
    pub(super) shown: Console,
}

impl Collect {
    pub(super) fn new(records: Records) -> Self {
        Self { records, shown: Console::new().color(Color::Never) }
    }
}

impl Schema for Collect {
    fn render(&mut self, record: &record::Record<'_>, out: &mut Vec<u8>) {
        sync::lock(&self.records.0).push(Record::of(record));
        self.shown.render(record, out);
    }
}

/// Prints lines.
pub(super) struct Printed;

impl Sink for Printed {
    #[expect(clippy::print_stdout, reason = "the test harness captures what is printed, and nothing else")]
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let bytes = lines.as_bytes();
        let text = String::from_utf8_lossy(bytes);
        // It panics when stdout is closed. The records are kept without it.
        let _ = catch_unwind(AssertUnwindSafe(|| print!("{text}"))).map_err(discard);
        let bytes = bytes.len();
        lines.advance(bytes);
        Ok(Next::Done)
    }

    fn profile(&self) -> Profile {
        Profile::new("testing")
    }
}
