//! Logs values of `valuable` and checks the line.

use serde_json::{Value, json};
use spanline::sink::Memory;
use spanline::{Output, Redact};
use tracing::dispatcher::with_default;
use tracing::{Dispatch, info, info_span};
use tracing_subscriber::prelude::*;
use valuable::Valuable;

#[derive(Valuable)]
struct Order {
    id: u64,
    items: Vec<Item>,
    note: Option<&'static str>,
}

#[derive(Valuable)]
struct Item {
    name: &'static str,
    password: &'static str,
}

fn main() {
    let memory = Memory::new();
    let builder = spanline::builder().redact(Redact::new()).output(Output::new(memory.clone()));
    let (layer, guard) = builder.build().expect("a log");
    let items = vec![Item { name: "tea \"green\"", password: "hunter2" }];
    let order = Order { id: u64::MAX, items, note: None };
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        let span = info_span!("checkout", cart = ["a", "b"].as_value());
        let error: Box<dyn std::error::Error> = "away".into();
        span.in_scope(|| {
            info!(
                order = order.as_value(),
                text = "plain".as_value(),
                number = (-7_i8).as_value(),
                letter = 'x'.as_value(),
                error = (&*error as &dyn std::error::Error).as_value(),
                password = order.as_value(),
                "loaded"
            );
        });
    });
    guard.close().expect("all is written");
    let line: Value = serde_json::from_str(memory.text().trim()).expect("a line");
    let nested = json!({"id": u64::MAX, "items": [{"name": "tea \"green\"", "password": "<redacted>"}], "note": null});
    let expected = [
        ("order", nested),
        ("text", json!("plain")),
        ("number", json!(-7)),
        ("letter", json!("x")),
        ("cart", json!(["a", "b"])),
        ("password", json!("<redacted>")),
    ];
    for (name, value) in expected {
        assert_eq!(line[name], value, "{name} in {line}");
    }
    assert!(line["error"].to_string().contains("away"), "{line}");
    println!("values of `valuable` are nested data");
}
