//! The pictures in docs/pictures/: what terminals show, as SVG.
//!
//! `SPANLINE_BLESS=1` writes them; without it, they are compared with what the binary shows now.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use spanline::Output;
use spanline::record::Timestamp;
use spanline::schema::Console;
use spanline::sink::Memory;
use tracing::{debug, error, info, info_span, warn};
use tracing_subscriber::prelude::*;
use vt100::{Cell, Color, Parser, Screen};

use crate::Dir;
use crate::keys_support::Session;
use crate::terminal::Terminal;

/// The size of a cell, for a font of 14 pixels.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 18.0;
const MARGIN: f32 = 12.0;
const GROUND: &str = "#1c2128";
/// The sixteen colours of a terminal.
const COLORS: [&str; 16] = [
    "#484f58", "#ff7b72", "#57c26b", "#e3b341", "#6cb6ff", "#dcbdfb", "#39c5cf", "#cdd9e5", "#768390", "#ff938a",
    "#6bc46d", "#f0c862", "#96d0ff", "#eddeff", "#76e3ea", "#ffffff",
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn color(color: Color, default: &str) -> String {
    match color {
        Color::Default => default.to_owned(),
        Color::Idx(at @ 0..16) => COLORS[usize::from(at)].to_owned(),
        // A cube of 6 × 6 × 6, then shades of grey.
        Color::Idx(at @ 16..232) => {
            let part = |of: u8| (at - 16) / of % 6 * 51;
            format!("#{:02x}{:02x}{:02x}", part(36), part(6), part(1))
        }
        Color::Idx(at) => {
            let shade = 8 + (at - 232) * 10;
            format!("#{shade:02x}{shade:02x}{shade:02x}")
        }
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

/// How a cell looks: the attributes of its text, and its ground.
fn style(cell: &Cell) -> (String, String) {
    let (mut text, mut ground) = (color(cell.fgcolor(), "#adbac7"), color(cell.bgcolor(), GROUND));
    if cell.inverse() {
        (text, ground) = (ground, text);
    }
    let bold = if cell.bold() { " font-weight=\"bold\"" } else { "" };
    let dim = if cell.dim() { " opacity=\".6\"" } else { "" };
    (format!("fill=\"{text}\"{bold}{dim}"), ground)
}

/// Appends the cells from `from` to `to`, which look the same.
fn run(svg: &mut String, row: u16, columns: (u16, u16), (text, (style, ground)): (&str, (String, String))) {
    let (x, y) = (MARGIN + f32::from(columns.0) * WIDTH, MARGIN + f32::from(row) * HEIGHT);
    let width = f32::from(columns.1 - columns.0) * WIDTH;
    if ground != GROUND {
        writeln!(svg, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\" fill=\"{ground}\"/>")
            .unwrap();
    }
    // Viewers join spaces, so no text has two in a row.
    let mut at = 0;
    for part in text.split("  ") {
        let (length, word) = (part.chars().count(), part.trim());
        let before = part.chars().take_while(|char| *char == ' ').count();
        if !word.is_empty() {
            let escaped = word.replace('&', "&amp;").replace('<', "&lt;");
            let (x, y) = (x + (at + before) as f32 * WIDTH, y + 13.5);
            let width = word.chars().count() as f32 * WIDTH;
            writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{width:.1}\" {style}>{escaped}</text>")
                .unwrap();
        }
        at += length + 2;
    }
}

/// Draws the rows of a screen that `is_shown` lets pass.
fn draw(screen: &Screen, is_shown: impl Fn(&str) -> bool) -> String {
    let (_, columns) = screen.size();
    let texts: Vec<String> = screen.rows(0, columns).collect();
    let last = texts.iter().rposition(|text| !text.trim().is_empty() && is_shown(text)).unwrap();
    let shown = (0..=last).filter(|row| is_shown(&texts[*row]));
    let (mut body, mut rows) = (String::new(), 0);
    for (at, row) in shown.enumerate() {
        let cell = |column| screen.cell(row as u16, column).unwrap();
        let mut from = 0;
        while from < columns {
            let looks = style(cell(from));
            let to = (from..columns).find(|column| style(cell(*column)) != looks).unwrap_or(columns);
            let text: String = (from..to)
                .map(|column| if cell(column).has_contents() { cell(column).contents() } else { " " })
                .collect();
            run(&mut body, at as u16, (from, to), (&text, looks));
            from = to;
        }
        rows = at + 1;
    }
    let (width, height) = (f32::from(columns) * WIDTH + 2.0 * MARGIN, rows as f32 * HEIGHT + 2.0 * MARGIN);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n{body}</svg>\n"
    )
}

/// Compares a picture with the one in docs/pictures/.
#[track_caller]
fn check(name: &str, picture: &str) {
    let path = repository().join("docs/pictures").join(name);
    assert!(picture.len() < 60_000, "{name} has {} bytes", picture.len());
    if std::env::var_os("SPANLINE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, picture).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == picture, "{name} shows something else now: SPANLINE_BLESS=1 writes it, look at it");
}

/// What a command shows on a terminal of this size, without the rows that `is_shown` leaves out.
fn picture(dir: &Dir, args: &[&str], (rows, columns): (u16, u16), is_shown: impl Fn(&str) -> bool) -> String {
    let mut command = dir.command(args);
    command
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm-256color")
        .env("SPANLINE_PAGER", "")
        .env_remove("NO_COLOR");
    let shown = Terminal::new(columns).run(command.env_remove("COLUMNS"));
    let mut parser = Parser::new(rows, columns, 0);
    parser.process(shown.replace('\n', "\r\n").as_bytes());
    draw(parser.screen(), is_shown)
}

/// A service's lines: requests, some of which are slow or fail.
fn log(service: &str, has_traces: bool) -> String {
    let line = |number: usize| {
        let trace = if has_traces { format!(r#","trace_id":"{:032x}""#, number / 4 + 1) } else { String::new() };
        let (second, millis) = (number * 7 / 10, number * 7 % 10 * 100);
        let (level, message, status, elapsed) = match number % 23 {
            11 => ("ERROR", "order lost", 500, 2_310),
            5 | 17 => ("WARN", "slow query", 200, 810 + number),
            _ => ("INFO", ["order loaded", "order placed", "stock reserved"][number % 3], 200, 12 + number % 40),
        };
        let error =
            if status == 500 { r#","error":{"message":"connection refused","chain":["timed out"]}"# } else { "" };
        format!(
            r#"{{"timestamp":"2026-11-20T10:{:02}:{:02}.{millis:03}Z","level":"{level}","target":"{service}::db","message":"{message}","status":{status},"elapsed_ms":{elapsed}{error},"service":"{service}","request_id":"r-{}"{trace}}}"#,
            second / 60,
            second % 60,
            number / 4,
        ) + "\n"
    };
    (0..200).map(line).collect()
}

fn logs(has_traces: bool) -> Dir {
    let dir = Dir::new();
    dir.put("logs/orders.log", log("orders", has_traces));
    dir.put("logs/stock.log", log("stock", has_traces));
    dir
}

#[test]
fn a_trace_on_a_terminal() {
    let dir = crate::trace::dir();
    let args = ["trace", "r-1", "logs"];
    check("trace.svg", &picture(&dir, &args, (40, 100), |_| true));
}

#[test]
fn stats_on_a_terminal() {
    let args = ["stats", "logs", "--field", "elapsed_ms", "--top", "4", "--errors", "1"];
    // How long it took differs.
    check("stats.svg", &picture(&logs(true), &args, (60, 100), |row| !row.contains(" for each line")));
}

#[test]
fn lines_for_people() {
    let args = ["find", "logs", "--where", "request_id = 'r-2'", "--no-pager"];
    check("find.svg", &picture(&logs(false), &args, (40, 130), |_| true));
}

#[test]
fn follow_with_a_filter() {
    let dir = logs(false);
    let mut session = Session::start(&dir, &["logs", "--time-zone", "utc"]);
    session.until_status("No filter applied · ");
    session.press("/elapsed_ms > 900 or level >= error");
    session.until_status("Filter: elapsed_ms > 900 or level >= error");
    session.until("400 lines were read", |session| session.status().contains("of 400 lines"));
    check("follow.svg", &session.look(|screen| draw(screen, |_| true)));
    session.press("\r");
    session.until("the filter is kept", |session| !session.contents().contains("/elapsed"));
    session.press("q");
    session.end_restored();
}

#[test]
fn the_console_of_the_library() {
    let memory = Memory::new();
    let schema = Console::new().compact().color(spanline::schema::Color::Always);
    let times = std::sync::atomic::AtomicI64::new(1_795_169_738_123_456_000);
    let (layer, guard) = spanline::builder()
        .filter("trace")
        .clock(move || Timestamp::from_nanos(times.fetch_add(1_734_000, std::sync::atomic::Ordering::Relaxed)))
        .id_seed(1)
        .output(Output::new(memory.clone()).schema(schema))
        .build()
        .unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        info!(target: "orders", port = 8080, "listening");
        let _request = info_span!(target: "orders", "request", request_id = "r-1", method = "GET").entered();
        debug!(target: "orders::db", table = "orders", "connecting");
        info!(target: "orders", user_id = 42, "order loaded");
        warn!(target: "orders::db", elapsed_ms = 810, "slow query");
        let error = std::io::Error::other("connection refused");
        error!(target: "orders::db", error = &error as &dyn std::error::Error, password = "hunter2", "order lost");
    });
    guard.close().unwrap();
    let mut parser = Parser::new(20, 115, 0);
    parser.process(memory.text().replace('\n', "\r\n").as_bytes());
    check("console.svg", &draw(parser.screen(), |_| true));
}
