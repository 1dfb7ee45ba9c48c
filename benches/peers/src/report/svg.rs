//! The picture: what a call costs at a pace, on a logarithmic axis, and how many lines a second reach the file.
//!
//! It draws its background, so that it looks the same on light and dark pages.

use std::fmt::Write;

use super::number;
use crate::machine::Machine;
use crate::plan::Point;
use crate::results::Results;
use crate::work::Work;

/// The floor comes last, the others between by what they achieve.
const OTHERS: [&str; 7] = ["json-subscriber", "slog", "bunyan", "emit", "logforth", "fmt-json", "fmt-json-lossy"];
const FIRST: &str = "spanline";
const LAST: &str = "floor-hand-buffer";
const PACED: Point = Point::file(Work::W1e).paced(100_000);
const SUSTAINED: Point = Point::file(Work::W1e);
/// The marks of a row: metric, name, colour.
const MARKS: [(&str, &str, &str); 4] = [
    ("call_p50", "p50", "#1b9e77"),
    ("call_p99", "p99", "#e6a117"),
    ("call_p999", "p99.9", "#d95f02"),
    ("call_max", "max", "#b2182b"),
];

const WIDTH: f64 = 960.0;
const TOP: f64 = 118.0;
const ROW: f64 = 34.0;
/// From and to, in the picture.
const LATENCY: (f64, f64) = (150.0, 610.0);
const LINES: (f64, f64) = (650.0, 880.0);
const INK: &str = "#24292f";
const PALE: &str = "#6e7781";
const GRID: &str = "#e4e8ec";
const OURS: &str = "#0969da";
const THEIRS: &str = "#9fb3c8";

/// None when neither was measured.
pub fn svg(results: &Results, machine: &Machine) -> Option<String> {
    let lines = |peer: &str| results.of(peer, SUSTAINED, "lines_per_s");
    let mut others = OTHERS;
    others.sort_by(|one, other| lines(other).unwrap_or(0.0).total_cmp(&lines(one).unwrap_or(0.0)));
    let measured = |peer: &&str| lines(peer).or(results.of(peer, PACED, "call_p50")).is_some();
    let peers: Vec<&str> = [FIRST].into_iter().chain(others).chain([LAST]).filter(measured).collect();
    if peers.is_empty() {
        return None;
    }
    let bottom = TOP + ROW * peers.len() as f64;
    let axis = Axis::new(results, &peers);
    let mut picture = Picture { text: String::new(), results, axis, bottom };
    picture.head(machine);
    picture.latency_axis();
    for (at, peer) in peers.iter().enumerate() {
        picture.row(peer, TOP + ROW * (at as f64 + 0.5));
    }
    picture.lines(&peers);
    let height = bottom + 58.0;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" rx=\"8\" fill=\"#ffffff\" stroke=\"{GRID}\"/>\n{}</svg>\n",
        picture.text
    ))
}

struct Picture<'a> {
    text: String,
    results: &'a Results,
    axis: Axis,
    bottom: f64,
}

/// Logarithmic, of whole decades.
struct Axis {
    first: f64,
    last: f64,
}

impl Axis {
    fn new(results: &Results, peers: &[&str]) -> Self {
        let marks = |peer| MARKS.iter().filter_map(move |(metric, ..)| results.of(peer, PACED, metric));
        let decades: Vec<_> = peers.iter().flat_map(|peer| marks(peer)).map(f64::log10).collect();
        let first = decades.iter().copied().reduce(f64::min).unwrap_or(2.0).floor();
        let last = decades.iter().copied().reduce(f64::max).unwrap_or(3.0).ceil();
        Self { first, last }
    }

    fn x(&self, nanos: f64) -> f64 {
        LATENCY.0 + (LATENCY.1 - LATENCY.0) * (nanos.log10() - self.first) / (self.last - self.first)
    }
}

impl Picture<'_> {
    fn words(&mut self, (x, y): (f64, f64), anchor: &str, colour: &str, style: &str, words: &str) {
        let words = words.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(
            self.text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\" {style}>{words}</text>"
        );
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let _ = writeln!(
            self.text,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    fn dot(&mut self, (x, y): (f64, f64), colour: &str, what: &str) {
        let _ = writeln!(
            self.text,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\" stroke=\"#fff\"><title>{what}</title></circle>"
        );
    }

    fn head(&mut self, machine: &Machine) {
        let title = "One event inside two spans, into a file as a JSON line";
        self.words((24.0, 34.0), "start", INK, "font-size=\"18\" font-weight=\"600\"", title);
        self.words((24.0, 55.0), "start", PALE, "", &machine.to_string());
        let heading = "font-weight=\"600\"";
        self.words((LATENCY.0, 86.0), "start", INK, heading, "Time of a call at 100,000 events/s");
        self.words((LINES.0, 86.0), "start", INK, heading, "Lines/s at full speed, 1 thread");
        for (at, (_, name, colour)) in MARKS.iter().enumerate() {
            let x = LATENCY.0 + 6.0 + 66.0 * at as f64;
            let y = self.bottom + 41.0;
            self.dot((x, y - 4.0), colour, name);
            self.words((x + 10.0, y), "start", INK, "", name);
        }
        let note = "the last flush included";
        self.words((LINES.0, self.bottom + 41.0), "start", PALE, "", note);
    }

    fn latency_axis(&mut self) {
        for decade in self.axis.first as i32..=self.axis.last as i32 {
            let nanos = 10f64.powi(decade);
            let x = self.axis.x(nanos);
            self.line((x, TOP - 12.0), (x, self.bottom), GRID, 1.0);
            self.words((x, self.bottom + 18.0), "middle", PALE, "font-size=\"12\"", &time(nanos));
        }
    }

    fn row(&mut self, peer: &str, y: f64) {
        let (colour, style) = if peer == FIRST { (OURS, "font-weight=\"700\"") } else { (INK, "") };
        self.words((LATENCY.0 - 14.0, y + 4.0), "end", colour, style, peer);
        let values = MARKS.map(|(metric, ..)| self.results.of(peer, PACED, metric));
        let ([Some(first), .., Some(last)], true) = (values, values.iter().all(Option::is_some)) else { return };
        self.line((self.axis.x(first), y), (self.axis.x(last), y), THEIRS, 2.0);
        for (value, (_, name, colour)) in values.into_iter().flatten().zip(MARKS) {
            self.dot((self.axis.x(value), y), colour, &format!("{peer} {name}: {}", time(value)));
        }
    }

    fn lines(&mut self, peers: &[&str]) {
        let value = |peer: &str| self.results.of(peer, SUSTAINED, "lines_per_s");
        let values: Vec<_> = peers.iter().map(|peer| value(peer)).collect();
        let most = values.iter().flatten().copied().fold(0.0, f64::max);
        for (at, (peer, value)) in peers.iter().zip(values).enumerate() {
            let Some(value) = value else { continue };
            let y = TOP + ROW * (at as f64 + 0.5);
            let width = (LINES.1 - LINES.0) * value / most;
            let colour = if *peer == FIRST { OURS } else { THEIRS };
            let _ = writeln!(
                self.text,
                "<rect x=\"{}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"16\" rx=\"2\" fill=\"{colour}\"/>",
                LINES.0,
                y - 8.0
            );
            let lost = self.results.of(peer, SUSTAINED, "lines_lost").filter(|lost| *lost > 0.0);
            let note = lost.map_or(String::new(), |_| " (loses lines)".to_owned());
            let label = format!("{}{note}", millions(value));
            self.words((LINES.0 + width + 6.0, y + 4.0), "start", INK, "font-size=\"12\"", &label);
        }
    }
}

fn millions(lines: f64) -> String {
    if lines >= 1e6 { format!("{:.2} M", lines / 1e6) } else { format!("{:.0} k", lines / 1e3) }
}

fn time(nanos: f64) -> String {
    match nanos {
        _ if nanos < 1e3 => format!("{} ns", number(nanos.round())),
        _ if nanos < 1e6 => format!("{} µs", number(nanos / 1e3)),
        _ if nanos < 1e9 => format!("{} ms", number(nanos / 1e6)),
        _ => format!("{} s", number(nanos / 1e9)),
    }
}
