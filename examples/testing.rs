//! What a test asserts about the lines of the code under test: `cargo run --example testing`.
//!
//! ```text
//! … INFO  testing  order loaded  id=7  request  request_id=r-1 …
//! … WARN  testing  stock is low  attempt=2  request  request_id=r-1 …
//! 2 lines, the second at WARN in the spans ["request"]
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use spanline::testing::capture;
use tracing::{Level, info, info_span, warn};

fn load_order(id: u64) -> Result<u64, String> {
    let _request = info_span!("request", request_id = "r-1").entered();
    info!(id, "order loaded");
    warn!(attempt = 2, "stock is low");
    Ok(id)
}

/// In a program, this is a `#[test]`. A failing test also prints the lines.
fn an_order_is_loaded() {
    let log = capture(|| load_order(7));
    assert_eq!(log.value, Ok(7)); // what the closure returned
    log.assert_no_errors();
    assert!(log.contains("stock is low"));

    let record = log.find("order loaded");
    assert!(record.is_some_and(|record| record.fields["id"] == 7 && record.context.fields["request_id"] == "r-1"));
    assert_eq!(log[1].level, Level::WARN);
    println!("{} lines, the second at {} in the spans {:?}", log.len(), log[1].level, log[1].context.spans);
}

fn main() {
    an_order_is_loaded();
}
