//! Which events are seen, by which outputs, and how the layer lives with others.

use std::sync::{Arc, Barrier, Mutex};

use serde_json::json;
use spanline::Output;
use spanline::sink::Memory;
use tracing::subscriber::{set_default, with_default};
use tracing::{Dispatch, Level, Subscriber, debug, debug_span, error, info, info_span, trace, trace_span, warn};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry};

use crate::support::child::{child, stdout_lines};
use crate::support::stage::{fixed, lines_of, messages, parsed};
use crate::support::strict;

fn log_each_level() {
    error!("error");
    warn!("warn");
    info!("info");
    debug!("debug");
    trace!("trace");
}

#[test]
fn the_level_is_info_unless_set() {
    let memory = Memory::new();
    let (layer, guard) = spanline::builder().output(Output::new(memory.clone())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), log_each_level);
    guard.close().unwrap();
    assert_eq!(messages(&memory), ["error", "warn", "info"]);
}

#[test]
fn each_output_has_its_own_filter() {
    let memories = [(); 4].map(|()| Memory::new());
    let (layer, guard) = spanline::builder()
        .filter("debug,noisy=off")
        .output(Output::new(memories[0].clone()))
        .output(Output::new(memories[1].clone()).output_filter("warn"))
        .output(Output::new(memories[2].clone()).output_filter("trace"))
        .output(Output::new(memories[3].clone()).output_filter("off"))
        .build()
        .unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        log_each_level();
        error!(target: "noisy", "noise");
    });
    let metrics = guard.handle().metrics();
    guard.close().unwrap();
    assert_eq!(messages(&memories[0]), ["error", "warn", "info", "debug"]);
    assert_eq!(messages(&memories[1]), ["error", "warn"]);
    assert_eq!(messages(&memories[2]), ["error", "warn", "info", "debug"]);
    assert!(messages(&memories[3]).is_empty());
    let emitted: Vec<_> = metrics.outputs.iter().map(|output| output.emitted.total()).collect();
    assert_eq!(emitted, [4, 2, 4, 0]);
}

#[test]
fn promise_30_a_bad_directive_is_an_error_that_names_it() {
    for bad in ["orders=loud", "[span=debug", "=info", "a b=info"] {
        let directives = format!("info,{bad}");
        let global = spanline::builder().filter(&directives).output(Output::new(Memory::new())).build::<Registry>();
        let own = spanline::builder().output(Output::new(Memory::new()).output_filter(&directives)).build::<Registry>();
        for error in [global.err().unwrap(), own.err().unwrap()] {
            assert!(error.is_invalid() && error.to_string().contains(bad), "{error}");
        }
    }
}

#[test]
fn set_filter_takes_effect_on_all_threads_and_a_bad_one_changes_nothing() {
    let memory = Memory::new();
    let (layer, guard) = fixed().filter("info").output(Output::new(memory.clone())).build().unwrap();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    let barrier = Arc::new(Barrier::new(4));
    let filters = ["info", "debug", "off", "trace", "it::text::filter=warn", "info,it=debug"];
    let threads = [0, 1, 2].map(|thread| {
        let (dispatch, barrier) = (dispatch.clone(), Arc::clone(&barrier));
        std::thread::spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || {
                for round in 0..filters.len() {
                    barrier.wait();
                    error!(thread, round, "error");
                    warn!(thread, round, "warn");
                    info!(thread, round, "info");
                    debug!(thread, round, "debug");
                    trace!(thread, round, "trace");
                    barrier.wait();
                }
            });
        })
    });
    for filter in filters {
        guard.handle().set_filter(filter).unwrap();
        let error = guard.handle().set_filter("nonsense=loud").unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains("nonsense=loud"));
        barrier.wait();
        barrier.wait();
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    guard.close().unwrap();
    let lines = parsed(&memory);
    let expected: [&[&str]; 6] = [
        &["error", "warn", "info"],
        &["error", "warn", "info", "debug"],
        &[],
        &["error", "warn", "info", "debug", "trace"],
        &["error", "warn"],
        &["error", "warn", "info", "debug"],
    ];
    for thread in 0..3 {
        for (round, expected) in expected.iter().enumerate() {
            let seen = lines.iter().filter(|line| line["thread"] == thread && line["round"] == round);
            let seen: Vec<_> = seen.map(|line| line["message"].as_str().unwrap()).collect();
            assert_eq!(seen, *expected, "thread {thread}, filter {:?}", filters[round]);
        }
    }
}

#[test]
fn set_filter_works_from_a_thread_without_a_subscriber() {
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let (layer, guard) = fixed().filter("info").output(Output::new(memory.clone())).build().unwrap();
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(Some(layer)));
        let log = || tracing::dispatcher::with_default(&dispatch, log_each_level);
        log();
        // The only subscriber of the process, and not this thread's.
        guard.handle().set_filter("debug").unwrap();
        log();
        guard.handle().set_filter("error").unwrap();
        log();
        guard.close().unwrap();
        assert_eq!(messages(&memory), ["error", "warn", "info", "error", "warn", "info", "debug", "error"]);
    });
}

#[test]
fn set_output_filter_changes_that_output_alone() {
    let (one, two) = (Memory::new(), Memory::new());
    let (layer, guard) = fixed()
        .output(Output::new(one.clone()).name("one"))
        .output(Output::new(two.clone()).name("two"))
        .build()
        .unwrap();
    let handle = guard.handle();
    with_default(tracing_subscriber::registry().with(layer), || {
        handle.set_output_filter("one", "warn").unwrap();
        log_each_level();
        assert!(handle.set_output_filter("three", "warn").unwrap_err().to_string().contains("three"));
    });
    guard.close().unwrap();
    assert_eq!(messages(&one), ["error", "warn"]);
    assert_eq!(messages(&two).len(), 5);
}

#[test]
fn a_disabled_span_hands_nothing_down() {
    let lines = lines_of(fixed().filter("info"), || {
        let _request = info_span!("request", request_id = "r-1", method = "GET").entered();
        let _hidden = debug_span!("hidden", secret = 1, method = "hidden").entered();
        info!("in a hidden span");
        info_span!("shown").in_scope(|| info!("in a shown one below it"));
    });
    for line in &lines {
        assert_eq!((&line["request_id"], &line["method"]), (&json!("r-1"), &json!("GET")));
        assert_eq!(line.get("secret"), None);
    }
    assert_eq!(lines[0]["spans"], json!(["request"]));
    assert_eq!(lines[1]["spans"], json!(["request", "shown"]));
    assert_eq!(lines[1]["parent_span_id"], lines[0]["span_id"]);
}

#[test]
fn spans_with_an_id_are_seen_up_to_the_context_level_although_the_filter_hides_them() {
    let run = || {
        let request = info_span!(target: "web", "request", request_id = "r-1", method = "GET").entered();
        info!(target: "web", "hidden");
        warn!(target: "orders", "one");
        drop(request);
        debug_span!(target: "web", "request", request_id = "r-2").in_scope(|| warn!(target: "orders", "two"));
        trace_span!(target: "web", "t", trace_id = "4bf92f3577b34da6a3ce929d0e0e4736")
            .in_scope(|| warn!(target: "orders", "three"));
        info_span!(target: "web", "no_id", method = "GET").in_scope(|| warn!(target: "orders", "four"));
    };
    let ids = |level: Option<Level>| {
        let builder = fixed().filter("web=off,orders=warn");
        let builder = match level {
            Some(level) => builder.context_level(level),
            None => builder,
        };
        let lines = lines_of(builder, run);
        assert_eq!(lines.len(), 4);
        lines.iter().map(|line| line.get("spans").is_some()).collect::<Vec<_>>()
    };
    assert_eq!(ids(None), [true, false, false, false]);
    assert_eq!(ids(Some(Level::DEBUG)), [true, true, false, false]);
    assert_eq!(ids(Some(Level::TRACE)), [true, true, true, false]);
    assert_eq!(ids(Some(Level::ERROR)), [false, false, false, false]);
    let lines = lines_of(fixed().filter("web=off,orders=warn"), run);
    assert_eq!((&lines[0]["request_id"], &lines[0]["method"]), (&json!("r-1"), &json!("GET")));
}

#[test]
fn the_context_level_raises_the_level_hint_no_further_than_itself() {
    let hint = |filter: &str, level: Level| {
        let (layer, _guard) =
            fixed().filter(filter).context_level(level).output(Output::new(Memory::new())).build::<Registry>().unwrap();
        tracing_subscriber::registry().with(layer).max_level_hint()
    };
    assert_eq!(hint("error", Level::INFO), Some(LevelFilter::INFO));
    assert_eq!(hint("error", Level::DEBUG), Some(LevelFilter::DEBUG));
    assert_eq!(hint("trace", Level::INFO), Some(LevelFilter::TRACE));
    assert_eq!(hint("off", Level::INFO), Some(LevelFilter::OFF));
}

/// Takes what a `fmt` layer writes.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Text {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Text {
    fn levels(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
    }
}

#[test]
fn neither_silences_a_layer_beside_it_nor_is_silenced() {
    for ours_first in [true, false] {
        let (memory, plain, filtered) = (Memory::new(), Text::default(), Text::default());
        macro_rules! format {
            ($text:ident) => {
                tracing_subscriber::fmt::layer().with_ansi(false).with_writer($text.clone())
            };
        }
        let ours = fixed().filter("warn").output(Output::new(memory.clone()));
        let env = EnvFilter::new("debug");
        let (dispatch, guard) = if ours_first {
            let (layer, guard) = ours.build().unwrap();
            let registry = tracing_subscriber::registry().with(layer).with(format!(plain));
            (Dispatch::new(registry.with(format!(filtered).with_filter(env))), guard)
        } else {
            let (layer, guard) = ours.build().unwrap();
            let registry = tracing_subscriber::registry().with(format!(filtered).with_filter(env));
            (Dispatch::new(registry.with(format!(plain)).with(layer)), guard)
        };
        tracing::dispatcher::with_default(&dispatch, || {
            info_span!("quiet", a = 1).in_scope(log_each_level);
        });
        guard.close().unwrap();
        assert_eq!(messages(&memory), ["error", "warn"], "{ours_first}");
        assert_eq!(plain.levels(), ["error", "warn", "info", "debug", "trace"], "{ours_first}");
        assert_eq!(filtered.levels(), ["error", "warn", "info", "debug"], "{ours_first}");
    }
}

#[test]
fn a_span_that_only_another_layer_wants_hands_nothing_down() {
    let (memory, plain) = (Memory::new(), Text::default());
    let (layer, guard) = fixed().filter("info").output(Output::new(memory.clone())).build().unwrap();
    let format = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(plain.clone());
    with_default(tracing_subscriber::registry().with(layer).with(format), || {
        let _request = info_span!("request", request_id = 1).entered();
        let _theirs = debug_span!("theirs", method = "GET").entered();
        info!("contextual");
        info_span!("below").in_scope(|| info!("below"));
    });
    guard.close().unwrap();
    let lines = parsed(&memory);
    assert_eq!(plain.levels(), ["contextual", "below"]);
    assert_eq!((&lines[0]["spans"], lines[0].get("method")), (&json!(["request"]), None));
    assert_eq!((&lines[1]["spans"], lines[1].get("method")), (&json!(["request", "below"]), None));
}

/// Runs the same program under a layer wrapped in some way.
fn lines_under<S: Subscriber + Send + Sync>(wrap: impl FnOnce(BoxedLayer) -> S) -> Vec<String> {
    let memory = Memory::new();
    let (layer, guard) = fixed().output(Output::new(memory.clone())).build::<Registry>().unwrap();
    with_default(wrap(layer.boxed()), || {
        let span = info_span!("request", request_id = 1, late = tracing::field::Empty);
        span.record("late", true);
        spanline::SpanExt::set_variable(&span, "tenant", "acme");
        span.in_scope(|| {
            info!("info");
            debug!("debug");
        });
    });
    guard.close().unwrap();
    let lines = parsed(&memory);
    for line in &lines {
        assert_eq!((&line["request_id"], &line["late"], &line["tenant"]), (&json!(1), &json!(true), &json!("acme")));
    }
    messages(&memory)
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

#[test]
fn the_layer_can_be_wrapped_boxed_and_filtered() {
    let registry = tracing_subscriber::registry;
    assert_eq!(lines_under(|layer| registry().with(layer)), ["info", "debug"]);
    assert_eq!(lines_under(|layer| registry().with(Some(layer))), ["info", "debug"]);
    assert_eq!(lines_under(|layer| registry().with(vec![layer])), ["info", "debug"]);
    assert_eq!(lines_under(|layer| registry().with(layer.with_filter(LevelFilter::INFO))), ["info"]);
    let targets: Targets = "info".parse().unwrap();
    assert_eq!(lines_under(|layer| registry().with(Some(layer.with_filter(targets)))), ["info"]);
    assert_eq!(
        lines_under(|layer| registry().with(layer.and_then(tracing_subscriber::layer::Identity::new()))),
        ["info", "debug"]
    );
    assert_eq!(lines_under(|layer| registry().with(layer).with(LevelFilter::INFO)), ["info"]);
    assert!(lines_under(|layer| registry().with(Some(layer).filter(|_| false))).is_empty());
}

#[test]
fn the_layer_can_be_installed_for_a_scope() {
    let (outer, inner) = (Memory::new(), Memory::new());
    let (outer_layer, outer_guard) = fixed().output(Output::new(outer.clone())).build().unwrap();
    let (inner_layer, inner_guard) = fixed().output(Output::new(inner.clone())).build().unwrap();
    let scope = set_default(tracing_subscriber::registry().with(outer_layer));
    let span = info_span!("outer", request_id = 1).entered();
    info!("outer");
    {
        let _scope = set_default(tracing_subscriber::registry().with(inner_layer));
        info!("inner");
        info_span!("inner", request_id = 2).in_scope(|| info!("inner"));
    }
    info!("outer");
    drop(span);
    drop(scope);
    info!("nowhere");
    outer_guard.close().unwrap();
    inner_guard.close().unwrap();
    let (outer, inner) = (parsed(&outer), parsed(&inner));
    assert_eq!((outer.len(), inner.len()), (2, 2));
    outer.iter().for_each(|line| assert_eq!(line["request_id"], 1));
    assert_eq!((inner[0].get("request_id"), &inner[1]["request_id"]), (None, &json!(2)));
}

#[test]
fn init_takes_the_level_from_rust_log() {
    let name = this_test!();
    for (value, expected) in [
        ("", vec!["error", "warn", "info"]),
        ("debug", vec!["error", "warn", "info", "debug"]),
        ("off,it::text::filter=warn", vec!["error", "warn"]),
        ("other=trace", vec![]),
    ] {
        let output = child(name, &[("RUST_LOG", value)], || {
            let guard = spanline::init().unwrap();
            log_each_level();
            guard.close().unwrap();
        });
        let Some(output) = output else { return };
        let lines: Vec<_> = stdout_lines(&output).iter().map(|line| strict::line(line)).collect();
        let seen: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(seen, expected, "{value:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("RUST_LOG"));
    }
}

#[test]
fn init_without_rust_log_writes_info_and_up_to_stdout() {
    let name = this_test!();
    let output = child(name, &[], || {
        let guard = spanline::init().unwrap();
        info_span!("request", request_id = "r-1").in_scope(log_each_level);
        assert!(spanline::init().is_err(), "only once");
        info!("still there");
        guard.close().unwrap();
    });
    let Some(output) = output else { return };
    let lines: Vec<_> = stdout_lines(&output).iter().map(|line| strict::line(line)).collect();
    let seen: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(seen, ["error", "warn", "info", "still there"]);
    assert_eq!(lines[0]["request_id"], "r-1");
}

#[test]
fn a_target_stands_for_whole_segments_and_a_star_for_a_beginning() {
    let lines = |filter: &str| {
        let lines = lines_of(fixed().filter(filter), || {
            error!(target: "hyper", "hyper");
            error!(target: "hyper::client", "hyper::client");
            error!(target: "hyper_util", "hyper_util");
            error!(target: "hyper_util::rt", "hyper_util::rt");
            error!(target: "orders", "orders");
        });
        lines.iter().map(|line| line["target"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lines("info,hyper=off"), ["hyper_util", "hyper_util::rt", "orders"]);
    assert_eq!(lines("info,hyper*=off"), ["orders"]);
    assert_eq!(lines("info,hyper*=off,hyper_util=info"), ["hyper_util", "hyper_util::rt", "orders"]);
    assert_eq!(lines("hyper*"), ["hyper", "hyper::client", "hyper_util", "hyper_util::rt"]);
    let targets = Targets::new().with_default(LevelFilter::INFO).with_target("hyper", LevelFilter::OFF);
    let own = Memory::new();
    let output = Output::new(own.clone()).output_filter(targets);
    let (layer, guard) = fixed().output(output).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        error!(target: "hyper::client", "hidden");
        error!(target: "hyper_util", "shown");
    });
    guard.close().unwrap();
    assert_eq!(messages(&own), ["shown"]);
}

#[test]
fn events_go_on_at_full_speed_while_filters_change() {
    let memory = Memory::new();
    let (layer, guard) = fixed().output(Output::new(memory.clone()).queue_bytes(64 << 20)).build().unwrap();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    let threads = [0, 1].map(|thread| {
        let dispatch = dispatch.clone();
        std::thread::spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || {
                (0..5000).for_each(|at| error!(thread, at, "under every filter"));
            });
        })
    });
    for filter in ["error", "trace", "info", "warn,other=off"].iter().cycle().take(100) {
        guard.handle().set_filter(filter).unwrap();
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    guard.close().unwrap();
    for thread in 0..2 {
        let own: Vec<_> = parsed(&memory).into_iter().filter(|line| line["thread"] == thread).collect();
        assert_eq!(own.len(), 5000, "an event that passes every filter is in every one's lines");
        assert!(own.iter().enumerate().all(|(at, line)| line["at"] == at));
    }
}
