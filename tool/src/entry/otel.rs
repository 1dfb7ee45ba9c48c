//! Lines of the schema [`Otel`](spanline::schema::Otel): OTLP/JSON with one record in each.
//!
//! The members of the record, its attributes, and those of its resource become the members of the line.

use std::ops::Range;

use super::member::{Key, Member, is_key};
use super::value::Shape;
use super::walk::{Found, Kind, Walk};
use crate::loggers::{Dialect, Keys, Numbers};

static DIALECT: Dialect = Dialect::of_keys(
    Keys {
        time: &["timeUnixNano", "observedTimeUnixNano"],
        level: &["severityText", "severityNumber"],
        message: &["body"],
        target: &["scope", "target"],
        service: &["service.name"],
        trace: &["traceId"],
        span: &["spanId"],
        request: &[],
    },
    Numbers::Otel,
);

/// Members of a record, and those that say the same better.
const REDUNDANT: [(&[u8], &[u8]); 2] =
    [(b"observedTimeUnixNano", b"timeUnixNano"), (b"severityNumber", b"severityText")];

/// Returns whether a line with this first key may be an OTLP line, which its values decide, not its keys alone.
pub(super) fn begins(first_key: &[u8]) -> bool {
    matches!(first_key, b"resourceLogs" | b"timeUnixNano" | b"observedTimeUnixNano")
}

/// Replaces the members of an OTLP line. `None` for any other line, whose members stay.
pub(super) fn read(line: &[u8], members: &mut Vec<Member>) -> Option<&'static Dialect> {
    let first = members.first()?;
    let mut found = Vec::new();
    match first.key(line) {
        b"resourceLogs" if members.len() == 1 => {
            let resource_logs = only(line, first.value.clone())?;
            let scope_logs = only(line, member(line, &resource_logs, "scopeLogs")?)?;
            let record = only(line, member(line, &scope_logs, "logRecords")?)?;
            put_record(line, record, &mut found)?;
            if let Some(name) = member(line, &scope_logs, "scope").and_then(|scope| member(line, &scope, "name")) {
                found.push(Member::named("scope", Shape::Json(Kind::Text), name));
            }
            if let Some(resource) = member(line, &resource_logs, "resource") {
                put_attributes(line, member(line, &resource, "attributes")?, &mut found);
            }
        }
        b"timeUnixNano" | b"observedTimeUnixNano" => put_record(line, 0..line.len(), &mut found)?,
        _ => return None,
    }
    *members = found;
    Some(&DIALECT)
}

/// Adds the members of a record.
fn put_record(line: &[u8], record: Range<usize>, members: &mut Vec<Member>) -> Option<()> {
    let has = |key: &[u8]| all(line, record.clone()).any(|(name, ..)| name == key);
    let is_redundant = |key: &[u8]| REDUNDANT.iter().any(|(worse, better)| *worse == key && has(better));
    for (name, kind, value) in all(line, record.clone()) {
        match name {
            b"attributes" => put_attributes(line, value, members),
            b"body" => members.push(attribute(line, Key::Name("body"), value)?),
            b"flags" => {}
            name if is_redundant(name) => {}
            name => {
                let key = Key::Text(String::from_utf8_lossy(name).into_owned());
                members.push(Member { key, shape: Shape::Json(kind), value });
            }
        }
    }
    Some(())
}

/// Adds attributes, `[{"key":"user_id","value":{"intValue":"42"}}]`.
fn put_attributes(line: &[u8], list: Range<usize>, members: &mut Vec<Member>) {
    for item in items(line, list) {
        let (key, value) = (member(line, &item, "key"), member(line, &item, "value"));
        if let (Some(key), Some(value)) = (key, value)
            && let Some(member) = attribute(line, Key::of_json(line, key.start + 1..key.end - 1), value)
        {
            members.push(member);
        }
    }
}

/// Returns a value such as `{"stringValue":"GET"}` as a member.
fn attribute(line: &[u8], key: Key, value: Range<usize>) -> Option<Member> {
    let (of, kind, inner) = all(line, value.clone()).next()?;
    // Integers are texts, as they have 64 bits.
    Some(match (of, kind) {
        (b"intValue", Kind::Text) => Member { key, shape: Shape::Bare, value: inner.start + 1..inner.end - 1 },
        (b"arrayValue" | b"kvlistValue", _) => Member { key, shape: Shape::Json(Kind::Object), value },
        _ => Member { key, shape: Shape::Json(kind), value: inner },
    })
}

/// Returns the members of the object in a range of the line.
fn all(line: &[u8], range: Range<usize>) -> impl Iterator<Item = (&[u8], Kind, Range<usize>)> {
    let start = range.start;
    Walk::new(line.get(range).unwrap_or_default()).map(move |Found { key, kind, value }| {
        let key = line.get(key.start + start..key.end + start).unwrap_or_default();
        (key, kind, value.start + start..value.end + start)
    })
}

fn member(line: &[u8], object: &Range<usize>, name: &str) -> Option<Range<usize>> {
    all(line, object.clone()).filter(|(key, ..)| is_key(key, name)).last().map(|(.., value)| value)
}

/// Returns the only value of an array.
fn only(line: &[u8], array: Range<usize>) -> Option<Range<usize>> {
    let mut items = items(line, array);
    items.next().filter(|_| items.next().is_none())
}

/// Returns the values of an array.
fn items(line: &[u8], array: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    super::walk::items(line, array).map(|(_, value)| value)
}
