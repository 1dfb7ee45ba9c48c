//! Values that are owned, optional or errors, wherever a field is added that no call site declares.

use std::error::Error;
use std::fmt;

use serde_json::{Value, json};
use spanline::SpanExt;
use tracing::{info, info_span};

use crate::support::stage::lines;

#[derive(Debug)]
struct Outer(Inner);

#[derive(Debug)]
struct Inner;

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("order not loaded")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection refused")
    }
}

impl Error for Inner {}

#[derive(Debug)]
struct Panicking;

impl fmt::Display for Panicking {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in a Display")
    }
}

impl Error for Panicking {}

#[test]
fn owned_and_optional_values_become_fields_and_none_adds_nothing() {
    let lines = lines(|| {
        let region = "eu".to_owned();
        let variables = spanline::with("tenant", "acme".to_owned()).and("region", &region).and("attempt", Some(2));
        let _variables = variables.and("zone", None::<String>).enter();
        let span = info_span!("request").entered();
        span.set_variable("user", Some("u-1".to_owned()));
        span.set_variable("role", None::<&str>);
        span.set_variable("shard", vec![0xca, 0xfe]);
        info!("x");
    });
    let line = &lines[0];
    assert_eq!(line["tenant"], "acme");
    assert_eq!(line["region"], "eu");
    assert_eq!(line["attempt"], 2);
    assert_eq!(line["user"], "u-1");
    assert!(line.get("shard").is_some(), "{line}");
    assert!(line.get("zone").is_none() && line.get("role").is_none(), "{line}");
}

#[test]
fn errors_become_fields_with_their_type_and_sources() {
    let boxed = || -> Box<dyn Error> { Box::new(Outer(Inner)) };
    let lines = lines(|| {
        info!(cause = &Outer(Inner) as &(dyn Error + 'static), "declared");
        let borrowed = Outer(Inner);
        spanline::with("cause", &borrowed as &(dyn Error + 'static)).in_scope(|| info!("borrowed"));
        spanline::with("cause", boxed()).in_scope(|| info!("boxed"));
        let sendable: Box<dyn Error + Send + Sync> = Box::new(Outer(Inner));
        spanline::with("cause", sendable).in_scope(|| info!("sendable"));
        let span = info_span!("request").entered();
        span.set_variable("cause", Some(boxed()));
        info!("on a span");
    });
    let declared = &lines[0]["cause"];
    assert!(declared.to_string().contains("order not loaded"), "{declared}");
    for line in &lines[1..] {
        assert_eq!(&line["cause"], declared, "{line}");
    }
}

#[test]
fn an_error_that_panics_while_it_is_added_harms_nobody() {
    let lines: Vec<Value> = lines(|| {
        let error: Box<dyn Error> = Box::new(Panicking);
        spanline::with("cause", error).and("tenant", "acme").in_scope(|| info!("x"));
    });
    assert!(lines[0]["cause"].to_string().contains("<panicked>"), "{}", lines[0]);
    assert_eq!(lines[0]["tenant"], json!("acme"));
}
