//! A finished request, as the user's hook sees it.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use tracing::Level;

use super::outcome::Outcome;
use super::received::ReceivedRequest;
use super::response_error::ResponseError;
use super::sent::SentResponse;

/// A finished request, as [`log_when`](super::ServerLayer::log_when) and [`level`](super::ServerLayer::level) see it.
pub struct Finished<'a> {
    pub(super) request: &'a ReceivedRequest,
    pub(super) response: &'a SentResponse,
    pub(super) outcome: Outcome,
    pub(super) latency: Duration,
    /// The error of the service or the body.
    pub(super) error: Option<&'a dyn fmt::Display>,
    /// Whether an ERROR line of the log already reports the failure.
    pub(super) is_reported: bool,
}

impl fmt::Debug for Finished<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finished")
            .field("method", self.method())
            .field("path", &self.path())
            .field("status", &self.status())
            .field("outcome", &self.outcome)
            .field("latency", &self.latency)
            .finish_non_exhaustive()
    }
}

impl Finished<'_> {
    /// Returns the request's method.
    pub fn method(&self) -> &Method {
        &self.request.method
    }

    /// Returns the request's path without the query, cut to 1024 bytes.
    pub fn path(&self) -> &str {
        &self.request.path
    }

    /// Returns the route that was matched, if it is known.
    pub fn route(&self) -> Option<&str> {
        self.request.route.as_deref()
    }

    /// Returns the response's status; `None` when there was no response.
    pub fn status(&self) -> Option<StatusCode> {
        self.response.status
    }

    /// Returns the request's headers.
    pub fn request_headers(&self) -> &HeaderMap {
        &self.request.headers
    }

    /// Returns the response's headers; empty when there was no response.
    pub fn response_headers(&self) -> &HeaderMap {
        &self.response.headers
    }

    /// Returns the status of a gRPC call, from the headers or the trailers.
    pub fn grpc_status(&self) -> Option<u32> {
        self.response.grpc_status
    }

    /// Returns the message of a gRPC status, decoded and cut to 1024 bytes.
    pub fn grpc_message(&self) -> Option<&str> {
        self.response.grpc_message.as_deref()
    }

    /// Returns the error of the service or the body, else the [`ResponseError`].
    pub fn error(&self) -> Option<&dyn fmt::Display> {
        self.error.or_else(|| self.response.error.as_ref().map(|error| error as &dyn fmt::Display))
    }

    /// Returns the error that the handler has passed on.
    pub fn response_error(&self) -> Option<&ResponseError> {
        self.response.error.as_ref()
    }

    /// Returns the level that the line has by default.
    ///
    /// It is ERROR for 5xx, failures and panics, WARN for 4xx and requests that ended early, else INFO. The gRPC status
    /// counts too. If an ERROR line of the log already reports the failure, that of a panic or of an inner layer, it is
    /// WARN instead of ERROR.
    pub fn level(&self) -> Level {
        // The more severe level is the smaller one.
        let level = self.response.level().min(self.outcome.level());
        if level == Level::ERROR && self.is_reported { Level::WARN } else { level }
    }

    /// Returns how the request ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns how long the request took, to the end of the body.
    pub fn latency(&self) -> Duration {
        self.latency
    }
}
