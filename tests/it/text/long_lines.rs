//! A line that is too long is cut to nearly its limit, whatever its texts and its schema, and in few attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use spanline::metrics::Reason;
use spanline::record::Record;
use spanline::schema::{Flat, NAMES, Schema, by_name};
use spanline::sink::Memory;
use spanline::{Output, SpanExt};
use tracing::subscriber::with_default;
use tracing::{Level, error, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{Site, fixed, parsed, text_of};
use crate::support::strict;

const LIMIT: usize = 20_000;

/// A line that is cut has at least this part of its limit.
const LEAST: f64 = 0.9;

/// Returns what `run` logs in a schema: one line, or one entry of several lines.
fn line_in(schema: impl Schema, run: impl FnOnce()) -> String {
    let memory = Memory::new();
    let output = Output::new(memory.clone()).schema(schema);
    let (layer, guard) = fixed().max_line_bytes(LIMIT as u64).output(output).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), run);
    guard.close().unwrap();
    memory.text().trim_end().to_owned()
}

/// Texts of twice the limit, and what they are.
fn texts() -> [(&'static str, String); 8] {
    let plain = || "0123456789".repeat(LIMIT / 5);
    [
        ("plain", plain()),
        ("quotes", "\"".repeat(2 * LIMIT)),
        ("control characters", "\x01".repeat(2 * LIMIT)),
        ("beyond ASCII", "Заказ №7 ".repeat(LIMIT / 7)),
        ("unsafe characters beyond ASCII", "\u{2028}\u{202e}".repeat(LIMIT / 3)),
        ("plain, then quotes", plain()[..LIMIT / 2].to_owned() + &"\"".repeat(LIMIT)),
        ("plain, then control characters", plain()[..LIMIT / 2].to_owned() + &"\x01".repeat(LIMIT)),
        ("control characters, then plain", "\x01".repeat(LIMIT / 10) + &plain()),
    ]
}

#[track_caller]
fn assert_full(what: &str, line: &str) {
    let least = (LIMIT as f64 * LEAST) as usize;
    assert!((least..=LIMIT).contains(&line.len()), "{what}: {} of {LIMIT} bytes", line.len());
    assert!(line.contains("truncated") && line.contains("original_bytes"), "{what}: {}", &line[..500]);
}

#[test]
fn promise_17_a_long_text_fills_its_line_in_every_schema() {
    for name in NAMES {
        for (what, text) in texts() {
            let line = line_in(by_name(name).unwrap(), || info!(text, user = 7, "a long field"));
            assert_full(&format!("{name}, a field, {what}"), &line);
            let line = line_in(by_name(name).unwrap(), || info!(user = 7, "{text}"));
            assert_full(&format!("{name}, the message, {what}"), &line);
        }
    }
}

#[test]
fn promise_17_several_long_texts_share_their_line_in_every_schema() {
    for name in NAMES {
        for (what, text) in texts() {
            let line = line_in(by_name(name).unwrap(), || {
                let half: String = text.chars().take(text.chars().count() / 4).collect();
                let outer = info_span!("outer", outer = text, method = "GET").entered();
                outer.set_variable("tenant", "acme");
                let _inner = info_span!("inner", inner = text.as_bytes()).entered();
                info!(half, rest = text, user = 7, "{text}");
            });
            assert_full(&format!("{name}, {what}"), &line);
        }
    }
}

#[test]
fn promise_17_a_long_error_json_or_bytes_fill_their_line() {
    let long = "0123456789".repeat(LIMIT / 5);
    let error: Box<dyn std::error::Error + Send + Sync> = long.clone().into();
    let list = format!("[\"{}\"]", "a\\\"".repeat(LIMIT));
    for name in NAMES {
        let cut =
            |what: &str, run: &dyn Fn()| assert_full(&format!("{name}, {what}"), &line_in(by_name(name).unwrap(), run));
        cut("an error", &|| error!(error = &*error as &(dyn std::error::Error + 'static), "failed"));
        cut("bytes", &|| info!(long = long.as_bytes(), "bytes"));
        cut("JSON", &|| info!(list = spanline::json(&list), "JSON"));
    }
}

#[test]
fn a_text_of_two_megabytes_fills_a_line_of_one() {
    let long = "x".repeat(2 << 20);
    let lines = text_of(fixed(), || info!("{long}"));
    assert!(lines[0].len() > (1 << 20) * 9 / 10 && lines[0].len() <= 1 << 20, "{}", lines[0].len());
    assert_eq!(strict::line(&lines[0])["original_bytes"], 2 << 20);
}

/// Counts how often it renders.
struct Counted(Flat, Arc<AtomicUsize>);

impl Schema for Counted {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.render(record, out);
    }
}

#[test]
fn a_long_line_is_rendered_four_times_more_at_most() {
    for (what, text) in texts() {
        let count = Arc::new(AtomicUsize::new(0));
        let line = line_in(Counted(Flat::new(), Arc::clone(&count)), || {
            let _span = info_span!("outer", outer = text).entered();
            info!(bytes = text.as_bytes(), text, "{text}");
        });
        assert_full(what, &line);
        let count = count.load(Ordering::Relaxed);
        assert!((2..=5).contains(&count), "{what}: {count}");
    }
}

/// What is lost is reported even where no line has room for the report.
#[test]
fn promise_17_a_notice_that_cannot_be_shortened_to_the_limit_is_longer() {
    let (memory, service) = (Memory::new(), "s".repeat(120));
    let builder = fixed().service(&service).max_line_bytes(256).output(Output::new(memory.clone()));
    let (layer, guard) = builder.build().unwrap();
    let target = "t".repeat(200);
    let site = Site::event(&target, Level::INFO, &["message"]);
    with_default(tracing_subscriber::registry().with(layer), || site.log(&[Some(&"too long")]));
    let handle = guard.handle();
    guard.close().unwrap();
    let output = handle.metrics().outputs.remove(0);
    assert_eq!((output.emitted.total(), output.dropped.reason(Reason::Rejected).total(), output.notices), (1, 1, 1));
    let lines = parsed(&memory);
    assert_eq!((&lines[0]["dropped"], &lines[0]["reason"], lines.len()), (&json!(1), &json!("rejected"), 1));
}
