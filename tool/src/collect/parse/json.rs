//! JSON lines: those of every JSON schema of the library, and those of other loggers.
//!
//! A line that [`Flat`](spanline::schema::Flat) wrote of a record is written again byte for byte: times, order, errors, nested
//! values and all digits. What a log adds to lines has no place in the record of another program:
//!
//! - The fields of spans and the static fields are fields of the record. They move before `service`.
//! - `spans`, `truncated`, `original_bytes`, `held_back`, `backtrace`, `event_name` and `thread_name` are keys that no sender can
//!   set. They move under `fields`, except where the receiving log leaves the key free.
//! - A name that begins with `log.` gets the prefix `kv.`, as [`Relayed`](spanline::record::Relayed) has it.
//!
//! A line that was relayed once stays the same from then on, however many receivers it passes.

use std::borrow::Cow;

use chrono::{Local, TimeZone};
use spanline::record::{SpanId, Timestamp, TraceId};

use super::field::Field;
use super::incoming::Incoming;
use super::otlp_json;
use super::refused::Refused;
use super::sent_error::SentError;
use super::text::{Json, Tree};
use crate::loggers::time::{self, Time};
use crate::loggers::{Dialect, LineLevel};

/// Reads a line, or the body of a `length32` frame: one JSON object in UTF-8. White space around it does not count, nor does
/// a byte order mark.
///
/// # Errors
/// When it is anything else, or too deep.
pub(crate) fn json(line: &[u8], now: Timestamp) -> Result<Incoming, Refused> {
    json_in(line, now, &Local)
}

/// Reads a line. `zone`: that of times without an offset.
pub(super) fn json_in<Z: TimeZone>(line: &[u8], now: Timestamp, zone: &Z) -> Result<Incoming, Refused> {
    let tree = Tree::of(line)?;
    if let Some(incoming) = otlp_json::line(tree.root(), now) {
        return Ok(incoming);
    }
    Ok(Line::of(tree.root()).read(now, zone))
}

/// The field of a request's id, which the library's schemas show under their own keys.
const REQUEST_ID: &str = "request_id";

/// Names of fields that `Flat` moves under `fields` unless they are texts. What is a text there was something else: bytes,
/// for example. It is passed on as JSON, or it would be moved back.
const TEXTS: [&str; 4] = ["error", "service", "event_name", "thread_name"];

/// A member of the line, or of an object whose members are members of the line.
struct Part<'l> {
    /// The object that it is in.
    inside: &'static str,
    key: Cow<'l, str>,
    /// The name of the field that it is if it is nothing else.
    name: Cow<'l, str>,
    value: Json<'l>,
    is_used: bool,
}

/// A line, taken apart.
struct Line<'l> {
    dialect: &'static Dialect,
    parts: Vec<Part<'l>>,
    seen: Seen,
}

/// The keys that a line may have. Most keys that are looked for are not there.
#[derive(Clone, Copy, Default)]
struct Seen(u64);

impl Seen {
    fn bit(key: &str) -> u64 {
        let first = key.as_bytes().first().copied().unwrap_or_default();
        1 << ((key.len() * 5 + usize::from(first)) % 64)
    }

    fn add(&mut self, key: &str) {
        self.0 |= Self::bit(key);
    }

    fn may_have(self, key: &str) -> bool {
        self.0 & Self::bit(key) != 0
    }
}

impl<'l> Line<'l> {
    /// Takes a line apart.
    fn of(root: Json<'l>) -> Self {
        let members: Vec<_> = root.members().collect();
        let mut seen = Seen::default();
        members.iter().for_each(|(key, _)| seen.add(key));
        let place = |name: &str| members.iter().position(|(key, _)| key == name);
        let place = |name: &str| if seen.may_have(name) { place(name) } else { None };
        let level = place("level").and_then(|place| members.get(place));
        let dialect = Dialect::of(place, level.is_some_and(|(_, value)| value.is_number()));
        let mut parts = Vec::with_capacity(members.len() + 8);
        for (key, value) in members {
            let object = dialect.objects.iter().find(|object| object.key == key);
            // An empty one would vanish.
            if let Some(object) = object.filter(|_| value.members().next().is_some()) {
                parts.extend(value.members().map(|(key, value)| {
                    seen.add(&key);
                    let name = if object.is_named { format!("{}.{key}", object.key).into() } else { key.clone() };
                    Part { inside: object.key, name, key, value, is_used: false }
                }));
                continue;
            }
            let name = match &key {
                Cow::Borrowed(key) => Cow::Borrowed(dialect.name(key)),
                Cow::Owned(key) => Cow::Owned(dialect.name(key).to_owned()),
            };
            parts.push(Part { inside: "", name, key, value, is_used: false });
        }
        Self { dialect, parts, seen }
    }

    fn read<Z: TimeZone>(mut self, now: Timestamp, zone: &Z) -> Incoming {
        let dialect = self.dialect;
        let keys = &dialect.keys;
        let mut incoming = Incoming::new(now);
        let time = |value: Json<'_>| {
            let time = read_time(value, zone)?;
            Some((time.at, time.is_exact))
        };
        if let Some(at) = self.take(keys.time, time).or_else(|| self.take(&["instant"], read_instant)) {
            incoming.time = at;
        }
        let level = self.take(keys.level, |value| read_level(value, dialect));
        incoming.message = self.take(keys.message, |value| Some((value.string()?.into_owned(), true)));
        let name = |value: Json<'_>| Some((value.string().filter(|text| !text.is_empty())?.into_owned(), true));
        incoming.target = self.take(keys.target, name).unwrap_or_default();
        incoming.service = self.take(keys.service, name);
        incoming.trace_id = self.take(keys.trace, |value| read_trace(value, dialect.has_decimal_ids));
        incoming.span_id = self.take(keys.span, |value| read_span(value, dialect.has_decimal_ids));
        self.put_fields(&mut incoming);
        level.into_iter().for_each(|level| incoming.set_level(level));
        incoming
    }

    /// Adds all members that are nothing else as fields.
    fn put_fields(&self, incoming: &mut Incoming) {
        let has_request = self.parts.iter().any(|part| part.name == REQUEST_ID);
        let request = self.find(self.dialect.keys.request, |_| (!has_request).then_some(())).map(|(place, ())| place);
        let has_message = self.top("message").is_some();
        let error_message =
            self.top("error").and_then(|error| error.members().find(|(key, _)| key == "message")?.1.string());
        for (place, part) in self.parts.iter().enumerate() {
            if part.is_used || self.is_redundant(part, incoming.service.as_deref()) {
                continue;
            }
            let is_under = |key: &str| part.inside == "fields" && part.key == key;
            // `Nested` has an error with its sources at the top, too.
            if is_under("error") && error_message.is_some() && part.value.string() == error_message {
                continue;
            }
            let value = match part.value.first() {
                b'"' if has_message && TEXTS.into_iter().any(is_under) => {
                    Some(Field::Json(part.value.text().to_owned()))
                }
                b'{' if part.name == "error" && !(has_message && is_under("error")) => error(part.value),
                _ => None,
            };
            let name = if request == Some(place) { REQUEST_ID } else { &part.name };
            incoming.push(name, value.unwrap_or_else(|| Field::of_json(part.value)));
        }
    }

    /// Reads the first member of the keys that can be read. `read` also returns whether it has read all that the member
    /// says; otherwise the member stays a field.
    fn take<T>(&mut self, keys: &[&str], read: impl Fn(Json<'_>) -> Option<(T, bool)>) -> Option<T> {
        let (place, (value, is_all)) = self.find(keys, read)?;
        if let Some(part) = self.parts.get_mut(place) {
            part.is_used = is_all;
        }
        Some(value)
    }

    /// Finds the first member of the keys that can be read.
    fn find<T>(&self, keys: &[&str], read: impl Fn(Json<'_>) -> Option<T>) -> Option<(usize, T)> {
        keys.iter().find_map(|key| {
            let (inside, key) = key.split_once('>').unwrap_or(("", key));
            if !self.seen.may_have(key) {
                return None;
            }
            let is_it = |part: &&Part<'_>| !part.is_used && part.key == key && part.inside == inside;
            let place = self.parts.iter().position(|part| is_it(&part))?;
            Some((place, read(self.parts.get(place)?.value)?))
        })
    }

    /// Returns the first member of a key that is in no object.
    fn top(&self, key: &str) -> Option<Json<'l>> {
        self.parts.iter().find(|part| part.key == key && part.inside.is_empty()).map(|part| part.value)
    }

    /// Returns whether a member says nothing that the record does not.
    fn is_redundant(&self, part: &Part<'_>, service: Option<&str>) -> bool {
        let is_service = || service.is_some_and(|service| part.value.string().is_some_and(|text| text == service));
        let is_top = part.inside.is_empty();
        is_top && self.dialect.repeats_service.iter().any(|key| *key == part.key) && is_service()
            || is_top && self.dialect.constants.iter().any(|constant| *constant == (&*part.key, part.value.text()))
    }
}

impl Dialect {
    /// Returns the name that the user gave a field.
    fn name<'k>(&self, key: &'k str) -> &'k str {
        match key.strip_prefix(self.prefix) {
            Some("") | None => key,
            Some(name) => name,
        }
    }
}

/// Reads a level: a name, a number, or Loguru's object with a name.
fn read_level(value: Json<'_>, dialect: &Dialect) -> Option<(LineLevel, bool)> {
    if let Some(name) = value.string() {
        // The journal's numbers are texts.
        let level = LineLevel::named(&name).or_else(|| LineLevel::numbered(&name, dialect.numbers))?;
        return Some((level, true));
    }
    if let Some((_, name)) = value.members().find(|(key, _)| key == "name") {
        return Some((LineLevel::named(&name.string()?)?, false));
    }
    Some((LineLevel::numbered(value.text(), dialect.numbers)?, true))
}

/// Reads a time: a number, a text of a number, a date, or Loguru's object with one.
fn read_time<Z: TimeZone>(value: Json<'_>, zone: &Z) -> Option<Time> {
    if let Some((_, repr)) = value.members().find(|(key, _)| key == "repr") {
        return Some(Time { is_exact: false, ..time::of_text(&repr.string()?, zone)? });
    }
    if value.is_number() {
        return time::of_number(value.text());
    }
    let text = value.string()?;
    time::of_text(&text, zone).or_else(|| time::of_number(&text))
}

/// Reads Log4j's time.
fn read_instant(value: Json<'_>) -> Option<(Timestamp, bool)> {
    let number = |name: &str| -> Option<i64> {
        value.members().find(|(key, _)| key == name).and_then(|(_, value)| value.text().parse().ok())
    };
    let nanos = number("nanoOfSecond").unwrap_or(0);
    let nanos = number("epochSecond")?.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    Some((Timestamp::from_nanos(nanos), value.members().count() <= 2))
}

/// Reads a trace's id: hex digits; for Google, behind its project; for Datadog, its lower half in decimal.
fn read_trace(value: Json<'_>, may_be_decimal: bool) -> Option<(TraceId, bool)> {
    if may_be_decimal && let Some(low) = decimal(value) {
        return Some((TraceId::parse(&format!("{low:032x}"))?, true));
    }
    let text = value.string()?;
    if let Some((_, id)) = text.strip_prefix("projects/").and_then(|name| name.split_once("/traces/")) {
        return Some((TraceId::parse(id)?, false));
    }
    Some((TraceId::parse(&text)?, true))
}

/// Reads a span's id.
fn read_span(value: Json<'_>, may_be_decimal: bool) -> Option<(SpanId, bool)> {
    if may_be_decimal && let Some(id) = decimal(value) {
        return Some((SpanId::parse(&format!("{id:016x}"))?, true));
    }
    Some((SpanId::parse(&value.string()?)?, true))
}

/// Reads a decimal number of 64 bits, which may be a text.
fn decimal(value: Json<'_>) -> Option<u64> {
    let text = value.string().unwrap_or(Cow::Borrowed(value.text()));
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Reads an error as the library shows it: an object, which is only a message if the event had only a text.
fn error(value: Json<'_>) -> Option<Field> {
    if let Some(error) = SentError::of(value) {
        return Some(Field::Error(Box::new(error)));
    }
    let mut members = value.members();
    let message = members.next().filter(|(key, _)| key == "message")?.1.string()?;
    members.next().is_none().then(|| Field::Text(message.into_owned()))
}
