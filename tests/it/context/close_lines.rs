//! A line when a span closes: how long it was open and how much of that somebody was inside, with all it has recorded.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};
use spanline::record::Timestamp;
use spanline::sink::Memory;
use spanline::{Builder, Output};
use tracing::field::Empty;
use tracing::instrument::Instrument;
use tracing::subscriber::with_default;
use tracing::{Dispatch, Level, debug_span, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{NOW, fixed, lines, lines_of, parsed};

/// A clock that the test sets, in microseconds.
#[derive(Clone, Default)]
struct Time(Arc<AtomicI64>);

impl Time {
    fn pass(&self, us: i64) {
        self.0.fetch_add(us * 1000, Ordering::SeqCst);
    }

    fn builder(&self) -> Builder {
        let time = self.clone();
        let now = move || Timestamp::from_nanos(NOW.as_nanos() + time.0.load(Ordering::SeqCst));
        spanline::builder().clock(now).id_seed(1).filter("trace").span_close("info")
    }
}

/// Duration, busy and idle time of a line.
fn times(line: &Value) -> [u64; 3] {
    assert_eq!(line["message"], "close", "{line}");
    ["duration_us", "busy_us", "idle_us"].map(|name| line[name].as_u64().unwrap())
}

#[test]
fn a_closing_line_has_the_times_and_all_fields_of_its_span() {
    let time = Time::default();
    let lines = lines_of(time.builder(), || {
        let request = info_span!(target: "orders", "request", request_id = "r-1", status = Empty);
        time.pass(10);
        request.in_scope(|| time.pass(5));
        time.pass(100);
        {
            let _inside = request.enter();
            time.pass(20);
            let db = info_span!(target: "orders::db", "db", table = "orders");
            time.pass(1);
            drop(db);
        }
        request.record("status", 200);
        time.pass(4);
    });
    assert_eq!(lines.len(), 2);
    assert_eq!(times(&lines[0]), [1, 0, 1]);
    assert_eq!((&lines[0]["table"], &lines[0]["request_id"]), (&json!("orders"), &json!("r-1")));
    let mut line = lines[1].clone();
    for id in ["trace_id", "span_id"] {
        assert!(line.as_object_mut().unwrap().remove(id).is_some_and(|id| id.is_string()), "{id}");
    }
    assert_eq!(
        line,
        json!({
            "timestamp": "2026-11-20T10:15:38.123596Z", "level": "INFO", "target": "orders", "message": "close",
            "duration_us": 140, "busy_us": 26, "idle_us": 114,
            "request_id": "r-1", "status": 200, "spans": ["request"],
        })
    );
}

#[test]
fn a_span_that_is_entered_again_while_it_is_entered_is_busy_once() {
    let time = Time::default();
    let lines = lines_of(time.builder(), || {
        let span = info_span!("span");
        let outer = span.enter();
        time.pass(10);
        span.in_scope(|| {
            time.pass(10);
            span.in_scope(|| time.pass(10));
        });
        time.pass(10);
        drop(outer);
        time.pass(10);
    });
    assert_eq!(times(&lines[0]), [50, 40, 10]);
}

#[test]
fn a_span_that_two_threads_are_in_at_once_is_busy_once() {
    let time = Time::default();
    let memory = Memory::new();
    let (layer, guard) = time.builder().output(Output::new(memory.clone())).build().unwrap();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    let span = tracing::dispatcher::with_default(&dispatch, || info_span!("span"));
    let inside = span.clone().entered();
    time.pass(10);
    std::thread::scope(|scope| {
        // Enters on another thread, leaves after this one has left.
        let (left, has_left) = std::sync::mpsc::channel();
        let (entered, has_entered) = std::sync::mpsc::channel();
        let (span, time) = (&span, &time);
        scope.spawn(move || {
            let _inside = span.enter();
            entered.send(()).unwrap();
            has_left.recv().unwrap();
            time.pass(10);
        });
        has_entered.recv().unwrap();
        time.pass(10);
        drop(inside);
        time.pass(10);
        left.send(()).unwrap();
    });
    time.pass(10);
    drop(span);
    guard.close().unwrap();
    assert_eq!(times(&parsed(&memory)[0]), [50, 40, 10]);
}

#[test]
fn an_async_span_is_busy_while_it_is_polled() {
    let time = Time::default();
    let polled = time.clone();
    let lines = lines_of(time.builder(), || {
        let mut polls = 0;
        let future = std::future::poll_fn(move |_| {
            polls += 1;
            polled.pass(3);
            if polls == 4 { Poll::Ready(()) } else { Poll::Pending }
        });
        let mut future = pin!(Box::pin(future.instrument(info_span!("task"))));
        while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            time.pass(1000);
        }
    });
    // It is entered once more to be dropped.
    assert_eq!(times(&lines[0]), [3012, 12, 3000]);
}

#[test]
fn without_being_asked_for_there_is_no_closing_line() {
    assert!(lines(|| drop(info_span!("span").entered())).is_empty());
}

#[test]
fn directives_and_filters_choose_the_spans() {
    let log = || {
        drop(info_span!(target: "orders", "a"));
        drop(debug_span!(target: "orders", "b"));
        drop(info_span!(target: "hyper", "c"));
        drop(debug_span!(target: "orders::db", "d"));
    };
    let names = |builder: Builder| {
        let lines = lines_of(builder, log);
        lines.iter().map(|line| line["spans"][0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(fixed().span_close("info,orders::db=debug")), ["a", "c", "d"]);
    assert_eq!(names(fixed().span_close("orders=info")), ["a"]);
    assert_eq!(names(fixed().filter("info,hyper=off").span_close("trace")), ["a"]);
    let error = spanline::builder().span_close("orders=loud").build::<tracing_subscriber::Registry>();
    assert!(error.err().unwrap().to_string().contains("orders=loud"));
}

#[test]
fn each_output_has_the_lines_it_wants_and_a_filter_changed_meanwhile_counts() {
    let (all, grave) = (Memory::new(), Memory::new());
    let builder = fixed().span_close("trace").output(Output::new(all.clone()).name("all"));
    let (layer, guard) = builder.output(Output::new(grave.clone()).output_filter("warn")).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        drop(info_span!("a"));
        drop(tracing::span!(Level::WARN, "b"));
        let open = info_span!("c");
        guard.handle().set_filter("off").unwrap();
        drop(open);
    });
    guard.close().unwrap();
    let names = |memory: &Memory| parsed(memory).iter().map(|line| line["spans"][0].clone()).collect::<Vec<_>>();
    assert_eq!((names(&all), names(&grave)), (vec![json!("a"), json!("b")], vec![json!("b")]));
}

#[test]
fn two_layers_in_one_registry_close_spans_each_for_itself() {
    let memories: [Memory; 2] = Default::default();
    let output = |at: usize| fixed().output(Output::new(memories[at].clone()));
    let (asked, first) = output(0).span_close("info").build().unwrap();
    let (plain, second) = output(1).build().unwrap();
    with_default(tracing_subscriber::registry().with(asked).with(plain), || {
        info_span!("span").in_scope(|| info!("inside"));
    });
    drop((first, second));
    assert_eq!((memories[0].lines().len(), memories[1].lines().len()), (2, 1));
    assert_eq!(parsed(&memories[0])[1]["message"], "close");
}

#[test]
fn with_the_systems_clock_busy_and_idle_make_up_the_whole() {
    let builder = spanline::builder().filter("trace").span_close("trace");
    let lines = lines_of(builder, || {
        let span = info_span!("span");
        let dispatch = tracing::dispatcher::get_default(Dispatch::clone);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    tracing::dispatcher::with_default(&dispatch, || (0..1000).for_each(|_| span.in_scope(|| ())));
                });
            }
        });
    });
    let [duration, busy, idle] = times(&lines[0]);
    assert_eq!(duration, busy + idle);
}
