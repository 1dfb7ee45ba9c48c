//! Syslog messages: RFC 5424, RFC 3164, and whatever else is sent to that port.
//!
//! The app name is the service and the message's text the message. Facility, host, process and message id are the fields
//! `facility`, `hostname`, `pid` (or `procid`) and `msgid`. A parameter of structured data is the field `element.parameter`,
//! except in the elements that the library's [`Syslog`](spanline::sink::Syslog) writes.
//!
//! Nothing is refused: a message of no known form is a text. One that is not UTF-8 is also kept as it is, in the field
//! `original`.
//!
//! Sources: RFC 5424; RFC 3164; RFC 6587 (what may be at the end); OpenTelemetry's *Trace Context in non-OTLP Log Formats*.

use std::borrow::Cow;

use chrono::{Local, TimeZone};
use spanline::record::{SpanId, Timestamp, TraceId};

use super::field::Field;
use super::incoming::Incoming;
use super::old_syslog;
use crate::loggers::{LineLevel, Numbers, time};

/// Reads a message, without its frame.
pub(crate) fn syslog(message: &[u8], now: Timestamp) -> Incoming {
    syslog_in(message, now, &Local)
}

/// Reads a message. `zone`: that of times without an offset.
pub(super) fn syslog_in<Z: TimeZone>(message: &[u8], now: Timestamp, zone: &Z) -> Incoming {
    let lossy = String::from_utf8_lossy(message);
    let text = lossy.strip_prefix(BOM).unwrap_or(&lossy).trim_end_matches(['\n', '\r', '\0']);
    let (priority, rest) = priority(text).map_or((None, text), |(priority, rest)| (Some(priority), rest));
    let new = priority.and_then(|_| rest.strip_prefix("1 ")).and_then(|rest| read(rest, now, zone));
    let mut incoming = new.unwrap_or_else(|| old_syslog::read(rest, priority.is_some(), now, zone));
    if let Some(priority) = priority {
        incoming.fields.insert(0, ("facility".to_owned(), Field::U64((priority / 8).into())));
        let severity = LineLevel::numbered(&(priority % 8).to_string(), Numbers::Syslog);
        // The library's own element tells TRACE from DEBUG.
        let level = named_level(&mut incoming).or(severity);
        level.into_iter().for_each(|level| incoming.set_level(level));
    }
    if matches!(lossy, Cow::Owned(_)) {
        incoming.fields.push(("original".to_owned(), Field::Bytes(message.to_owned())));
    }
    incoming
}

const BOM: char = '\u{feff}';

/// The elements of the library: its ids, and all else. A number can follow the second name.
const IDS: &str = "opentelemetry";
const OWN: &str = "spanline@";

/// Reads `<14>`.
fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    let priority = digits.parse().ok().filter(|priority| is_number && *priority < 192)?;
    Some((priority, rest))
}

/// Reads what follows the version of RFC 5424; `None` for another form.
fn read<Z: TimeZone>(text: &str, now: Timestamp, zone: &Z) -> Option<Incoming> {
    let mut rest = text;
    let mut part = || {
        let (part, behind) = rest.split_once(' ')?;
        rest = behind;
        (!part.is_empty()).then_some(part)
    };
    let (time, host, app, process, id) = (part()?, part()?, part()?, part()?, part()?);
    let mut incoming = Incoming::new(now);
    match time::of_text(time, zone) {
        Some(time) if time.is_exact => incoming.time = time.at,
        // Another form of syslog, whose text begins with `1`.
        _ if time != NIL && !time.starts_with(|char: char| char.is_ascii_digit()) => return None,
        read => {
            incoming.time = read.map_or(now, |time| time.at);
            put(&mut incoming, "timestamp", time);
        }
    }
    put(&mut incoming, "hostname", host);
    match process.parse::<u64>() {
        Ok(number) if number.to_string() == process => incoming.push("pid", Field::U64(number)),
        _ => put(&mut incoming, "procid", process),
    }
    put(&mut incoming, "msgid", id);
    let message = match elements(rest) {
        Some((elements, message)) => {
            elements.into_iter().for_each(|element| element.put(&mut incoming));
            message
        }
        // Broken: all of it is text.
        None => rest,
    };
    let message = message.strip_prefix(BOM).unwrap_or(message);
    incoming.message = (!message.is_empty()).then(|| message.to_owned());
    match &incoming.service {
        Some(service) if service == app => {}
        Some(_) => put(&mut incoming, "app_name", app),
        None => incoming.service = (app != NIL).then(|| app.to_owned()),
    }
    Some(incoming)
}

/// What stands for nothing.
const NIL: &str = "-";

/// Adds a part of the header, if it has a value.
pub(super) fn put(incoming: &mut Incoming, name: &str, value: &str) {
    if value != NIL {
        incoming.push(name, value);
    }
}

/// An element of structured data.
struct Element<'t> {
    name: &'t str,
    parameters: Vec<(&'t str, String)>,
}

impl Element<'_> {
    fn put(self, incoming: &mut Incoming) {
        let Self { name, parameters } = self;
        if parameters.is_empty() {
            incoming.push(name, Field::Json("{}".to_owned()));
        }
        for (parameter, value) in parameters {
            match (name, parameter) {
                (IDS, "trace_id") if incoming.trace_id.is_none() && TraceId::parse(&value).is_some() => {
                    incoming.trace_id = TraceId::parse(&value);
                }
                (IDS, "span_id") if incoming.span_id.is_none() && SpanId::parse(&value).is_some() => {
                    incoming.span_id = SpanId::parse(&value);
                }
                (own, parameter) if own.starts_with(OWN) => match parameter {
                    "target" if incoming.target.is_empty() => incoming.target = value,
                    "service" if incoming.service.is_none() && !value.is_empty() => incoming.service = Some(value),
                    "level" => incoming.push(OWN_LEVEL, Field::Text(value)),
                    parameter => incoming.push(parameter, Field::Text(value)),
                },
                _ => incoming.push(format!("{name}.{parameter}"), Field::Text(value)),
            }
        }
    }
}

/// The field of a level until the message's severity is known.
const OWN_LEVEL: &str = "level";

/// Takes the level of the library's element, if it can be read.
fn named_level(incoming: &mut Incoming) -> Option<LineLevel> {
    let is_level = |(name, value): &(String, Field)| match value {
        Field::Text(text) if name == OWN_LEVEL => LineLevel::named(text),
        _ => None,
    };
    let (place, level) =
        incoming.fields.iter().enumerate().find_map(|(place, field)| Some((place, is_level(field)?)))?;
    incoming.fields.remove(place);
    Some(level)
}

/// Reads structured data; returns also the message behind it. `None` if it is broken.
fn elements(text: &str) -> Option<(Vec<Element<'_>>, &str)> {
    let mut elements = Vec::new();
    let mut rest = text;
    if let Some(behind) = rest.strip_prefix(NIL) {
        rest = behind;
    } else {
        while let Some(inside) = rest.strip_prefix('[') {
            let (element, behind) = element(inside)?;
            elements.push(element);
            rest = behind;
        }
    }
    let message = if rest.is_empty() && !text.is_empty() { rest } else { rest.strip_prefix(' ')? };
    Some((elements, message))
}

/// Reads an element, up to its closing bracket.
fn element(text: &str) -> Option<(Element<'_>, &str)> {
    let (name, mut rest) = text.split_at_checked(text.find([' ', ']'])?)?;
    let mut parameters = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix(']') {
            return (!name.is_empty()).then_some((Element { name, parameters }, behind));
        }
        rest = rest.trim_start_matches(' ');
        if rest.starts_with(']') {
            continue;
        }
        let (name, value) = rest.split_once("=\"")?;
        let is_name = !name.is_empty() && !name.contains([' ', ']', '"', '[']);
        let (value, behind) = quoted(value).filter(|_| is_name)?;
        parameters.push((name, value));
        rest = behind;
    }
}

/// Reads a value up to its closing quote. A backslash escapes a quote, a backslash and a bracket, and is itself elsewhere.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (before, behind) = rest.split_at_checked(rest.find(['"', '\\'])?)?;
        value.push_str(before);
        if let Some(behind) = behind.strip_prefix('"') {
            return Some((value, behind));
        }
        let escaped = behind.get(1..)?;
        match escaped.chars().next()? {
            char @ ('"' | '\\' | ']') => {
                value.push(char);
                rest = escaped.get(1..)?;
            }
            _ => {
                value.push('\\');
                rest = escaped;
            }
        }
    }
}
