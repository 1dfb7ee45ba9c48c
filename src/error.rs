//! The one error type.
//!
//! It is opaque: a message that names the path and the cause, predicates for what a caller can do about it,
//! and a source. Sinks make one with [`Error::retry`], [`Error::rejected`] and [`Error::closed`], or by `?` on
//! an [`io::Error`]; what the worker does next follows from which of them it was.

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// What went wrong, in words, and what can be done about it.
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Retry,
    Rejected,
    Closed,
    Invalid,
    Timeout,
    OwnThread,
}

impl Error {
    /// A passing failure: the worker keeps the lines and offers them again after a pause.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::new(Kind::Retry, message)
    }

    /// The first remaining line can never be delivered: the worker counts it as dropped and goes on with the next.
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::new(Kind::Rejected, message)
    }

    /// The sink has ended for good: the worker reports it once and counts what comes later as dropped.
    pub fn closed(message: impl Into<String>) -> Self {
        Self::new(Kind::Closed, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self::new(Kind::Timeout, message)
    }

    pub(crate) fn own_thread(message: impl Into<String>) -> Self {
        Self::new(Kind::OwnThread, message)
    }

    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Says what was being done when `source` happened, a path for example.
    ///
    /// The error [can be retried](Error::is_retryable): a broken pipe may be connected again. A sink whose destination has
    /// ended for good returns [`Error::closed`].
    pub fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self { kind: Kind::Retry, message: doing.into(), source: Some(source) }
    }

    /// Returns the same error, after which the sink is closed.
    pub(crate) fn into_closed(self) -> Self {
        Self { kind: Kind::Closed, ..self }
    }

    /// Returns the same error as one that trying again does not help.
    pub(crate) fn into_invalid(self) -> Self {
        Self { kind: Kind::Invalid, ..self }
    }

    /// Returns whether a pipe has no reader.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The same error, with the output it is about.
    pub(crate) fn of_output(mut self, name: &str) -> Self {
        self.message = format!("output {name}: {}", self.message);
        self
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind == Kind::Retry
    }

    /// Whether one line was refused for good.
    pub fn is_rejected(&self) -> bool {
        self.kind == Kind::Rejected
    }

    /// Whether the destination has ended for good.
    pub fn is_closed(&self) -> bool {
        self.kind == Kind::Closed
    }

    /// Whether a setting was wrong: a filter directive, a name, a limit, a path that may not be written to.
    pub fn is_invalid(&self) -> bool {
        self.kind == Kind::Invalid
    }

    /// Whether the time allowed ran out.
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    /// Whether the call was made on a thread of the log itself, which cannot wait for itself.
    pub fn is_own_thread(&self) -> bool {
        self.kind == Kind::OwnThread
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self::io("write", source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

/// The same as its `Display`: what a user reads when `main` returns it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
