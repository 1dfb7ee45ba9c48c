//! A finished request, as the user's hook sees it.

use std::time::Duration;

use http::{Method, StatusCode};

use super::outcome::Outcome;
use super::received::ReceivedRequest;
use super::sent::SentResponse;

/// A finished request, as [`log_when`](super::ServerLayer::log_when) sees it.
#[derive(Debug)]
pub struct Finished<'a> {
    pub(super) request: &'a ReceivedRequest,
    pub(super) response: &'a SentResponse,
    pub(super) outcome: Outcome,
    pub(super) latency: Duration,
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

    /// Returns how the request ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns how long the request took, to the end of the body.
    pub fn latency(&self) -> Duration {
        self.latency
    }
}
