//! Record → line: pure functions.
//!
//! A [`Schema`] is the third stage of an [`Output`](crate::Output), between the queue and the sink. It runs on the
//! worker, so it costs the logging threads nothing, and it touches neither clock nor threads nor I/O: the same
//! record always gives the same line.
//!
//! | schema | for |
//! |---|---|
//! | [`Flat`] | one JSON object a line, every key at the top: the default |
//! | [`Nested`] | who parses the lines of `tracing_subscriber::fmt().json()` |
//! | [`Ecs`] | Elasticsearch |
//! | [`Gcp`] | Google Cloud Logging and Error Reporting |
//! | [`Datadog`] | Datadog |
//! | [`Otel`] | the OpenTelemetry collector: OTLP/JSON |
//! | [`Bunyan`] | the `bunyan` command |
//! | [`Lambda`] | AWS Lambda |
//! | [`Logfmt`] | who greps: `key=value` pairs |
//! | [`Console`] | people at a terminal |
//!
//! [`by_name`] finds one by its name; [`Edits`] rename, drop and add keys of any.
//!
//! One of one's own is one `impl`:
//!
//! ```
//! use spanline::record::Record;
//! use spanline::schema::Schema;
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

mod bunyan;
mod clock;
mod console;
mod datadog;
mod ecs;
mod edit;
mod flat;
mod gcp;
mod host;
pub mod json;
mod lambda;
mod logfmt;
mod merged;
mod names;
mod nested;
mod object;
mod otel;
mod parts;

pub use bunyan::Bunyan;
pub use console::Console;
pub use datadog::Datadog;
pub use ecs::Ecs;
pub use edit::Edits;
pub(crate) use flat::is_reserved;
pub use flat::{Flat, SpanFields};
pub use gcp::Gcp;
pub use lambda::Lambda;
pub use logfmt::Logfmt;
pub use names::{NAMES, by_name};
pub use nested::Nested;
pub use otel::Otel;

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

    /// Takes over the edits of its output, with [`Edits::apply`]; false for a schema of JSON objects, whose lines are
    /// edited when they are rendered.
    fn edit(&mut self, edits: &Edits) -> bool {
        let _ = edits;
        false
    }
}

impl<S: Schema + ?Sized> Schema for Box<S> {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        (**self).render(record, out);
    }

    fn wants_thread(&self) -> bool {
        (**self).wants_thread()
    }

    fn forked(&mut self) {
        (**self).forked();
    }

    fn terminal(&mut self, is_terminal: bool) {
        (**self).terminal(is_terminal);
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        (**self).edit(edits)
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Color {
    /// When the sink is a terminal; `NO_COLOR` forbids it and `CLICOLOR_FORCE` forces it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
