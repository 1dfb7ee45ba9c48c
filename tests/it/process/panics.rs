//! Each panic is an ERROR line, wherever it happens, and writing it does no harm.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, set_hook, take_hook};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use spanline::record::{self, Record};
use spanline::schema::Schema;
use spanline::sink::{Control, Lines, Memory, Next, Sink};
use spanline::{Error, Guard, Output};
use tracing::dispatcher::with_default;
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Event, Span, Subscriber, info, info_span};
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::support::child::child;
use crate::support::stage::{NOW, parsed};
use crate::support::wait::PATIENCE;

/// A log for the whole process; nothing of the panics goes to stderr.
fn quiet_log(memory: &Memory) -> Guard {
    set_hook(Box::new(|_| ()));
    spanline::builder().clock(|| NOW).output(Output::new(memory.clone())).init().unwrap()
}

fn flushed(guard: &Guard, memory: &Memory) -> Vec<Value> {
    guard.handle().flush(Duration::from_secs(60)).unwrap();
    parsed(memory)
}

fn on_thread<T: Send>(run: impl FnOnce() -> T + Send) -> std::thread::Result<T> {
    std::thread::scope(|scope| scope.spawn(run).join())
}

#[test]
fn a_panic_is_a_line_with_its_text_and_context() {
    child(this_test!(), &[("RUST_BACKTRACE", "0")], || {
        let memory = Memory::new();
        let guard = quiet_log(&memory);
        let panicking = || {
            let _request = info_span!("request", request_id = "r-1").entered();
            let _db = info_span!("db", table = "orders").entered();
            panic!("out of {}", "luck");
        };
        std::thread::scope(|scope| {
            let named = std::thread::Builder::new().name("pool-7".to_owned()).spawn_scoped(scope, panicking);
            assert!(named.unwrap().join().is_err());
        });
        let lines = flushed(&guard, &memory);
        assert_eq!(lines.len(), 1);
        let mut found = lines[0].clone();
        for id in ["trace_id", "span_id", "parent_span_id"] {
            assert!(found.as_object_mut().unwrap().remove(id).is_some_and(|id| id.is_string()), "{id}");
        }
        assert_eq!(
            found,
            json!({
                "timestamp": "2026-11-20T10:15:38.123456Z", "level": "ERROR", "target": "panic",
                "message": "out of luck", "error": {"message": "out of luck", "type": "panic", "chain": []}, "thread_name": "pool-7",
                "request_id": "r-1", "table": "orders", "spans": ["request", "db"],
            })
        );
    });
}

#[test]
fn the_file_and_line_of_a_panic_are_those_of_its_place() {
    child(this_test!(), &[("RUST_BACKTRACE", "0")], || {
        set_hook(Box::new(|_| ()));
        let memory = Memory::new();
        let schema = spanline::schema::Flat::new().file().line().thread_name().thread_id();
        let guard = spanline::builder().output(Output::new(memory.clone()).schema(schema)).init().unwrap();
        let line = line!() + 1;
        let panicking = || panic!("somewhere");
        assert!(on_thread(panicking).is_err());
        std::thread::scope(|scope| {
            let named = std::thread::Builder::new().name("pool-7".to_owned()).spawn_scoped(scope, panicking);
            assert!(named.unwrap().join().is_err());
        });
        let lines = flushed(&guard, &memory);
        for (found, name) in lines.iter().zip([None, Some(&json!("pool-7"))]) {
            assert_eq!((&found["file"], &found["line"]), (&json!("tests/it/process/panics.rs"), &json!(line)));
            assert_eq!(found.get("thread_name"), name);
            assert!(found["thread_id"].is_u64() && found.get("fields").is_none() && found.get("thread").is_none());
        }
        assert_eq!(lines.len(), 2);
    });
}

/// Writes what a record says of a panic, without an output that asks for the thread.
struct OfPanic;

impl Schema for OfPanic {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let error = record.fields().find_map(|(name, value)| match value {
            record::Value::Error(chain) => Some(json!([name, chain.type_name(), chain.message()])),
            _ => None,
        });
        let thread = record.thread().unwrap();
        let names: Vec<_> = record.fields().map(|(name, _)| name).collect();
        let said =
            json!([format!("{:?}", record.kind()), error, thread.name, thread.id > 0, names, record.event_name()]);
        out.extend_from_slice(said.to_string().as_bytes());
    }
}

#[test]
fn a_panic_is_an_error_of_the_type_panic_on_a_known_thread() {
    child(this_test!(), &[("RUST_BACKTRACE", "0")], || {
        set_hook(Box::new(|_| ()));
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone()).schema(OfPanic)).init().unwrap();
        let long = "x".repeat(10 << 20);
        std::thread::scope(|scope| {
            for payload in ["out of luck", &long] {
                let panicking = move || panic_any(payload.to_owned());
                let named = std::thread::Builder::new().name("pool-7".to_owned()).spawn_scoped(scope, panicking);
                assert!(named.unwrap().join().is_err());
            }
        });
        guard.handle().flush(Duration::from_secs(60)).unwrap();
        let lines: Vec<Value> = memory.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of =
            |message: &str| json!(["Panic", ["error", "panic", message], "pool-7", true, ["message", "error"], null]);
        assert_eq!(lines[0], of("out of luck"));
        let message = lines[1][1][2].as_str().unwrap();
        assert!(message.len() >= 32 && lines[1] == of(&long[..message.len()]), "{}", lines[1]);
    });
}

#[test]
fn the_line_comes_before_the_hook_that_was_there() {
    child(this_test!(), &[], || {
        set_hook(Box::new(|panic| info!(place = panic.location().map(tracing::field::display), "the program's hook")));
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone())).init().unwrap();
        assert!(on_thread(|| panic!("first")).is_err());
        let lines = flushed(&guard, &memory);
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["first", "the program's hook"]);
    });
}

#[test]
fn a_backtrace_is_there_when_the_variable_or_the_builder_says_so() {
    #[inline(never)]
    fn where_it_panics() {
        panic!("here");
    }
    let name = this_test!();
    for (variable, asked) in [("0", "no"), ("1", "no"), ("0", "yes")] {
        let done = child(name, &[("RUST_BACKTRACE", variable), ("ASKED", asked)], || {
            let is = |name: &str, value: &str| std::env::var(name).as_deref() == Ok(value);
            set_hook(Box::new(|_| ()));
            let memory = Memory::new();
            let mut builder = spanline::builder().output(Output::new(memory.clone()));
            if is("ASKED", "yes") {
                builder = builder.backtrace(tracing::Level::ERROR);
            }
            let guard = builder.init().unwrap();
            // A hook of the program's above the log's.
            let before = take_hook();
            set_hook(Box::new(move |panic| before(panic)));
            assert!(on_thread(where_it_panics).is_err());
            let lines = flushed(&guard, &memory);
            let wanted = is("ASKED", "yes") || is("RUST_BACKTRACE", "1");
            let backtrace = lines[0].get("backtrace").map(|backtrace| backtrace.as_str().unwrap());
            assert_eq!(backtrace.is_some(), wanted);
            if let Some(backtrace) = backtrace {
                assert!(backtrace.lines().next().unwrap().contains("where_it_panics"), "{backtrace}");
                assert!(!backtrace.contains("spanline::layer"), "{backtrace}");
            }
        });
        if done.is_none() {
            return;
        }
    }
}

#[test]
fn panic_lines_can_be_disabled_and_build_needs_to_enable_them() {
    child(this_test!(), &[], || {
        set_hook(Box::new(|_| ()));
        let memories: [Memory; 3] = Default::default();
        let guard = spanline::builder().log_panics(false).output(Output::new(memories[0].clone())).init().unwrap();
        let output = |at: usize| Output::new(memories[at].clone());
        let (plain, second) = spanline::builder().output(output(1)).build::<tracing_subscriber::Registry>().unwrap();
        let (asked, third) = spanline::builder().log_panics(true).output(output(2)).build().unwrap();
        let scoped = Dispatch::new(tracing_subscriber::registry().with(asked));
        with_default(&scoped, || {
            let _request = info_span!("request", request_id = "r-1").entered();
            assert!(catch_unwind(|| panic!("caught by the program")).is_err());
        });
        // Not its thread and not its dispatcher, but its process.
        assert!(on_thread(|| panic!("elsewhere")).is_err());
        drop((guard, second, third, plain));
        assert_eq!((memories[0].lines().len(), memories[1].lines().len()), (0, 0));
        let lines = parsed(&memories[2]);
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["request_id"], lines[1].get("request_id")), (&json!("r-1"), None));
        drop(scoped);
        assert!(on_thread(|| panic!("nobody listens any more")).is_err());
        assert_eq!(memories[2].lines().len(), 2);
    });
}

#[test]
fn a_filter_hides_panics_like_any_other_target() {
    child(this_test!(), &[], || {
        set_hook(Box::new(|_| ()));
        let (all, none) = (Memory::new(), Memory::new());
        let builder = spanline::builder().output(Output::new(all.clone()).name("all"));
        let guard =
            builder.output(Output::new(none.clone()).name("none").output_filter("info,panic=off")).init().unwrap();
        assert!(on_thread(|| panic!("seen")).is_err());
        guard.handle().set_filter("off").unwrap();
        assert!(on_thread(|| panic!("not seen")).is_err());
        assert_eq!(flushed(&guard, &all).len(), 1);
        assert!(none.lines().is_empty());
    });
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a value that panics while it is logged");
    }
}

/// Its payload panics once more when the log drops it.
struct PanicsTwice;

impl fmt::Debug for PanicsTwice {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic_any(Payload);
    }
}

/// Panics on its first line.
#[derive(Debug)]
struct PanickingSink(Memory, bool);

impl Sink for PanickingSink {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        if !std::mem::replace(&mut self.1, true) {
            panic!("a sink that panics");
        }
        self.0.write(lines)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        self.0.control(control)
    }
}

#[test]
fn promise_12_and_15_panics_that_the_log_catches_are_no_lines() {
    child(this_test!(), &[], || {
        set_hook(Box::new(|_| ()));
        let (memory, second) = (Memory::new(), Memory::new());
        let sink = PanickingSink(second.clone(), false);
        let builder = spanline::builder().output(Output::new(memory.clone()).name("memory"));
        let guard = builder.output(Output::new(sink).name("panicking")).init().unwrap();
        info!(value = ?Panics, "the value panics, and the sink");
        let span = info_span!("span", value = ?PanicsTwice);
        span.in_scope(|| info!("in a span"));
        drop(guard);
        for memory in [memory, second] {
            let lines = parsed(&memory);
            assert_eq!(lines.iter().map(|line| &line["value"]).collect::<Vec<_>>(), ["<panicked>", "<panicked>"]);
        }
    });
}

/// A payload of no text, whose drop panics as well.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a payload's drop");
        }
    }
}

#[test]
fn promise_14_hostile_payloads_and_panics_in_destructors_are_lines() {
    let name = this_test!();
    child(name, &[], || {
        let memory = Memory::new();
        let guard = quiet_log(&memory);
        let payload = on_thread(|| panic_any(Payload)).unwrap_err();
        std::mem::forget(payload);
        assert!(on_thread(|| panic_any(7)).is_err());
        assert!(on_thread(|| panic!("{}", "\u{1b}[31m\u{202e}\"\n".repeat(10))).is_err());
        assert!(on_thread(|| panic_any("x".repeat(10 << 20))).is_err());
        assert!(on_thread(|| panic_any(String::new())).is_err());
        let lines = flushed(&guard, &memory);
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages[..2], ["Box<dyn Any>", "Box<dyn Any>"]);
        assert_eq!((messages[2], messages[4]), ("\u{1b}[31m\u{202e}\"\n".repeat(10).as_str(), "panic"));
        assert_eq!(lines[3]["truncated"], true);
    });
}

/// Catches a panic while another one unwinds.
struct PanicsAndCatches;

impl Drop for PanicsAndCatches {
    fn drop(&mut self) {
        assert!(catch_unwind(|| panic!("second")).is_err());
    }
}

thread_local! {
    static LATE: PanicsAndCatches = const { PanicsAndCatches };
}

#[cfg(unix)]
#[test]
fn promise_14_a_panic_while_panicking_and_in_a_thread_local_destructor_are_lines() {
    let name = this_test!();
    child(name, &[], || {
        let memory = Memory::new();
        let guard = quiet_log(&memory);
        let unwound = on_thread(|| {
            let _span = info_span!("request", request_id = "r-1").entered();
            let _second = PanicsAndCatches;
            panic!("first");
        });
        assert!(unwound.is_err());
        std::thread::spawn(|| LATE.with(|_| ())).join().unwrap();
        // The log has ended: the panicking thread writes the line, or the hook does.
        drop(guard);
        std::thread::spawn(|| LATE.with(|_| ())).join().unwrap();
        let lines = parsed(&memory);
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["first", "second", "second", "second"]);
        assert_eq!((&lines[0]["request_id"], &lines[1]["request_id"]), (&json!("r-1"), &json!("r-1")));
    });
}

/// Another layer, which panics in its callbacks with the span locked.
struct Clumsy(Mutex<u32>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Clumsy {
    fn on_event(&self, event: &Event<'_>, registry: Context<'_, S>) {
        if event.metadata().target() == "clumsy" {
            let _own = self.0.lock();
            let span = registry.event_span(event);
            let _extensions = span.as_ref().map(|span| span.extensions_mut());
            panic!("in a callback");
        }
    }
}

#[test]
fn promise_14_a_panic_inside_tracings_callbacks_is_a_line() {
    child(this_test!(), &[], || {
        set_hook(Box::new(|_| ()));
        let memory = Memory::new();
        let (layer, guard) = spanline::builder().log_panics(true).output(Output::new(memory.clone())).build().unwrap();
        let clumsy = Clumsy(Mutex::new(0));
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(clumsy).with(layer));
        let panicking = |span: &Span| {
            let event = || with_default(&dispatch, || span.in_scope(|| info!(target: "clumsy", "an event")));
            assert!(catch_unwind(AssertUnwindSafe(event)).is_err());
        };
        // On the thread that opened the span, and on one that knows nothing of it.
        let spans = [0, 1].map(|_| with_default(&dispatch, || info_span!("request", request_id = "r-1")));
        panicking(&spans[0]);
        on_thread(|| panicking(&spans[1])).unwrap();
        // Their locks are poisoned: the registry itself could not close them.
        std::mem::forget(spans);
        // A scoped dispatcher of somebody else.
        assert!(on_thread(|| with_default(&Dispatch::new(NoSubscriber::new()), || panic!("elsewhere"))).is_err());
        drop(guard);
        let lines: Vec<_> = parsed(&memory).into_iter().filter(|line| line["target"] == "panic").collect();
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["in a callback", "in a callback", "elsewhere"]);
        assert_eq!(lines[0]["request_id"], "r-1");
        // The span was locked by the thread that panicked: the line does without it.
        assert_eq!(lines[1].get("request_id"), None);
    });
}

#[test]
fn promise_38_a_panic_on_a_thread_that_has_logged_nothing_has_its_context() {
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let guard = quiet_log(&memory);
        let span = info_span!("request", request_id = "r-1");
        assert!(on_thread(|| span.in_scope(|| panic!("in the span"))).is_err());
        // A span that the filter hides stands between.
        let hidden = span.in_scope(|| tracing::debug_span!("hidden"));
        assert!(on_thread(|| span.in_scope(|| hidden.in_scope(|| panic!("in the hidden span")))).is_err());
        let lines = flushed(&guard, &memory);
        assert!(lines.iter().all(|line| line["request_id"] == "r-1"), "{lines:?}");
        assert_eq!(lines.len(), 2);
    });
}

/// A sink and a schema of which every part may panic, used by the panicking thread itself once the log has ended.
#[test]
fn promise_15_a_sink_that_panics_is_not_called_from_the_hook() {
    child(this_test!(), &[], || {
        set_hook(Box::new(|_| ()));
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(PanickingSink(memory.clone(), false))).init().unwrap();
        drop(guard);
        assert!(on_thread(|| panic!("after the end")).is_err());
        assert_eq!(parsed(&memory)[0]["message"], "after the end");
    });
}

#[test]
fn a_synchronous_output_has_the_line_before_the_programs_hook_runs() {
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let (seen, look) = (Arc::new(Mutex::new(0)), memory.clone());
        let told = Arc::clone(&seen);
        set_hook(Box::new(move |_| *told.lock().unwrap() = look.lines().len()));
        let _guard = spanline::builder().output(Output::new(memory).synchronous(PATIENCE)).init().unwrap();
        assert!(on_thread(|| panic!("at once")).is_err());
        assert_eq!(*seen.lock().unwrap(), 1);
    });
}
