//! Where lines go.
//!
//! A [`Sink`] is the last stage of an [`Output`](crate::Output): the worker hands it rendered [`Lines`], and it
//! takes them to the world. It is called from one thread at a time, may block, fail and be slow: no other output
//! and no logging thread waits for it.
//!
//! A sink of one's own is one `impl`:
//!
//! ```
//! use spanline::sink::{Lines, Sink};
//!
//! struct Count(u64);
//!
//! impl Sink for Count {
//!     fn write(&mut self, lines: &mut Lines) -> Result<(), spanline::Error> {
//!         self.0 += lines.iter().count() as u64;
//!         lines.advance(lines.as_bytes().len());
//!         Ok(())
//!     }
//! }
//! # let _ = spanline::Output::new(Count(0));
//! ```

mod file;
mod lines;
mod memory;
mod stdio;
mod writer;

pub use crate::rotation::Period;
pub use file::RollingFile;
pub use lines::{Line, Lines};
pub use memory::Memory;
pub use stdio::{Stderr, Stdout};
pub use writer::Writer;

use crate::error::Error;
use crate::record::Timestamp;

/// Takes rendered lines somewhere. Called only from its output's worker: it may block and needs no locks.
pub trait Sink: Send + 'static {
    /// Writes lines in order and advances past each byte delivered; the cursor, within a line too, lives in `lines`.
    ///
    /// # Errors
    /// After a [retryable](Error::is_retryable) error, or a panic, the rest is offered again; a
    /// [rejected](Error::is_rejected) first line is skipped; after [closed](Error::is_closed) nothing is offered any
    /// more. Each is counted. `Ok` with lines left over means "call again".
    fn write(&mut self, lines: &mut Lines) -> Result<(), Error>;

    /// Acts on an order that is not a line. Orders it does not know, it ignores.
    ///
    /// # Errors
    /// An error from [`Control::Open`] is the builder's; from the others it is counted and reported.
    fn control(&mut self, control: Control) -> Result<(), Error> {
        let _ = control;
        Ok(())
    }

    /// Whether a person reads it: the default output then is coloured, and `Console` colours by itself.
    fn is_terminal(&self) -> bool {
        false
    }
}

/// Orders to a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// Once, before the first line, on the thread that builds: open, connect, check.
    Open,
    /// Hand all that was written to the system.
    Flush,
    /// Make all that was written durable: for [`Handle::sync`](crate::Handle::sync), and as
    /// [`Durability`](crate::Durability) says, then again after an error.
    Sync,
    /// Let go of what is open and open it anew: after a rename by another program.
    Reopen,
    /// Close the current segment and begin a new one.
    Rotate,
    /// Before each batch: the time is now this. A sink that acts by the clock takes it from here.
    Tick(Timestamp),
    /// In a forked child, before its first line: what is open belongs to the parent as well. Let go of it, without a
    /// word to the other side and without releasing locks, and open it anew where sharing it would do harm; threads of
    /// the parent do not exist here.
    Forked,
    /// The log is being shut down: finish what is under way. Lines logged later than that may still follow.
    Close,
}
