//! The flight recorder keeps detail in memory and releases it with an error of the same request.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use serde_json::{Value, json};
use spanline::metrics::OutputMetrics;
use spanline::sink::Memory;
use spanline::{Builder, FlightRecorder, Guard, Output};
use tracing::field::Empty;
use tracing::subscriber::with_default;
use tracing::{Level, debug, error, info, info_span, trace, warn};
use tracing_subscriber::prelude::*;

use crate::support::child::child;
use crate::support::stage::{fixed, lines_of, parsed};

pub(crate) fn holding() -> Builder {
    fixed().filter("info").flight_recorder(FlightRecorder::new("trace"))
}

pub(crate) fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
}

/// The books of each output balance.
#[track_caller]
pub(crate) fn assert_balanced(output: &OutputMetrics) {
    for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
        let dropped: u64 = output.dropped.reasons().map(|(_, lines)| lines.level(level)).sum();
        let told = output.written.level(level) + dropped + output.queued.level(level) + output.held_back.level(level);
        assert_eq!(output.emitted.level(level), told, "{level}: {output:?}");
        assert!(output.evicted.level(level) <= output.held_back.level(level));
    }
}

/// Logs in a registry with one output more, and gives its lines and its counters.
pub(crate) fn logged(builder: Builder, run: impl FnOnce()) -> (Vec<Value>, OutputMetrics) {
    let memory = Memory::new();
    let (layer, guard) = builder.output(Output::new(memory.clone())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), run);
    let handle = guard.handle();
    guard.close().unwrap();
    let metrics = handle.metrics().outputs.pop().unwrap();
    assert_balanced(&metrics);
    (parsed(&memory), metrics)
}

#[test]
fn detail_precedes_the_error_of_its_request_in_order_with_its_own_time() {
    let times = AtomicI64::new(0);
    let tick = move || spanline::record::Timestamp::from_nanos(times.fetch_add(1_000_000, Ordering::SeqCst));
    let (lines, metrics) = logged(holding().clock(tick), || {
        let request = |id: u64| info_span!("request", request_id = id);
        let (one, other) = (request(1), request(2));
        one.in_scope(|| debug!(step = 1, "connecting"));
        other.in_scope(|| debug!("not of that request"));
        one.in_scope(|| info!("connected"));
        one.in_scope(|| info_span!("db").in_scope(|| trace!("query")));
        one.in_scope(|| error!("failed"));
        other.in_scope(|| info!("fine"));
    });
    assert_eq!(messages(&lines), ["connected", "connecting", "query", "failed", "fine"]);
    let held: Vec<_> = lines.iter().map(|line| line["held_back"] == true).collect();
    assert_eq!(held, [false, true, true, false, false]);
    assert_eq!(
        (&lines[1]["step"], &lines[1]["request_id"], &lines[1]["level"]),
        (&json!(1), &json!(1), &json!("DEBUG"))
    );
    assert_eq!(lines[2]["spans"], json!(["request", "db"]));
    let time = |at: usize| lines[at]["timestamp"].as_str().unwrap();
    assert!(time(1) < time(0) && time(0) < time(2) && time(2) < time(3), "{lines:?}");
    assert_eq!((metrics.held_back.total(), metrics.released.total(), metrics.evicted.total()), (1, 2, 0));
    assert_eq!((metrics.emitted.total(), metrics.written.total()), (6, 5));
}

#[test]
fn after_the_error_detail_is_held_back_again_until_the_next() {
    let (lines, metrics) = logged(holding(), || {
        let _request = info_span!("request", request_id = 1).entered();
        debug!("first");
        error!("one");
        debug!("second");
        debug!("third");
        error!("two");
        error!("three");
        debug!("never asked for");
    });
    assert_eq!(messages(&lines), ["first", "one", "second", "third", "two", "three"]);
    assert_eq!((metrics.released.total(), metrics.held_back.total()), (3, 1));
}

#[test]
fn a_request_is_the_nearest_span_that_names_one_else_the_outermost() {
    let all = ["outside the inner", "below the inner", "failed"];
    let (lines, _) = logged(holding(), || {
        let _outer = info_span!("outer").entered();
        debug!("outside the inner");
        let _inner = info_span!("inner").entered();
        info_span!("db").in_scope(|| debug!("below the inner"));
        error!("failed");
    });
    assert_eq!(messages(&lines), all);
    for named in [0, 1, 2] {
        let (lines, _) = logged(holding(), || {
            let _outer = info_span!("server").entered();
            debug!("outside the inner");
            let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            let inner = match named {
                0 => info_span!("inner", request_id = 1),
                1 => info_span!("inner", traceparent = parent),
                _ => info_span!("inner", trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"),
            };
            let _inner = inner.entered();
            info_span!("db").in_scope(|| debug!("below the inner"));
            error!("failed");
        });
        assert_eq!(messages(&lines), all[1..], "{named}");
    }
}

#[test]
fn a_request_can_be_named_by_a_context_variable() {
    let (lines, _) = logged(holding(), || {
        // Neither a request nor in the way of one.
        spanline::with("tenant", "acme").in_scope(|| {
            info_span!("job").in_scope(|| debug!("of another request"));
            let _server = info_span!("server").entered();
            debug!("outside");
            spanline::with("request_id", "r-1").in_scope(|| {
                info_span!("db").in_scope(|| debug!("inside"));
                error!("failed");
            });
            error!("failed outside");
        });
    });
    assert_eq!(messages(&lines), ["inside", "failed", "outside", "failed outside"]);
    assert_eq!((&lines[0]["request_id"], &lines[0]["tenant"]), (&json!("r-1"), &json!("acme")));
}

#[test]
fn promise_32_each_schema_marks_what_was_held_back_once() {
    for schema in spanline::schema::built_in() {
        let (name, memory) = (schema.name, Memory::new());
        let output = Output::new(memory.clone()).schema(schema.schema());
        let (layer, guard) = holding().backtrace(Level::DEBUG).output(output).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || {
            let _request = info_span!("request", request_id = 1, held_back = "no", backtrace = 7).entered();
            debug!(held_back = false, backtrace = "mine", "held");
            error!("failed");
        });
        guard.close().unwrap();
        let text = memory.text();
        if schema.is_json {
            for line in memory.lines() {
                let line = crate::support::strict::line(&line).to_string();
                assert!(line.contains("promise_32_each_schema_marks"), "{name}: {line}");
            }
        }
        let otel = "\"key\":\"held_back\",\"value\":{\"boolValue\":true}";
        let marks = ["\"held_back\":true", "held_back=true", "\"_held_back\":\"true\"", "\"held_back\":\"true\"", otel];
        let found: usize = marks.iter().map(|mark| text.matches(mark).count()).sum();
        assert_eq!(found, 1, "{name}: {text}");
    }
}

#[test]
fn events_outside_spans_are_not_held_back() {
    let (lines, metrics) = logged(holding(), || {
        debug!("outside");
        let request = info_span!("request");
        request.in_scope(|| debug!(parent: None, "outside as well"));
        error!("failed");
        debug!(parent: &request, "inside by name");
        error!(parent: &request, "failed in there");
    });
    assert_eq!(messages(&lines), ["failed", "inside by name", "failed in there"]);
    assert_eq!(metrics.held_back.total(), 0);
}

#[test]
fn directives_choose_what_is_held_back_and_the_releasing_level() {
    let held = FlightRecorder::new("orders=debug,sqlx=trace").release_at(Level::WARN);
    let log = || {
        let _request = info_span!("request", request_id = 1).entered();
        trace!(target: "orders", "too fine");
        debug!(target: "orders", "held");
        trace!(target: "sqlx::query", "held too");
        debug!(target: "hyper", "not asked for");
        warn!(target: "hyper", "asks");
    };
    let (lines, _) = logged(fixed().filter("info").flight_recorder(held), log);
    assert_eq!(messages(&lines), ["held", "held too", "asks"]);
    let error = fixed().flight_recorder(FlightRecorder::new("orders=loud")).build::<tracing_subscriber::Registry>();
    assert!(error.err().unwrap().to_string().contains("orders=loud"));
}

#[test]
fn an_error_releases_to_each_output_the_lines_it_has_not_seen() {
    let memories: [Memory; 4] = Default::default();
    let output = |at: usize| Output::new(memories[at].clone()).name(at.to_string());
    let (layer, guard) = spanline::builder()
        .flight_recorder(FlightRecorder::new("trace"))
        .output(output(0).output_filter("info"))
        .output(output(1).output_filter("debug"))
        .output(output(2).output_filter("off,audit=info"))
        .output(output(3).output_filter("info,quiet=off"))
        .build()
        .unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        let _request = info_span!("request", request_id = 1).entered();
        debug!(target: "orders", "debug");
        trace!(target: "orders", "trace");
        error!(target: "quiet", "of no interest to the last");
        trace!(target: "quiet", "of none at all");
        error!(target: "orders", "failed");
    });
    let handle = guard.handle();
    drop(guard);
    let found: Vec<Vec<String>> = memories
        .iter()
        .map(|memory| parsed(memory).iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect())
        .collect();
    let quiet = "of no interest to the last";
    assert_eq!(found[0], ["debug", "trace", quiet, "of none at all", "failed"]);
    assert_eq!(found[1], ["debug", "trace", quiet, "of none at all", "failed"]);
    assert!(parsed(&memories[1])[0].get("held_back").is_none() && parsed(&memories[1])[1]["held_back"] == true);
    assert!(found[2].is_empty());
    assert_eq!(found[3], ["debug", "trace", "failed"]);
    handle.metrics().outputs.iter().for_each(assert_balanced);
}

#[test]
fn promise_37_values_recorded_later_do_not_change_a_held_line() {
    let (lines, _) = logged(holding(), || {
        let request = info_span!("request", request_id = 1, user = Empty);
        let _request = request.enter();
        let db = info_span!("db", rows = Empty);
        db.in_scope(|| debug!("before"));
        request.record("user", 7);
        db.in_scope(|| debug!("between"));
        db.record("rows", 3);
        request.record("user", 8);
        db.in_scope(|| debug!("behind"));
        drop(db);
        error!("failed");
    });
    let values: Vec<_> = lines.iter().map(|line| (line.get("user"), line.get("rows"))).collect();
    let (seven, eight, three) = (json!(7), json!(8), json!(3));
    assert_eq!(values, [(None, None), (Some(&seven), None), (Some(&eight), Some(&three)), (Some(&eight), None)]);
    assert_eq!(lines[1]["spans"], json!(["request", "db"]));
}

#[test]
fn a_request_that_ends_frees_its_held_lines() {
    // Room for the detail of one request.
    let held = FlightRecorder::new("trace").memory_bytes(64 << 10);
    let long = "x".repeat(20_000);
    let (lines, metrics) = logged(fixed().filter("info").flight_recorder(held), || {
        for id in 0..100 {
            let _request = info_span!("request", request_id = id).entered();
            debug!(long, "held");
        }
        let _request = info_span!("request", request_id = "last").entered();
        debug!("held");
        error!("failed");
    });
    assert_eq!(messages(&lines), ["held", "failed"]);
    assert_eq!((metrics.held_back.total(), metrics.evicted.total()), (100, 0));
}

#[test]
fn a_changed_filter_applies_at_once() {
    let memory = Memory::new();
    let (layer, guard) = holding().output(Output::new(memory.clone())).build().unwrap();
    let handle = guard.handle();
    with_default(tracing_subscriber::registry().with(layer), || {
        let _request = info_span!("request", request_id = 1).entered();
        let log = || {
            debug!("debug");
            trace!("trace");
        };
        log();
        handle.set_filter("debug").unwrap();
        log();
        handle.set_filter("off").unwrap();
        log();
        error!("nobody wants it");
        handle.set_filter("info").unwrap();
        log();
        error!("failed");
    });
    guard.close().unwrap();
    let lines = parsed(&memory);
    assert_eq!(messages(&lines), ["debug", "debug", "trace", "trace", "debug", "trace", "failed"]);
    assert!(lines[0].get("held_back").is_none());
    handle.metrics().outputs.iter().for_each(assert_balanced);
}

#[test]
fn other_layers_and_outputs_see_no_more_than_before() {
    let (lines, _) = logged(holding(), || {
        let _request = info_span!("request", request_id = 1).entered();
        tracing::debug_span!("fine").in_scope(|| debug!("held"));
        error!("failed");
    });
    assert_eq!(lines[0]["spans"], json!(["request"]), "spans are as the filter has them");
    assert!(lines_of(fixed().filter("info"), || info_span!("s").in_scope(|| debug!("not held"))).is_empty());
}

#[test]
fn promise_12_hostile_values_are_held_back_like_others() {
    struct Hostile;
    impl std::fmt::Debug for Hostile {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            error!("an error in the middle of it");
            debug!("and detail");
            f.write_str("\u{202e}\n\"")?;
            panic!("on purpose");
        }
    }
    let memory = Memory::new();
    let (layer, guard) = holding().output(Output::new(memory.clone())).build().unwrap();
    // A value that logs is heard only under a global dispatcher; here it is silent.
    with_default(tracing_subscriber::registry().with(layer), || {
        let _request = info_span!("request", request_id = ?Hostile).entered();
        debug!(held_back = false, value = ?Hostile, "held");
        error!(held_back = true, "failed");
    });
    guard.close().unwrap();
    let lines = parsed(&memory);
    assert_eq!(messages(&lines), ["held", "failed"]);
    assert_eq!((&lines[0]["value"], &lines[0]["held_back"]), (&json!("<panicked>"), &json!(true)));
    assert_eq!((&lines[0]["fields"], lines[1].get("held_back")), (&json!({ "held_back": false }), None));
    assert_eq!(lines[1]["fields"], json!({ "held_back": true }));
}

#[cfg(feature = "log")]
#[test]
fn records_of_the_log_crate_are_held_back_as_well() {
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let held = FlightRecorder::new("orders=trace");
        let guard = spanline::builder()
            .filter("info")
            .flight_recorder(held)
            .output(Output::new(memory.clone()))
            .init()
            .unwrap();
        info_span!("request", request_id = 1).in_scope(|| {
            log::debug!(target: "orders", "held");
            log::trace!(target: "orders::db", "held too");
            log::debug!(target: "hyper", "not asked for");
            log::info!(target: "orders", "written");
            log::error!(target: "hyper", "failed");
        });
        drop(guard);
        let lines = parsed(&memory);
        assert_eq!(messages(&lines), ["written", "held", "held too", "failed"]);
        assert_eq!((&lines[1]["target"], &lines[1]["held_back"]), (&json!("orders"), &json!(true)));
    });
}

#[test]
fn a_panic_is_an_error_of_its_request() {
    child(this_test!(), &[("RUST_BACKTRACE", "0")], || {
        std::panic::set_hook(Box::new(|_| ()));
        let memory = Memory::new();
        let held = FlightRecorder::new("debug");
        let guard = spanline::builder()
            .filter("info")
            .flight_recorder(held)
            .output(Output::new(memory.clone()))
            .init()
            .unwrap();
        let unwound = std::thread::spawn(|| {
            let _request = info_span!("request", request_id = 1).entered();
            debug!("held");
            panic!("out of luck");
        });
        assert!(unwound.join().is_err());
        drop(guard);
        assert_eq!(messages(&parsed(&memory)), ["held", "out of luck"]);
    });
}

#[cfg(unix)]
#[test]
fn promise_21_a_forked_child_begins_with_nothing_held_and_nothing_locked() {
    let name = "context::flight_recorder::promise_21_a_forked_child_begins_with_nothing_held_and_nothing_locked";
    use crate::support::fork::{fork, wait};
    child(name, &[], || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.log");
        let output = Output::new(spanline::RollingFile::new(&path));
        let guard: Guard = spanline::builder()
            .filter("info")
            .flight_recorder(FlightRecorder::new("debug"))
            .output(output)
            .init()
            .unwrap();
        let request = info_span!("request", request_id = 1);
        request.in_scope(|| debug!("the parent's"));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Others are in the middle of it all the time.
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        request.in_scope(|| debug!("the parent's"));
                    }
                });
            }
            for child in 0..20 {
                let forked = fork(|| {
                    request.in_scope(|| {
                        debug!(child, "the child's");
                        error!(child, "failed");
                    });
                });
                assert_eq!(wait(forked), 0, "child {child}");
            }
            stop.store(true, Ordering::Relaxed);
        });
        request.in_scope(|| error!("the parent failed"));
        drop(guard);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().map(crate::support::strict::line).collect();
        for child in 0..20 {
            let own: Vec<_> = lines.iter().filter(|line| line["child"] == child).cloned().collect();
            assert_eq!(messages(&own), ["the child's", "failed"]);
        }
        let parents = lines.iter().filter(|line| line["message"] == "the parent's").count();
        assert!(parents > 0, "{}", lines.len());
        assert_eq!(lines.len(), 2 * 20 + parents + 1);
    });
}
