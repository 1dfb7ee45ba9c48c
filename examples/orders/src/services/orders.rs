//! Loads and places orders for clients. It asks [`stock`](super::stock) for the items.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::Method;
use spanline::propagate::task;
use tracing::{Span, debug, field, info, instrument, warn};

use super::peer::Peer;
use super::unavailable;
use crate::db::{Db, Order};

struct Orders {
    db: Db,
    stock: Peer,
}

pub(crate) fn routes(stock: Peer) -> Router {
    Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}", get(show))
        .with_state(Arc::new(Orders { db: Db::new(), stock }))
}

/// `GET /orders/{id}`
#[instrument(skip_all, fields(order_id = id))]
async fn show(State(orders): State<Arc<Orders>>, Path(id): Path<u64>) -> Result<Json<Order>, StatusCode> {
    // `tokio::spawn` starts a task outside all spans. This task keeps the current span, so its lines have the ids.
    let view = task::spawn(count_view(id));
    let (order, counted) = tokio::join!(orders.db.select(id), view);
    counted.map_err(unavailable)?;
    let Some(order) = order else {
        warn!("no such order");
        return Err(StatusCode::NOT_FOUND);
    };
    let level = orders.stock.call(Method::GET, &format!("/stock/{}", order.item), &()).await;
    let in_stock: u32 = level.map_err(unavailable)?.json().await.map_err(unavailable)?;
    info!(quantity = order.quantity, in_stock, "order loaded");
    Ok(Json(order))
}

#[instrument]
async fn count_view(order_id: u64) {
    info!("view counted");
}

/// `POST /orders`
#[instrument(skip_all, fields(item = order.item, order_id = field::Empty))]
async fn place(
    State(orders): State<Arc<Orders>>,
    headers: HeaderMap,
    Json(order): Json<Order>,
) -> Result<(StatusCode, Json<u64>), StatusCode> {
    // Careless: the headers contain a token and the order a card number. The log is set up to redact them.
    debug!(?headers, ?order, "placing");
    let quantity = order.quantity;
    // A thread keeps the current span, too.
    let price = task::spawn_blocking(move || price_cents(quantity));
    let path = format!("/stock/{}/reservations", order.item);
    let reservation = orders.stock.call(Method::POST, &path, &quantity);
    let (reservation, price_cents) = tokio::join!(reservation, price);
    let (reservation, price_cents) = (reservation.map_err(unavailable)?, price_cents.map_err(unavailable)?);
    if reservation.status() == StatusCode::CONFLICT {
        warn!(quantity, "order refused");
        return Err(StatusCode::CONFLICT);
    }
    let id = orders.db.insert(order).await;
    // The id is known only now. Later lines of this span have it.
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
