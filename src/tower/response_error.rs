//! The error behind a response, on its way from the handler to the request's line.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The error behind a response. In the response's extensions, it becomes the `error` of the request's line, with its chain
/// of sources.
///
/// A handler that passes on its error need not log it.
///
/// ```
/// use spanline::tower::ResponseError;
///
/// fn failed(error: std::io::Error) -> http::Response<String> {
///     let mut response = http::Response::new("try again later".to_owned());
///     *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
///     response.extensions_mut().insert(ResponseError::new(error));
///     response
/// }
/// ```
#[derive(Clone)]
pub struct ResponseError(Arc<dyn Error + Send + Sync>);

impl ResponseError {
    /// Makes one from an error or a text.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into().into())
    }

    /// Returns the error.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Debug for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseError").field(&self.0).finish()
    }
}

/// Writes the error without its sources.
impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
