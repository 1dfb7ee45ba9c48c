//! The ratios that spanline is held to, with their targets, all of the one run.

use super::number;
use super::table::markdown;
use crate::peers::spanline::{EDITED, SCHEMAS, TEMPLATE};
use crate::plan::{CYCLES_PER_S, Point, SLOW_PER_S};
use crate::results::Results;
use crate::work::Work;

const OURS: &str = "spanline";
const FMT: &str = "fmt-json";
/// Every other logger. The lossy one is left out: it is fast by throwing lines away.
const OTHERS: [&str; 7] = ["fmt-json", "fmt-json-list", "json-subscriber", "bunyan", "emit", "logforth", "slog"];
/// Memory beyond the queue's budget: the program itself, and what is being written.
const MAX_RESIDENT_MIB: f64 = 8.0 + 16.0;

enum Target {
    AtLeast(f64),
    AtMost(f64),
}

use Target::{AtLeast, AtMost};

struct Row {
    what: String,
    value: Option<f64>,
    target: Target,
    unit: &'static str,
}

/// Table of all ratios, as Markdown.
pub fn ratios(results: &Results) -> String {
    let Ratios { rows, .. } = Ratios { results, rows: Vec::new() }.peers().floors().limits().documented();
    let cells = rows.into_iter().filter_map(|row| {
        let value = row.value?;
        let (sign, bound, met) = match row.target {
            AtLeast(bound) => ("≥", bound, value >= bound),
            AtMost(bound) => ("≤", bound, value <= bound),
        };
        let verdict = if met { "ok" } else { "MISS" };
        let decimals = if row.unit == "×" { format!("{value:.2}") } else { number(value) };
        Some(vec![
            row.what,
            format!("{decimals}{}", row.unit),
            format!("{sign} {bound}{}", row.unit),
            verdict.to_owned(),
        ])
    });
    let titles = ["", "spanline", "target", ""].map(str::to_owned).to_vec();
    format!("### Ratios\n\n{}", markdown(titles, cells.collect()))
}

struct Ratios<'a> {
    results: &'a Results,
    rows: Vec<Row>,
}

impl Ratios<'_> {
    fn peers(mut self) -> Self {
        let w1e = Point::file(Work::W1e);
        let w1c = Point::file(Work::W1c).paced(CYCLES_PER_S);
        self.times_cheaper("W1e into a file, full speed, p50", w1e, "call_p50", 18.0, 7.0);
        self.times_cheaper("W1e at 100,000/s, p99.9", w1e.paced(100_000), "call_p999", 40.0, 10.0);
        self.times_cheaper("W1e at 1,000/s, p99", w1e.paced(1_000), "call_p99", 5.0, 3.0);
        for per_s in [100, 10] {
            for (title, metric) in [("p50", "call_p50"), ("p99", "call_p99")] {
                self.no_dearer(&format!("W1e at {per_s}/s, {title}"), w1e.paced(per_s), metric);
            }
        }
        self.times_cheaper("W1c at 20,000 cycles/s, p50", w1c, "call_p50", 10.0, 4.0);
        let large = Point::null(Work::Large).paced(10_000);
        self.times_cheaper("W1e beside texts of 256 KiB, p99.9", large, "call_p999", 3.0, 3.0);
        self.synchronous();
        self.times_more("lines/s into a file, 1 thread", w1e, 14.0, 5.0);
        self.times_more("lines/s into a file, 4 threads", w1e.threads(4), 7.0, 4.0);
        let lost = [1, 4].map(|threads| self.results.of(OURS, w1e.threads(threads), "lines_lost"));
        let lost = lost.into_iter().flatten().reduce(f64::max);
        self.row("lines lost meanwhile", lost, AtMost(0.0), " lines");
        self
    }

    /// Beside the form of fmt-json that writes on the calling thread, on this disk and on a slow one.
    fn synchronous(&mut self) {
        let w1e = Point::file(Work::W1e);
        let lines = |peer, threads| self.results.of(peer, w1e.threads(threads), "lines_per_s");
        let slow = |peer| self.results.of(peer, w1e.paced(SLOW_PER_S), "call_p50");
        let rows = [
            (
                "lines/s, 1 thread: spanline-sync / fmt-json-sync",
                ratio(lines("spanline-sync", 1), lines("fmt-json-sync", 1)),
                1.0,
            ),
            (
                "lines/s, 4 threads: spanline-sync / fmt-json-sync",
                ratio(lines("spanline-sync", 4), lines("fmt-json-sync", 4)),
                1.0,
            ),
            ("lines/s, 1 thread: spanline / fmt-json-sync", ratio(lines(OURS, 1), lines("fmt-json-sync", 1)), 4.0),
            (
                "slow disk, p50: fmt-json-sync / spanline",
                ratio(slow("fmt-json-sync-slow"), slow("spanline-slow")),
                100.0,
            ),
            ("slow disk, p50: fmt-json / spanline", ratio(slow("fmt-json-slow"), slow("spanline-slow")), 3.0),
        ];
        for (what, value, bound) in rows {
            self.row(what, value, AtLeast(bound), "×");
        }
    }

    fn floors(mut self) -> Self {
        let null = |work| (Point::null(work), "caller_mean");
        let file = (Point::file(Work::W1e), "call_p50");
        self.floor("W1e into a file, full speed, p50", file, "floor-hand-buffer", 1.2);
        self.floor("W1e, nothing written", null(Work::W1e), "floor-filtered", 3.5);
        self.floor("W1c, nothing written", null(Work::W1c), "floor-filtered", 2.5);
        self.floor("W3", null(Work::W3), "floor-filtered", 1.5);
        self.floor("W4", null(Work::W4), "floor-filtered", 2.5);
        for (title, work, bound) in [
            ("W3", Work::W3, 0.9),
            ("poll", Work::Poll, 0.5),
            ("span", Work::Span, 0.8),
            ("span inside", Work::SpanInside, 0.75),
        ] {
            self.floor(title, null(work), FMT, bound);
        }
        self.floor("turns", null(Work::Turns), "floor-filtered", 3.0);
        self.floor("W0, a disabled call site", null(Work::W0), "floor-filtered", 1.1);
        let worker = self.results.of(OURS, Point::null(Work::W1e), "worker_per_line");
        let by_hand = self.results.of("floor-hand", Point::null(Work::W1e), "caller_mean");
        self.row("worker's CPU a line, W1e / floor-hand", ratio(worker, by_hand), AtMost(1.3), "×");
        let worker = self.results.of(OURS, Point::null(Work::W1c), "worker_per_line");
        self.row("worker's CPU a line, W1c", worker, AtMost(280.0), " ns");
        let lines = |peer| self.results.of(peer, Point::file(Work::W1e), "lines_per_s");
        let share = ratio(lines(OURS), lines("floor-hand-buffer"));
        self.row("lines/s into a file, 1 thread / floor-hand-buffer", share, AtLeast(0.75), "×");
        self
    }

    fn limits(mut self) -> Self {
        let of = |peer: &str, point, metric: &str| self.results.of(peer, point, metric);
        let w1e = Point::file(Work::W1e);
        let second = |point| ratio(of("spanline-two", point, "call_p50"), of(OURS, point, "call_p50"));
        let mean = |work| of(OURS, Point::null(work), "caller_mean");
        let allocations = |peer, work| of(peer, Point::file(work), "allocations_caller");
        let bare = allocations("floor-empty", Work::W1c);
        let for_a_span = allocations(OURS, Work::W1c).zip(bare).map(|(ours, bare)| (ours - bare) / 2.0);
        let share_of_request = mean(Work::Request).map(|nanos| nanos / 1e6 * 100.0);
        let rows = [
            ("second output, W1e at 100,000/s, p50 / one output", second(w1e.paced(100_000)), AtMost(1.25), "×"),
            ("second output, W1e full speed, p50 / one output", second(w1e), AtMost(1.25), "×"),
            ("W1e inside 10 spans / inside 2", ratio(mean(Work::Deep), mean(Work::W1e)), AtMost(1.3), "×"),
            ("W1e with 10,000 open spans / none", ratio(mean(Work::Open), mean(Work::W1e)), AtMost(1.1), "×"),
            ("allocations for each event", allocations(OURS, Work::W1e), AtMost(0.0), ""),
            ("allocations for each span, beyond the registry's", for_a_span, AtMost(2.0), ""),
            ("line in the file, 10/s, p99", of(OURS, w1e.paced(10), "reach_p99"), AtMost(10.0), " ms"),
            ("line in the file, 1,000/s, p99", of(OURS, w1e.paced(1_000), "reach_p99"), AtMost(10.0), " ms"),
            ("context switches of the idle worker", of(OURS, w1e, "idle_switches"), AtMost(0.0), ""),
            ("switches of the worker at 10 lines/s", of(OURS, w1e.paced(10), "switches_per_s"), AtMost(40.0), " /s"),
            ("switches of the worker at 1 line/s", of(OURS, w1e.paced(1), "switches_per_s"), AtMost(6.0), " /s"),
            ("a request's logging, of a request of 1 ms", share_of_request, AtMost(0.25), " %"),
            ("resident, 1 thread", of(OURS, w1e, "resident_peak"), AtMost(MAX_RESIDENT_MIB), " MiB"),
            ("resident, 4 threads", of(OURS, w1e.threads(4), "resident_peak"), AtMost(MAX_RESIDENT_MIB), " MiB"),
        ];
        for (what, value, target, unit) in rows {
            self.row(what, value, target, unit);
        }
        self
    }

    /// What the documentation shows: each schema beside the default one, and the rest beside fmt-json.
    fn documented(mut self) -> Self {
        let point = Point::file(Work::Schemas);
        let of = |peer: &str, metric| self.results.of(peer, point, metric);
        let share = |peer, metric| ratio(of(peer, metric), of(OURS, metric));
        let mut rows = Vec::new();
        for peer in SCHEMAS {
            let lines = share(peer, "lines_per_s");
            rows.push(match peer {
                "spanline:console" | TEMPLATE => (format!("{peer}: lines/s / flat"), lines, 0.4),
                // A schema with longer lines has to write as many bytes.
                _ => {
                    let reached = lines.zip(share(peer, "mb_per_s")).map(|(lines, bytes)| bytes.max(lines / 0.6));
                    (format!("{peer}: lines/s / 0.6 of flat's, or bytes/s / flat's"), reached, 1.0)
                }
            });
        }
        let nested = ratio(of("spanline:nested", "lines_per_s"), of(FMT, "lines_per_s"));
        rows.push(("spanline:nested: lines/s / fmt-json".to_owned(), nested, 6.0));
        let edits = Point::file(Work::Edits);
        let lines = |peer| self.results.of(peer, edits, "lines_per_s");
        rows.push(("under edits: lines/s / without".to_owned(), ratio(lines(EDITED), lines(OURS)), 0.6));
        for (what, value, bound) in rows {
            self.row(what, value, AtLeast(bound), "×");
        }
        self.times_more("requests, lines/s", Point::file(Work::Request), 6.0, 4.0);
        self.times_more("records of `log`, lines/s", Point::file(Work::LogRecord), 4.0, 2.0);
        self.times_more("texts beyond ASCII, lines/s", Point::file(Work::Text), 2.0, 2.0);
        self.times_more("quotes, lines/s", Point::file(Work::Quotes), 2.0, 2.0);
        self
    }

    fn row(&mut self, what: impl Into<String>, value: Option<f64>, target: Target, unit: &'static str) {
        self.rows.push(Row { what: what.into(), value, target, unit });
    }

    fn of_others(&self, point: Point, metric: &str, better: fn(f64, f64) -> f64) -> Option<f64> {
        OTHERS.iter().filter_map(|peer| self.results.of(peer, point, metric)).reduce(better)
    }

    /// How many times less than fmt-json, and than the cheapest of the others.
    fn times_cheaper(&mut self, what: &str, point: Point, metric: &str, fmt: f64, others: f64) {
        let ours = self.results.of(OURS, point, metric);
        let theirs = self.results.of(FMT, point, metric);
        self.row(format!("{what}: fmt-json / spanline"), ratio(theirs, ours), AtLeast(fmt), "×");
        let best = self.of_others(point, metric, f64::min);
        self.row(format!("{what}: best other / spanline"), ratio(best, ours), AtLeast(others), "×");
    }

    /// At rates at which nothing matters much it must not be worse.
    fn no_dearer(&mut self, what: &str, point: Point, metric: &str) {
        let ours = self.results.of(OURS, point, metric);
        let theirs = self.results.of(FMT, point, metric);
        self.row(format!("{what}: spanline / fmt-json"), ratio(ours, theirs), AtMost(1.0), "×");
        let best = self.of_others(point, metric, f64::min);
        self.row(format!("{what}: spanline / best other"), ratio(ours, best), AtMost(1.0), "×");
    }

    /// How many times more lines; of a peer that loses lines, those count that arrive.
    fn times_more(&mut self, what: &str, point: Point, fmt: f64, others: f64) {
        let ours = self.results.of(OURS, point, "lines_per_s");
        let theirs = self.results.of(FMT, point, "lines_per_s");
        self.row(format!("{what}: spanline / fmt-json"), ratio(ours, theirs), AtLeast(fmt), "×");
        let best = self.of_others(point, "lines_per_s", f64::max);
        self.row(format!("{what}: spanline / best other"), ratio(ours, best), AtLeast(others), "×");
    }

    fn floor(&mut self, what: &str, (point, metric): (Point, &str), floor: &str, bound: f64) {
        let value = ratio(self.results.of(OURS, point, metric), self.results.of(floor, point, metric));
        self.row(format!("{what} / {floor}"), value, AtMost(bound), "×");
    }
}

fn ratio(value: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(value? / to?)
}
