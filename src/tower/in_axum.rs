//! What axum knows about a request.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{MatchedPath, OriginalUri};
use bytes::Buf;
use http::request::Parts;
use http_body::{Frame, SizeHint};

/// Returns the route that a `Router` matched. It is known inside the router's `layer`, not around the router.
pub(super) fn matched_route(parts: &Parts) -> Option<String> {
    parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned())
}

/// Returns the whole path. Inside a nested `Router`, the request's own path lacks the beginning.
pub(super) fn path(parts: &Parts) -> &str {
    parts.extensions.get::<OriginalUri>().map_or(parts.uri.path(), |uri| uri.path())
}

/// Counts the bytes of a request as they are read, if the body has axum's type. Only that type can wrap itself.
pub(super) fn count<B: 'static>(body: &mut B) -> Option<Arc<AtomicU64>> {
    let body = (body as &mut dyn Any).downcast_mut::<Body>()?;
    let bytes = Arc::<AtomicU64>::default();
    if !http_body::Body::is_end_stream(body) {
        *body = Body::new(Counted { inner: std::mem::take(body), bytes: Arc::clone(&bytes) });
    }
    Some(bytes)
}

/// A body that adds the bytes it returns to a counter.
struct Counted {
    inner: Body,
    bytes: Arc<AtomicU64>,
}

impl http_body::Body for Counted {
    type Data = <Body as http_body::Body>::Data;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Buf::remaining);
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
