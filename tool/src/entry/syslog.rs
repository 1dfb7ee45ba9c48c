//! Messages of RFC 5424, as the library's sink `Syslog` writes them, and others.
//!
//! A parameter of structured data is the field `element.parameter`, except in the elements of the library.

use std::ops::Range;

use super::member::{Key, Member};
use super::value::Shape;

/// The elements of the library: its ids, and all else. A number can follow the second name.
const IDS: &[u8] = b"opentelemetry";
const OWN: &[u8] = b"spanline@";

/// What stands for nothing.
const NIL: &[u8] = b"-";

/// Names of the header's parts behind the version.
const HEADER: [&str; 5] = ["time", "hostname", "app_name", "pid", "msgid"];

/// Reads a message; `None` if it is another form of syslog, or none.
pub(super) fn read(line: &[u8], members: &mut Vec<Member>) -> Option<()> {
    let priority = line.strip_prefix(b"<")?;
    let digits = priority.iter().position(|byte| *byte == b'>').filter(|digits| (1..=3).contains(digits))?;
    let number: u8 = str::from_utf8(priority.get(..digits)?).ok()?.parse().ok()?;
    if number >= 192 {
        return None;
    }
    members.push(Member::named("priority", Shape::Priority, 1..1 + digits));
    let mut at = digits + 2;
    at += line.get(at..)?.strip_prefix(b"1 ").map(|_| 2)?;
    for name in HEADER {
        let bytes = line.get(at..)?.iter().position(|byte| *byte == b' ').filter(|bytes| *bytes > 0)?;
        let part = at..at + bytes;
        let shape = if name == "pid" { Shape::Bare } else { Shape::Plain };
        if line.get(part.clone())? != NIL {
            members.push(Member::named(name, shape, part));
        }
        at += bytes + 1;
    }
    if line.get(at..)?.starts_with(NIL) {
        at += 1;
    } else {
        while line.get(at) == Some(&b'[') {
            at = element(line, at + 1, members)?;
        }
    }
    let message = match line.get(at..)? {
        b"" => at..at,
        rest => at + rest.strip_prefix(b" ").map(|_| 1)?..line.len(),
    };
    let bom = line.get(message.clone())?.strip_prefix(b"\xef\xbb\xbf").map_or(0, |_| 3);
    members.push(Member::named("message", Shape::Plain, message.start + bom..message.end));
    Some(())
}

/// Reads the element behind a bracket at `at`; returns where it ends.
fn element(line: &[u8], at: usize, members: &mut Vec<Member>) -> Option<usize> {
    let name_bytes = line.get(at..)?.iter().position(|byte| matches!(byte, b' ' | b']'))?;
    let element = line.get(at..at + name_bytes)?;
    let is_own = element == IDS || element.starts_with(OWN);
    let mut at = at + name_bytes;
    loop {
        while line.get(at) == Some(&b' ') {
            at += 1;
        }
        if line.get(at) == Some(&b']') {
            return Some(at + 1);
        }
        let rest = line.get(at..)?;
        let name_bytes = rest.iter().position(|byte| matches!(byte, b'=' | b' ' | b']' | b'"'))?;
        let name = at..at + name_bytes;
        if name_bytes == 0 || !rest.get(name_bytes..)?.starts_with(b"=\"") {
            return None;
        }
        let value = value(line, at + name_bytes + 2)?;
        at = value.end + 1;
        let key = if is_own {
            Key::Line(name)
        } else {
            let text = String::from_utf8_lossy(line.get(name)?);
            Key::Text(format!("{}.{text}", String::from_utf8_lossy(element)))
        };
        members.push(Member { key, shape: Shape::Parameter, value });
    }
}

/// Returns the value that begins at `at`, up to its quote.
fn value(line: &[u8], at: usize) -> Option<Range<usize>> {
    let mut end = at;
    loop {
        match line.get(end)? {
            b'"' => return Some(at..end),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}
