//! The older syslog: RFC 3164, which describes what programs happened to send.
//!
//! After the priority comes a time without a year and a zone, or one in RFC 3339 (rsyslog), or none. Then the host, which
//! messages of `/dev/log` lack, and the tag: `name[pid]:`. The year is the one that makes the time nearest to `now`, and the
//! zone that of this machine, as other receivers do it.

use chrono::TimeZone;
use spanline::record::Timestamp;

use super::field::Field;
use super::incoming::Incoming;
use super::syslog::put;
use crate::loggers::{MonthTime, time};

/// Reads what follows the priority. `has_priority`: without one, a text that begins with no time is only a text.
pub(super) fn read<Z: TimeZone>(text: &str, has_priority: bool, now: Timestamp, zone: &Z) -> Incoming {
    let mut incoming = Incoming::new(now);
    let mut rest = text;
    let time = time_of(text, now, zone);
    if let Some((time, behind)) = time {
        incoming.time = time;
        rest = behind;
    }
    // nginx leaves the host out while it does not know it, and the space behind it in.
    if time.is_some()
        && let Some(behind) = rest.strip_prefix(' ').filter(|behind| tag(behind).is_some())
    {
        rest = behind;
    }
    let is_syslog = has_priority || time.is_some();
    if is_syslog && let Some((tag, behind)) = tag(rest) {
        tag.put(&mut incoming);
        rest = behind;
    } else if time.is_some()
        && let Some((host, behind)) = word(rest)
    {
        put(&mut incoming, "hostname", host);
        rest = behind;
        if let Some((tag, behind)) = tag(rest) {
            tag.put(&mut incoming);
            rest = behind;
        }
    }
    incoming.message = (!rest.is_empty()).then(|| rest.to_owned());
    incoming
}

/// The program and its process.
struct Tag<'t> {
    name: &'t str,
    process: Option<&'t str>,
}

impl Tag<'_> {
    fn put(self, incoming: &mut Incoming) {
        incoming.service = Some(self.name.to_owned());
        match self.process.map(|process| (process, process.parse::<u64>())) {
            Some((process, Ok(number))) if number.to_string() == process => incoming.push("pid", Field::U64(number)),
            Some((process, _)) => incoming.push("procid", process),
            None => {}
        }
    }
}

/// Tags are longer than the 32 characters of the RFC, but not much.
const MAX_TAG: usize = 128;

/// Reads `name[pid]: ` or `name: `, and returns the text behind it.
fn tag(text: &str) -> Option<(Tag<'_>, &str)> {
    let end = text.find([':', '[', ' ']).filter(|end| (1..=MAX_TAG).contains(end))?;
    let (name, behind) = text.split_at_checked(end)?;
    if let Some(behind) = behind.strip_prefix(':') {
        // `http://…` and `10:15` are no tags.
        let message = if behind.is_empty() { behind } else { behind.strip_prefix(' ')? };
        return Some((Tag { name, process: None }, message));
    }
    let (process, behind) = behind.strip_prefix('[')?.split_once(']')?;
    let is_process = !process.is_empty() && process.len() <= MAX_TAG && !process.contains([' ', '[']);
    let behind = behind.strip_prefix(':').unwrap_or(behind);
    let message = if behind.is_empty() { behind } else { behind.strip_prefix(' ')? };
    is_process.then_some((Tag { name, process: Some(process) }, message))
}

/// Returns the first word and what is behind its space.
fn word(text: &str) -> Option<(&str, &str)> {
    let (word, behind) = text.split_once(' ').unwrap_or((text, ""));
    (!word.is_empty()).then_some((word, behind))
}

/// Reads the time at the beginning; returns what is behind it and its space.
fn time_of<'t, Z: TimeZone>(text: &'t str, now: Timestamp, zone: &Z) -> Option<(Timestamp, &'t str)> {
    if let Some((first, behind)) = word(text)
        && let Some(time) = time::of_text(first, zone).filter(|time| time.is_exact)
    {
        return Some((time.at, behind));
    }
    let (time, behind) = MonthTime::read(text)?;
    Some((time.nearest(now, zone)?, behind))
}
