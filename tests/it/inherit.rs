//! What spans hand down.

use spanline::{Memory, Output};
use tracing_subscriber::prelude::*;

#[test]
fn smoke() {
    let memory = Memory::new();
    let console = Memory::new();
    let (layer, guard) = spanline::builder()
        .service("orders")
        .output(Output::new(memory.clone()))
        .output(Output::new(console.clone()).schema(spanline::Console::new().utc()))
        .build()
        .unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let span = tracing::info_span!("request", request_id = "r-1", method = "GET");
        span.in_scope(|| {
            tracing::info!(user_id = 42, "order loaded");
            let db = tracing::info_span!("db", table = "orders");
            db.in_scope(|| tracing::warn!(elapsed = 1.5, ok = true, "slow"));
        });
        tracing::info!(level = "FORGED", a = 1, a = 2, "x");
    });
    guard.close().unwrap();
    println!("{}\n{}", memory.text(), console.text());
}
