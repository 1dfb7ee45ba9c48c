//! Whether every peer's line says what was logged: else it would be measured at something else.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::work::{MESSAGE, TARGET, order, query, request};

/// Lines that are logged to be judged.
pub const LINES: u64 = 3;

/// # Panics
/// When a line is missing, is no JSON object or lacks something.
pub fn judge(peer: &str, files: &[PathBuf]) {
    let text: String = files.iter().map(|file| fs::read_to_string(file).expect("a log file")).collect();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(MESSAGE)).collect();
    assert_eq!(lines.len() as u64, LINES, "lines of {peer}: {text}");
    for line in lines {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{peer}: {error}: {line}"));
        let mut found = Vec::new();
        flatten(&value, &mut found);
        for wanted in wanted(peer) {
            assert!(found.iter().any(|value| value.contains(&wanted)), "{peer} lacks {wanted}: {line}");
        }
        let is_time = |text: &String| text.starts_with("20") && text.contains('T') && text.contains(':');
        assert!(found.iter().any(is_time), "{peer} lacks the time: {line}");
    }
}

fn wanted(peer: &str) -> Vec<String> {
    let (order, request, query) = (order(), request(), query());
    // Bunyan has numbers for levels, and the name of the innermost span only.
    let own: &[&str] = match peer {
        "bunyan" => &["30", "[DB - EVENT]"],
        "emit" => &["info", "request", "db"],
        _ => &["INFO", "request", "db"],
    };
    let texts =
        [MESSAGE, TARGET, order.sku, request.request_id, request.trace_id, request.method, request.path, query.table];
    let numbers = [order.user_id.to_string(), order.elapsed_ms.to_string(), query.attempt.to_string()];
    let texts = texts.iter().chain(own).map(|text| (*text).to_owned());
    texts.chain(numbers).chain([order.cached.to_string()]).collect()
}

/// All values in it, however deep.
fn flatten(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.values().for_each(|value| flatten(value, found)),
        Value::Array(values) => values.iter().for_each(|value| flatten(value, found)),
        Value::String(text) => found.push(text.clone()),
        other => found.push(other.to_string()),
    }
}
