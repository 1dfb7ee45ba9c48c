//! What stands below an entry's line: errors, and texts of several lines.

use super::fold::{fold, width};
use super::paint::{Ink, Paint};
use super::text::put_escaped;
use crate::entry::{Field, Value};

/// The names under which loggers have an error as an object.
const ERRORS: [&str; 4] = ["error", "err", "exception", "fields.error"];

/// The names of an error's message, and of its type, where they are fields.
const MESSAGES: [(&str, &str); 5] = [
    ("error.message", "error.type"),
    ("error.message", "error.kind"),
    ("exception.message", "exception.type"),
    ("errorMessage", "errorType"),
    ("exception", "exception_type"),
];

/// The names of backtraces, and of texts with an error's causes.
const STACKS: [&str; 8] = [
    "stack",
    "stack_trace",
    "backtrace",
    "stackTrace",
    "error.stack",
    "error.stack_trace",
    "exception.stacktrace",
    "fields.backtrace",
];

/// Returns whether a field needs separate lines: an error, a backtrace, or a text of several lines.
pub(super) fn is_below(field: &Field<'_>, fields: &[Field<'_>]) -> bool {
    may_be_error(&field.name) && (is_error(field) || is_message(field) || is_type(field, fields) || is_stack(field))
        || field.value.ascii().is_none() && field.value.text().is_some_and(|text| text.trim_end().contains('\n'))
}

/// Returns whether a name may be one of those above, which few are.
fn may_be_error(name: &str) -> bool {
    let name = name.strip_prefix("fields.").unwrap_or(name);
    ["err", "exc", "sta", "bac"].iter().any(|start| name.starts_with(start)) && name != "status"
}

fn is_error(field: &Field<'_>) -> bool {
    ERRORS.contains(&&*field.name) && field.value.is_object() && field.value.member("message").is_some()
}

fn is_message(field: &Field<'_>) -> bool {
    MESSAGES.iter().any(|(message, _)| *message == field.name) && field.value.text().is_some()
}

/// Returns whether it is the type of a message that is there.
fn is_type(field: &Field<'_>, fields: &[Field<'_>]) -> bool {
    MESSAGES.iter().any(|(message, kind)| {
        *kind == field.name && fields.iter().any(|field| field.name == *message && is_message(field))
    })
}

fn is_stack(field: &Field<'_>) -> bool {
    STACKS.contains(&&*field.name) && (field.value.text().is_some() || field.value.items().next().is_some())
}

/// Writes the fields that need separate lines: errors, then what led to them.
pub(super) fn put(out: &mut Vec<u8>, paint: Paint, fields: &[Field<'_>], limit: usize) {
    for field in fields.iter().filter(|field| is_below(field, fields)) {
        if is_error(field) {
            put_error(out, paint, field, limit);
        } else if is_message(field) {
            put_message(out, paint, field, fields, limit);
        }
    }
    for field in fields.iter().filter(|field| is_below(field, fields)) {
        if is_error(field) || is_message(field) || is_type(field, fields) {
            continue;
        }
        let mut frames = field.value.items().peekable();
        if frames.peek().is_none() {
            put_lines(out, paint, &field.name, &field.value.shown(), limit);
            continue;
        }
        // One text for each frame.
        let frames: Vec<_> = frames.map(Value::shown).collect();
        put_lines(out, paint, &field.name, &frames.join("\n"), limit);
    }
}

/// Writes the message and the type of an error that are fields.
fn put_message(out: &mut Vec<u8>, paint: Paint, field: &Field<'_>, fields: &[Field<'_>], limit: usize) {
    let types = MESSAGES.iter().filter(|(message, _)| *message == field.name).map(|(_, kind)| kind);
    let kind = types.into_iter().find_map(|kind| fields.iter().find(|field| field.name == *kind));
    let message = field.value.shown();
    match kind {
        Some(kind) => put_lines(out, paint, &field.name, &format!("{message} ({})", kind.value.shown()), limit),
        None => put_lines(out, paint, &field.name, &message, limit),
    }
}

/// Writes an error that is an object: its message and type, its causes, and its backtrace.
fn put_error(out: &mut Vec<u8>, paint: Paint, field: &Field<'_>, limit: usize) {
    let member = |name: &str| field.value.member(name).map(Value::shown);
    let kind = ["type", "name"].into_iter().find_map(member).map(|kind| format!(" ({kind})"));
    let message = format!("{}{}", member("message").unwrap_or_default(), kind.unwrap_or_default());
    put_lines(out, paint, &field.name, &message, limit);
    for cause in field.value.member("chain").into_iter().flat_map(Value::items) {
        out.extend_from_slice(b"\n      caused by: ");
        let start = out.len();
        put_escaped(out, &cause.shown());
        fold(out, start, 17, 8, limit);
    }
    for stack in ["stack", "stack_trace", "backtrace"] {
        if let Some(text) = member(stack) {
            put_lines(out, paint, stack, &text, limit);
        }
    }
}

/// Writes a name, and each line of a text.
pub(super) fn put_lines(out: &mut Vec<u8>, paint: Paint, name: &str, text: &str, limit: usize) {
    out.extend_from_slice(b"\n    ");
    let mut name_end = 4;
    paint.put_with(out, Ink::Name, |out| {
        let start = out.len();
        put_escaped(out, name);
        out.push(b':');
        name_end += width(out.get(start..).unwrap_or_default());
    });
    let text = text.trim_end();
    let is_one = !text.contains('\n');
    for line in text.lines() {
        out.extend_from_slice(if is_one { b" " } else { b"\n      " });
        let start = out.len();
        put_escaped(out, line);
        fold(out, start, if is_one { name_end + 1 } else { 6 }, 8, limit);
    }
}
