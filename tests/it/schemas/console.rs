//! `Console`: folded contexts and relative times.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use spanline::record::Timestamp;
use spanline::schema::{Color, Console};
use spanline::sink::Memory;
use spanline::{FlightRecorder, Output};
use tracing::subscriber::with_default;
use tracing::{Level, debug, error, info, info_span};
use tracing_subscriber::prelude::*;

use super::lines_by;

fn console() -> Console {
    Console::new().utc().color(Color::Never)
}

#[test]
fn what_spans_hand_down_is_shown_once_when_folded() {
    let lines = lines_by(console().fold(), || {
        let request = info_span!("request", request_id = "r-1", method = "GET");
        request.in_scope(|| {
            info!(target: "orders", user_id = 1, "first");
            info!(target: "orders", user_id = 2, "second");
            info_span!("db", table = "orders").in_scope(|| {
                info!(target: "orders", "in another span");
                info!(target: "orders", "and again");
            });
            info!(target: "orders", "back");
        });
        request.record("method", "POST");
        request.in_scope(|| info!(target: "orders", "changed"));
    });
    let full = ["method=GET", "trace_id=", "span_id="];
    for (line, is_full) in lines.iter().zip([true, false, true, false, false, true]) {
        assert_eq!(full.iter().skip(1).all(|part| line.contains(part)), is_full, "{line}");
        assert_eq!(line.contains("method="), is_full, "{line}");
        assert!(line.contains("request_id=r-1") && line.contains("request"), "{line}");
    }
    assert!(lines[1].contains("user_id=2"), "the event's own are always shown");
}

#[test]
fn times_are_relative_to_the_first_line_or_the_one_before() {
    let now = Arc::new(AtomicI64::new(5_000_000_000));
    let clock = Arc::clone(&now);
    let (start, last) = (Memory::new(), Memory::new());
    let (layer, guard) = spanline::builder()
        .clock(move || Timestamp::from_nanos(clock.load(Ordering::Relaxed)))
        .max_line_bytes(400)
        .output(Output::new(start.clone()).schema(console().since_start()))
        .output(Output::new(last.clone()).schema(console().since_last()))
        .build()
        .unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        for (nanos, text) in [(0, "a".to_owned()), (1_500_000, "b".repeat(1000)), (2_000_000_000, "c".to_owned())] {
            now.fetch_add(nanos, Ordering::Relaxed);
            info!("{text}");
        }
        now.fetch_sub(1_000_000, Ordering::Relaxed);
        info!("the clock was set back");
    });
    guard.close().unwrap();
    let times = |memory: &Memory| -> Vec<String> {
        memory.lines().iter().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    assert_eq!(times(&start), ["+0.000000", "+0.001500", "+2.001500", "+2.000500"]);
    assert_eq!(times(&last), ["+0.000000", "+0.001500", "+2.000000", "-0.001000"]);
}

#[test]
fn a_field_called_like_what_the_line_says_itself_is_told_from_it() {
    let lines = lines_by(console(), || {
        info!(target: "orders", trace_id = "theirs", "outside");
        info_span!("request").in_scope(|| info!(target: "orders", trace_id = "theirs", span_id = 1, "inside"));
    });
    assert!(lines[0].ends_with("outside  trace_id=theirs"), "{}", lines[0]);
    assert!(lines[1].contains("inside  fields.trace_id=theirs fields.span_id=1  request"), "{}", lines[1]);
    assert_eq!((lines[1].matches(" trace_id=").count(), lines[1].matches(" span_id=").count()), (1, 1));
}

#[test]
fn a_name_is_no_other_field() {
    let lines = lines_by(console(), || {
        spanline::with("a request_id", "forged")
            .and("", 1)
            .and("b\n\u{1b}", 2)
            .in_scope(|| info!(target: "orders", "text"));
    });
    assert!(lines[0].contains(r#"text  "a request_id"=forged ""=1 b\n\u{1b}=2"#), "{}", lines[0]);
}

#[test]
fn held_back_and_a_backtrace_are_there_once() {
    let memory = Memory::new();
    let builder =
        spanline::builder().filter("info").flight_recorder(FlightRecorder::new("debug")).backtrace(Level::ERROR);
    let (layer, guard) = builder.output(Output::new(memory.clone()).schema(console())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        info_span!("request").in_scope(|| {
            debug!(held_back = false, "detail");
            error!(backtrace = "theirs", "failed");
        });
    });
    guard.close().unwrap();
    let lines = memory.lines();
    assert!(lines[0].contains("detail  fields.held_back=false held_back=true  request"), "{}", lines[0]);
    assert_eq!(lines[1].matches(" backtrace=").count(), 1, "{}", lines[1]);
    assert!(lines[1].contains(" fields.backtrace=theirs "), "{}", lines[1]);
}
