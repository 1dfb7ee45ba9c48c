//! Stands in for a database: a span for each statement, and an error with a chain of causes.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::yield_now;
use tracing::{debug, instrument, warn};

/// What was ordered.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) item: String,
    pub(crate) quantity: u32,
}

/// Orders by id.
#[derive(Debug)]
pub(crate) struct Db(Mutex<HashMap<u64, Order>>);

/// Of each item.
const STOCK: u32 = 100;

/// So often is a lost connection made anew.
const ATTEMPTS: u32 = 2;

impl Db {
    /// Orders 1 to 100.
    pub(crate) fn new() -> Self {
        let order = |id: u64| (id, Order { item: "tea".to_owned(), quantity: id as u32 % 7 + 1 });
        Self(Mutex::new((1..=100).map(order).collect()))
    }

    #[instrument(name = "db", skip_all, fields(statement = "select"))]
    pub(crate) async fn select(&self, id: u64) -> Result<Option<Order>, DbError> {
        // Where a real one waits for the network: meanwhile the thread serves other requests, in their spans.
        yield_now().await;
        let order = self.0.lock().await.get(&id).cloned();
        debug!(rows = usize::from(order.is_some()), "selected");
        Ok(order)
    }

    #[instrument(name = "db", skip_all, fields(statement = "select"))]
    pub(crate) async fn stock(&self, item: &str) -> Result<u32, DbError> {
        yield_now().await;
        debug!(rows = 1, item, "selected");
        Ok(STOCK)
    }

    /// Fails on mercury.
    #[instrument(name = "db", skip_all, fields(statement = "insert"))]
    pub(crate) async fn insert(&self, order: Order) -> Result<u64, DbError> {
        for attempt in 1..=ATTEMPTS {
            yield_now().await;
            if order.item == "mercury" {
                warn!(attempt, "connection lost");
                continue;
            }
            let mut orders = self.0.lock().await;
            let id = orders.len() as u64 + 1;
            orders.insert(id, order);
            debug!(id, rows = 1, "inserted");
            return Ok(id);
        }
        let lost = DbError::new("connect to the store", io::Error::from(io::ErrorKind::ConnectionReset));
        Err(DbError::new("insert an order", lost))
    }
}

/// What the database did not manage, and why.
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
