//! poem: a function around the routes. Its types are close to those of `http`.

use std::net::TcpListener;

use ::poem::error::InternalServerError;
use ::poem::http::header::CONTENT_LENGTH;
use ::poem::listener::TcpAcceptor;
use ::poem::web::Path;
use ::poem::{Endpoint, EndpointExt, IntoResponse, PathPattern, Request, Response, Route, Server, get, handler};
use http_body::Body;
use spanline::tower::{ResponseError, ServerLayer};
use tracing::info;

/// Handles a request in its span.
pub async fn logged(layer: ServerLayer, next: impl Endpoint, request: Request) -> ::poem::Result<Response> {
    let mut head = http::Request::new(()).into_parts().0;
    (head.method, head.uri, head.version) = (request.method().clone(), request.uri().clone(), request.version());
    head.headers = request.headers().clone();
    let mut exchange = layer.begin(&mut head);
    let response = match exchange.handle(next.call(request)).await {
        Ok(response) => response.into_response(),
        Err(error) => {
            let passed_on = ResponseError::new(error.to_string());
            let mut response = error.into_response();
            response.extensions_mut().insert(passed_on);
            response
        }
    };
    response.data::<PathPattern>().into_iter().for_each(|route| exchange.set_route(&*route.0));
    let logged = exchange.into_response(http::Response::from(response));
    let bytes = logged.body().size_hint().exact();
    let mut response = Response::from(logged);
    // poem forgets the size of such a body.
    bytes.into_iter().for_each(|bytes| drop(response.headers_mut().insert(CONTENT_LENGTH, bytes.into())));
    Ok(response)
}

#[handler]
async fn order(Path(id): Path<u32>) -> String {
    info!("handling");
    format!("order {id}")
}

#[handler]
async fn failing() -> ::poem::Result<String> {
    Err(InternalServerError(std::io::Error::other(crate::FAILURE)))
}

/// Serves until the future is dropped.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let layer = ServerLayer::new();
    let app = Route::new()
        .at("/orders/:id", get(order))
        .at("/failing", get(failing))
        .around(move |next, request| logged(layer.clone(), next, request));
    Server::new_with_acceptor(TcpAcceptor::from_std(listener)?).run(app).await
}
