//! Values whose code panics, fails, never ends or logs; events from where programs rarely look.

use std::error::Error;
use std::fmt::{self, Write};

use serde_json::json;
use spanline::sink::Memory;
use spanline::{Output, SpanExt};
use tracing::field::{Empty, debug, display};
use tracing::{error, info, info_span, warn};

use crate::support::child::child;
use crate::support::stage::{fixed, lines, lines_of, parsed, text_of};

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some text before")?;
        panic!("on purpose")
    }
}

impl fmt::Display for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::panic::panic_any(PanicsWhenDropped)
    }
}

impl Error for Panics {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        panic!("on purpose")
    }
}

impl serde::Serialize for Panics {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("on purpose")
    }
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

struct Fails;

impl fmt::Debug for Fails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some text before")?;
        Err(fmt::Error)
    }
}

impl serde::Serialize for Fails {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("on purpose"))
    }
}

#[test]
fn promise_12_a_panicking_value_in_an_event() {
    let lines = lines(|| {
        info!(before = 1, bad = ?Panics, after = "x", "debug");
        info!(before = 1, bad = %Panics, after = "x", "display");
        info!(before = 1, bad = spanline::json(&Panics), after = "x", "json");
        info!(before = 1, after = "x", bad = "<panicked>", "{}", Panics);
        info!("the next line");
    });
    for line in &lines[..4] {
        assert_eq!((&line["before"], &line["bad"], &line["after"]), (&json!(1), &json!("<panicked>"), &json!("x")));
    }
    assert_eq!(lines[0]["message"], "debug");
    assert_eq!(lines[3]["message"], "<panicked>");
    assert_eq!(lines[4]["message"], "the next line");
}

#[test]
fn promise_12_a_panicking_error_keeps_its_place() {
    let lines = lines(|| {
        error!(before = 1, error = &Panics as &(dyn Error + 'static), after = 2, "both its text and its source");
        error!("the next line");
    });
    assert_eq!(lines[0]["error"], json!({"message": "<panicked>", "chain": []}));
    assert_eq!((&lines[0]["before"], &lines[0]["after"]), (&json!(1), &json!(2)));
    assert_eq!(lines[1]["message"], "the next line");
}

#[test]
fn promise_12_a_failing_value_leaves_a_placeholder() {
    let lines = lines(|| {
        info!(bad = ?Fails, after = 1, "debug");
        info!(bad = spanline::json(&Fails), after = 1, "json");
        let span = info_span!("s", bad = ?Fails, late = Empty);
        span.record("late", debug(Fails));
        span.in_scope(|| info!(after = 1, "span"));
    });
    for line in &lines {
        assert_eq!((&line["bad"], &line["after"]), (&json!("<format error>"), &json!(1)));
    }
    assert_eq!(lines[2]["late"], "<format error>");
}

#[test]
fn promise_12_a_panicking_value_in_a_span_and_in_record() {
    let lines = lines(|| {
        let span = info_span!("s", ok = 1, bad = ?Panics, request_id = "r-1", late = Empty, later = Empty);
        span.in_scope(|| info!("opened"));
        span.record("late", debug(Panics));
        span.record("later", 2);
        span.in_scope(|| info_span!("below").in_scope(|| info!("recorded")));
        span.record("late", display("healed"));
        span.in_scope(|| info!("recorded again"));
    });
    for line in &lines {
        assert_eq!((&line["ok"], &line["bad"]), (&json!(1), &json!("<panicked>")));
        assert_eq!(line["request_id"], "r-1");
    }
    assert_eq!(lines[0].get("late"), None);
    assert_eq!((&lines[1]["late"], &lines[1]["later"]), (&json!("<panicked>"), &json!(2)));
    assert_eq!((&lines[2]["late"], &lines[2]["later"]), (&json!("healed"), &json!(2)));
}

/// Logs while it is formatted, an event with a value that does so in turn.
struct Logs(u32);

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("before ")?;
        match self.0 {
            0 => info!(depth = 0, "innermost"),
            depth if depth % 10 == 5 => {
                let span = info_span!("inner", value = ?Logs(depth - 1), late = Empty);
                span.record("late", debug(format_args!("late {:?}", Logs(0))));
                span.in_scope(|| info!(depth, "in a span"));
            }
            depth => info!(depth, value = ?Logs(depth - 1), "in an event"),
        }
        f.write_str("after")
    }
}

#[test]
fn promise_13_a_value_that_logs_while_it_is_formatted() {
    const DEPTH: u32 = 200;
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone())).init().unwrap();
        let check = |what: &str, extra: usize| {
            guard.handle().flush(std::time::Duration::from_secs(60)).unwrap();
            let lines = parsed(&memory);
            memory.take();
            // Each depth once, and each of the spans on the way records a value that logs once more.
            assert_eq!(lines.len(), DEPTH as usize + 1 + DEPTH as usize / 10 + extra, "{what}");
            for depth in 0..=DEPTH {
                assert!(lines.iter().any(|line| line["depth"] == depth), "{what} {depth}");
            }
            for line in lines.iter().filter(|line| line.get("value").is_some()) {
                assert_eq!(line["value"], "before after", "{what}");
            }
        };
        info!(value = ?Logs(DEPTH), "event");
        check("event", 1);
        let span = info_span!("s", value = ?Logs(DEPTH), late = Empty);
        check("span", 0);
        span.in_scope(|| span.record("late", debug(Logs(DEPTH))));
        check("record", 0);
    });
}

const LIMIT: usize = 1 << 20;

/// Never ends, and ends on an error as it should.
struct Endless;

impl fmt::Debug for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("endless text, ")?;
        }
    }
}

/// Never ends, whatever it is told.
struct EndlessDeaf;

impl fmt::Debug for EndlessDeaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            let _ = f.write_char('é');
        }
    }
}

#[derive(Debug)]
struct EndlessSources;

impl fmt::Display for EndlessSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its own cause")
    }
}

impl Error for EndlessSources {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

/// Each line is within the limit, cut, and says so; an ordinary one after it is whole.
#[track_caller]
fn assert_cut(limit: usize, original: usize, run: impl Fn()) {
    let builder = || fixed().max_line_bytes(limit as u64);
    let all = || {
        run();
        info!("the next line");
    };
    let texts = text_of(builder(), all);
    texts.iter().for_each(|text| assert!(text.len() <= limit, "{} of {limit} bytes", text.len()));
    let lines = lines_of(builder(), all);
    let (next, cut) = lines.split_last().unwrap();
    assert!(!cut.is_empty());
    for line in cut {
        assert_eq!(line["truncated"], true);
        assert!(line["original_bytes"].as_u64().unwrap() >= original as u64, "{}", line["original_bytes"]);
        assert_eq!(line["level"], "INFO");
    }
    assert_eq!((&next["message"], next.get("truncated")), (&json!("the next line"), None));
}

#[test]
fn promise_17_a_value_of_ten_megabytes() {
    let long = "0123456789".repeat(1_000_000);
    let (long, length) = (long.as_str(), long.len());
    assert_cut(LIMIT, length, || info!(long, "a string"));
    assert_cut(LIMIT, length, || info!("{long}"));
    assert_cut(LIMIT, length, || info!(long = ?long, "debug"));
    assert_cut(LIMIT, length, || info!(long = long.as_bytes(), "bytes"));
    assert_cut(LIMIT, length, || info!(long = spanline::json(&[long]), "JSON"));
    assert_cut(LIMIT, length, || info!(error = %long, "an error"));
    assert_cut(LIMIT, 2 * length, || info!(long, again = long, "two of them"));
}

#[test]
fn promise_17_text_that_escaping_makes_longer() {
    for char in ["\"", "\u{1b}", "\u{2028}", "é", "\u{202e}"] {
        let text = char.repeat(LIMIT / char.len() - 100);
        assert_cut(LIMIT, text.len(), || {
            if text.is_ascii() || char == "\u{2028}" || char == "\u{202e}" {
                info!(text, "alone");
            }
            info!(text, again = text, more = text, "three times");
        });
    }
}

#[test]
fn promise_17_an_endless_value() {
    assert_cut(LIMIT, LIMIT - 1024, || info!(endless = ?Endless, "honours errors"));
    assert_cut(LIMIT, LIMIT - 1024, || info!(endless = ?EndlessDeaf, after = 1, "ignores errors"));
    assert_cut(LIMIT, LIMIT - 1024, || info!("{:?}", EndlessDeaf));
    assert_cut(LIMIT, LIMIT - 1024, || {
        let span = info_span!("s", endless = ?EndlessDeaf, request_id = 7);
        span.in_scope(|| info!("in a span"));
    });
    assert_cut(LIMIT, LIMIT - 1024, || {
        let span = info_span!("s", endless = Empty);
        span.record("endless", debug(EndlessDeaf));
        span.in_scope(|| info!("recorded"));
    });
}

#[test]
fn promise_17_an_error_that_is_its_own_source() {
    let lines = lines(|| error!(error = &EndlessSources as &(dyn Error + 'static), "endless"));
    assert_eq!(lines[0]["error"]["message"], "its own cause");
    assert!(lines[0]["error"]["chain"].as_array().unwrap().len() >= 10);
}

#[test]
fn promise_17_span_fields_of_ten_megabytes() {
    let long = "x".repeat(10_000_000);
    let long = long.as_str();
    assert_cut(LIMIT, long.len(), || {
        let span = info_span!("s", long, request_id = "r-1", late = Empty);
        span.in_scope(|| info!("opened"));
        span.record("late", long);
        span.in_scope(|| info_span!("inner", long).in_scope(|| info!(own = 1, "recorded, and one inside")));
    });
    let lines = lines(|| {
        let span = info_span!("s", long, request_id = "r-1");
        span.in_scope(|| info!(own = 1, "text"));
    });
    assert_eq!((&lines[0]["request_id"], &lines[0]["own"]), (&json!("r-1"), &json!(1)), "the small ones are whole");
}

#[test]
fn promise_17_a_context_variable_of_ten_megabytes() {
    let long = "x".repeat(10_000_000);
    assert_cut(LIMIT, long.len(), || {
        let span = info_span!("s", request_id = "r-1");
        span.set_variable("long", &long);
        span.in_scope(|| info!("in the span"));
    });
    let lines = lines(|| {
        let span = info_span!("s", request_id = "r-1");
        span.set_variable("long", &long);
        span.in_scope(|| (0..100).for_each(|at| info!(at, "no line gives way to it")));
    });
    assert_eq!(lines.len(), 100);
}

#[test]
fn promise_17_a_small_limit() {
    let long = "y".repeat(5_000);
    let long = long.as_str();
    for limit in [256, 300, 512, 1024] {
        assert_cut(limit, long.len(), || info!(long, "a string"));
        assert_cut(limit, long.len(), || info!(target: "orders", a = 1, b = 2, "{long}"));
        assert_cut(limit, long.len(), || {
            let span = info_span!("span", long, method = "GET", request_id = "r-1");
            span.in_scope(|| info!(target: "orders", user_id = 1, "in a span"));
        });
    }
}

#[test]
fn promise_17_a_line_whose_names_alone_are_too_long_is_cut_as_well() {
    let log = || {
        info!(target: "orders", a_rather_long_name_for_a_field_1 = 1, a_rather_long_name_for_a_field_2 = 2,
            a_rather_long_name_for_a_field_3 = 3, a_rather_long_name_for_a_field_4 = 4,
            a_rather_long_name_for_a_field_5 = 5, a_rather_long_name_for_a_field_6 = 6, "the message");
    };
    assert_cut(256, 1, log);
    let lines = lines_of(fixed().max_line_bytes(256), log);
    assert_eq!(lines[0]["message"], "the message");
}

struct LogsWhenDropped(&'static str);

impl Drop for LogsWhenDropped {
    fn drop(&mut self) {
        warn!(what = self.0, panicking = std::thread::panicking(), "dropped");
    }
}

thread_local! {
    static EARLY: LogsWhenDropped = const { LogsWhenDropped("early") };
    static LATE: LogsWhenDropped = const { LogsWhenDropped("late") };
}

#[test]
fn promise_14_events_from_thread_local_destructors_are_written() {
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let schema = spanline::schema::Flat::new().thread_id().thread_name();
        let guard = spanline::builder().output(Output::new(memory.clone()).schema(schema)).init().unwrap();
        const THREADS: usize = 50;
        for _ in 0..THREADS {
            let thread = std::thread::spawn(|| {
                EARLY.with(|_| ());
                info_span!("s", request_id = 1).in_scope(|| info!("the thread's own"));
                LATE.with(|_| ());
            });
            thread.join().unwrap();
            // Nothing of the log was used on this one before.
            std::thread::spawn(|| EARLY.with(|_| ())).join().unwrap();
        }
        guard.handle().flush(std::time::Duration::from_secs(60)).unwrap();
        let lines = parsed(&memory);
        assert_eq!(lines.iter().filter(|line| line["message"] == "the thread's own").count(), THREADS);
        assert_eq!(lines.iter().filter(|line| line["what"] == "early").count(), 2 * THREADS);
        assert_eq!(lines.iter().filter(|line| line["what"] == "late").count(), THREADS);
        drop(guard);
        // The worker has ended: the calling thread writes.
        std::thread::spawn(|| LATE.with(|_| ())).join().unwrap();
        assert_eq!(parsed(&memory).len(), lines.len() + 1);
    });
}

#[test]
fn promise_14_events_in_a_panic_hook_and_while_unwinding() {
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone())).init().unwrap();
        std::panic::set_hook(Box::new(|panic| error!(place = panic.location().map(display), "panicked")));
        let unwound = std::thread::spawn(|| {
            let _span = info_span!("s", request_id = "r-1").entered();
            let _first = LogsWhenDropped("first");
            let _second = LogsWhenDropped("second");
            panic!("on purpose");
        });
        assert!(unwound.join().is_err());
        info!(bad = ?Panics, "the hook logs while a value is captured");
        drop(std::panic::take_hook());
        guard.handle().flush(std::time::Duration::from_secs(60)).unwrap();
        let lines = parsed(&memory);
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        let value = "the hook logs while a value is captured";
        assert_eq!(messages, ["panicked", "dropped", "dropped", "panicked", value]);
        for line in &lines[..3] {
            assert_eq!(line["request_id"], "r-1");
        }
        assert_eq!((&lines[1]["what"], &lines[1]["panicking"]), (&json!("second"), &json!(true)));
        assert_eq!(lines[4]["bad"], "<panicked>");
    });
}

#[test]
fn promise_31_nested_json_is_never_deeper_than_readers_read() {
    for depth in [1, 50, 100, 115, 120, 126, 127, 128, 129, 200, 1000] {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        let value: Box<serde_json::value::RawValue> = serde_json::value::RawValue::from_string(text).unwrap();
        let object = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let object: Box<serde_json::value::RawValue> = serde_json::value::RawValue::from_string(object).unwrap();
        let lines = lines(|| {
            info!(value = spanline::json(&value), object = spanline::json(&object), "at the top");
            info!(fields = spanline::json(&value), spans = spanline::json(&object), "under fields");
        });
        assert_eq!(lines.len(), 2, "{depth}");
        assert!(lines[0]["object"].is_object(), "{depth}");
    }
}

#[test]
fn promise_32_a_field_named_truncated_is_not_the_mark() {
    let lines = lines(|| info!(truncated = 5, original_bytes = true, "whole"));
    assert_eq!(lines[0].get("truncated"), None);
    assert_eq!(lines[0]["fields"], json!({ "truncated": 5, "original_bytes": true }));
}
