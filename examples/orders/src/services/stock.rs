//! Keeps the stock of each item for [`orders`](super::orders). It asks [`warehouse`](super::warehouse) to pick items
//! from the shelves.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::Method;
use tracing::{info, instrument, warn};

use super::peer::Peer;
use super::unavailable;
use crate::db::Db;

struct Stock {
    db: Db,
    warehouse: Peer,
}

pub(crate) fn routes(warehouse: Peer) -> Router {
    Router::new()
        .route("/stock/{item}", get(level))
        .route("/stock/{item}/reservations", post(reserve))
        .with_state(Arc::new(Stock { db: Db::new(), warehouse }))
}

/// `GET /stock/{item}`
#[instrument(skip_all, fields(item = item))]
async fn level(State(stock): State<Arc<Stock>>, Path(item): Path<String>) -> Json<u32> {
    Json(stock.db.stock(&item).await)
}

/// `POST /stock/{item}/reservations`
#[instrument(skip_all, fields(item = item, quantity = quantity))]
async fn reserve(
    State(stock): State<Arc<Stock>>,
    Path(item): Path<String>,
    Json(quantity): Json<u32>,
) -> Result<StatusCode, StatusCode> {
    let in_stock = stock.db.stock(&item).await;
    if quantity > in_stock {
        warn!(in_stock, "not enough in stock");
        return Err(StatusCode::CONFLICT);
    }
    stock.warehouse.call(Method::POST, &format!("/shelves/{item}/picks"), &quantity).await.map_err(unavailable)?;
    info!(in_stock, "reserved");
    Ok(StatusCode::CREATED)
}
