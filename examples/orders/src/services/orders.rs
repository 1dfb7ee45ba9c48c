//! What clients call: loads and places orders. It asks [`stock`](super::stock) for what they need.

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
    // A task of tokio's own begins outside all spans. This one takes the current span along: its lines have the ids.
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
    // Careless: there is a token in the one and a card number in the other. The log is set up not to show them.
    debug!(?headers, ?order, "placing");
    let quantity = order.quantity;
    // The same for a thread.
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
