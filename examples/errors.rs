//! An error with its causes, a panic, and how long a span took: `cargo run --example errors`.
//!
//! ```text
//! {…"level":"ERROR","target":"errors","message":"request failed","error":{"message":"order not loaded","chain":["user id","invalid digit found in string"]…},…}
//! {…"level":"ERROR","target":"panic","message":"index out of bounds: …","error":{…"type":"panic"},…}
//! {…"level":"INFO","target":"errors","message":"close","duration_us":…,"busy_us":…,"idle_us":…,…"spans":["request"]}
//! ```

use std::error::Error;

use anyhow::Context;
use spanline::{Output, Stdout};
use tracing::{error, info_span};

fn load(id: &str) -> anyhow::Result<u32> {
    id.parse::<u32>().context("user id").context("order not loaded")
}

fn main() -> Result<(), spanline::Error> {
    let _guard = spanline::builder()
        .filter_variable(None)
        .span_close("info") // a line when a span closes
        .output(Output::new(Stdout::new()))
        .init()?; // logs panics, too; `backtrace(Level::ERROR)` adds the calls that led to each ERROR

    let _request = info_span!("request", request_id = "r-1").entered();
    if let Err(error) = load("forty-two") {
        // `%error` would be a text without the causes. For an error of your own: `error = &error as &dyn Error`.
        error!(error = error.as_ref() as &dyn Error, "request failed");
    }
    // The program goes on; the standard hook writes to stderr as well.
    let panicked = std::panic::catch_unwind(|| {
        let orders: Vec<u32> = Vec::new();
        orders[orders.len()]
    });
    assert!(panicked.is_err());
    Ok(())
}
