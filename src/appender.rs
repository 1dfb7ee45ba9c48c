//! An output without the layer: queue, worker and sink for lines that another formatter makes.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::outputs::{Line, Outputs};
use crate::queue::Head;
use crate::values::Clock;

/// Writes ready-made lines off the calling thread, in place of `tracing_appender::non_blocking`.
///
/// Each dropped writer is one line, however many calls wrote to it. Text of several lines stays together.
/// [`Output::appender`](crate::Output::appender) makes it.
///
/// ```
/// use spanline::{Output, RollingFile};
/// use tracing_subscriber::prelude::*;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("app.log");
/// let (appender, _guard) = Output::new(RollingFile::new(path).daily()).appender()?;
/// let subscriber = tracing_subscriber::fmt().with_writer(appender).finish();
/// # tracing::subscriber::with_default(subscriber, || tracing::info!("hello"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Appender {
    /// Exactly one.
    outputs: Arc<Outputs>,
    clock: Clock,
}

/// The mask of the only output.
const OUTPUT: u64 = 1;

impl Appender {
    pub(crate) fn new(outputs: Arc<Outputs>, clock: Clock) -> Self {
        Self { outputs, clock }
    }

    fn line(&self, level: Level) -> LineWriter<'_> {
        LineWriter { appender: self, level, bytes: Vec::new() }
    }
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.outputs.first().in_mask(OUTPUT).next().map(|lane| &lane.name);
        f.debug_struct("Appender").field("output", &name).finish_non_exhaustive()
    }
}

impl<'a> MakeWriter<'a> for Appender {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        self.line(Level::INFO)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        self.line(*meta.level())
    }
}

/// Collects one line and queues it when dropped.
#[must_use = "dropping the writer queues its line"]
pub struct LineWriter<'a> {
    appender: &'a Appender,
    level: Level,
    bytes: Vec<u8>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter<'_> {
    fn drop(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let Appender { outputs, clock } = self.appender;
        let line = Line { head: Head::Line(self.level), time: clock.now(), bytes: &self.bytes };
        let places = outputs.first();
        let to_deliver = places.submit(OUTPUT, line, |mask, push| places.push(mask, push));
        places.deliver(to_deliver);
    }
}

impl fmt::Debug for LineWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineWriter").field("level", &self.level).finish_non_exhaustive()
    }
}
