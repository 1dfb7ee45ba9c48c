//! actix-web: a middleware made of a function. Its types are those of `http` 0.2, so the heads are copied.

use std::net::TcpListener;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::error::{ErrorInternalServerError, InternalError};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpServer, web};
use bytes::Bytes;
use http::{Request, Response, Version, response};
use spanline::tower::{Exchange, Outcome, ResponseError, ServerLayer};
use tracing::info;

/// The middleware.
pub async fn logged(
    layer: web::Data<ServerLayer>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_http2 = request.version() == actix_web::http::Version::HTTP_2;
    let mut head = Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    head = head.version(if is_http2 { Version::HTTP_2 } else { Version::HTTP_11 });
    for (name, value) in request.headers() {
        head = head.header(name.as_str(), value.as_bytes());
    }
    let (mut head, ()) = head.body(()).map_err(ErrorInternalServerError)?.into_parts();
    let mut exchange = layer.begin(&mut head);
    request.match_pattern().into_iter().for_each(|route| exchange.set_route(route));
    match exchange.handle(next.call(request)).await {
        Ok(mut response) => {
            let (status, size) = (response.status().as_u16(), response.response().body().size());
            let error = response.response().error().map(Error::to_string);
            respond(&mut exchange, status, size, error, response.headers_mut());
            Ok(response.map_body(|_, body| LoggedBody { body: Box::pin(body), exchange }))
        }
        Err(error) => {
            let mut response = error.error_response();
            let (status, size) = (response.status().as_u16(), response.body().size());
            respond(&mut exchange, status, size, Some(error.to_string()), response.headers_mut());
            exchange.finish(Outcome::Completed, None);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// Passes the response's head to the exchange, and the headers that it adds to the response.
fn respond(exchange: &mut Exchange, status: u16, size: BodySize, error: Option<String>, headers: &mut HeaderMap) {
    let mut head: response::Parts = Response::new(()).into_parts().0;
    head.status = status.try_into().unwrap_or_default();
    error.into_iter().for_each(|error| drop(head.extensions.insert(ResponseError::new(error))));
    exchange.respond(&mut head, if let BodySize::Sized(bytes) = size { Some(bytes) } else { None });
    for (name, value) in &head.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.insert(name, value);
        }
    }
}

/// A body that finishes the exchange when it ends.
pub struct LoggedBody<B> {
    body: Pin<Box<B>>,
    exchange: Exchange,
}

impl<B: MessageBody> MessageBody for LoggedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        let Self { body, exchange } = &mut *self;
        let chunk = ready!(exchange.run(|| body.as_mut().poll_next(context)));
        match &chunk {
            Some(Ok(bytes)) => exchange.add_bytes(bytes.len()),
            Some(Err(_)) => exchange.finish(Outcome::BodyError, None),
            None => exchange.finish(Outcome::Completed, None),
        }
        Poll::Ready(chunk)
    }
}

async fn order(id: web::Path<u32>) -> String {
    info!("handling");
    format!("order {id}")
}

async fn failing() -> Result<String, Error> {
    Err(ErrorInternalServerError(crate::FAILURE))
}

/// Returns the server.
pub fn server(listener: TcpListener) -> std::io::Result<Server> {
    let app = || {
        App::new()
            .app_data(web::Data::new(ServerLayer::new()))
            .wrap(from_fn(logged))
            .route("/orders/{id}", web::get().to(order))
            .route("/failing", web::get().to(failing))
    };
    Ok(HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run())
}
