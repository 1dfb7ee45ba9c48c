//! warp: its filters are a `tower` service.

use ::warp::Filter;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use spanline::tower::ServerLayer;
use tokio::net::TcpListener;
use tower::Layer;
use tracing::info;

/// Serves until the future is dropped.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let order = ::warp::path!("orders" / u32).map(|id| {
        info!("handling");
        format!("order {id}")
    });
    let failing = ::warp::path!("failing").map(|| {
        let mut response = ::warp::reply::Response::new(String::new().into());
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response.extensions_mut().insert(spanline::tower::ResponseError::new(crate::FAILURE));
        response
    });
    let service = ServerLayer::new().layer(::warp::service(order.or(failing)));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            Builder::new(TokioExecutor::new()).serve_connection_with_upgrades(TokioIo::new(stream), service).await.ok();
        });
    }
}
