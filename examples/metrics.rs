//! The log's counters, as a scrape of Prometheus reads them: `cargo run --features prometheus --example metrics`.
//!
//! ```text
//! spanline_lines_written_total{output="memory",level="info"} 100
//! spanline_lines_dropped_total{output="memory",reason="queue_full",level="info"} 0
//! spanline_events_total{service="orders",level="info"} 100
//! events of orders.warn: 1
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use spanline::Output;
use spanline::sink::Memory;

fn main() -> Result<(), Box<dyn Error>> {
    let output = Output::new(Memory::new()).name("memory");
    let guard = spanline::builder().service("orders").filter_variable(None).output(output).init()?;
    (0..100).for_each(|order| tracing::info!(order, "order loaded"));
    tracing::warn!("stock is low");

    let handle = guard.handle();
    handle.flush(Duration::from_secs(5))?;
    let metrics = handle.metrics();
    // The body of the answer to `GET /metrics`; Content-Type: text/plain; version=0.0.4
    let body = metrics.to_prometheus();
    for shown in [
        "lines_written_total{output=\"memory\",level=\"info\"",
        "lines_dropped_total{output=\"memory\",reason=\"queue_full\"",
        "events_total",
    ] {
        let start = format!("spanline_{shown}");
        for line in body.lines().filter(|line| line.starts_with(&start) && line.contains("info")) {
            println!("{line}");
        }
    }
    println!("events of orders.warn: {}", metrics.by_service_level()["orders.warn"]);
    Ok(())
}
