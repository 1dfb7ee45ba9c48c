//! An output without the layer: queue, worker and sink for the lines that other formatters make.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::metrics::Reason;
use crate::queue::{Head, Push, Pushed};
use crate::record::Clock;
use crate::worker::{self, Lane};

/// Takes ready-made lines off the thread that logs: in place of `tracing_appender::non_blocking`.
///
/// One line for each writer dropped, whatever was written to it in however many calls; text of several lines stays
/// whole. Made by [`Output::appender`](crate::Output::appender).
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
#[derive(Clone, Debug)]
pub struct Appender {
    lane: Arc<Lane>,
    clock: Clock,
}

impl Appender {
    pub(crate) fn new(lane: Arc<Lane>, clock: Clock) -> Self {
        Self { lane, clock }
    }

    fn line(&self, level: Level) -> LineWriter<'_> {
        LineWriter { appender: self, level, bytes: Vec::new() }
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

/// Gathers one line and queues it when dropped.
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
        let lane = &self.appender.lane;
        let time = self.appender.clock.now();
        let is_own = worker::own_lane().is_some();
        if is_own && lane.refuses_own() {
            lane.queue.refuse(Reason::OwnThread, self.level, time);
            return;
        }
        let head = Head::Line(self.level);
        let push = Push { head, time, bytes: &self.bytes, context: None, may_wait: !is_own };
        if lane.queue.push(push) == Pushed::DeliverYourself {
            lane.deliver_here();
        }
    }
}

impl fmt::Debug for LineWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineWriter").field("level", &self.level).finish_non_exhaustive()
    }
}
