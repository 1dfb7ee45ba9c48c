//! Lines inherit the fields and ids of exactly their own spans, in any order of entering, leaving and polling.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use spanline::sink::Memory;
use spanline::{Output, Overflow};
use tracing::dispatcher::with_default;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, EnteredSpan, Id};
use tracing::{Dispatch, Event, Instrument, Span, Subscriber, info, info_span};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::support::stage::{fixed, lines, parsed};

/// An output that loses nothing, however much comes.
pub(crate) fn lossless(memory: &Memory) -> Output {
    let patient = Overflow::Block { max_wait: std::time::Duration::from_secs(60) };
    Output::new(memory.clone()).queue_bytes(64 << 20).overflow(patient)
}

async fn session(session: u64) {
    for step in 0..50 {
        info!(expected = session, step, "before");
        tokio::task::yield_now().await;
        async {
            tokio::task::yield_now().await;
            info!(expected = session, step, "inside");
            tokio::task::yield_now().await;
        }
        .instrument(info_span!("step", step))
        .await;
    }
}

/// A thousand events of ten sessions at once.
async fn sessions() {
    let tasks: Vec<_> =
        (0..10).map(|id| tokio::spawn(session(id).instrument(info_span!("session", session_id = id)))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[track_caller]
fn assert_sessions(lines: &[Value]) {
    assert_eq!(lines.len(), 1000);
    let mut traces = HashMap::new();
    for id in 0..10 {
        let own: Vec<_> = lines.iter().filter(|line| line["session_id"] == id).collect();
        assert_eq!(own.len(), 100, "session {id}");
        for line in own {
            assert_eq!(line["expected"], id);
            let trace = traces.entry(id).or_insert(&line["trace_id"]);
            assert_eq!(&line["trace_id"], *trace);
            let spans = if line["message"] == "inside" { json!(["session", "step"]) } else { json!(["session"]) };
            assert_eq!(line["spans"], spans);
        }
    }
    let distinct: std::collections::HashSet<_> = traces.values().map(|trace| trace.as_str().unwrap()).collect();
    assert_eq!(distinct.len(), 10);
}

#[test]
fn promise_38_ten_concurrent_sessions_on_one_thread() {
    let memory = Memory::new();
    let (layer, guard) = fixed().output(lossless(&memory)).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || runtime.block_on(sessions()));
    guard.close().unwrap();
    assert_sessions(&parsed(&memory));
}

#[test]
fn promise_38_ten_concurrent_sessions_on_several_threads() {
    crate::support::child::child(this_test!(), &[], || {
        let memory = Memory::new();
        let guard = fixed().output(lossless(&memory)).init().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
        runtime.block_on(sessions());
        guard.close().unwrap();
        assert_sessions(&parsed(&memory));
    });
}

#[test]
fn promise_38_a_guard_held_over_an_await_misleads_no_instrumented_task() {
    let memory = Memory::new();
    let (layer, guard) = fixed().output(lossless(&memory)).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        let local = tokio::task::LocalSet::new();
        for task in 0..4 {
            local.spawn_local(async move {
                let span = info_span!("careless", request_id = task);
                let _held = span.enter();
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                    info!(parent: &span, expected = task, "by its parent");
                }
            });
            let id = task + 10;
            local.spawn_local(
                async move {
                    for _ in 0..10 {
                        tokio::task::yield_now().await;
                        info!(expected = id, "instrumented");
                    }
                }
                .instrument(info_span!(parent: None, "careful", request_id = id)),
            );
        }
        runtime.block_on(local);
    });
    guard.close().unwrap();
    let lines = parsed(&memory);
    assert_eq!(lines.len(), 80);
    lines.iter().for_each(|line| assert_eq!(line["request_id"], line["expected"]));
}

/// Notes which span each event is in, by the registry's own answer.
#[derive(Clone, Default)]
struct Reference(Arc<Mutex<HashMap<u64, Vec<u64>>>>);

/// A span's or an event's field `key`.
#[derive(Clone, Copy, Default)]
struct KeyOf(Option<u64>);

impl Visit for KeyOf {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "key" || field.name() == "event" {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Reference {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, registry: Context<'_, S>) {
        let mut key = KeyOf::default();
        attributes.record(&mut key);
        registry.span(id).unwrap().extensions_mut().insert(key);
    }

    fn on_event(&self, event: &Event<'_>, registry: Context<'_, S>) {
        let mut own = KeyOf::default();
        event.record(&mut own);
        let spans = registry.event_scope(event).into_iter().flatten();
        let keys = spans.map(|span| span.extensions().get::<KeyOf>().unwrap().0.unwrap()).collect();
        self.0.lock().unwrap().insert(own.0.unwrap(), keys);
    }
}

/// One registry with the reference and two logs.
struct World {
    dispatch: Dispatch,
    reference: Reference,
    memories: [Memory; 2],
    guards: Vec<spanline::Guard>,
}

impl World {
    fn new() -> Self {
        let (reference, memories) = (Reference::default(), [Memory::new(), Memory::new()]);
        let (one, first) = spanline::builder().output(lossless(&memories[0])).build().unwrap();
        let (two, second) = spanline::builder().output(lossless(&memories[1])).build().unwrap();
        let subscriber = tracing_subscriber::registry().with(one).with(reference.clone()).with(two);
        Self { dispatch: Dispatch::new(subscriber), reference, memories, guards: vec![first, second] }
    }

    /// Compares each line with what the registry said.
    #[track_caller]
    fn check(self) {
        drop(self.dispatch);
        self.guards.into_iter().for_each(|guard| guard.close().unwrap());
        let said = self.reference.0.lock().unwrap();
        assert!(!said.is_empty());
        for memory in &self.memories {
            let lines = parsed(memory);
            assert_eq!(lines.len(), said.len());
            // Each span's ids, as first seen; keys and ids belong together for good.
            let mut ids: HashMap<u64, Value> = HashMap::new();
            let mut roots: HashMap<u64, Value> = HashMap::new();
            for line in &lines {
                let keys = &said[&line["event"].as_u64().unwrap()];
                assert_eq!(line.get("spans").map_or(0, |spans| spans.as_array().unwrap().len()), keys.len(), "{line}");
                assert_eq!(line.get("key").and_then(Value::as_u64), keys.first().copied(), "{line}");
                assert_eq!(line.get("request_id").and_then(Value::as_u64), keys.last().copied(), "{line}");
                if let (Some(leaf), Some(root)) = (keys.first(), keys.last()) {
                    assert_eq!(ids.entry(*leaf).or_insert_with(|| line["span_id"].clone()), &line["span_id"]);
                    assert_eq!(roots.entry(*root).or_insert_with(|| line["trace_id"].clone()), &line["trace_id"]);
                }
            }
            for line in &lines {
                let keys = &said[&line["event"].as_u64().unwrap()];
                let parent = keys.get(1);
                assert_eq!(line.get("parent_span_id").is_some(), parent.is_some());
                if let Some(id) = parent.and_then(|parent| ids.get(parent)) {
                    assert_eq!(&line["parent_span_id"], id);
                }
            }
            let distinct: std::collections::HashSet<_> = ids.values().map(|id| id.as_str().unwrap()).collect();
            assert_eq!(distinct.len(), ids.len(), "each span has its own id");
        }
    }
}

static NEXT: AtomicU64 = AtomicU64::new(1);

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Random numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }
}

/// A root has a request id, and all have a key; the registry's root is the one whose request id the line has.
fn open(parent: Option<Option<&Span>>) -> Span {
    let key = next();
    match parent {
        None => info_span!("span", key),
        Some(None) => info_span!(parent: None, "root", key, request_id = key),
        Some(Some(parent)) => info_span!(parent: parent, "span", key),
    }
}

/// Opens, enters, leaves and closes spans at random, and logs; spans are shared among the threads.
fn wander(dice: &mut Dice, steps: usize, pool: &Mutex<Vec<Span>>) {
    let mut entered: Vec<EnteredSpan> = Vec::new();
    for _ in 0..steps {
        let some = |dice: &mut Dice| {
            let pool = pool.lock().unwrap();
            (!pool.is_empty()).then(|| pool[dice.roll(pool.len())].clone())
        };
        match dice.roll(16) {
            0 => pool.lock().unwrap().push(open(Some(None))),
            // In the current span, of which there must be one: a root has a request id.
            1 | 2 if !Span::current().is_none() => pool.lock().unwrap().push(open(None)),
            3 => {
                let child = some(dice).map(|parent| open(Some(Some(&parent))));
                pool.lock().unwrap().extend(child);
            }
            4..=6 => entered.extend(some(dice).map(Span::entered)),
            7 => entered.extend(entered.last().map(|span| (**span).clone().entered())),
            8 | 9 if !entered.is_empty() => drop(entered.swap_remove(dice.roll(entered.len()))),
            10 if !entered.is_empty() => drop(entered.pop()),
            11 => {
                let mut pool = pool.lock().unwrap();
                if pool.len() > 20 {
                    let at = dice.roll(pool.len());
                    drop(pool.swap_remove(at));
                }
            }
            12 => match some(dice) {
                Some(parent) => info!(parent: &parent, event = next(), "by its parent"),
                None => info!(parent: None, event = next(), "outside"),
            },
            13 => info!(parent: None, event = next(), "outside"),
            _ => info!(event = next(), "in the current span"),
        }
    }
    while !entered.is_empty() {
        drop(entered.remove(dice.roll(entered.len())));
    }
}

#[test]
fn promise_38_random_spans_on_three_threads_against_the_registrys_own_answer() {
    for seed in 1..=4 {
        let world = World::new();
        let pool = Arc::new(Mutex::new(Vec::new()));
        let threads = [1, 2, 3].map(|thread| {
            let (dispatch, pool) = (world.dispatch.clone(), Arc::clone(&pool));
            let mut dice = Dice(seed * 1000 + thread);
            std::thread::spawn(move || with_default(&dispatch, || wander(&mut dice, 4000, &pool)))
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(pool);
        world.check();
    }
}

#[test]
fn promise_38_random_spans_of_two_dispatchers_interleaved() {
    let (one, two) = (World::new(), World::new());
    let pools = [Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new()))];
    let threads = [1, 2, 3].map(|thread| {
        let (one, two) = (one.dispatch.clone(), two.dispatch.clone());
        let pools = pools.clone();
        let mut dice = Dice(77 + thread);
        std::thread::spawn(move || {
            for _ in 0..40 {
                with_default(&one, || {
                    let outer = open(Some(None)).entered();
                    wander(&mut dice, 20, &pools[0]);
                    let stray = with_default(&two, || {
                        let _outer = open(Some(None)).entered();
                        wander(&mut dice, 30, &pools[1]);
                        // Spans of the other are entered there, and count for nothing here.
                        let stray = pools[0].lock().unwrap().last().cloned().map(Span::entered);
                        info!(event = next(), "inside");
                        with_default(&one, || info!(event = next(), "inside again"));
                        drop(outer);
                        info!(event = next(), "the other's was left");
                        stray.map(EnteredSpan::exit)
                    });
                    // A registry closes a span's parent in whatever dispatcher is the default then: let it be its own.
                    drop(stray);
                    info!(event = next(), "back outside");
                });
            }
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(pools);
    one.check();
    two.check();
}

#[test]
fn promise_38_spans_left_out_of_order() {
    let memory = Memory::new();
    let (layer, guard) = fixed().output(Output::new(memory.clone())).build().unwrap();
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        let first = info_span!(parent: None, "first", request_id = 1).entered();
        let second = info_span!(parent: None, "second", request_id = 2).entered();
        let again = (*first).clone().entered();
        // The registry's answer: a span entered once more stays where it was entered first.
        info!("entered twice");
        drop(first);
        info!("left once");
        drop(again);
        info!("left twice");
        let third = info_span!("third").entered();
        drop(second);
        info!("below a span that was left");
        drop(third);
        info!("outside");
    });
    guard.close().unwrap();
    let lines = parsed(&memory);
    lines[..4].iter().for_each(|line| assert_eq!(line["request_id"], 2, "{line}"));
    assert_eq!(lines[3]["spans"], json!(["second", "third"]));
    assert_eq!(lines[4].get("spans"), None);
}

/// As with any field that a span has twice.
#[test]
fn the_last_of_two_trace_ids_on_a_span_wins() {
    const FIRST: &str = "0af7651916cd43dd8448eb211c80319c";
    const LAST: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let lines = lines(|| {
        info_span!("x", trace_id = FIRST, trace_id = LAST).in_scope(|| info!("event"));
        info_span!("x", trace_id = LAST, trace_id = LAST).in_scope(|| info!("event"));
        let recorded = info_span!("x", trace_id = FIRST, late = tracing::field::Empty, trace_id = FIRST);
        recorded.record("trace_id", LAST).record("late", 1);
        recorded.in_scope(|| info!("event"));
        info_span!("x", trace_id = FIRST, trace_id = "malformed").in_scope(|| info!("event"));
    });
    for line in &lines[..3] {
        assert_eq!(line["trace_id"], LAST, "{line}");
        assert_eq!(line.get("fields"), None, "{line}");
    }
    assert_ne!(lines[3]["trace_id"], FIRST, "{}", lines[3]);
    assert_eq!(lines[3]["fields"], json!({ "trace_id": "malformed" }), "{}", lines[3]);
}

#[test]
fn promise_38_two_layers_in_one_registry_have_the_same_ids_and_see_the_same_context() {
    let (one, two) = (Memory::new(), Memory::new());
    let (first, first_guard) = fixed().id_seed(1).output(Output::new(one.clone())).build().unwrap();
    let (second, second_guard) = fixed().id_seed(2).output(Output::new(two.clone())).build().unwrap();
    with_default(&Dispatch::new(tracing_subscriber::registry().with(first).with(second)), || {
        let span = info_span!("request", request_id = 1, late = tracing::field::Empty);
        let _entered = span.enter();
        span.record("late", 2);
        spanline::SpanExt::set_variable(&span, "tenant", "acme");
        info_span!("inner", trace_id = "4bf92f3577b34da6a3ce929d0e0e4736").in_scope(|| info!("event"));
        info!("event");
    });
    first_guard.close().unwrap();
    second_guard.close().unwrap();
    let (one, two) = (parsed(&one), parsed(&two));
    for (one, two) in one.iter().zip(&two) {
        for key in ["request_id", "late", "tenant", "spans", "trace_id", "span_id"] {
            assert!(one[key] == two[key] && !one[key].is_null());
        }
    }
    assert_ne!(one[0]["trace_id"], one[1]["trace_id"]);
}
