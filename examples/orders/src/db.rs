//! Stands in for a database: a span for each statement, and an error with a chain of causes.
//!
//! It does not know about requests and services, but its lines carry their ids.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::yield_now;
use tracing::{debug, instrument, warn};

/// One order.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) item: String,
    pub(crate) quantity: u32,
    /// The client's remark.
    #[serde(default)]
    pub(crate) note: String,
}

/// Orders by id.
#[derive(Debug)]
pub(crate) struct Db(Mutex<HashMap<u64, Order>>);

/// The stock of each item.
const STOCK: u32 = 100;

/// How often an update is tried when the connection is lost.
const ATTEMPTS: u32 = 2;

impl Db {
    /// Creates the orders 1 to 100.
    pub(crate) fn new() -> Self {
        let order = |id: u64| Order { item: "tea".to_owned(), quantity: id as u32 % 7 + 1, note: String::new() };
        Self(Mutex::new((1..=100).map(|id| (id, order(id))).collect()))
    }

    #[instrument(name = "db", skip_all, fields(statement = "select"))]
    pub(crate) async fn select(&self, id: u64) -> Option<Order> {
        // A real database waits for the network here. Meanwhile, the thread serves other requests in their spans.
        yield_now().await;
        let order = self.0.lock().await.get(&id).cloned();
        debug!(rows = usize::from(order.is_some()), "selected");
        order
    }

    #[instrument(name = "db", skip_all, fields(statement = "insert"))]
    pub(crate) async fn insert(&self, order: Order) -> u64 {
        yield_now().await;
        let mut orders = self.0.lock().await;
        let id = orders.len() as u64 + 1;
        orders.insert(id, order);
        debug!(id, rows = 1, "inserted");
        id
    }

    #[instrument(name = "db", skip_all, fields(statement = "select"))]
    pub(crate) async fn stock(&self, item: &str) -> u32 {
        yield_now().await;
        debug!(rows = 1, item, "selected");
        STOCK
    }

    #[instrument(name = "db", skip_all, fields(statement = "update"))]
    pub(crate) async fn take(&self, item: &str, quantity: u32) -> Result<(), DbError> {
        let mut attempt = 1;
        loop {
            // A context variable: each line of the attempt has it, without a span.
            let taken = spanline::with("attempt", attempt).instrument(update(item, quantity)).await;
            match taken {
                Ok(()) => return Ok(()),
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(DbError::new("take from the shelf", error)),
            }
        }
    }
}

/// Updates the stock; fails for mercury.
async fn update(item: &str, quantity: u32) -> Result<(), DbError> {
    yield_now().await;
    if item == "mercury" {
        warn!("connection lost");
        return Err(DbError::new("reach the store", io::Error::from(io::ErrorKind::ConnectionReset)));
    }
    debug!(rows = 1, quantity, "updated");
    Ok(())
}

/// A failed operation of the database, with its cause.
#[derive(Debug)]
pub(crate) struct DbError {
    doing: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl DbError {
    fn new(doing: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        Self { doing, source: Box::new(source) }
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.doing)
    }
}

impl Error for DbError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
