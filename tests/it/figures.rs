//! Figures in README and docs: each comes from a command, and those that a test can know are right.

use std::fs;

use spanline::{ByteSize, FlightRecorder, Guard, Output, Overflow};

use crate::support::places::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// README and all pages, with their paths.
fn pages() -> Vec<(String, String)> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().into_string().unwrap()));
    let all = docs.filter(|path| path.ends_with(".md")).chain(["README.md".to_owned()]);
    all.map(|path| (read(&path), path)).map(|(text, path)| (path, text)).collect()
}

/// A whole number with separators, as documents have it: `13,561`.
fn with_separators(digits: &str) -> String {
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| std::str::from_utf8(group).unwrap()).collect::<Vec<_>>().join(",")
}

/// The bench fails when a count exceeds its limit, and asks for a new count when one falls far below it.
#[test]
fn the_instructions_in_the_documents_are_those_of_the_bench() {
    let (bench, page) = (read("benches/instructions/works.rs"), read("docs/performance.md"));
    let works: Vec<_> = bench.lines().filter_map(|line| line.trim().strip_prefix("Work::new(\"")).collect();
    assert!(works.len() > 5);
    for work in &works {
        let mut parts = work.split("\", \"");
        let name = parts.next().unwrap();
        let (what, rest) = parts.next().unwrap().split_once("\", ").unwrap();
        let count = rest.split('.').next().unwrap().replace('_', "");
        let row = format!("| `{name}` | {what} | {} |\n", with_separators(&count));
        assert!(page.contains(&row), "docs/performance.md has no row: {row}");
    }
    let table = page.split("| work | | instructions |").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(table.lines().filter(|line| line.starts_with("| `")).count(), works.len());
}

/// The comparison in the README is a part of the one in `docs/performance.md`.
#[test]
fn the_times_in_the_readme_are_those_of_the_performance_page() {
    let (readme, page) = (read("README.md"), read("docs/performance.md"));
    let section = readme.split("## Comparison and speed").nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = section.lines().filter(|line| line.starts_with("| ")).flat_map(|line| line.split('|').skip(2));
    let figures: Vec<&str> = cells
        .filter(|cell| [" ns", " µs", " M"].iter().any(|unit| cell.contains(unit)))
        .map(|cell| cell.trim().split(' ').next().unwrap())
        .collect();
    assert!(figures.len() > 10);
    for figure in figures {
        assert!(page.contains(figure), "{figure} is in the README only");
    }
}

/// Returns whether a text has a measured figure: a number with a unit of time below a millisecond, or a count.
fn measured(text: &str) -> Option<&str> {
    let words: Vec<&str> = text.split([' ', '\n', '|']).filter(|word| !word.is_empty()).collect();
    let is_number = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
    let unit = |word: &str| {
        let word = word.trim_end_matches(['.', ',', ';', ':', ')']);
        ["ns", "µs", "microseconds", "nanoseconds", "instructions", "allocations"].contains(&word)
    };
    let spelled = ["one", "two", "three", "four", "five", "six", "ten", "hundred", "thousand"];
    let pair = words.windows(2).find(|pair| unit(pair[1]) && (is_number(pair[0]) || spelled.contains(&pair[0])));
    pair.map(|pair| pair[0])
}

#[test]
fn every_measured_figure_stands_beside_its_command() {
    assert_eq!(measured("takes 50 ns.\n"), Some("50"));
    assert_eq!(measured("two allocations"), Some("two"));
    assert_eq!(measured("in microseconds, 8 MiB"), None);
    let mut found = 0;
    for (path, text) in pages() {
        for section in text.split("\n## ") {
            let Some(figure) = measured(section) else { continue };
            found += 1;
            let commands = ["cargo bench", "cargo test", "benches/peers/run", "cargo\nbench"];
            assert!(
                commands.iter().any(|command| section.contains(command)),
                "{path}: {figure} has no command:\n{section}"
            );
        }
    }
    assert!(found > 0, "the test sees no figure");
}

#[test]
fn the_defaults_in_the_documents_are_those_of_the_code() {
    let bytes = |bytes: u64| ByteSize::new(bytes).to_string();
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs());
    let queue = bytes(Output::DEFAULT_QUEUE_BYTES);
    let end = format!(
        "{} without progress, {} in total",
        seconds(Guard::DEFAULT_SHUTDOWN_TIMEOUT),
        seconds(Guard::DEFAULT_SHUTDOWN_CAP)
    );
    for (path, text) in [
        ("README.md", format!("Each queue holds {queue} by default")),
        ("docs/loss.md", format!("Each queue holds {queue} by default")),
        ("docs/outputs.md", format!("the queue: {queue} by default")),
        ("docs/configuration-in-code.md", format!("| `queue_bytes` | {queue} |")),
        (
            "docs/configuration-in-code.md",
            format!("| `max_line_bytes` | {} |", bytes(spanline::Builder::DEFAULT_MAX_LINE_BYTES)),
        ),
        ("docs/configuration-in-code.md", format!("| `shutdown_timeout` | {end} |")),
        ("docs/comparison.md", end),
        ("docs/failures.md", format!("{} by default (`memory_bytes`)", bytes(FlightRecorder::DEFAULT_MEMORY_BYTES))),
        (
            "docs/failures.md",
            format!("has {} (`memory_bytes_per_request`)", bytes(FlightRecorder::DEFAULT_MEMORY_BYTES_PER_REQUEST)),
        ),
        ("docs/outputs.md", format!("waits at most {} ms", Overflow::DEFAULT_MAX_WAIT.as_millis())),
        (
            "docs/comparison.md",
            format!(
                "{} lines",
                with_separators(&tracing_appender::non_blocking::DEFAULT_BUFFERED_LINES_LIMIT.to_string())
            ),
        ),
    ] {
        assert!(read(path).contains(&text), "{path} has no {text:?}");
    }
}
