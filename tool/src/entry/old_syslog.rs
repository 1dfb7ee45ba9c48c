//! Messages of the older syslog, RFC 3164, as files such as `/var/log/syslog` have them: with and without a priority, and with
//! RFC 3339's times, which rsyslog writes.
//!
//! ```text
//! <34>Oct 11 22:14:15 host app[123]: text
//! 2026-10-11T22:14:15.003000+02:00 host app: text
//! ```
//!
//! Programs write what they want, so only lines with a time, a host and a tag are recognised: `name:` or `name[pid]:`. The host
//! may be missing behind a priority, and the tag in a file whose first line is syslog.

use std::ops::Range;

use chrono::Utc;

use super::member::Member;
use super::value::Shape;
use crate::loggers::{LineLevel, MonthTime, time};

/// Names are longer than the 32 characters of the RFC, but not much.
const MAX_NAME: usize = 128;

/// A time has at most this many bytes.
const MAX_TIME: usize = 40;

/// Returns whether a line may be such a message: most others are not.
pub(super) fn begins(line: &[u8]) -> bool {
    match line {
        // `Oct 11`, and Cisco's marks before it.
        [b'*' | b'.', b'A'..=b'Z', ..] | [b'A'..=b'Z', b'a'..=b'z', b'a'..=b'z', b' ', ..] => true,
        [year @ .., b'-', _, _, b'-', _, _, b'T'] => year.len() == 4 && year.iter().all(u8::is_ascii_digit),
        line if line.len() > 11 => line.get(..11).is_some_and(begins),
        _ => false,
    }
}

/// Reads a message; `None` if it is none. `is_settled`: whether the file has such messages.
pub(super) fn read(line: &[u8], members: &mut Vec<Member>, is_settled: bool) -> Option<()> {
    let start = priority(line).unwrap_or(0);
    let has_priority = start > 0;
    if has_priority {
        members.push(Member::named("priority", Shape::Priority, 1..start - 1));
    }
    let mut at = start;
    let has_time = match time_at(line, at) {
        Some((time, behind)) => {
            members.push(Member::named("time", Shape::Plain, time));
            at = behind;
            true
        }
        None => false,
    };
    // `/dev/log` and some programs leave the host out, and the space behind it in.
    if has_priority && let Some(tag) = tag_at(line, skip_space(line, at)) {
        return tag.put(line, members);
    }
    if !has_time {
        return None;
    }
    let host = word(line, at)?;
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%');
    let text = line.get(host.clone())?;
    // `INFO orders: …` is a level and a target.
    let is_level = str::from_utf8(text).is_ok_and(|text| LineLevel::named(text).is_some());
    if text.ends_with(b":") || !text.iter().all(is_host) || is_level {
        return None;
    }
    let behind = skip_space(line, host.end);
    members.push(Member::named("hostname", Shape::Plain, host));
    match tag_at(line, behind) {
        Some(tag) => tag.put(line, members),
        None if is_settled || has_priority => {
            members.push(Member::named("message", Shape::Plain, behind..line.len()));
            Some(())
        }
        None => None,
    }
}

/// Returns where the priority ends, which is eight times the facility plus the severity.
fn priority(line: &[u8]) -> Option<usize> {
    let rest = line.strip_prefix(b"<")?;
    let digits = rest.iter().take(4).position(|byte| *byte == b'>').filter(|digits| (1..=3).contains(digits))?;
    let number: u8 = str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
    (number < 192).then_some(digits + 2)
}

/// Returns the time at a place, and what is behind it and its space.
fn time_at(line: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let rest = line.get(at..)?;
    let first = rest.iter().take(MAX_TIME).position(|byte| *byte == b' ');
    if let Some(first) = first
        && let Ok(text) = str::from_utf8(rest.get(..first)?)
        && time::of_text(text, &Utc).is_some_and(|time| time.is_exact)
    {
        return Some((at..at + first, at + first + 1));
    }
    let ascii = rest.iter().take(MAX_TIME).position(|byte| !byte.is_ascii()).unwrap_or(MAX_TIME.min(rest.len()));
    let text = str::from_utf8(rest.get(..ascii)?).ok()?;
    let (_, behind) = MonthTime::read(text)?;
    let length = text.len() - behind.len();
    let time = text.get(..length)?.trim_end_matches([' ', ':']).len();
    Some((at..at + time, at + length))
}

/// The program, its process, and where the text behind them begins.
struct Tag {
    name: Range<usize>,
    process: Option<Range<usize>>,
    text: usize,
}

impl Tag {
    fn put(self, line: &[u8], members: &mut Vec<Member>) -> Option<()> {
        members.push(Member::named("app_name", Shape::Plain, self.name));
        let process = self.process.filter(|process| !process.is_empty());
        members.extend(process.map(|process| Member::named("pid", Shape::Bare, process)));
        members.push(Member::named("message", Shape::Plain, self.text..line.len()));
        Some(())
    }
}

/// Reads `name[pid]: ` or `name: `.
fn tag_at(line: &[u8], at: usize) -> Option<Tag> {
    let rest = line.get(at..)?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./@%+()#~".contains(byte);
    let length = rest
        .iter()
        .take(MAX_NAME + 1)
        .position(|byte| !is_name(byte))
        .filter(|length| (1..=MAX_NAME).contains(length))?;
    let (name, mut end) = (at..at + length, at + length);
    let mut process = None;
    if line.get(end) == Some(&b'[') {
        let inside = line.get(end + 1..)?;
        let length = inside.iter().take(MAX_NAME).position(|byte| matches!(byte, b']' | b' ' | b'['))?;
        if inside.get(length) != Some(&b']') {
            return None;
        }
        process = Some(end + 1..end + 1 + length);
        end += length + 2;
    }
    // `http://…` and `10:15` are no tags.
    match line.get(end..)? {
        [b':'] => Some(Tag { name, process, text: end + 1 }),
        [b':', b' ', ..] => Some(Tag { name, process, text: end + 2 }),
        _ => None,
    }
}

/// Returns the word at a place.
fn word(line: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = line.get(at..)?;
    let length = rest.iter().take(256).position(|byte| *byte == b' ').filter(|length| *length > 0)?;
    Some(at..at + length)
}

fn skip_space(line: &[u8], at: usize) -> usize {
    if line.get(at) == Some(&b' ') { at + 1 } else { at }
}
