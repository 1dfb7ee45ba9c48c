//! How lines look: pure functions from a record to a line.
//!
//! A [`Schema`] is the third stage of an [`Output`](crate::Output), between the queue and the sink. It runs on the
//! worker, so it costs the logging threads nothing. It uses no clock, no threads and no I/O: the same record always
//! gives the same line.
//!
//! | schema | for |
//! |---|---|
//! | [`Flat`] | one JSON object per line, every key at the top level: the default |
//! | [`Nested`] | programs that parse the lines of `tracing_subscriber::fmt().json()` |
//! | [`Ecs`] | Elasticsearch |
//! | [`Gcp`] | Google Cloud Logging and Error Reporting |
//! | [`Datadog`] | Datadog |
//! | [`Otel`] | the OpenTelemetry collector: OTLP/JSON |
//! | [`Bunyan`] | the `bunyan` command |
//! | [`Pino`] | the `pino-pretty` command |
//! | [`Lambda`] | AWS Lambda |
//! | [`Gelf`] | Graylog |
//! | [`Splunk`] | Splunk's HTTP Event Collector |
//! | [`Logfmt`] | `key=value` pairs, for grep |
//! | [`Console`] | people at a terminal |
//! | [`Template`] | lines as a text describes them |
//! | [`Custom`] | JSON objects with keys of your own |
//!
//! [`by_name`] finds a schema by its name, and [`built_in`] lists all of them. [`Edits`] rename, remove and insert keys
//! of any schema. A switch, such as `thread_name`, has the same name in every schema that has it.
//!
//! A description, [`Custom`], makes a JSON schema of your own. Any other schema is one `impl`:
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
mod color;
mod custom;
mod edit;
mod engine;
mod host;
mod journal;
#[cfg(all(target_os = "linux", feature = "journald"))]
mod journal_entry;
pub mod json;
mod level;
mod object;
#[cfg(feature = "otlp")]
mod otel_protobuf;
mod palette;
mod plain;
#[cfg(feature = "otlp")]
pub(crate) mod protobuf;
mod resolved_fields;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod rows;
mod span_fields;
mod style;
#[cfg(feature = "syslog")]
mod syslog;
mod table;
mod template;
mod time_format;

// One line per schema. Its file holds the type and its rows of the table.
table::schemas! {
    flat::Flat,
    nested::Nested,
    ecs::Ecs,
    gcp::Gcp,
    datadog::Datadog,
    otel::Otel,
    bunyan::Bunyan,
    pino::Pino,
    lambda::Lambda,
    gelf::Gelf,
    splunk::Splunk,
    logfmt::Logfmt,
    console::Console,
}

pub use color::Color;
pub use custom::{Custom, Members};
pub use edit::Edits;
pub(crate) use flat::is_reserved;
pub(crate) use journal::WithPrefix;
#[cfg(all(target_os = "linux", feature = "journald"))]
pub(crate) use journal_entry::JournalEntry;
pub use level::LevelFormat;
#[cfg(feature = "otlp")]
pub(crate) use otel_protobuf::{OtelLine, OtelProtobuf};
pub use palette::Palette;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use rows::{Cell, Column, Rows};
pub use span_fields::SpanFields;
pub use style::Style;
#[cfg(feature = "syslog")]
pub(crate) use syslog::{SyslogFormat, SyslogMessage, SyslogSettings};
pub use table::{BuiltIn, Keys, NAMES, built_in, by_name};
pub use template::Template;
pub use time_format::{Rfc3339, TimeFormat};

use crate::record::Record;

/// Renders records as lines. Pure: no I/O, no clock.
pub trait Schema: Send + 'static {
    /// Appends the line for `record` to `out`, without a trailing newline. `out` already holds other lines; it must not
    /// change them.
    ///
    /// When the line is longer than allowed, it is rendered again from a record with shorter values.
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>);

    /// Returns whether the schema uses [`Record::thread`]; the thread is captured only when a schema does.
    fn wants_thread(&self) -> bool {
        false
    }

    /// Returns whether the lines have local times; the log complains once if `TZ` is then mistyped.
    fn wants_local_time(&self) -> bool {
        false
    }

    /// Forgets what was prepared. Called in a forked child before its first line, because the process id has changed, and
    /// after [`Handle::set_static_field`](crate::Handle::set_static_field).
    fn forked(&mut self) {}

    /// Called once before the first line, with whether the sink is a terminal.
    fn terminal(&mut self, is_terminal: bool) {
        let _ = is_terminal;
    }

    /// Takes over its output's edits, to apply them with [`Edits::apply`]. Returns false when it leaves them to the
    /// caller, which then edits the rendered lines: right for schemas of JSON objects.
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

    fn wants_local_time(&self) -> bool {
        (**self).wants_local_time()
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
