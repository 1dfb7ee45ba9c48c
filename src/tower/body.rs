//! A response's body while it is sent. The request finishes with it.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::Response;
use http_body::{Body, Frame, SizeHint};

use super::exchange::Exchange;
use super::outcome::Outcome;

pin_project_lite::pin_project! {
    /// The body of a response from a service under a [`ServerLayer`](super::ServerLayer).
    #[derive(Debug)]
    pub struct LoggedBody<B> {
        // Dropped first, so that its lines come before the request's line.
        #[pin]
        inner: B,
        exchange: Option<Exchange>,
    }
}

impl<B: Body> LoggedBody<B> {
    /// Returns the response with the request's id and a body that finishes the exchange. Without a body, that is now.
    pub(super) fn respond(response: Response<B>, exchange: Option<Exchange>) -> Response<Self> {
        let (mut parts, inner) = response.into_parts();
        let exchange = exchange.and_then(|mut exchange| {
            exchange.respond(&mut parts, inner.size_hint().exact());
            if exchange.has_no_body() || inner.is_end_stream() {
                exchange.finish(Outcome::Completed, None);
                return None;
            }
            Some(exchange)
        });
        Response::from_parts(parts, Self { inner, exchange })
    }
}

impl<B> Body for LoggedBody<B>
where
    B: Body,
    B::Error: Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(exchange) = this.exchange else { return this.inner.poll_frame(context) };
        let polled = exchange.run(|| this.inner.as_mut().poll_frame(context));
        let frame = ready!(polled);
        match &frame {
            None => exchange.finish(Outcome::Completed, None),
            Some(Err(error)) => exchange.finish(Outcome::BodyError, Some(error)),
            Some(Ok(frame)) => {
                exchange.add_bytes(frame.data_ref().map_or(0, Buf::remaining));
                frame.trailers_ref().into_iter().for_each(|trailers| exchange.take_grpc_status(trailers));
                // The body may not be polled again.
                if this.inner.is_end_stream() {
                    exchange.finish(Outcome::Completed, None);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
