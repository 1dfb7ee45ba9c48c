//! Picks items from the shelves for [`stock`](super::stock). Mercury makes it fail, two calls away from the client, which
//! sees only a status and a request id.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use tracing::{info, instrument};

use super::unavailable;
use crate::db::Db;

pub(crate) fn routes() -> Router {
    Router::new().route("/shelves/{item}/picks", post(pick)).with_state(Arc::new(Db::new()))
}

/// `POST /shelves/{item}/picks`
#[instrument(skip_all, fields(item = item, quantity = quantity))]
async fn pick(
    State(db): State<Arc<Db>>,
    Path(item): Path<String>,
    Json(quantity): Json<u32>,
) -> Result<StatusCode, StatusCode> {
    db.take(&item, quantity).await.map_err(unavailable)?;
    info!("picked");
    Ok(StatusCode::CREATED)
}
