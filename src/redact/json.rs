//! Paths into JSON: `payload.card.number` is the `number` in the `card` of the field `payload`.
//!
//! Reads JSON tokens and accepts what only looks like JSON: the caller scans the text as well.

#[cfg(feature = "sealed")]
use std::ops::Range;

use super::bounds::{byte, group_end, run, string_end};
use super::cards::card;
use super::hit::{Hit, With};
use super::names::{MAX_NAME_BYTES, SecretNames};
use super::rules::Rules;

/// Deeper paths are not followed. Names in there are still found as in any text.
const MAX_DEPTH: usize = 256;

/// An open object or array.
struct Frame {
    is_object: bool,
    /// Length of the path to it.
    path: usize,
}

fn space(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

/// Adds what is secret by its path, and card numbers. `path` leads to the whole text.
pub(super) fn find(rules: &Rules, text: &[u8], path: &mut Vec<u8>, hits: &mut Vec<Hit>) {
    walk(text, path, |step| match step {
        Step::Value { path, key, at } => {
            let (hit, behind) = is_listed(&rules.names, path, key).then(|| value(rules, text, at, key)).flatten()?;
            hits.push(hit);
            Some(behind)
        }
        Step::Number { at } if rules.values => {
            let end = run(text, at, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-'));
            if card(text, at, false) == Some(at..end) {
                hits.push(Hit { start: at, end, with: With::Quoted(0) });
            }
            Some(end)
        }
        Step::Number { .. } => None,
    });
}

/// Passes on the listed values in a text that is JSON, each with its path and its place: quotes and brackets included.
/// `name`: of the field with the text. Returns whether all of the text was followed: it may be too deep.
#[cfg(feature = "sealed")]
pub(crate) fn find_values(
    names: &SecretNames,
    text: &[u8],
    name: &str,
    mut found: impl FnMut(&str, Range<usize>),
) -> bool {
    let mut path = name.as_bytes().to_vec();
    walk(text, &mut path, |step| match step {
        Step::Value { path, key, at } => {
            let is_long = path.len() + key.len() >= MAX_NAME_BYTES;
            if !is_listed(names, path, key) {
                return None;
            }
            let end = match byte(text, at) {
                b'"' => text.len().min(string_end(text, at + 1, b'"', 0) + 1),
                b'{' | b'[' => group_end(text, at),
                _ => run(text, at, |byte| !space(byte) && !matches!(byte, b',' | b'}' | b']')),
            };
            found(&String::from_utf8_lossy(if is_long { key } else { path }), at..end);
            Some(end)
        }
        Step::Number { .. } => None,
    })
}

/// A place in JSON.
enum Step<'s> {
    /// A value in an object. `path`: leads to the object; the key may be added.
    Value { path: &'s mut Vec<u8>, key: &'s [u8], at: usize },
    /// A number, unless it was skipped with the value.
    Number { at: usize },
}

/// Walks through JSON. `visit` returns where to go on; `None`: with what the value holds. Returns whether nothing was too deep.
#[inline]
fn walk(text: &[u8], path: &mut Vec<u8>, mut visit: impl FnMut(Step<'_>) -> Option<usize>) -> bool {
    let (mut frames, mut is_whole) = (Vec::<Frame>::new(), true);
    // Open brackets beyond the frames.
    let mut deeper = 0usize;
    let mut at = 0;
    while at < text.len() {
        match byte(text, at) {
            b'{' | b'[' if frames.len() == MAX_DEPTH => {
                deeper += 1;
                is_whole = false;
                at += 1;
            }
            b'}' | b']' | b',' if deeper > 0 => {
                deeper -= usize::from(byte(text, at) != b',');
                at += 1;
            }
            open @ (b'{' | b'[') => {
                frames.push(Frame { is_object: open == b'{', path: path.len() });
                at += 1;
            }
            b'}' | b']' => {
                if let Some(frame) = frames.pop() {
                    path.truncate(frame.path);
                }
                at += 1;
            }
            b',' => {
                if let Some(frame) = frames.last() {
                    path.truncate(frame.path);
                }
                at += 1;
            }
            b'"' => {
                let (content, end) = (at + 1, string_end(text, at + 1, b'"', 0));
                let colon = run(text, end + 1, space);
                at = end + 1;
                if frames.last().is_some_and(|frame| frame.is_object) && byte(text, colon) == b':' {
                    let key = text.get(content..end).unwrap_or_default();
                    at = run(text, colon + 1, space);
                    at = visit(Step::Value { path, key, at }).unwrap_or(at);
                }
            }
            b'0'..=b'9' => at = visit(Step::Number { at }).unwrap_or(at + 1),
            _ => at += 1,
        }
    }
    is_whole
}

/// Returns whether a key is listed at its path. Afterwards `path` leads to the key, unless it is too long for any name.
fn is_listed(names: &SecretNames, path: &mut Vec<u8>, key: &[u8]) -> bool {
    if path.len() + key.len() >= MAX_NAME_BYTES {
        return names.is_secret(key);
    }
    if !path.is_empty() {
        path.push(b'.');
    }
    path.extend_from_slice(key);
    names.is_secret(path)
}

/// Returns a match for the value after a secret key, and where to go on.
fn value(rules: &Rules, text: &[u8], at: usize, key: &[u8]) -> Option<(Hit, usize)> {
    let (start, end, with, behind) = match byte(text, at) {
        b'"' => {
            let end = string_end(text, at + 1, b'"', 0);
            (at + 1, end, With::Bare, end + 1)
        }
        b'{' | b'[' => {
            let end = group_end(text, at);
            (at, end, With::Quoted(0), end)
        }
        b'-' | b'0'..=b'9' if !rules.names.is_count(key) => {
            let end = run(text, at, |byte| !space(byte) && !matches!(byte, b',' | b'}' | b']'));
            (at, end, With::Quoted(0), end)
        }
        _ => return None,
    };
    Some((Hit { start, end, with }, behind))
}
