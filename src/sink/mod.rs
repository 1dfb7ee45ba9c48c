//! Where lines go.
//!
//! A [`Sink`] is the last stage of an [`Output`](crate::Output): the worker offers it rendered [`Lines`], and it delivers
//! them. It is called from one thread at a time. It may block, fail and be slow: no other output and no logging thread
//! waits for it.
//!
//! | sink | writes to | feature |
//! |---|---|---|
//! | [`Stdout`], [`Stderr`] | the standard streams | |
//! | [`RollingFile`], [`Route`] | a file that rotates; one for each value of a field | |
//! | [`Writer`], [`Memory`] | any `io::Write`; memory, for tests | |
//! | [`Tcp`], [`Udp`], [`Unix`] | a server, as JSON lines, frames or datagrams | `net` |
//! | [`Syslog`], [`Journald`] | a syslog server or `/dev/log`; systemd's journal | `syslog`, `journald` |
//! | [`Http`], [`Otlp`] | a server over HTTP; a collector of OpenTelemetry | `http`, `otlp` |
//! | [`Sqlite`], [`Postgres`] | a table of a database | `sqlite`, `postgres` |
//! | [`Spool`], [`Fallback`] | disk, or a second sink, while the sink that they wrap does not take lines | `spool` |
//!
//! [*Outputs*](crate::docs::outputs) and [*Sinks*](crate::docs::sinks) say when a line counts as written. The smallest sink is a closure:
//!
//! ```
//! use spanline::Output;
//! use spanline::sink::{Lines, Next};
//!
//! let mut count = 0;
//! let output = Output::new(move |lines: &mut Lines| {
//!     count += lines.iter().count();
//!     lines.advance(lines.as_bytes().len());
//!     Ok(Next::Done)
//! });
//! # let _ = output;
//! ```
//!
//! The page [*Your own sink*](crate::docs::your_own_sink) goes on with a socket and a batching client.

mod async_sink;
mod closure;
mod control;
mod directory;
mod failure;
#[cfg(feature = "spool")]
mod fallback;
mod file;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "spool")]
mod inner;
#[cfg(all(target_os = "linux", feature = "journald"))]
mod journald;
mod lines;
mod memory;
#[cfg(feature = "net")]
mod net;
mod next;
mod own_thread;
#[cfg(feature = "postgres")]
mod postgres;
mod profile;
#[cfg(feature = "net")]
mod reconnect;
mod route;
#[cfg(any(feature = "http", feature = "postgres", all(feature = "config", feature = "sealed")))]
mod secret;
#[cfg(feature = "spool")]
mod spool;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stdio;
mod writer;

pub use crate::rotation::Period;
pub use async_sink::{Async, AsyncSink, Batch};
pub use chrono::Weekday;
pub use control::Control;
#[cfg(feature = "spool")]
pub use fallback::Fallback;
pub use file::RollingFile;
#[cfg(feature = "http")]
pub use http::Http;
#[cfg(feature = "otlp")]
pub use http::Otlp;
#[cfg(all(target_os = "linux", feature = "journald"))]
pub use journald::Journald;
pub use lines::{Columns, Iter, Line, Lines};
pub use memory::Memory;
#[cfg(feature = "tls")]
pub use net::Tls;
#[cfg(all(feature = "net", unix))]
pub use net::Unix;
#[cfg(feature = "syslog")]
pub use net::{Facility, Syslog};
#[cfg(feature = "net")]
pub use net::{Tcp, Udp};
pub use next::Next;
pub use own_thread::{OwnThread, OwnThreads};
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
pub use profile::Profile;
pub use route::Route;
#[cfg(any(feature = "http", feature = "postgres", all(feature = "config", feature = "sealed")))]
pub use secret::Secret;
#[cfg(feature = "spool")]
pub use spool::Spool;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
pub use stdio::{Stderr, Stdout};
pub use writer::Writer;

#[cfg(all(unix, feature = "control"))]
pub(crate) use directory::SocketDirectory;
pub(crate) use lines::{CHUNK_BYTES, Offer};
pub(crate) use own_thread::{enter as enter_thread, is_client_thread, next_owner, owner_of_thread};
#[cfg(feature = "sealed")]
pub(crate) use profile::SharedHead;
pub(crate) use profile::{Batching, Wanted, resolved};

use crate::error::Error;

/// Delivers rendered lines. Only its output's worker calls it: it may block and needs no locks.
///
/// # Examples
/// ```
/// use spanline::sink::{Lines, Next, Sink};
/// use spanline::{Error, Output};
///
/// struct Count(usize);
///
/// impl Sink for Count {
///     fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
///         while let Some(line) = lines.first() {
///             self.0 += 1;                        // deliver `line.bytes`, then say that they are written
///             lines.advance(line.bytes.len());
///         }
///         Ok(Next::Done)
///     }
/// }
/// # let _ = Output::new(Count(0));
/// ```
pub trait Sink: Send + 'static {
    /// Delivers offered lines in order, and says what became of those in flight. Called when lines are offered, at the time
    /// that the last call asked for, and after [`Lines::waker`] was woken.
    ///
    /// `Ok` with lines left over means "call again", unless it is [`Next::Later`].
    ///
    /// # Errors
    /// Each error is counted and reported.
    /// - After a [retryable](Error::is_retryable) error, or a panic, lines in flight are offered again, after a pause.
    /// - After a [rejected](Error::is_rejected) error, fewer lines are offered, down to one. That one is dropped.
    /// - After a [closed](Error::is_closed) error, all lines are dropped until [`Handle::reopen`](crate::Handle::reopen).
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error>;

    /// Acts on an order that is not a line. A sink ignores orders that it does not know.
    ///
    /// # Errors
    /// A retryable error from [`Control::Open`] is reported, and the order is sent again later. Any other one fails the
    /// start of the log. Errors from other orders are counted and reported.
    fn control(&mut self, control: Control) -> Result<(), Error> {
        let _ = control;
        Ok(())
    }

    /// Describes the sink: name, path, batches, targets, schema. Called once, when the log is built. A wrapper forwards it.
    fn profile(&self) -> Profile {
        Profile::new("sink")
    }
}
