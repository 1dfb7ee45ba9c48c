//! spanline: its defaults, except that a full queue makes the caller wait, so that nothing is lost.

use std::path::Path;
use std::time::Duration;

use spanline::schema::{self, Edits, Flat, Template};
use spanline::sink::{Lines, Next, Sink as Target};
use spanline::{Error, Guard, Output, Overflow, RollingFile};

use super::{Sink, Subscribed};

/// Longer than any wait for room can take: a line is never refused.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(60);

/// One output: a rolling file, the queue of 8 MiB, the default schema.
pub struct Spanline {
    _guard: Guard,
}

/// Two outputs with two schemas, so that every line is rendered twice.
pub struct TwoOutputs {
    _guard: Guard,
}

/// The names of the schemas beside the default one, as peers.
pub const SCHEMAS: [&str; 13] = [
    "spanline:nested",
    "spanline:ecs",
    "spanline:datadog",
    "spanline:gcp",
    "spanline:otel",
    "spanline:lambda",
    "spanline:bunyan",
    "spanline:pino",
    "spanline:gelf",
    "spanline:splunk",
    "spanline:logfmt",
    "spanline:console",
    TEMPLATE,
];

/// The one that no name stands for.
pub const TEMPLATE: &str = "spanline:template";

/// The one with edits.
pub const EDITED: &str = "spanline:edits";

/// What comes before the name of a schema.
const OF_SCHEMA: &str = "spanline:";

const PYTHON: &str =
    "{time:%Y-%m-%d %H:%M:%S,%3f} | {level:<8} | {target} | {request_id:-NO_REQUEST} | {message} {fields}";

/// One output in a schema of [`SCHEMAS`].
pub struct As<const SCHEMA: usize> {
    _guard: Guard,
}

/// One output whose lines are edited.
pub struct Edited {
    _guard: Guard,
}

/// Takes lines and forgets them.
struct Nowhere;

impl Target for Nowhere {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }
}

impl Subscribed for Spanline {
    fn start(sink: &Sink) -> Self {
        Self { _guard: subscribe(vec![output(sink, "log.jsonl")]) }
    }
}

impl Subscribed for TwoOutputs {
    fn start(sink: &Sink) -> Self {
        let other = output(sink, "other.jsonl").schema(Flat::new().thread_name().file().line());
        Self { _guard: subscribe(vec![output(sink, "log.jsonl"), other]) }
    }
}

impl<const SCHEMA: usize> Subscribed for As<SCHEMA> {
    fn start(sink: &Sink) -> Self {
        let output = output(sink, "log.jsonl");
        let output = match SCHEMAS[SCHEMA] {
            TEMPLATE => output.schema(Template::new(PYTHON).expect("a template")),
            name => output.schema(schema::by_name(name.trim_start_matches(OF_SCHEMA)).expect("a schema")),
        };
        Self { _guard: subscribe(vec![output]) }
    }
}

impl Subscribed for Edited {
    fn start(sink: &Sink) -> Self {
        let edits = Edits::new().rename("timestamp", "ts").remove("spans").insert("type", "app");
        Self { _guard: subscribe(vec![output(sink, "log.jsonl").edits(edits)]) }
    }
}

pub(super) fn output(sink: &Sink, file: &str) -> Output {
    let output = match sink {
        Sink::Null => Output::new(Nowhere),
        Sink::Files(directory) => Output::new(RollingFile::new(Path::join(directory, file))),
    };
    output.overflow(Overflow::Block { max_wait: MAX_WAIT })
}

pub(super) fn subscribe(outputs: Vec<Output>) -> Guard {
    let builder = spanline::builder().filter("info");
    outputs.into_iter().fold(builder, |builder, output| builder.output(output)).init().expect("a log")
}
