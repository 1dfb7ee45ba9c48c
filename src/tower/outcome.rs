//! How a request ended.

use tracing::Level;

/// How a request ended: the field `outcome` of its line, in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The response was handed over completely. Its status tells whether the request succeeded.
    Completed,
    /// The request was dropped before there was a response: the client has gone, or an outer timeout expired.
    Cancelled,
    /// The response's body was dropped before its end: the client has gone.
    Aborted,
    /// The service returned an error instead of a response.
    ServiceError,
    /// The response's body returned an error.
    BodyError,
    /// The service or the body panicked.
    Panicked,
}

impl Outcome {
    /// Returns the text in the line.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Cancelled => "cancelled",
            Outcome::Aborted => "aborted",
            Outcome::ServiceError => "service_error",
            Outcome::BodyError => "body_error",
            Outcome::Panicked => "panicked",
        }
    }

    pub(super) fn level(self) -> Level {
        match self {
            Outcome::Completed => Level::INFO,
            Outcome::Cancelled | Outcome::Aborted => Level::WARN,
            Outcome::ServiceError | Outcome::BodyError | Outcome::Panicked => Level::ERROR,
        }
    }
}
