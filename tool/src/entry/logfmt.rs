//! Lines of `key=value` pairs.

use memchr::memchr;

use super::member::{Key, Member};
use super::value::Shape;
use super::walk::{Kind, json_string_end};

/// Keys that tell a log's line from other text with pairs in it.
const MARKS: [&[u8]; 10] =
    [b"level", b"lvl", b"severity", b"msg", b"message", b"ts", b"time", b"timestamp", b"log.level", b"t"];

/// Reads a line of at least two pairs. Returns false if anything else is in it.
///
/// `is_settled`: whether earlier lines were such lines. Only the first one needs a key of [`MARKS`].
pub(super) fn read(line: &[u8], members: &mut Vec<Member>, is_settled: bool) -> bool {
    let mut at = 0;
    loop {
        let rest = line.get(at..).unwrap_or_default();
        at += rest.len() - rest.trim_ascii_start().len();
        if at >= line.len() {
            break;
        }
        match pair(line, at) {
            Some((member, end)) => {
                members.push(member);
                at = end;
            }
            None => return false,
        }
    }
    members.len() >= 2 && (is_settled || members.iter().any(|member| MARKS.contains(&member.key(line))))
}

/// Returns the pairs of a line that end in front of its last byte, as far as they are pairs.
pub(super) fn whole_pairs(line: &[u8]) -> &[u8] {
    let mut at = 0;
    loop {
        let rest = line.get(at..).unwrap_or_default();
        let start = at + rest.len() - rest.trim_ascii_start().len();
        match pair(line, start).filter(|(_, end)| *end < line.len()) {
            Some((_, end)) => at = end,
            // What is no pair makes all of it no such line.
            None if line.get(start..).is_some_and(|rest| rest.contains(&b'=')) => {
                return line.get(..at).unwrap_or_default();
            }
            None => return line,
        }
    }
}

/// Reads the pair at `at`; returns also where it ends.
fn pair(line: &[u8], at: usize) -> Option<(Member, usize)> {
    let rest = line.get(at..)?;
    let key_bytes = rest.iter().position(|byte| *byte <= b' ' || matches!(byte, b'=' | b'"'))?;
    if key_bytes == 0 || rest.get(key_bytes) != Some(&b'=') {
        return None;
    }
    let start = at + key_bytes + 1;
    let value = line.get(start..)?;
    let (shape, end) = if value.first() == Some(&b'"') {
        (Shape::Json(Kind::Text), json_string_end(line, start)?)
    } else {
        let bytes = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
        if memchr(b'"', value.get(..bytes)?).is_some() {
            return None;
        }
        (Shape::Bare, start + bytes)
    };
    let is_end = line.get(end).is_none_or(u8::is_ascii_whitespace);
    is_end.then(|| (Member { key: Key::Line(at..at + key_bytes), shape, value: start..end }, end))
}
