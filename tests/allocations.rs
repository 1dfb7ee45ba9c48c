//! What the thread that logs allocates: nothing for an event, once it is warm.
//!
//! Counts, not times, so the machine does not matter.

#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use spanline::schema::Console;
use spanline::sink::{Lines, Next, Sink};
use spanline::{Output, SpanExt};
use tracing::subscriber::with_default;
use tracing::{Dispatch, Span, debug, dispatcher, info, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

struct Counting;

thread_local! {
    /// No destructor, so it can be used in those of others.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: all of it is the system's allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised to us.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as promised to us.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised to us.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// Allocations of this thread while `run` runs.
fn allocations(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

/// Takes lines and forgets them.
struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, spanline::Error> {
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }
}

const WARM_UP: u32 = 1_000;
const EVENTS: u32 = 10_000;

fn event(number: u32) {
    info!(number, name = "order", ratio = 1.5, shown = %number, "order loaded");
}

/// Allocations of many events inside two spans, once warm.
#[track_caller]
fn assert_none(dispatch: &Dispatch, log: impl Fn(u32)) {
    let counted = dispatcher::with_default(dispatch, || {
        let _outer = info_span!("request", request_id = "r-1", method = "GET").entered();
        let _inner = info_span!("db", table = "orders").entered();
        (0..WARM_UP).for_each(&log);
        allocations(|| (0..EVENTS).for_each(&log))
    });
    assert_eq!(counted, 0, "in {EVENTS} events");
}

#[test]
fn an_event_inside_two_spans_allocates_nothing() {
    let (layer, guard) = spanline::builder().service("orders").output(Output::new(Nowhere)).build().unwrap();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    assert_none(&dispatch, event);
    assert_none(&dispatch, |number| {
        debug!(number, "disabled");
        info!(number, text = ?"debug", bytes = &b"bytes"[..], yes = true, wide = 7u128, none = None::<u8>);
        let error = std::fmt::Error;
        info!(error = &error as &(dyn std::error::Error + 'static), "an error {}", number);
    });
    assert_none(&dispatch, |number| info!(parent: None, number, "outside"));
    assert_none(&dispatch, |_| {
        info!(a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9, j = "0123456789 0123456789 0123456789");
    });
    guard.close().unwrap();
}

#[test]
fn an_event_to_two_outputs_allocates_nothing() {
    let (layer, guard) = spanline::builder()
        .filter("info")
        .output(Output::new(Nowhere).schema(spanline::schema::Flat::new().thread_id().thread_name().file().line()))
        .output(Output::new(Nowhere).schema(Console::new()).output_filter("debug"))
        .build()
        .unwrap();
    assert_none(&Dispatch::new(tracing_subscriber::registry().with(layer)), event);
    guard.close().unwrap();
}

#[test]
fn an_event_under_another_filter_allocates_nothing() {
    let (layer, guard) = spanline::builder().output(Output::new(Nowhere)).build::<Registry>().unwrap();
    let layer = layer.boxed().with_filter(LevelFilter::INFO);
    assert_none(&Dispatch::new(tracing_subscriber::registry().with(layer)), event);
    guard.close().unwrap();
}

#[test]
fn an_event_that_may_wait_for_room_allocates_nothing() {
    let patient = Output::new(Nowhere).overflow(spanline::Overflow::block()).queue_bytes(64 << 10);
    let (layer, guard) = spanline::builder().output(patient).build().unwrap();
    assert_none(&Dispatch::new(tracing_subscriber::registry().with(layer)), event);
    guard.close().unwrap();
}

#[test]
fn entering_and_leaving_allocates_nothing() {
    let (layer, guard) = spanline::builder().output(Output::new(Nowhere)).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        let (one, two) = (info_span!("one", request_id = 1), info_span!("two"));
        let both = || one.in_scope(|| two.in_scope(|| event(1)));
        (0..WARM_UP).for_each(|_| both());
        assert_eq!(allocations(|| (0..EVENTS).for_each(|_| both())), 0);
    });
    guard.close().unwrap();
}

/// Allocations for each span that `open` opens and closes, once the registry is warm.
fn for_each_span(dispatch: &Dispatch, open: impl Fn() -> Span) -> u64 {
    const SPANS: u64 = 1_000;
    dispatcher::with_default(dispatch, || {
        (0..WARM_UP).for_each(|_| drop(open()));
        allocations(|| (0..SPANS).for_each(|_| drop(open()))) / SPANS
    })
}

#[test]
fn a_span_takes_one_allocation_more_than_a_bare_registry() {
    let bare = Dispatch::new(tracing_subscriber::registry());
    let (layer, guard) = spanline::builder().output(Output::new(Nowhere)).build().unwrap();
    let ours = Dispatch::new(tracing_subscriber::registry().with(layer));
    let extra = |open: &dyn Fn() -> Span| for_each_span(&ours, open) - for_each_span(&bare, open);
    // The box that the registry's extensions put the node in. The node is one of a closed span.
    assert_eq!(extra(&|| info_span!("request", request_id = "r-1", method = "GET")), 1);
    assert_eq!(extra(&|| info_span!("plain")), 1);
    assert_eq!(extra(&|| info_span!("parent").in_scope(|| info_span!("child", a = 1))), 2);
    guard.close().unwrap();
}

#[test]
fn variables_take_few_allocations_and_their_events_none() {
    let (layer, guard) = spanline::builder().output(Output::new(Nowhere)).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        let variables = spanline::with("tenant", "acme").and("attempt", 2);
        let _request = info_span!("request", request_id = "r-1").entered();
        (0..WARM_UP).for_each(|number| variables.in_scope(|| event(number)));
        // As for a span: the box that the registry's extensions put the node in, and the node, unless the worker has left
        // one of a closed span.
        let counted = allocations(|| (0..EVENTS).for_each(|number| variables.in_scope(|| event(number))));
        assert!((1..=2).contains(&(counted / u64::from(EVENTS))), "{counted}");
        variables.in_scope(|| {
            event(0);
            assert_eq!(allocations(|| (0..EVENTS).for_each(event)), 0);
        });
    });
    guard.close().unwrap();
}

#[test]
fn a_recorded_value_takes_few_allocations_however_often() {
    let (layer, guard) = spanline::builder().output(Output::new(Nowhere)).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        let span = info_span!("s", value = 0);
        let record = |value: u32| drop(span.record("value", value).clone());
        (0..WARM_UP).for_each(record);
        let counted = allocations(|| (0..EVENTS).for_each(record));
        // Many updates are merged at once.
        assert_eq!(counted / u64::from(EVENTS), 0);
        span.set_variable("tenant", "acme");
        let counted = allocations(|| (0..EVENTS).for_each(record));
        assert_eq!(counted / u64::from(EVENTS), 0);
        let logged = |value: u32| {
            record(value);
            span.in_scope(|| tracing::info!("x"));
        };
        (0..WARM_UP).for_each(logged);
        let counted = allocations(|| (0..EVENTS).for_each(logged));
        // The version that the event has seen.
        assert_eq!(counted / u64::from(EVENTS), 1);
    });
    guard.close().unwrap();
}
