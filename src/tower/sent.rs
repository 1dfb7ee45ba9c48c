//! What the layer remembers of a response.

use http::{HeaderMap, StatusCode, response};
use tracing::Level;

use super::response_error::ResponseError;
use crate::values::{UndeclaredFields, percent_decoded};

/// The message of a gRPC status is cut to this many bytes.
const MAX_GRPC_MESSAGE_BYTES: usize = 1024;

/// What the layer remembers of a response. It is empty until the service returns one.
#[derive(Debug, Default)]
pub(super) struct SentResponse {
    pub(super) status: Option<StatusCode>,
    pub(super) grpc_status: Option<u32>,
    pub(super) grpc_message: Option<String>,
    /// The error that the handler passes on.
    pub(super) error: Option<ResponseError>,
    /// The headers, if a hook may ask for them.
    pub(super) headers: HeaderMap,
    /// The bytes of the body handed over so far.
    pub(super) bytes: u64,
    /// The bytes of the body that the response declares.
    declared_bytes: Option<u64>,
    /// The fields that the user's hook has added.
    pub(super) added: UndeclaredFields,
}

impl SentResponse {
    /// Remembers a response. `exact_bytes`: the size of its body, if known.
    pub(super) fn begin(&mut self, parts: &response::Parts, exact_bytes: Option<u64>, added: UndeclaredFields) {
        self.status = Some(parts.status);
        self.added = added;
        self.error = parts.extensions.get().cloned();
        self.take_grpc_status(&parts.headers);
        let declared = parts.headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        self.declared_bytes = exact_bytes.or_else(|| declared?.parse().ok());
    }

    /// Remembers the status and the message of a gRPC call. They come in trailers, or in headers when there is no body.
    pub(super) fn take_grpc_status(&mut self, headers: &HeaderMap) {
        let status = headers.get("grpc-status").and_then(|status| status.to_str().ok());
        self.grpc_status = status.and_then(|status| status.parse().ok()).or(self.grpc_status);
        if let Some(message) = headers.get("grpc-message") {
            self.grpc_message = Some(percent_decoded(message.as_bytes(), MAX_GRPC_MESSAGE_BYTES));
        }
    }

    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// Returns whether HTTP forbids a body for this status.
    pub(super) fn is_bodiless(&self) -> bool {
        self.status.is_some_and(|status| {
            status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        })
    }

    /// Returns whether all declared bytes were handed over. A server that has sent them polls the body no further.
    pub(super) fn is_complete(&self) -> bool {
        self.declared_bytes == Some(self.bytes)
    }

    /// Returns the more severe level of HTTP and gRPC status.
    pub(super) fn level(&self) -> Level {
        let by_status = match self.status.map_or(0, |status| status.as_u16()) {
            500.. => Level::ERROR,
            400.. => Level::WARN,
            _ => Level::INFO,
        };
        // These are the server's faults by OpenTelemetry's semantic conventions for gRPC.
        let by_grpc = match self.grpc_status {
            None | Some(0) => Level::INFO,
            Some(2 | 4 | 12..=15) => Level::ERROR,
            Some(_) => Level::WARN,
        };
        // The more severe level is the smaller one.
        by_status.min(by_grpc)
    }
}
