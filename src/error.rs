//! The one error type of the crate.
//!
//! [`Error`] is opaque: a message, predicates for what the caller can do about it, and a source. Sinks build one with
//! [`Error::retry`], [`Error::rejected`], [`Error::closed`] or [`Error::invalid`], or with `?` on an [`io::Error`]. The
//! kind decides what the worker does next.

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// What went wrong, and what the caller can do about it.
///
/// The message says what failed and names the path, the output or the setting. The cause is the
/// [`source`](StdError::source), as `anyhow` and `eyre` expect it:
///
/// - `{error}` prints the message without its sources.
/// - `{error:#}` prints the message and all sources, separated by `: `.
/// - `{error:?}`, which `main` prints when it returns an error, does the same as `{error:#}`.
///
/// # Examples
/// ```
/// use spanline::Error;
///
/// # let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let error = Error::retry("cannot connect to collector:4317").with_source(refused);
/// assert!(error.is_retryable());
/// assert_eq!(error.to_string(), "cannot connect to collector:4317");
/// assert_eq!(format!("{error:#}"), "cannot connect to collector:4317: connection refused");
/// ```
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Retry,
    Rejected,
    Closed,
    Invalid,
    NotDurable,
    Timeout,
    OwnThread,
    /// The log ended with this many lines unwritten.
    Unwritten(u64),
}

impl Error {
    /// Creates a transient failure: the worker keeps the lines and offers them again after a pause.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::new(Kind::Retry, message)
    }

    /// Creates a permanent failure of one line: the worker drops the first remaining line and continues with the next.
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::new(Kind::Rejected, message)
    }

    /// Creates a permanent failure of the sink: the worker reports it once and drops all later lines.
    pub fn closed(message: impl Into<String>) -> Self {
        Self::new(Kind::Closed, message)
    }

    /// Creates an error about a setting: from [`Control::Open`](crate::sink::Control::Open), it fails `init` or
    /// `build`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// Creates a failure of [`Control::Sync`](crate::sink::Control::Sync) after which no retry makes the lines written
    /// before it durable. The worker counts them in
    /// [`not_durable`](crate::metrics::OutputMetrics::not_durable) and reports them in the log.
    pub fn not_durable(message: impl Into<String>) -> Self {
        Self::new(Kind::NotDurable, message)
    }

    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self::new(Kind::Timeout, message)
    }

    pub(crate) fn own_thread(message: impl Into<String>) -> Self {
        Self::new(Kind::OwnThread, message)
    }

    pub(crate) fn unwritten(lines: u64) -> Self {
        Self::new(Kind::Unwritten(lines), format!("{lines} lines were not written in time"))
    }

    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Creates an error from a failed I/O operation. `failed` says what failed and names the path or the peer.
    ///
    /// The error is [retryable](Error::is_retryable): even a closed connection can be opened again. A sink whose
    /// destination has ended permanently returns [`Error::closed`].
    pub fn io(failed: impl Into<String>, source: io::Error) -> Self {
        Self::new(Kind::Retry, failed).with_source(source)
    }

    /// Returns the same error as one of a line: `why`.
    pub(crate) fn into_rejected(self, why: &str) -> Self {
        Self { kind: Kind::Rejected, message: format!("{}: {why}", self.message), ..self }
    }

    /// Returns the same error as one that a retry does not help.
    pub(crate) fn into_invalid(self) -> Self {
        Self { kind: Kind::Invalid, ..self }
    }

    /// Sets the cause, replacing an earlier one. A `String` or `&str` is also accepted.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with the setting that it is about in front of its message.
    pub(crate) fn of(mut self, setting: &str) -> Self {
        self.message = format!("{setting}: {}", self.message);
        self
    }

    /// The same error with the output's name in front of its message.
    pub(crate) fn of_output(self, name: &str) -> Self {
        self.of(&format!("output {name}"))
    }

    /// Returns the same error as a transient one, unless it is about one line.
    pub(crate) fn into_retry(self) -> Self {
        let kind = if self.is_rejected() { self.kind } else { Kind::Retry };
        Self { kind, ..self }
    }

    /// Returns whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind == Kind::Retry
    }

    /// Returns whether the sink refused one line permanently.
    pub fn is_rejected(&self) -> bool {
        self.kind == Kind::Rejected
    }

    /// Returns whether lines that were written can no longer be made durable.
    pub fn is_not_durable(&self) -> bool {
        self.kind == Kind::NotDurable
    }

    /// Returns whether the destination has ended permanently.
    pub fn is_closed(&self) -> bool {
        self.kind == Kind::Closed
    }

    /// Returns whether a setting was wrong: a filter directive, a name, a limit, or a path that cannot be used.
    pub fn is_invalid(&self) -> bool {
        self.kind == Kind::Invalid
    }

    /// Returns whether a timeout or the shutdown deadline ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::Timeout | Kind::Unwritten(_))
    }

    /// Returns whether the call came from one of the log's own threads, which cannot wait for themselves.
    pub fn is_own_thread(&self) -> bool {
        self.kind == Kind::OwnThread
    }

    /// Returns how many lines [`Guard::close`](crate::Guard::close) left unwritten, in all outputs; `None` for other
    /// errors.
    pub fn unwritten_lines(&self) -> Option<u64> {
        match self.kind {
            Kind::Unwritten(lines) => Some(lines),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self::io("I/O error", source)
    }
}

/// Prints the message. The alternate form (`{:#}`) appends the sources.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if f.alternate() {
            let mut source = self.source();
            while let Some(error) = source {
                write!(f, ": {error}")?;
                source = error.source();
            }
        }
        Ok(())
    }
}

/// Prints the message and all sources on one line, because `main` prints this form.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
