//! One event in several schemas, by name, with edits, and as a template: `cargo run --example schemas`.
//!
//! ```text
//! {"timestamp":"1970-01-01T00:00:00.000000Z","level":"INFO","target":"schemas","message":"order loaded","user_id":42,"service":"orders"}
//! {"@timestamp":"1970-01-01T00:00:00.000000Z","log.level":"INFO","message":"order loaded",…}
//! {"ts":"1970-01-01T00:00:00.000000Z","severity":"INFO","message":"order loaded","user_id":42,"service":"orders","app":"shop"}
//! ts=1970-01-01T00:00:00.000000Z level=info target=schemas msg="order loaded" user_id=42 service=orders
//! 1970-01-01 00:00:00,000 | INFO     | schemas | order loaded user_id=42
//! ```

use std::error::Error;
use std::io::Write;

use spanline::Output;
use spanline::record::Timestamp;
use spanline::schema::{Edits, Flat, Template, by_name};
use spanline::sink::Memory;
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let edits =
        Edits::new().rename("timestamp", "ts").rename("level", "severity").remove("target").insert("app", "shop");
    let template = Template::new("{time:%Y-%m-%d %H:%M:%S,%3f} | {level:<8} | {target} | {message} {fields}")?.utc();
    // What `Output::new(Stdout::new())` would write, in memory, so that the lines come in this order.
    let memory: [Memory; 5] = std::array::from_fn(|_| Memory::new());
    let output = |at: usize| Output::new(memory[at].clone());
    let (layer, guard) = spanline::builder()
        .service("orders")
        .clock(|| Timestamp::from_nanos(0))
        .output(output(0).schema(Flat::new()))
        .output(output(1).schema(by_name("ecs")?))
        .output(output(2).schema(Flat::new()).edits(edits))
        .output(output(3).schema(by_name("logfmt")?))
        .output(output(4).schema(template))
        .build()?;
    tracing_subscriber::registry().with(layer).init();
    tracing::info!(user_id = 42, "order loaded");
    guard.close()?;
    for memory in &memory {
        std::io::stdout().write_all(memory.text().as_bytes())?;
    }
    Ok(())
}
