//! Lines as rows of an SQLite database: `cargo run --features sqlite --example sqlite`.
//!
//! `sqlite3 orders.db` then answers questions, also while the program runs:
//! `SELECT level, count(*) FROM log WHERE customer_id = '17' GROUP BY level;`
//!
//! ```text
//! 101 lines written, the database has … bytes
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::fs;
use std::time::Duration;

use spanline::Output;
use spanline::sink::Sqlite;
use tracing::{info, info_span, warn};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("orders.db");
    let database = Sqlite::new(&path)
        .columns(["time", "level", "message", "request_id", "field:customer_id", "line"])
        .keep_for(Duration::from_secs(30 * 86_400))
        .keep_bytes(1 << 30);
    let guard = spanline::builder().filter_variable(None).output(Output::new(database)).init()?;

    let _request = info_span!("request", request_id = "r-1", customer_id = 17).entered();
    (0..100).for_each(|order| info!(order, "order loaded"));
    warn!("stock is low");

    let handle = guard.handle();
    guard.close()?; // all transactions are committed
    let written = handle.metrics().outputs[0].written.total();
    println!("{written} lines written, the database has {} bytes", fs::metadata(&path)?.len());
    Ok(())
}
