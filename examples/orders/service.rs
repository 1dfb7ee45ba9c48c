//! The service: a span for each request, tasks that stay in it, and errors with their causes.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::task::spawn_blocking;
use tracing::{Instrument, Span, error, field, info, info_span, instrument, warn};

use crate::client;
use crate::db::{Db, Order};

pub(crate) fn router() -> Router {
    Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}", get(show))
        .layer(middleware::from_fn(in_request_span))
        .with_state(Arc::new(Db::new()))
}

/// Opens the span that gives all lines of one request their `request_id` and `trace_id`.
async fn in_request_span(request: Request, next: Next) -> Response {
    let client_id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
    let request_id = client_id.map_or_else(client::random_id, str::to_owned);
    let span = info_span!("request", request_id, method = %request.method(), path = request.uri().path());
    async {
        let begun = Instant::now();
        let response = next.run(request).await;
        info!(status = response.status().as_u16(), duration_us = begun.elapsed().as_micros(), "answered");
        response
    }
    // Not `span.enter()`: a guard held over an await would also be there for whatever else the thread runs meanwhile.
    .instrument(span)
    .await
}

/// `GET /orders/{id}`
#[instrument(skip_all, fields(order_id = id))]
async fn show(State(db): State<Arc<Db>>, Path(id): Path<u64>) -> Result<Json<Order>, StatusCode> {
    // A task begins outside all spans: it is given this one, and its lines have the request's ids.
    let views = tokio::spawn(count_view(id).instrument(Span::current()));
    let (order, counted) = tokio::join!(db.select(id), views);
    counted.map_err(unavailable)?;
    match order.map_err(unavailable)? {
        Some(order) => {
            info!(quantity = order.quantity, "order loaded");
            Ok(Json(order))
        }
        None => {
            warn!("no such order");
            Err(StatusCode::NOT_FOUND)
        }
    }
}

#[instrument]
async fn count_view(order_id: u64) {
    info!("view counted");
}

/// `POST /orders`
#[instrument(skip_all, fields(item = order.item, order_id = field::Empty))]
async fn place(State(db): State<Arc<Db>>, Json(order): Json<Order>) -> Result<(StatusCode, Json<u64>), StatusCode> {
    // The same for a thread, by hand.
    let span = Span::current();
    let quantity = order.quantity;
    let price = spawn_blocking(move || span.in_scope(|| price_cents(quantity)));
    let (stock, price_cents) = tokio::join!(db.stock(&order.item), price);
    let (stock, price_cents) = (stock.map_err(unavailable)?, price_cents.map_err(unavailable)?);
    if quantity > stock {
        warn!(quantity, stock, "not enough in stock");
        return Err(StatusCode::CONFLICT);
    }
    let id = db.insert(order).await.map_err(unavailable)?;
    // Known only now: in the lines of this span from here on.
    Span::current().record("order_id", id);
    info!(quantity, price_cents, "order stored");
    Ok((StatusCode::CREATED, Json(id)))
}

#[instrument]
fn price_cents(quantity: u32) -> u64 {
    let cents = u64::from(quantity) * if quantity < 10 { 250 } else { 199 };
    info!(cents, "priced");
    cents
}

fn unavailable(error: impl std::error::Error + 'static) -> StatusCode {
    // As an error, not as text: its sources are then in the line too.
    error!(error = &error as &dyn std::error::Error, "request failed");
    StatusCode::SERVICE_UNAVAILABLE
}
