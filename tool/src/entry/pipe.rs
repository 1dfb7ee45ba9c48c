//! Lines of five parts, `epoch-seconds | level | message | service | trace`.
//!
//! The message may contain the mark, so two parts are split from the left and two from the right.

use std::ops::Range;

use memchr::memmem;

use super::member::Member;
use super::number::Number;
use super::value::Shape;

const MARK: &[u8] = b" | ";

/// Reads a line; `None` if it has fewer parts, or does not begin with a number.
pub(super) fn read(line: &[u8], members: &mut Vec<Member>) -> Option<()> {
    let end = line.trim_ascii_end().len();
    let all = line.get(..end)?;
    let first = memmem::find(all, MARK)?;
    time(all.get(..first)?)?;
    let second = first + MARK.len() + memmem::find(all.get(first + MARK.len()..)?, MARK)?;
    let message = second + MARK.len();
    // An empty last part: its mark has lost the space behind it.
    let last = if all.ends_with(b" |") { end - 2 } else { memmem::rfind(all, MARK)? };
    let before = memmem::rfind(all.get(..last)?, MARK).filter(|before| *before >= message)?;
    let after = |mark: usize| (mark + MARK.len()).min(end);
    let parts = [
        ("time", 0..first),
        ("level", after(first)..second),
        ("message", message..before),
        ("service", after(before)..last),
        ("trace_id", after(last)..end),
    ];
    for (name, part) in parts {
        let part = trimmed(line, part);
        if !matches!(line.get(part.clone()), None | Some(b"" | b"-")) || name == "message" {
            members.push(Member::named(name, if name == "time" { Shape::Bare } else { Shape::Plain }, part));
        }
    }
    Some(())
}

/// Returns whether a line begins as one with five parts does.
pub(super) fn begins(line: &[u8]) -> bool {
    memmem::find(line, MARK).and_then(|first| time(line.get(..first)?)).is_some()
}

/// Reads the seconds since 1970.
fn time(part: &[u8]) -> Option<Number> {
    Number::of(part.trim_ascii())
}

fn trimmed(line: &[u8], part: Range<usize>) -> Range<usize> {
    let bytes = line.get(part.clone()).unwrap_or_default();
    let start = part.start + bytes.len() - bytes.trim_ascii_start().len();
    start..start + bytes.trim_ascii().len()
}
