//! Runs HTTP services under a log in memory.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use serde_json::Value;
use spanline::sink::Memory;
use spanline::{Builder, Output};
use tokio::net::TcpListener;
use tower::{Service, ServiceExt};
use tracing::Dispatch;
use tracing::dispatcher::with_default;
use tracing_subscriber::prelude::*;

use crate::support::stage::{fixed, parsed};

pub(crate) const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What is logged while `run` runs, all of it on this thread.
pub(crate) fn lines_of<F: Future>(builder: Builder, run: impl FnOnce() -> F) -> Vec<Value> {
    let memory = Memory::new();
    let (layer, guard) = builder.output(Output::new(memory.clone())).build().unwrap();
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run());
    });
    guard.close().unwrap();
    parsed(&memory)
}

pub(crate) fn lines<F: Future>(run: impl FnOnce() -> F) -> Vec<Value> {
    lines_of(fixed().filter("info,hyper=off,hyper_util=off,reqwest=off"), run)
}

pub(crate) fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

/// Sends one request through a service and reads the response to its end.
pub(crate) async fn send<S, B>(service: S, request: Request<Body>) -> Response<Bytes>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

pub(crate) fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_else(|| panic!("no {key} in {line}"))
}

pub(crate) async fn listen(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

pub(crate) type Polled = Poll<Option<Result<Frame<Bytes>, io::Error>>>;

/// A body whose frames come out of a function.
struct Scripted(Box<dyn FnMut() -> Polled + Send>);

impl http_body::Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        (self.0)()
    }
}

/// A body of one frame after which `then` happens.
pub(crate) fn body_then(mut then: impl FnMut() -> Polled + Send + 'static) -> Body {
    let mut first = Some(Frame::data(Bytes::from_static(b"first")));
    Body::new(Scripted(Box::new(move || match first.take() {
        Some(frame) => Poll::Ready(Some(Ok(frame))),
        None => then(),
    })))
}
