//! Any `io::Write` as a sink.

use std::fmt;
use std::io::Write;

use super::stdio::write_all;
use super::{Control, Lines, Next, Profile, Sink};
use crate::error::Error;

/// Writes to anything that implements [`io::Write`](std::io::Write): a socket, a compressor, another crate's appender.
///
/// A line counts as written once the writer has taken it. The writer is flushed after each batch. After an error, the
/// rest is offered again, even when a pipe is broken.
///
/// ```no_run
/// use spanline::sink::Writer;
/// use spanline::Output;
/// use tracing_appender::rolling::RollingFileAppender;
///
/// let appender = RollingFileAppender::builder().filename_prefix("orders").build("logs")?;
/// let output = Output::new(Writer::new(appender));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Writer<W>(W);

impl<W: Write + Send + 'static> Writer<W> {
    /// A sink that writes to `writer`.
    pub fn new(writer: W) -> Self {
        Self(writer)
    }
}

impl<W: Write + Send + 'static> Sink for Writer<W> {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        write_all(&mut self.0, lines, "write")
    }

    fn profile(&self) -> Profile {
        Profile::new("writer").plain()
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Flush | Control::Sync | Control::Close => {
                self.0.flush().map_err(|error| Error::io("flush", error))
            }
            _ => Ok(()),
        }
    }
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}
