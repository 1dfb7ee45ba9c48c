//! Events that are logged before `init`.

use std::time::{Duration, SystemTime};

use spanline::metrics::{OutputMetrics, Reason};
use spanline::sink::Memory;
use spanline::{Guard, Output, SpanExt};
use tracing::{Level, debug, error, info, info_span, trace, warn};

use crate::support::child::{child, stdout_lines};
use crate::support::ledger::{Line, all_told, balance, log, read};
use crate::support::process::{Running, child_command, is_child};
use crate::support::stage::{messages, parsed};
use crate::support::strict;
use crate::support::wait::until;

const BYTES: u64 = 1 << 20;

/// Times in lines have this precision.
const MICROSECOND: Duration = Duration::from_micros(1);

/// Ends the log; its books balance.
fn end(guard: Guard, memory: &Memory) -> OutputMetrics {
    let handle = guard.handle();
    guard.close().unwrap();
    let output = handle.metrics().outputs[0].clone();
    balance(&output, &memory.text());
    all_told(&output, &memory.text());
    output
}

#[test]
fn early_events_are_delivered_in_order_with_their_times_spans_and_the_filter_of_the_log() {
    child(this_test!(), &[], || {
        let early = spanline::early(BYTES).unwrap();
        let span = info_span!("startup", phase = "config", password = "hunter2", step = tracing::field::Empty);
        span.in_scope(|| {
            info!(file = "orders.toml", token = "secret", "reading");
            span.record("step", 2);
            debug!("detail");
        });
        log::warn!(target: "config", key = "port"; "unknown key");
        trace!("hidden by the filter");
        let logged = SystemTime::now();
        until("the clock to show another microsecond", || logged.elapsed().is_ok_and(|passed| passed >= MICROSECOND));
        let memory = Memory::new();
        let builder = spanline::builder().service("orders").static_field("env", "test").filter("debug");
        let guard = builder.early(early).output(Output::new(memory.clone())).init().unwrap();
        span.in_scope(|| info!("running"));
        log::info!("as the log crate says");
        trace!("hidden");
        assert!(!tracing::enabled!(Level::TRACE) && tracing::enabled!(Level::DEBUG));
        let output = end(guard, &memory);
        let expected = ["reading", "detail", "unknown key", "running", "as the log crate says"];
        let of_log = |message: &&str| ["unknown key", "as the log crate says"].contains(message);
        let expected: Vec<_> =
            expected.into_iter().filter(|message| cfg!(feature = "log") || !of_log(message)).collect();
        assert_eq!(messages(&memory), expected);
        let count = expected.len() as u64;
        assert_eq!(
            (output.emitted.total(), output.written.total(), output.dropped.total(), output.held_back.total()),
            (count, count, 0, 0)
        );
        let lines = parsed(&memory);
        let running = lines.iter().find(|line| line["message"] == "running").unwrap();
        for line in [&lines[0], &lines[1], running] {
            let shown = (&line["phase"], &line["password"], &line["service"], &line["env"]);
            assert_eq!(shown, (&"config".into(), &"<redacted>".into(), &"orders".into(), &"test".into()), "{line}");
            assert_eq!((&line["trace_id"], &line["span_id"]), (&lines[0]["trace_id"], &lines[0]["span_id"]));
        }
        assert_eq!((lines[0].get("step"), &lines[1]["step"]), (None, &2.into()), "what was recorded by then");
        assert_eq!((&lines[0]["file"], &lines[0]["token"]), (&"orders.toml".into(), &"<redacted>".into()));
        if cfg!(feature = "log") {
            assert_eq!((&lines[2]["target"], &lines[2]["key"]), (&"config".into(), &"port".into()));
        }
        assert!(lines[1]["timestamp"].as_str() < running["timestamp"].as_str(), "its time, not that of its delivery");
    });
}

#[test]
fn what_has_no_room_is_counted_and_reported_and_severe_lines_have_more() {
    child(this_test!(), &[], || {
        let early = spanline::early(16 << 10).unwrap();
        (0..1_000).for_each(|seq| log(Level::DEBUG, 0, seq));
        (0..1_000).for_each(|seq| log(Level::INFO, 0, seq));
        error!(seq = 1, "line");
        let memory = Memory::new();
        let builder = spanline::builder().filter("trace").early(early);
        let builder =
            builder.output(Output::new(memory.clone())).output(Output::new(Memory::new()).output_filter("warn"));
        let guard = builder.init().unwrap();
        let handle = guard.handle();
        let output = end(guard, &memory);
        assert_eq!(output.emitted.total(), 2_001);
        let written = [Level::DEBUG, Level::INFO, Level::ERROR].map(|level| output.written.level(level));
        assert!(written[0] > 20 && written[1] > 10 && written[0] > written[1] && written[2] == 1, "{written:?}");
        assert_eq!(output.written.total() + output.dropped.reason(Reason::QueueFull).total(), 2_001);
        let told: Vec<Line> = read(&memory.text()).into_iter().filter(Line::is_notice).collect();
        assert_eq!((told.len(), told[0].reason.as_str()), (1, "queue_full"));
        let other_output = &handle.metrics().outputs[1];
        assert_eq!(
            (other_output.emitted.total(), other_output.dropped.total()),
            (1, 0),
            "no loss of lines that it does not take"
        );
    });
}

#[test]
fn threads_that_log_during_the_takeover_lose_no_line_and_stay_in_order() {
    child(this_test!(), &[], || {
        let early = spanline::early(64 << 20).unwrap();
        let memory = Memory::new();
        let guard = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| scope.spawn(move || (0..3_000).for_each(|seq| log(Level::INFO, thread, seq))))
                .collect();
            let output = Output::new(memory.clone()).queue_bytes(64 << 20);
            let guard = spanline::builder().early(early).output(output).init().unwrap();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            guard
        });
        end(guard, &memory);
        let lines = read(&memory.text());
        assert_eq!(lines.len(), 12_000);
        assert_eq!(crate::support::ledger::in_order(&lines), 12_000);
    });
}

#[test]
fn a_program_that_ends_before_it_has_a_log_writes_its_early_lines_to_stderr() {
    let Some(output) = child(this_test!(), &[], || {
        let early = spanline::early(BYTES).unwrap();
        warn!("the configuration is missing");
        let broken = spanline::builder().early(early).filter("loud!").output(Output::new(Memory::new()));
        assert!(broken.init().unwrap_err().is_invalid());
    }) else {
        return;
    };
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.lines().any(|line| line.starts_with('{') && line.contains("the configuration is missing")),
        "{stderr}"
    );
}

#[cfg(unix)]
#[test]
fn a_program_that_exits_before_it_has_a_log_writes_its_early_lines_to_stderr() {
    if is_child() {
        let _early = spanline::early(BYTES).unwrap();
        warn!("the arguments are wrong");
        std::process::exit(3);
    }
    let mut child = Running::start(child_command(this_test!()));
    let (status, stderr) = (child.wait(), child.stderr());
    assert_eq!(status.code(), Some(3), "{stderr}");
    let lines = stderr.lines().filter(|line| line.starts_with('{') && line.contains("the arguments are wrong"));
    assert_eq!(lines.count(), 1, "{stderr}");
}

#[test]
fn the_crates_functions_find_the_log_behind_the_early_layer() {
    child(this_test!(), &[], || {
        let early = spanline::early(BYTES).unwrap();
        let memory = Memory::new();
        let span = info_span!("request", request_id = "r-1");
        span.set_variable("early", 1);
        let guard = spanline::builder().early(early).output(Output::new(memory.clone())).init().unwrap();
        span.in_scope(|| {
            span.set_variable("late", 2);
            assert!(spanline::propagate::context().is_some());
            info!("inside");
        });
        spanline::with("tenant", "acme").in_scope(|| info!("with a variable"));
        guard.handle().set_filter("warn").unwrap();
        info!("hidden");
        guard.handle().set_filter("info").unwrap();
        std::thread::spawn(|| info!("shown")).join().unwrap();
        end(guard, &memory);
        assert_eq!(messages(&memory), ["inside", "with a variable", "shown"]);
        assert_eq!(parsed(&memory)[1]["tenant"], "acme");
        let line = &parsed(&memory)[0];
        assert_eq!((&line["early"], &line["late"]), (&1.into(), &2.into()), "{line}");
    });
}

#[test]
fn what_cannot_work_is_an_error_that_says_what_to_do() {
    child(this_test!(), &[], || {
        let error = spanline::early(100).unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains("early is 100 B"), "{error}");
        let early = spanline::early(BYTES).unwrap();
        let error = spanline::early(BYTES).unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains("Builder::early"), "{error}");
        let error = spanline::builder().init().unwrap_err();
        assert!(error.to_string().contains("Builder::early"), "{error}");
        let error = spanline::builder().early(early).without_log().init().unwrap_err();
        assert!(error.to_string().contains("without_log"), "{error}");
    });
}

#[test]
fn build_refuses_early_events() {
    child(this_test!(), &[], || {
        let early = spanline::early(BYTES).unwrap();
        let error = spanline::builder().early(early).build::<tracing_subscriber::Registry>().err().unwrap();
        assert!(error.is_invalid() && error.to_string().contains("call `init`"), "{error}");
    });
}

#[test]
fn a_synchronous_output_has_the_early_lines_when_init_returns() {
    let inside = || {
        let early = spanline::early(BYTES).unwrap();
        info!("before");
        let output = Output::new(spanline::Stdout::new()).synchronous(Duration::from_secs(60));
        let guard = spanline::builder().early(early).output(output).init().unwrap();
        println!("initialised");
        guard.close().unwrap();
    };
    let Some(output) = child(this_test!(), &[], inside) else { return };
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(stdout.find("before") < stdout.find("initialised"), "{stdout}");
    assert_eq!(strict::line(&stdout_lines(&output)[0])["message"], "before");
}
