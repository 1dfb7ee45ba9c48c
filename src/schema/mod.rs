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

mod clock;
mod common_fields;
mod edit;
mod host;
pub mod json;
mod object;
mod resolved_fields;
mod table;

// The table: one line for each schema's file, in the order in which they are listed.
table::schemas! {
    flat::Flat,
    nested::Nested,
    ecs::Ecs,
    gcp::Gcp,
    datadog::Datadog,
    otel::Otel,
    bunyan::Bunyan,
    lambda::Lambda,
    logfmt::Logfmt,
    console::Console,
}

pub use console::Color;
pub use edit::Edits;
pub use flat::SpanFields;
pub(crate) use flat::is_reserved;
pub use table::{BuiltIn, Keys, NAMES, built_in, by_name};

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
