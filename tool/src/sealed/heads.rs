//! Heads that a service has logged elsewhere.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde_json::Value;
use spanline::read::{Lines, Log};

use crate::escape::escaped;

/// How each head begins.
const PREFIX: &str = "spanline-head:";

/// The target of the lines that name heads.
const TARGET: &str = "spanline::sealed";

/// Where schemas put the target. Fields of the program may have the names of other schemas, so all that are there count.
const TARGETS: [&str; 8] = [
    "/target",
    "/logger",
    "/log.logger",
    "/logger.name",
    "/_logger",
    "/component",
    "/event/logger",
    "/resourceLogs/0/scopeLogs/0/scope/name",
];

/// Where schemas put fields.
const FIELDS: [&str; 4] = ["", "/fields", "/labels", "/event"];

/// Where OpenTelemetry's schema puts attributes.
const ATTRIBUTES: [&str; 2] = ["/attributes", "/resourceLogs/0/scopeLogs/0/logRecords/0/attributes"];

/// Returns the heads of the log `name`, each once, in their order: the head that was given, or those in the file that was.
///
/// The file has a head on each line, or it is a log in JSON, with its closed segments. Of a log, only the lines count that
/// spanline has written: a text within a message may come from anybody. `-` stands for stdin.
pub(crate) fn heads(given: &str, name: &str) -> Result<Vec<String>, String> {
    if given.starts_with(PREFIX) {
        return Ok(vec![given.to_owned()]);
    }
    let path = Path::new(given);
    let found = if given == "-" {
        from_stream(io::stdin().lock(), name).map_err(|error| error.to_string())
    } else if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        File::open(path).and_then(|file| from_stream(BufReader::new(file), name)).map_err(|error| error.to_string())
    } else {
        Log::open(path).and_then(|log| from_log(log.lines()?, name)).map_err(|error| format!("{error:#}"))
    };
    let found = found.map_err(|error| format!("read {}: {error}", escaped(path)))?;
    if found.is_empty() {
        return Err(format!(
            "read {}: found no head of {name}; expected lines of JSON with the target `{TARGET}` and the field `head`, or a \
             head on each line",
            escaped(path)
        ));
    }
    Ok(found)
}

fn from_stream(stream: impl BufRead, name: &str) -> io::Result<Vec<String>> {
    let mut found = Heads::default();
    for line in stream.split(b'\n') {
        found.add(&line?, name);
    }
    Ok(found.heads)
}

fn from_log(mut lines: Lines, name: &str) -> Result<Vec<String>, spanline::Error> {
    let mut found = Heads::default();
    while let Some(line) = lines.next_line()? {
        found.add(line, name);
    }
    Ok(found.heads)
}

/// The heads of a file.
#[derive(Default)]
struct Heads {
    heads: Vec<String>,
    seen: HashSet<String>,
    /// Whether the file has a head on each line, as its first line says; `None` before that.
    are_bare: Option<bool>,
}

impl Heads {
    fn add(&mut self, line: &[u8], name: &str) {
        let Ok(line) = std::str::from_utf8(line).map(str::trim) else { return };
        if line.is_empty() {
            return;
        }
        let head = if *self.are_bare.get_or_insert(line.starts_with(PREFIX)) {
            line.starts_with(PREFIX).then(|| line.to_owned())
        } else {
            head_in(line, name)
        };
        self.heads.extend(head.filter(|head| self.seen.insert(head.clone())));
    }
}

/// Returns the head that a line names.
fn head_in(line: &str, name: &str) -> Option<String> {
    if !line.contains(PREFIX) {
        return None;
    }
    let line: Value = serde_json::from_str(line).ok()?;
    let found = TARGETS.iter().filter_map(|place| line.pointer(place).map(Value::as_str));
    let mut targets = found.chain(attribute(&line, "target").map(Some)).peekable();
    let is_of_sealing = targets.peek().is_some() && targets.all(|target| target == Some(TARGET));
    let is_of_log = field(&line, "log").is_none_or(|log| log == name);
    (is_of_sealing && is_of_log).then(|| field(&line, "head")).flatten().map(str::to_owned)
}

/// Returns a field of a line in one of spanline's schemas.
fn field<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    let of = |object: &str| {
        let object = line.pointer(object)?;
        object.get(name).or_else(|| object.get(format!("_{name}"))).and_then(Value::as_str)
    };
    FIELDS.into_iter().find_map(of).or_else(|| attribute(line, name))
}

fn attribute<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    let attributes = ATTRIBUTES.into_iter().find_map(|place| line.pointer(place)?.as_array())?;
    attributes.iter().find(|attribute| attribute["key"] == name)?["value"]["stringValue"].as_str()
}
