//! What a line inherits does not depend on the other outputs.

use serde_json::{Value, json};
use spanline::sink::Memory;
use spanline::{Builder, Output};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::with_default;
use tracing::{debug, debug_span, error, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{lines_of, parsed};

fn fixed() -> Builder {
    spanline::builder().clock(|| crate::support::stage::NOW).id_seed(1)
}

/// A program with spans of several levels and targets.
fn run() {
    info_span!(target: "web", "request", tenant = "acme").in_scope(|| {
        debug_span!("load", attempt = 2).in_scope(|| {
            info!(target: "orders::audit", "order paid");
            debug!("detail");
            error!("not loaded");
        });
    });
}

/// The lines of an output with the filter `own`, beside outputs with the filters `others`.
fn lines_beside(builder: Builder, own: &str, others: &[&str]) -> Vec<Value> {
    let memory = Memory::new();
    let builder =
        others.iter().fold(builder.output(Output::new(memory.clone()).output_filter(own)), |builder, other| {
            builder.output(Output::new(Memory::new()).output_filter(other))
        });
    let (layer, guard) = builder.build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), run);
    guard.close().unwrap();
    parsed(&memory)
}

#[test]
fn a_line_inherits_the_same_whatever_other_outputs_take() {
    for own in ["off,orders::audit=info", "info", "error", "web=off,it=error", "trace"] {
        for global in [None, Some("info"), Some("off,it=trace"), Some("trace")] {
            let lines = |others| lines_beside(global.into_iter().fold(fixed(), Builder::filter), own, others);
            let alone = lines(&[]);
            for others in [&["info"][..], &["trace"], &["off"], &["error", "debug"]] {
                assert_eq!(lines(others), alone, "{own} beside {others:?} under {global:?}");
            }
        }
    }
}

#[test]
fn an_audit_output_alone_has_the_request() {
    let lines = lines_beside(fixed(), "off,orders::audit=info", &[]);
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["tenant"], &lines[0]["spans"]), (&json!("acme"), &json!(["request"])));
    assert!(lines[0].get("trace_id").is_some() && lines[0].get("span_id").is_some());
}

#[test]
fn an_error_has_its_request_under_a_filter_for_errors() {
    for builder in [fixed().filter("warn"), fixed().filter("error"), fixed().filter("off,it=error")] {
        let lines = lines_of(builder, run);
        assert_eq!((lines.len(), &lines[0]["tenant"]), (1, &json!("acme")));
    }
}

#[test]
fn spans_beyond_info_follow_the_global_filter() {
    let spans = |builder: Builder| lines_of(builder.filter_variable(None), run).pop().unwrap()["spans"].clone();
    assert_eq!(spans(fixed().filter("info")), json!(["request"]));
    assert_eq!(spans(fixed().filter("info,it=debug")), json!(["request", "load"]));
    assert_eq!(spans(fixed().filter("info").context_level(LevelFilter::DEBUG)), json!(["request", "load"]));
}

#[test]
fn spans_are_turned_off_by_target_and_by_level() {
    let spans = |builder: Builder| lines_of(builder, run).pop().unwrap().get("spans").cloned();
    assert_eq!(spans(fixed().filter("info,web=off")), None);
    assert_eq!(spans(fixed().filter("debug,web*=off")), Some(json!(["load"])));
    assert_eq!(spans(fixed().filter("warn").context_level(LevelFilter::WARN)), None);
    assert_eq!(spans(fixed().filter("debug").context_level(LevelFilter::OFF)), Some(json!(["request", "load"])));
}
