//! The ids of each request of an axum service, in every line and in the answer:
//! `cargo run --features axum,tokio --example requests`.
//!
//! ```text
//! INFO order loaded order=7 request_id=r-1
//! INFO stock reserved request_id=r-1
//! INFO request finished status=200 route=/orders/{id} request_id=r-1 trace_id=4bf92f3577b34da6a3ce929d0e0e4736
//! answer: 200 OK, x-request-id: r-1
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::Request;
use axum::routing::get;
use spanline::propagate::task;
use spanline::schema::Template;
use spanline::tower::ServerLayer;
use spanline::{Output, Stdout};
use tower::ServiceExt;

async fn load(Path(order): Path<u64>) -> String {
    tracing::info!(order, "order loaded");
    // A task takes the request along. `tokio::spawn` would begin outside it.
    let reserved = task::spawn(async { tracing::info!("stock reserved") }).await;
    format!("order {order}: {}", reserved.is_ok())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let line = "{level} {message}{?order} order={order}{/}{?status} status={status} route={route}{/} request_id={request_id}\
                {?status} trace_id={trace_id}{/}";
    let output = Output::new(Stdout::new()).schema(Template::new(line)?);
    let guard = spanline::builder().filter_variable(None).output(output).init()?;

    // The last layer is the outermost one. A server passes the router on with `axum::serve`.
    let app = Router::new().route("/orders/{id}", get(load)).layer(ServerLayer::new());

    let request = Request::get("/orders/7")
        .header("x-request-id", "r-1")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .body(Body::empty())?;
    let response = app.oneshot(request).await?;
    let (parts, body) = response.into_parts();
    drop(axum::body::to_bytes(body, 1 << 10).await?); // the line of the request comes when its answer is sent
    guard.handle().flush_async().await?;
    println!("answer: {}, x-request-id: {}", parts.status, parts.headers["x-request-id"].to_str()?);
    Ok(())
}
