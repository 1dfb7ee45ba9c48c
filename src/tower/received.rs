//! What the layer remembers of a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Version, request};
use http_body::Body;

#[cfg(feature = "axum")]
use super::in_axum;
use super::request_head::RequestHead;
use crate::error::Error;
use crate::propagate::TraceContext;
use crate::values::prefix;

/// A path is cut to this many bytes.
const MAX_PATH_BYTES: usize = 1024;

/// What the layer remembers of a request.
#[derive(Debug)]
pub(super) struct ReceivedRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) route: Option<String>,
    pub(super) request_id: String,
    /// Why the caller's `traceparent`, `tracestate`, request id and other trace headers, and the baggage, were
    /// rejected.
    pub(super) rejected: [Option<String>; 5],
    /// The ids of a caller that is not trusted.
    pub(super) upstream: TraceContext,
    pub(super) head: RequestHead,
    pub(super) bytes: RequestBytes,
    /// The headers, if a hook may ask for them.
    pub(super) headers: HeaderMap,
}

impl ReceivedRequest {
    pub(super) fn new(
        parts: &request::Parts,
        bytes: RequestBytes,
        head: RequestHead,
        route: Option<String>,
        request_id: String,
        rejected: [Option<Error>; 5],
    ) -> Self {
        Self {
            method: parts.method.clone(),
            path: prefix(path(parts), MAX_PATH_BYTES).to_owned(),
            route,
            request_id,
            upstream: TraceContext::default(),
            rejected: rejected.map(|error| error.map(|error| error.to_string())),
            head,
            bytes,
            headers: HeaderMap::new(),
        }
    }
}

/// The size of a request's body.
#[derive(Debug)]
pub(super) enum RequestBytes {
    /// The size that the request declares.
    Declared(Option<u64>),
    /// The bytes read so far.
    #[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "only axum's bodies can be counted"))]
    Counted(Arc<AtomicU64>),
}

impl RequestBytes {
    /// Returns the size of a body. `body` counts its bytes from now on, if it can.
    pub(super) fn of<B: Body + 'static>(body: &mut B) -> Self {
        #[cfg(feature = "axum")]
        if let Some(counted) = in_axum::count(body) {
            return Self::Counted(counted);
        }
        Self::Declared(body.size_hint().exact())
    }

    /// Returns the size that the headers declare. Without a size, an HTTP/1 request has no body unless it is chunked.
    pub(super) fn declared(head: &request::Parts) -> Self {
        let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let may_be_unsized = head.version > Version::HTTP_11 || head.headers.contains_key(TRANSFER_ENCODING);
        Self::Declared(length.or((!may_be_unsized).then_some(0)))
    }

    pub(super) fn known(&self) -> Option<u64> {
        match self {
            Self::Declared(bytes) => *bytes,
            Self::Counted(bytes) => Some(bytes.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(feature = "axum")]
fn path(parts: &request::Parts) -> &str {
    in_axum::path(parts)
}

#[cfg(not(feature = "axum"))]
fn path(parts: &request::Parts) -> &str {
    parts.uri.path()
}
