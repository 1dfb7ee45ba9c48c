//! Sends the current context with requests to other services.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::detail::PassedDetail;
use crate::propagate::{Format, to_baggage};

/// Adds the current context to the headers of a request: `traceparent` with the current span as the parent, `tracestate`,
/// and `x-request-id`.
///
/// Headers that the context has replace existing ones. Outside any span, nothing changes.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// spanline::tower::inject(&mut headers);
/// ```
pub fn inject(headers: &mut HeaderMap) {
    inject_as(headers, &[Format::W3c], &REQUEST_ID);
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

fn inject_as(headers: &mut HeaderMap, formats: &[Format], request_id: &HeaderName) {
    let Some(context) = crate::propagate::context() else { return };
    let is_written = |format: &&Format| context.span_id().is_some() || !format.needs_span();
    if context.trace_id().is_some() {
        // What is there already, such as a state, belongs to another trace.
        let names = formats.iter().filter(is_written).flat_map(|format| format.headers());
        names.for_each(|name| drop(headers.remove(*name)));
    }
    context.inject_in(formats, |name, value| {
        if let Ok(value) = HeaderValue::from_str(value) {
            let name = HeaderName::from_static(name);
            headers.insert(if name == REQUEST_ID { request_id.clone() } else { name }, value);
        }
    });
}

/// A layer that sends the current context with each request, as [`inject`] does.
///
/// The context is the one that is current when the request is passed to the service.
///
/// ```
/// use spanline::tower::ClientLayer;
/// use tower_layer::Layer;
///
/// # let service = ();
/// let client = ClientLayer::new().layer(service);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ClientLayer {
    request_id: HeaderName,
    formats: Arc<[Format]>,
    baggage: Arc<[String]>,
    detail: Option<PassedDetail>,
}

impl Default for ClientLayer {
    fn default() -> Self {
        Self { request_id: REQUEST_ID, formats: Arc::new([Format::W3c]), baggage: Arc::default(), detail: None }
    }
}

impl ClientLayer {
    /// Makes the layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the header for the request's id; `x-request-id` by default.
    pub fn request_id_header(mut self, name: HeaderName) -> Self {
        self.request_id = name;
        self
    }

    /// Sets the formats of the trace headers; [`Format::W3c`] by default. All of them are sent.
    pub fn formats(mut self, formats: impl IntoIterator<Item = Format>) -> Self {
        self.formats = formats.into_iter().collect();
        self
    }

    /// Sends the current fields of these names as W3C `baggage`; none by default. It is added to what the request has.
    pub fn baggage(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.baggage = keys.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a header that passes on the detail which the current request was granted, with the value that granted it; none
    /// by default.
    ///
    /// Only services that may know that value should be called through this layer. Without a grant, nothing is sent. See
    /// [`ServerLayer::detail_header`](super::ServerLayer::detail_header).
    pub fn detail_header(self, name: HeaderName) -> Self {
        self.detail_header_from(name, |value| Some(value.clone()))
    }

    /// The same with a value that the program makes from the one that granted the detail. `None` sends nothing.
    pub fn detail_header_from(
        mut self,
        name: HeaderName,
        make: impl Fn(&HeaderValue) -> Option<HeaderValue> + Send + Sync + 'static,
    ) -> Self {
        self.detail = Some(PassedDetail::new(name, make));
        self
    }
}

impl ClientLayer {
    fn inject(&self, headers: &mut HeaderMap) {
        inject_as(headers, &self.formats, &self.request_id);
        let baggage = if self.baggage.is_empty() { None } else { to_baggage(&self.baggage) };
        if let Some(baggage) = baggage.and_then(|baggage| HeaderValue::try_from(baggage).ok()) {
            headers.append("baggage", baggage);
        }
        if let Some(detail) = &self.detail {
            detail.inject(headers);
        }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        Client { inner, settings: self.clone() }
    }
}

/// A client service under a [`ClientLayer`].
#[derive(Clone, Debug)]
pub struct Client<S> {
    inner: S,
    settings: ClientLayer,
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
        self.settings.inject(request.headers_mut());
        self.inner.call(request)
    }
}
