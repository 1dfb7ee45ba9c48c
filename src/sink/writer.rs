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
pub struct Writer<W> {
    writer: W,
    is_terminal: bool,
}

impl<W: Write + Send + 'static> Writer<W> {
    /// A sink that writes to `writer`.
    pub fn new(writer: W) -> Self {
        Self { writer, is_terminal: false }
    }

    /// Sets whether the writer leads to a terminal, so that [`Console`](crate::schema::Console) colors its lines as it does
    /// on [`Stderr`](crate::Stderr). By default, it does not.
    ///
    /// A progress bar, a pager or a prompt writes to the terminal for the log: ask the stream behind it.
    ///
    /// ```no_run
    /// use std::io::{IsTerminal, Write};
    /// use spanline::Output;
    /// use spanline::schema::Console;
    /// use spanline::sink::Writer;
    ///
    /// # fn writer_above_the_bars() -> impl Write + Send + 'static { std::io::stderr() }
    /// let writer = Writer::new(writer_above_the_bars()).terminal(std::io::stderr().is_terminal());
    /// let output = Output::new(writer).schema(Console::new());
    /// ```
    pub fn terminal(mut self, is_terminal: bool) -> Self {
        self.is_terminal = is_terminal;
        self
    }
}

impl<W: Write + Send + 'static> Sink for Writer<W> {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        write_all(&mut self.writer, lines, "write")
    }

    fn profile(&self) -> Profile {
        Profile::new("writer").terminal(self.is_terminal).plain()
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Flush | Control::Sync | Control::Close => {
                self.writer.flush().map_err(|error| Error::io("flush", error))
            }
            _ => Ok(()),
        }
    }
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("is_terminal", &self.is_terminal).finish_non_exhaustive()
    }
}
