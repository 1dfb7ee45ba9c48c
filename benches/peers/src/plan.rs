//! Which measurements a run makes, of whom, how often and how long.
//!
//! A full run takes about twenty minutes: at least five rounds at full speed and three at a pace. A quick one makes a
//! single short round of each, to see that all works; its figures are rough.

use crate::child::Kind;
use crate::peers::spanline::{EDITED, SCHEMAS};
use crate::work::Work;

/// The circumstances of a measurement: what makes two values comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub work: Work,
    pub to_file: bool,
    pub threads: usize,
    /// Steps a second; full speed without.
    pub rate: Option<u64>,
}

impl Point {
    /// At full speed on one thread, the lines thrown away.
    pub const fn null(work: Work) -> Self {
        Self { work, to_file: false, threads: 1, rate: None }
    }

    /// At full speed on one thread, into a file.
    pub const fn file(work: Work) -> Self {
        Self { work, to_file: true, threads: 1, rate: None }
    }

    pub const fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    pub const fn paced(self, per_s: u64) -> Self {
        Self { rate: Some(per_s), ..self }
    }
}

/// One measurement, made of each peer in turn, round after round.
pub struct Task {
    pub kind: Kind,
    pub point: Point,
    pub steps: u64,
    pub rounds: usize,
    pub peers: Vec<&'static str>,
}

pub const CYCLES_PER_S: u64 = 20_000;

/// A fifth of what the slow disk can do, one line at a time.
pub const SLOW_PER_S: u64 = 200;

/// The loggers that lose nothing by design, and `emit`, which has no such form.
const LOGGERS: [&str; 7] = ["spanline", "fmt-json", "json-subscriber", "bunyan", "emit", "logforth", "slog"];
const TRACING: [&str; 6] = ["spanline", "fmt-json", "json-subscriber", "bunyan", "floor-empty", "floor-filtered"];
/// `emit` writes into files only.
const WITHOUT_NULL_SINK: &str = "emit";

/// All measurements, in order.
pub fn plan(quick: bool) -> Vec<Task> {
    let mut plan = Plan { quick, tasks: Vec::new() };
    plan.caller();
    plan.full_speed();
    plan.paced();
    plan.slow_disk();
    plan.uneven();
    plan.counts();
    plan.documented();
    plan.tasks
}

struct Plan {
    quick: bool,
    tasks: Vec<Task>,
}

impl Plan {
    /// `steps` and `rounds` are those of a full run; a quick one makes `quick_steps`, once.
    fn add(&mut self, kind: Kind, point: Point, steps: u64, quick_steps: u64, rounds: usize, peers: &[&'static str]) {
        let steps = if self.quick { quick_steps } else { steps };
        let rounds = if self.quick { 1 } else { rounds };
        self.tasks.push(Task { kind, point, steps, rounds, peers: peers.to_vec() });
    }

    /// What a call costs the caller when nothing is written and no queue fills up.
    fn caller(&mut self) {
        let mut peers: Vec<_> = LOGGERS.into_iter().filter(|peer| *peer != WITHOUT_NULL_SINK).collect();
        peers.extend(["fmt-json-list", "spanline-two", "floor-empty", "floor-filtered", "floor-hand"]);
        self.add(Kind::Calls, Point::null(Work::Nothing), 100_000, 100_000, 5, &["floor-timer"]);
        for (work, steps) in [(Work::W1e, 100_000), (Work::W2, 100_000), (Work::W1c, 20_000)] {
            self.add(Kind::Bursts, Point::null(work), steps, steps, 7, &peers);
        }
        let of_spans = [
            (Work::W0, 1_000_000),
            (Work::W3, 300_000),
            (Work::W4, 20_000),
            (Work::Poll, 10_000),
            (Work::Span, 100_000),
            (Work::SpanInside, 100_000),
            (Work::Record, 50_000),
            (Work::Turns, 50_000),
            (Work::Request, 20_000),
        ];
        for (work, steps) in of_spans {
            // Without a filter nothing is disabled.
            let peers: Vec<_> = TRACING.into_iter().filter(|peer| work != Work::W0 || *peer != "floor-empty").collect();
            self.add(Kind::Bursts, Point::null(work), steps, steps, 7, &peers);
        }
        for work in [Work::Deep, Work::Open] {
            self.add(Kind::Bursts, Point::null(work), 100_000, 100_000, 7, &["spanline", "floor-filtered"]);
        }
    }

    /// Full speed into a file: how many lines a second, and what the calls were like meanwhile.
    fn full_speed(&mut self) {
        let mut peers = LOGGERS.to_vec();
        peers.extend(["fmt-json-lossy", "fmt-json-list", "spanline-two", "floor-hand-buffer"]);
        peers.extend(["spanline-sync", "fmt-json-sync"]);
        // Far more calls than the longest queue holds: what counts is what comes after that.
        for (threads, calls) in [(1, 1_000_000), (4, 400_000)] {
            let point = Point::file(Work::W1e).threads(threads);
            self.add(Kind::BackToBack, point, 500_000, 60_000, 5, &peers);
            self.add(Kind::Calls, point, calls, 60_000, 5, &peers);
        }
        let mut peers = LOGGERS.to_vec();
        peers.push("floor-hand-buffer");
        self.add(Kind::Calls, Point::file(Work::W1c), 40_000, 8_000, 5, &peers);
    }

    /// A slow disk: what the caller feels of it.
    fn slow_disk(&mut self) {
        let slow = ["spanline-slow", "spanline-sync-slow", "fmt-json-slow", "fmt-json-sync-slow"];
        self.add(Kind::Calls, Point::file(Work::W1e).paced(SLOW_PER_S), 600, 100, 3, &slow);
    }

    /// What other threads feel of one that logs large texts, and how often a worker wakes up for few lines.
    fn uneven(&mut self) {
        let peers = ["spanline", "fmt-json", "json-subscriber"];
        self.add(Kind::Calls, Point::null(Work::Large).paced(10_000), 50_000, 10_000, 5, &peers);
        for (per_s, lines, quick_lines) in [(10, 50, 20), (1, 5, 2)] {
            let point = Point::file(Work::W1e).paced(per_s);
            self.add(Kind::Trickle, point, lines, quick_lines, 3, &["spanline", "fmt-json"]);
        }
    }

    /// At a pace into a file, as services log.
    fn paced(&mut self) {
        let mut peers = LOGGERS.to_vec();
        peers.extend(["fmt-json-lossy", "spanline-two", "floor-hand-buffer"]);
        for threads in [1, 4] {
            let point = Point::file(Work::W1e).threads(threads).paced(100_000);
            self.add(Kind::Calls, point, 150_000, 30_000, 3, &peers);
        }
        let mut peers = LOGGERS.to_vec();
        peers.push("floor-hand-buffer");
        let point = Point::file(Work::W1c).paced(CYCLES_PER_S);
        self.add(Kind::Calls, point, 30_000, 6_000, 3, &peers);
        for (per_s, calls, quick_calls) in [(1_000, 3_000, 400), (100, 400, 50), (10, 60, 6)] {
            self.add(Kind::Calls, Point::file(Work::W1e).paced(per_s), calls, quick_calls, 3, &peers);
        }
        for (per_s, lines, quick_lines) in [(1_000, 1_000, 300), (10, 20, 5)] {
            self.add(Kind::Reach, Point::file(Work::W1e).paced(per_s), lines, quick_lines, 3, &peers);
        }
    }

    /// What the documentation shows, beside the one event: schemas, edits, requests, the `log` crate, long texts.
    fn documented(&mut self) {
        let lines = |plan: &mut Self, work, steps, quick_steps, peers: &[&'static str]| {
            plan.add(Kind::BackToBack, Point::file(work), steps, quick_steps, 5, peers);
        };
        let requests = ["spanline", "fmt-json", "fmt-json-list", "json-subscriber", "bunyan"];
        lines(self, Work::Request, 100_000, 10_000, &requests);
        let mut schemas = vec!["spanline", "fmt-json", "fmt-json-list"];
        schemas.extend(SCHEMAS);
        lines(self, Work::Schemas, 500_000, 60_000, &schemas);
        lines(self, Work::Edits, 500_000, 60_000, &["spanline", EDITED]);
        lines(self, Work::LogRecord, 300_000, 30_000, &["spanline", "fmt-json", "json-subscriber", "logforth"]);
        for work in [Work::Text, Work::Quotes] {
            lines(self, work, 40_000, 4_000, &["spanline", "fmt-json", "json-subscriber", "bunyan"]);
        }
    }

    /// Allocations, and what spanline's workers do.
    fn counts(&mut self) {
        let mut peers = LOGGERS.to_vec();
        peers.extend(["floor-empty", "floor-hand-buffer"]);
        self.add(Kind::Allocations, Point::file(Work::W1e), 10_000, 10_000, 1, &peers);
        self.add(Kind::Allocations, Point::file(Work::W1c), 2_000, 2_000, 1, &peers);
        for (work, steps) in [(Work::W1e, 300_000), (Work::W1c, 60_000)] {
            self.add(Kind::Worker, Point::null(work), steps, steps, 5, &["spanline"]);
            self.add(Kind::Worker, Point::file(work), steps, steps, 5, &["spanline"]);
        }
        self.add(Kind::Idle, Point::file(Work::W1e), 10, 3, 1, &["spanline"]);
    }
}
