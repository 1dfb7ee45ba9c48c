//! The future of a response.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use tracing::instrument::{Instrument, Instrumented};

use super::body::LoggedBody;
use super::exchange::Exchange;
use super::outcome::Outcome;

pin_project_lite::pin_project! {
    /// The future of a response from a service under a [`ServerLayer`](super::ServerLayer).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct ResponseFuture<F> {
        // Dropped first, so that its lines come before the request's line.
        #[pin]
        inner: Instrumented<F>,
        exchange: Option<Exchange>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, exchange: Exchange) -> Self {
        Self { inner: inner.instrument(exchange.span().clone()), exchange: Some(exchange) }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
    E: Display,
{
    type Output = Result<Response<LoggedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(exchange) = this.exchange {
            exchange.enter_service();
        }
        let polled = this.inner.poll(context);
        if let Some(exchange) = this.exchange {
            exchange.leave_service();
        }
        let result = ready!(polled);
        let exchange = this.exchange.take();
        Poll::Ready(match result {
            Ok(response) => Ok(LoggedBody::respond(response, exchange)),
            Err(error) => {
                if let Some(mut exchange) = exchange {
                    exchange.finish(Outcome::ServiceError, Some(&error));
                }
                Err(error)
            }
        })
    }
}
