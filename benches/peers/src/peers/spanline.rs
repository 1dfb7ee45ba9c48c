//! spanline: its defaults, except that a full queue makes the caller wait, so that nothing is lost.

use std::path::Path;
use std::time::Duration;

use spanline::schema::Flat;
use spanline::sink::{Lines, Next, Sink as Target};
use spanline::{Error, Guard, Output, Overflow, RollingFile};
use tracing_subscriber::prelude::*;

use super::{Sink, Subscribed};

/// Longer than any wait for room can take: a line is never refused.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// One output: a rolling file, the queue of 8 MiB, the default schema.
pub struct Spanline {
    _guard: Guard,
}

/// Two outputs with two schemas, so that every line is rendered twice.
pub struct TwoOutputs {
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

fn output(sink: &Sink, file: &str) -> Output {
    let output = match sink {
        Sink::Null => Output::new(Nowhere),
        Sink::Files(directory) => Output::new(RollingFile::new(Path::join(directory, file))),
    };
    output.overflow(Overflow::Block { max_wait: MAX_WAIT })
}

fn subscribe(outputs: Vec<Output>) -> Guard {
    let builder = spanline::builder().filter("info");
    let (layer, guard) =
        outputs.into_iter().fold(builder, |builder, output| builder.output(output)).build().expect("a layer");
    tracing_subscriber::registry().with(layer).init();
    guard
}
