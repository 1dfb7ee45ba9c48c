//! Counting: the program runs itself under callgrind.

use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use spanline::sink::{Lines, Next, Sink};
use spanline::{Builder, Guard, Output, Redact};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::set_global_default;
use tracing::{Event, Subscriber, info};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::texts::{ESCAPED, TEXTS};
use crate::uses::{USES, Use};
use crate::works::{ASKED, BESIDE_ASKED, CHANGED, Part, REDACTED, WORKS, Work};

/// Room for all that is logged while the worker stands still, twice: a queue more than half full wakes its worker.
const QUEUE_BYTES: u64 = 64 << 20;

/// What precedes [`BYTES`] where a run tells them.
const WRITTEN: &str = "Written :";

/// The bytes that the sinks of this process were given.
static BYTES: AtomicU64 = AtomicU64::new(0);

/// What one operation takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) instructions: f64,
    /// Of lines that were written.
    pub(crate) bytes: f64,
}

/// A work for one of the layers.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) layer: &'static str,
    pub(crate) work: &'static Work,
}

impl Run {
    fn count(self) -> Count {
        let operations = self.work.operations;
        let [few, many] = [operations, 3 * operations].map(|times| self.collected(times));
        let each = |many: u64, few: u64| (many as f64 - few as f64) / f64::from(2 * operations);
        Count { instructions: each(many.0, few.0), bytes: each(many.1, few.1) }
    }

    /// Instructions and bytes of a whole run.
    fn collected(self, times: u32) -> (u64, u64) {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().expect("a path"))
            .args(["run", self.layer, self.work.name, &times.to_string()])
            .output()
            .expect("valgrind");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} of {} failed:\n{text}", self.work.name, self.layer);
        let number = |title| {
            let line = text.lines().find_map(|line| line.split_once(title));
            line.and_then(|(_, number)| number.trim().parse().ok())
        };
        (number("Collected :").expect("a count from callgrind"), number(WRITTEN).unwrap_or_default())
    }
}

/// Several at a time: counts do not mind.
pub(crate) fn count_all() -> Vec<(Run, Count)> {
    let mut runs = Vec::new();
    for work in &WORKS {
        runs.push(Run { layer: "ours", work });
        if REDACTED.iter().any(|(name, _)| *name == work.name) {
            runs.extend(["open", "redacted"].map(|layer| Run { layer, work }));
        }
        if BESIDE_ASKED.iter().any(|(name, _)| *name == work.name) {
            runs.push(Run { layer: "asked", work });
        }
        if CHANGED.iter().any(|(name, _)| *name == work.name) {
            runs.push(Run { layer: "changed", work });
        }
        if !matches!(work.part, Part::Worker { .. }) {
            runs.push(Run { layer: "floor", work });
        }
    }
    let texts = TEXTS.iter().flat_map(|text| &text.works);
    runs.extend(texts.flat_map(|work| ["open", "redacted"].map(|layer| Run { layer, work })));
    runs.extend(ESCAPED.iter().flat_map(|text| &text.works).map(|work| Run { layer: "open", work }));
    runs.extend(USES.iter().flat_map(|used| &used.works).map(|work| Run { layer: "open", work }));
    let next = AtomicUsize::new(0);
    let counts = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from).min(8) {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let count = run.count();
                    counts.lock().expect("counts").push((*run, count));
                }
            });
        }
    });
    counts.into_inner().expect("counts")
}

/// The program that is counted.
pub(crate) fn run(layer: &str, work: &Work, times: u32) {
    let (caller, drain) = match work.part {
        Part::Caller(..) | Part::OfLayer(_) => (work, false),
        Part::Worker { of, .. } => (Work::named(of), true),
    };
    let (operation, outputs, is_layer) = match caller.part {
        Part::Caller(operation, outputs) => (operation, outputs, false),
        Part::OfLayer(operation) => (operation, 1, true),
        Part::Worker { .. } => unreachable!("lines of lines"),
    };
    if layer == "floor" && work.name == "deep" {
        set_global_default(tracing_subscriber::registry()).expect("the first");
        operation(times);
        return;
    }
    if layer == "floor" {
        let targets = Targets::new().with_default(LevelFilter::INFO);
        if is_layer {
            set_global_default(tracing_subscriber::registry().with(Empty.with_filter(targets))).expect("the first");
        } else {
            set_global_default(tracing_subscriber::registry().with(Empty).with(targets)).expect("the first");
        }
        operation(times);
        return;
    }
    // The end of the process does not wait for a worker that stays where it is.
    let patience = if drain { Duration::from_secs(600) } else { Duration::ZERO };
    let redact = match layer {
        "open" => Redact::none(),
        "redacted" => Redact::new().values(),
        _ => Redact::new(),
    };
    let builder = spanline::builder().redact(redact).shutdown_timeout(patience, patience).on_complaint(|_| {});
    let builder = if layer == "asked" { builder.filter(ASKED) } else { builder };
    let (guard, gates) = gated(builder, outputs, is_layer, Use::of(work));
    if layer == "changed" {
        let handle = guard.handle();
        handle.add_output(Output::new(Null { gate: None }).name("once")).expect("one more");
        handle.remove_output("once").expect("it is there");
    }
    operation(times);
    assert_eq!(guard.handle().metrics().dropped(), 0, "the queue is too small");
    if drain {
        gates.iter().for_each(Gate::pass);
        guard.close().expect("all written");
        eprintln!("{WRITTEN} {}", BYTES.load(Ordering::Relaxed));
    } else {
        std::mem::forget(guard);
    }
}

/// A log whose workers stand at their gates.
fn gated(mut builder: Builder, outputs: usize, is_layer: bool, used: Option<&Use>) -> (Guard, Vec<Gate>) {
    let gates: Vec<_> = (0..outputs).map(|_| Gate::new()).collect();
    for gate in &gates {
        let output = Output::new(Null { gate: Some(gate.clone()) }).queue_bytes(QUEUE_BYTES);
        builder = builder.output(match used {
            Some(used) => (used.output)(output),
            None => output,
        });
    }
    if let Some(used) = used {
        builder = (used.log)(builder);
    }
    let guard = if is_layer {
        let (layer, guard) = builder.build().expect("a layer");
        set_global_default(tracing_subscriber::registry().with(layer)).expect("the first");
        guard
    } else {
        builder.init().expect("the first")
    };
    info!("the line on which the workers wait");
    gates.iter().for_each(Gate::pass);
    (guard, gates)
}

/// Where two threads wait for each other.
#[derive(Clone)]
struct Gate(Arc<Barrier>);

impl Gate {
    fn new() -> Self {
        Self(Arc::new(Barrier::new(2)))
    }

    fn pass(&self) {
        self.0.wait();
    }
}

/// Forgets its lines; before the first, it says that it is there and waits to be let through.
struct Null {
    gate: Option<Gate>,
}

impl Sink for Null {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, spanline::Error> {
        if let Some(gate) = self.gate.take() {
            gate.pass();
            gate.pass();
        }
        BYTES.fetch_add(lines.as_bytes().len() as u64, Ordering::Relaxed);
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }
}

/// The least that a layer does which knows where an event belongs.
struct Empty;

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Empty {
    fn on_event(&self, event: &Event<'_>, registry: Context<'_, S>) {
        black_box(registry.event_span(event).is_some());
    }
}
