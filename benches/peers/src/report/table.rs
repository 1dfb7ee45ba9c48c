//! The measured values, a table for each question, a row for each peer.

use super::number;
use crate::peers::PEERS;
use crate::plan::{CYCLES_PER_S, Point, SLOW_PER_S};
use crate::results::Results;
use crate::work::Work;

struct Column {
    title: &'static str,
    point: Point,
    metric: &'static str,
}

const fn column(title: &'static str, point: Point, metric: &'static str) -> Column {
    Column { title, point, metric }
}

/// All of them, as Markdown.
pub fn tables(results: &Results) -> String {
    let mean = |title, work| column(title, Point::null(work), "caller_mean");
    let calls = |point| {
        let titled = [("p50", "call_p50"), ("p99", "call_p99"), ("p99.9", "call_p999"), ("max", "call_max")];
        titled.map(|(title, metric)| column(title, point, metric)).into_iter()
    };
    let ends = |point| calls(point).take(2);
    let w1e = Point::file(Work::W1e);
    let w1c = Point::file(Work::W1c);
    let full = |point: Point| {
        let titled = [
            ("lines/s", "lines_per_s"),
            ("MB/s", "mb_per_s"),
            ("lost", "lines_lost"),
            ("of", "lines_logged"),
            ("bytes/line", "bytes_per_line"),
            ("resident MiB", "resident_peak"),
            ("caller ns", "caller_mean"),
        ];
        titled.map(|(title, metric)| column(title, point, metric)).into()
    };
    let reach = |per_s| {
        let titled = [("p50", "reach_p50"), ("p99", "reach_p99"), ("max", "reach_max")];
        titled.map(|(title, metric)| column(title, w1e.paced(per_s), metric)).into_iter()
    };
    let allocations = |title, all, work| {
        [column(title, Point::file(work), "allocations_caller"), column(all, Point::file(work), "allocations_all")]
    };
    let several = [
        (
            "Caller, nothing written, mean ns",
            vec![
                mean("W1e", Work::W1e),
                mean("W2", Work::W2),
                mean("W1c", Work::W1c),
                mean("W0", Work::W0),
                mean("W3", Work::W3),
                mean("W4", Work::W4),
                mean("poll", Work::Poll),
                mean("span", Work::Span),
                mean("span inside", Work::SpanInside),
                mean("record", Work::Record),
                mean("turns", Work::Turns),
                mean("request", Work::Request),
                mean("10 spans", Work::Deep),
                mean("10,000 open", Work::Open),
            ],
        ),
        ("What the clock around a call costs, ns", calls(Point::null(Work::Nothing)).collect()),
        ("W1e into a file at full speed, 1 thread, ns a call", calls(w1e).collect()),
        ("W1e into a file at full speed, 4 threads, ns a call", calls(w1e.threads(4)).collect()),
        ("W1e at 100,000/s, 1 thread, ns a call", calls(w1e.paced(100_000)).collect()),
        ("W1e at 100,000/s, 4 threads, ns a call", calls(w1e.threads(4).paced(100_000)).collect()),
        (
            "W1e at 1,000/s, 100/s and 10/s, ns a call",
            ends(w1e.paced(1_000)).chain(ends(w1e.paced(100))).chain(ends(w1e.paced(10))).collect(),
        ),
        (
            "W1c at full speed and at 20,000 cycles/s, ns a cycle",
            ends(w1c).chain(ends(w1c.paced(CYCLES_PER_S))).collect(),
        ),
        ("Sustained into a file, the final flush included, 1 thread", full(w1e)),
        ("Sustained into a file, the final flush included, 4 threads", full(w1e.threads(4))),
        ("The same, W1e in each schema", full(Point::file(Work::Schemas))),
        ("The same, W1e under edits", full(Point::file(Work::Edits))),
        ("The same, requests of three events", full(Point::file(Work::Request))),
        ("The same, records of the `log` crate", full(Point::file(Work::LogRecord))),
        ("The same, texts of 4 KiB beyond ASCII", full(Point::file(Work::Text))),
        ("The same, 4 KiB of quotes", full(Point::file(Work::Quotes))),
        ("From the call into the file at 10/s and at 1,000/s, ms", reach(10).chain(reach(1_000)).collect()),
        ("A disk that takes 1 ms for a write, W1e at 200/s, ns a call", calls(w1e.paced(SLOW_PER_S)).collect()),
        (
            "W1e at 10,000/s while another thread logs 256 KiB every 300 µs, nothing written, ns a call",
            calls(Point::null(Work::Large).paced(10_000)).collect(),
        ),
        (
            "The worker's context switches a second, with 10 lines and with 1 line a second",
            [10, 1]
                .map(|per_s| column(if per_s == 10 { "10/s" } else { "1/s" }, w1e.paced(per_s), "switches_per_s"))
                .into(),
        ),
        (
            "Allocations for each event (W1e) and cycle (W1c)",
            allocations("W1e caller", "W1e all", Work::W1e)
                .into_iter()
                .chain(allocations("W1c caller", "W1c all", Work::W1c))
                .collect(),
        ),
        (
            "spanline's worker: CPU ns a line, nothing written and into a file; context switches while idle",
            vec![
                column("W1e", Point::null(Work::W1e), "worker_per_line"),
                column("W1c", Point::null(Work::W1c), "worker_per_line"),
                column("W1e file", w1e, "worker_per_line"),
                column("W1c file", w1c, "worker_per_line"),
                column("idle", w1e, "idle_switches"),
            ],
        ),
    ];
    several.iter().filter_map(|(title, columns)| table(results, title, columns)).collect()
}

/// None when nothing of it was measured.
fn table(results: &Results, title: &str, columns: &[Column]) -> Option<String> {
    let mut rows = Vec::new();
    for peer in PEERS {
        let values: Vec<_> = columns.iter().map(|column| results.of(peer.name, column.point, column.metric)).collect();
        if values.iter().any(Option::is_some) {
            let shown = values.into_iter().map(|value| value.map_or("–".to_owned(), number));
            rows.push(std::iter::once(peer.name.to_owned()).chain(shown).collect::<Vec<_>>());
        }
    }
    let titles = std::iter::once("").chain(columns.iter().map(|column| column.title)).map(str::to_owned).collect();
    (!rows.is_empty()).then(|| format!("### {title}\n\n{}\n", markdown(titles, rows)))
}

/// Aligned columns, the first to the left.
pub(super) fn markdown(titles: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let all: Vec<_> = std::iter::once(titles).chain(rows).collect();
    let width = |at: usize| all.iter().map(|row| row[at].chars().count()).max().unwrap_or(0).max(2);
    let widths: Vec<_> = (0..all[0].len()).map(width).collect();
    let mut text = String::new();
    for (at, row) in all.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(at, (cell, width))| match at {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text += &format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
        if at == 0 {
            let rules = widths.iter().enumerate().map(|(at, width)| match at {
                0 => "-".repeat(*width),
                _ => format!("{}:", "-".repeat(width - 1)),
            });
            text += &format!("| {} |\n", rules.collect::<Vec<_>>().join(" | "));
        }
    }
    text
}
