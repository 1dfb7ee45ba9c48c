//! The loggers that are measured, one file each, behind one trait.
//!
//! Every [`Peer`] logs the same values by its own API. Those that `tracing` feeds share their calls: they are
//! [`Subscribed`], and [`tracing_calls`] makes them peers.

mod bunyan;
mod emit;
mod floor_hand;
mod floor_layer;
mod fmt_json;
mod fmt_json_sync;
mod json_subscriber;
mod logforth;
mod slog;
mod slow;
pub mod spanline;
mod spanline_sync;
mod tracing_calls;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::child::{self, Spec};
use crate::work::{Work, large, quotes, text};

/// Where a peer's lines go.
#[derive(Clone, Debug)]
pub enum Sink {
    /// All the way but the last step: they are thrown away.
    Null,
    /// Into files of this directory.
    Files(PathBuf),
}

impl Sink {
    /// A plain file, or nothing, for the peers that write into an [`std::io::Write`].
    fn writer(&self) -> Box<dyn Write + Send + Sync> {
        match self {
            Self::Null => Box::new(std::io::sink()),
            Self::Files(directory) => Box::new(create(directory.join("log.jsonl"))),
        }
    }
}

fn create(path: PathBuf) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a log file")
}

/// One logger, started for the whole process.
pub trait Peer: Sized + Sync {
    /// What a call has to be given of the spans around it: a child logger, or nothing where the thread knows.
    type Context;

    fn start(sink: &Sink) -> Self;

    /// Runs `body` inside the two spans.
    fn inside<R>(&self, body: impl FnOnce(&Self::Context) -> R) -> R;

    /// The event, inside what `inside` gave.
    fn w1e(&self, context: &Self::Context);

    /// Opens the two spans, logs five events, closes the spans.
    fn w1c(&self);

    /// The event outside spans.
    fn w2(&self);

    /// A disabled event.
    fn w0(&self);

    /// Writes all that was logged.
    fn finish(self);
}

/// A peer that listens to `tracing`; dropping it writes all that was logged.
pub trait Subscribed: Sized + Sync {
    fn start(sink: &Sink) -> Self;
}

/// A peer by its name.
pub struct Entry {
    pub name: &'static str,
    /// Measures in this process.
    pub measure: fn(&Spec) -> Vec<child::Sample>,
}

const fn entry<P: Peer>(name: &'static str) -> Entry {
    Entry { name, measure: child::measure::<P> }
}

/// All of them, in the order of the tables.
pub static PEERS: &[Entry] = &[
    entry::<spanline::Spanline>("spanline"),
    entry::<spanline::TwoOutputs>("spanline-two"),
    entry::<fmt_json::FmtJson>("fmt-json"),
    entry::<fmt_json::FmtJsonLossy>("fmt-json-lossy"),
    entry::<fmt_json::FmtJsonList>("fmt-json-list"),
    entry::<spanline_sync::Synchronous>("spanline-sync"),
    entry::<fmt_json_sync::Synchronous>("fmt-json-sync"),
    entry::<spanline_sync::OnSlowDisk>("spanline-slow"),
    entry::<fmt_json_sync::OnSlowDisk>("fmt-json-slow"),
    entry::<spanline_sync::SynchronousOnSlowDisk>("spanline-sync-slow"),
    entry::<fmt_json_sync::SynchronousOnSlowDisk>("fmt-json-sync-slow"),
    entry::<json_subscriber::JsonSubscriber>("json-subscriber"),
    entry::<bunyan::Bunyan>("bunyan"),
    entry::<emit::Emit>("emit"),
    entry::<logforth::Logforth>("logforth"),
    entry::<slog::Slog>("slog"),
    entry::<floor_layer::Empty>("floor-empty"),
    entry::<floor_layer::Filtered>("floor-filtered"),
    entry::<floor_hand::Hand>("floor-hand"),
    entry::<floor_hand::HandBuffer>("floor-hand-buffer"),
    entry::<floor_layer::Nothing>("floor-timer"),
    entry::<spanline::Edited>(spanline::EDITED),
    entry::<spanline::As<0>>(spanline::SCHEMAS[0]),
    entry::<spanline::As<1>>(spanline::SCHEMAS[1]),
    entry::<spanline::As<2>>(spanline::SCHEMAS[2]),
    entry::<spanline::As<3>>(spanline::SCHEMAS[3]),
    entry::<spanline::As<4>>(spanline::SCHEMAS[4]),
    entry::<spanline::As<5>>(spanline::SCHEMAS[5]),
    entry::<spanline::As<6>>(spanline::SCHEMAS[6]),
    entry::<spanline::As<7>>(spanline::SCHEMAS[7]),
    entry::<spanline::As<8>>(spanline::SCHEMAS[8]),
    entry::<spanline::As<9>>(spanline::SCHEMAS[9]),
    entry::<spanline::As<10>>(spanline::SCHEMAS[10]),
    entry::<spanline::As<11>>(spanline::SCHEMAS[11]),
    entry::<spanline::As<12>>(spanline::SCHEMAS[12]),
];

pub fn find(name: &str) -> Option<&'static Entry> {
    PEERS.iter().find(|entry| entry.name == name)
}

/// Something to be done with a workload's step, over and over.
pub trait Measure {
    type Output;

    fn run(self, step: impl FnMut()) -> Self::Output;
}

/// The pause of the thread that logs large texts.
const BETWEEN_LARGE: Duration = Duration::from_micros(300);

/// Runs `body` while another thread logs large texts.
fn beside_large_texts<R>(body: impl FnOnce() -> R) -> R {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                tracing_calls::long_text(large());
                std::thread::sleep(BETWEEN_LARGE);
            }
        });
        let result = body();
        is_over.store(true, Ordering::Relaxed);
        result
    })
}

/// Measures a step of `work`, inside what belongs around it.
pub fn measure_step<P: Peer, M: Measure>(peer: &P, work: Work, measure: M) -> M::Output {
    match work {
        Work::W0 => measure.run(|| peer.w0()),
        Work::W1e | Work::Schemas | Work::Edits => peer.inside(|context| measure.run(|| peer.w1e(context))),
        Work::W1c => measure.run(|| peer.w1c()),
        Work::W2 => measure.run(|| peer.w2()),
        Work::W3 => tracing_calls::beside_a_span(|span| measure.run(|| tracing_calls::enter_and_leave(span))),
        Work::W4 => measure.run(|| tracing_calls::instrumented_future(20, &[5, 15])),
        Work::Poll => measure.run(|| tracing_calls::instrumented_future(100, &[50])),
        Work::Span => measure.run(tracing_calls::open_and_close),
        Work::SpanInside => peer.inside(|_| measure.run(tracing_calls::open_and_close)),
        Work::Record => tracing_calls::beside_a_span(|span| measure.run(|| tracing_calls::record(span))),
        Work::Turns => {
            let spans = tracing_calls::others(1_000);
            let mut turns = spans.iter().cycle();
            measure.run(|| turns.next().into_iter().for_each(tracing_calls::turn))
        }
        Work::Deep => peer.inside(|context| tracing_calls::deeper(|| measure.run(|| peer.w1e(context)))),
        Work::Open => {
            let _others = tracing_calls::others(10_000);
            peer.inside(|context| measure.run(|| peer.w1e(context)))
        }
        Work::Request => measure.run(tracing_calls::whole_request),
        Work::LogRecord => measure.run(tracing_calls::log_record),
        Work::Text => measure.run(|| tracing_calls::long_text(text())),
        Work::Quotes => measure.run(|| tracing_calls::long_text(quotes())),
        Work::Large => beside_large_texts(|| peer.inside(|context| measure.run(|| peer.w1e(context)))),
        Work::Nothing => measure.run(|| ()),
    }
}
