//! The current context, sent along with requests to other services.

use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

/// Puts the current context into the headers of a request: `traceparent` with the current span as the parent,
/// `tracestate`, and `x-request-id`. What of the three is there already is replaced by what the context has; outside any
/// span nothing is touched.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// spanline::tower::inject(&mut headers);
/// ```
pub fn inject(headers: &mut HeaderMap) {
    inject_as(headers, &REQUEST_ID);
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

fn inject_as(headers: &mut HeaderMap, request_id: &HeaderName) {
    let Some(context) = crate::propagate::context() else { return };
    if context.traceparent().is_some() {
        // That of another trace says nothing about this one.
        headers.remove("tracestate");
    }
    context.inject(|name, value| {
        if let Ok(value) = HeaderValue::from_str(value) {
            let name = HeaderName::from_static(name);
            headers.insert(if name == REQUEST_ID { request_id.clone() } else { name }, value);
        }
    });
}

/// Sends the context along that is current when a request is handed to the service: see [`inject`].
///
/// ```
/// use spanline::tower::ClientLayer;
/// use tower_layer::Layer;
///
/// # let service = ();
/// let client = ClientLayer::new().layer(service);
/// ```
#[derive(Clone, Debug)]
pub struct ClientLayer {
    request_id: HeaderName,
}

impl Default for ClientLayer {
    fn default() -> Self {
        Self { request_id: REQUEST_ID }
    }
}

impl ClientLayer {
    /// Makes the layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The header for the request's id: `x-request-id` unless set.
    pub fn request_id_header(mut self, name: HeaderName) -> Self {
        self.request_id = name;
        self
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        Client { inner, request_id: self.request_id.clone() }
    }
}

/// A client's service under a [`ClientLayer`].
#[derive(Clone, Debug)]
pub struct Client<S> {
    inner: S,
    request_id: HeaderName,
}

impl<S, B> Service<Request<B>> for Client<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        inject_as(request.headers_mut(), &self.request_id);
        self.inner.call(request)
    }
}
