//! salvo: a handler before the others. Its types are those of `http`.

use ::salvo::conn::tcp::TcpAcceptor;
use ::salvo::http::{ResBody, StatusError};
use ::salvo::prelude::*;
use http_body_util::BodyExt;
use spanline::tower::{Outcome, ResponseError, ServerLayer};
use tokio::net::TcpListener;
use tracing::info;

/// Handles requests in their spans.
pub struct Logged(pub ServerLayer);

#[async_trait]
impl Handler for Logged {
    async fn handle(&self, request: &mut Request, depot: &mut Depot, response: &mut Response, next: &mut FlowCtrl) {
        let mut head = http::Request::new(()).into_parts().0;
        (head.method, head.uri) = (request.method().clone(), request.uri().clone());
        (head.version, head.headers) = (request.version(), request.headers().clone());
        let mut exchange = self.0.begin(&mut head);
        exchange.set_route(request.matched_path());
        exchange.handle(next.call_next(request, depot, response)).await;
        let (mut head, body) = response.strip_to_hyper().into_parts();
        // These bodies are for salvo's catcher.
        if matches!(body, ResBody::None | ResBody::Error(_)) {
            if let ResBody::Error(error) = &body {
                head.extensions.insert(ResponseError::new(error.to_string()));
            }
            exchange.respond(&mut head, None);
            exchange.finish(Outcome::Completed, None);
            response.merge_hyper(http::Response::from_parts(head, body));
        } else {
            let logged = exchange.into_response(http::Response::from_parts(head, body));
            response.merge_hyper(logged.map(|body| ResBody::Boxed(Box::pin(body.map_err(Into::into)))));
        }
    }
}

#[handler]
async fn order(request: &mut Request) -> String {
    info!("handling");
    format!("order {}", request.param::<u32>("id").unwrap_or_default())
}

#[handler]
async fn failing() -> Result<(), StatusError> {
    Err(StatusError::internal_server_error().brief(crate::FAILURE))
}

/// Serves until the future is dropped.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let router =
        Router::new().push(Router::with_path("orders/{id}").get(order)).push(Router::with_path("failing").get(failing));
    let service = Service::new(router).hoop(Logged(ServerLayer::new()));
    Server::new(TcpAcceptor::try_from(listener)?).serve(service).await;
    Ok(())
}
