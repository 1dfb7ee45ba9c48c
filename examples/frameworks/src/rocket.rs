//! Rocket: a fairing that begins and ends requests, and a wrapper around the handlers of routes. Its types are its own, so
//! the heads are copied.

use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};

use ::rocket::fairing::{AdHoc, Fairing, Info, Kind};
use ::rocket::http::Status;
use ::rocket::response::Body;
use ::rocket::route::{Handler, Outcome};
use ::rocket::tokio::io::{AsyncRead, ReadBuf};
use ::rocket::{Build, Config, Data, Request, Response, Rocket, Route, get, routes};
use spanline::tower::{Exchange, Outcome as Ending, ServerLayer};
use tracing::info;

/// The fairing.
pub struct Logged(pub ServerLayer);

/// What the request's local cache holds between the steps of a request.
type Current = Mutex<Option<Exchange>>;

fn take(request: &Request<'_>) -> Option<Exchange> {
    request.local_cache(Current::default).lock().ok()?.take()
}

fn put(request: &Request<'_>, exchange: Exchange) {
    if let Ok(mut current) = request.local_cache(Current::default).lock() {
        *current = Some(exchange);
    }
}

#[::rocket::async_trait]
impl Fairing for Logged {
    fn info(&self) -> Info {
        Info { name: "log", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        let mut head = http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
        for header in request.headers().iter() {
            head = head.header(header.name().as_str(), header.value());
        }
        if let Ok(head) = head.body(()) {
            put(request, self.0.begin(&mut head.into_parts().0));
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Some(mut exchange) = take(request) else { return };
        let size = response.body_mut().size().await;
        let mut head = http::Response::new(()).into_parts().0;
        head.status = response.status().code.try_into().unwrap_or_default();
        exchange.respond(&mut head, size.map(|bytes| bytes as u64));
        for (name, value) in &head.headers {
            response.set_raw_header(name.to_string(), value.to_str().unwrap_or_default().to_owned());
        }
        if let Some(bytes) = size {
            exchange.add_bytes(bytes);
            exchange.finish(Ending::Completed, None);
        } else {
            let body = response.body_mut().take();
            response.set_streamed_body(LoggedBody { body, exchange });
        }
    }
}

/// Runs a route's handler in the request's span.
#[derive(Clone)]
struct LoggedHandler(Box<dyn Handler>);

#[::rocket::async_trait]
impl Handler for LoggedHandler {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let Some(mut exchange) = take(request) else { return self.0.handle(request, data).await };
        request.route().into_iter().for_each(|route| exchange.set_route(route.uri.as_str()));
        let outcome = exchange.handle(self.0.handle(request, data)).await;
        put(request, exchange);
        outcome
    }
}

/// Makes the handlers of routes run in the spans of their requests.
pub fn logged(mut routes: Vec<Route>) -> Vec<Route> {
    for route in &mut routes {
        route.handler = Box::new(LoggedHandler(route.handler.clone()));
    }
    routes
}

/// A body of unknown size, which finishes the exchange when it ends.
struct LoggedBody<'r> {
    body: Body<'r>,
    exchange: Exchange,
}

impl AsyncRead for LoggedBody<'_> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { body, exchange } = &mut *self;
        let before = into.filled().len();
        let result = ready!(exchange.run(|| Pin::new(body).poll_read(context, into)));
        let bytes = into.filled().len() - before;
        exchange.add_bytes(bytes);
        match &result {
            Err(error) => exchange.finish(Ending::BodyError, Some(error)),
            Ok(()) if bytes == 0 => exchange.finish(Ending::Completed, None),
            Ok(()) => {}
        }
        Poll::Ready(result)
    }
}

#[get("/orders/<id>")]
fn order(id: u32) -> String {
    info!("handling");
    format!("order {id}")
}

#[get("/failing")]
fn failing() -> Status {
    Status::InternalServerError
}

/// Returns the server on a free port, which `on_liftoff` receives.
pub fn server(on_liftoff: impl Fn(u16) + Send + Sync + 'static) -> Rocket<Build> {
    let config = Config { port: 0, log_level: ::rocket::log::LogLevel::Off, ..Config::debug_default() };
    ::rocket::custom(config)
        .attach(Logged(ServerLayer::new()))
        .attach(AdHoc::on_liftoff("port", move |rocket| {
            on_liftoff(rocket.config().port);
            Box::pin(async {})
        }))
        .mount("/", logged(routes![order, failing]))
}
