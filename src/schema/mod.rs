//! Record → line: pure functions.
//!
//! A [`Schema`] is the third stage of an [`Output`](crate::Output), between the queue and the sink. It runs on the
//! worker, so it costs the logging threads nothing, and it touches neither clock nor threads nor I/O: the same
//! record always gives the same line.
//!
//! | schema | for |
//! |---|---|
//! | [`Flat`] | one JSON object a line, every key at the top: the default |
//! | [`Console`] | people at a terminal |
//!
//! One of one's own is one `impl`:
//!
//! ```
//! use spanline::{Record, Schema};
//!
//! struct LevelAndTarget;
//!
//! impl Schema for LevelAndTarget {
//!     fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
//!         out.extend_from_slice(format!("{} {}", record.level(), record.target()).as_bytes());
//!     }
//! }
//! # let _ = spanline::Output::new(spanline::Stdout::new()).schema(LevelAndTarget);
//! ```

mod console;
mod flat;
pub mod json;
mod merged;

pub use console::Console;
pub(crate) use flat::is_reserved;
pub use flat::{Flat, SpanFields};

use crate::record::Record;

/// Renders records as lines. Pure: no I/O, no clock.
pub trait Schema: Send + 'static {
    /// Appends the line for `record` to `out`, without a newline at its end. What is in `out` already is other
    /// lines: leave it.
    ///
    /// A line that comes out too long is asked for again, with the values of the record cut.
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>);

    /// Whether it looks at [`Record::thread`]: what no schema wants is not captured.
    fn wants_thread(&self) -> bool {
        false
    }

    /// Told in a forked child, before its first line: the process id is another.
    fn forked(&mut self) {}

    /// Told once, before the first line: whether the sink is a terminal.
    fn terminal(&mut self, is_terminal: bool) {
        let _ = is_terminal;
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// When the sink is a terminal; `NO_COLOR` forbids it and `CLICOLOR_FORCE` forces it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
