//! Entries of systemd's journal, as its native protocol has them: fields in upper case, one after the other.
//!
//! A field is `NAME=value` and a newline. A value with newlines comes after `NAME`, a newline and its length, a 64-bit
//! little-endian number. The engine writes only the first form, with [`NEWLINE`] where a text has one. No text contains
//! that byte, because all control characters are escaped. Fields with it are written again in the second form.
//! Source: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>, and `systemd.journal-fields(7)` for the names.

use std::borrow::Cow;

use super::engine::{Engine, Layout, Mark, Place, Spelling, Stage, Syntax, TOP};
use super::json::{self, Form};
use super::plain::put_text;
use super::{Edits, Schema};
use crate::record::{Record, Value};

/// Entries of systemd's journal.
#[derive(Debug, Default)]
pub(crate) struct JournalEntry {
    identifier: Option<String>,
    engine: Engine,
    /// The entry as the engine has written it.
    entry: Vec<u8>,
}

/// Stands for a newline in a value: the ASCII record separator.
const NEWLINE: u8 = 0x1e;

/// The journal ignores a field with a longer name.
const MAX_NAME_BYTES: usize = 64;

/// The journal discards an entry with more than 1,024 fields, without a word to the sender.
const MAX_FIELDS: usize = 1000;

/// The field of those beyond, each on a line. Only an entry that the journal would discard has it.
const MORE: &[u8] = b"MORE_FIELDS";

/// Comes before the name of a user's field that the journal would refuse, or take for another.
const PREFIX: &str = "F_";

/// The names of fields that the schema or the journal gives a meaning.
const NAMES: &str = "TIMESTAMP MESSAGE PRIORITY TARGET EVENT_NAME ERROR ERROR_TYPE STACK CODE_FILE CODE_LINE CODE_FUNC \
    CODE_MODULE THREAD_NAME SERVICE REQUEST_ID TRACE_ID SPAN_ID PARENT_SPAN_ID SPANS TRUNCATED ORIGINAL_BYTES HELD_BACK \
    MESSAGE_ID ERRNO INVOCATION_ID USER_INVOCATION_ID SYSLOG_FACILITY SYSLOG_IDENTIFIER SYSLOG_PID SYSLOG_TIMESTAMP \
    SYSLOG_RAW DOCUMENTATION TID UNIT USER_UNIT OBJECT_PID MORE_FIELDS";

/// Fields, each on a line.
const FIELDS: Syntax = Syntax {
    before: Cow::Borrowed("\n"),
    name: |name, out| out.extend_from_slice(name.as_bytes()),
    between: Cow::Borrowed("="),
    form: TEXT,
};

/// Values as text.
const TEXT: Form = Form::Bare(|_| false, put_value);

impl JournalEntry {
    /// Creates the schema. `identifier`: the program's name in the journal; by default, it is the service.
    pub(crate) fn new(identifier: Option<String>) -> Self {
        Self { identifier, ..Self::default() }
    }
}

/// Describes the entries.
fn layout(identifier: Option<String>) -> Layout {
    Layout::new("TIMESTAMP=", |_, _| Place::Group(TOP))
        .tail(Some(""))
        .end(b"")
        .syntax(FIELDS)
        .spelling(TOP, Spelling::by(FIELDS, users_name))
        .text("SYSLOG_IDENTIFIER", Stage::Service, move |parts| {
            identifier.clone().map(Cow::Owned).or_else(|| parts.service.map(Into::into))
        })
        .target("TARGET")
        .file("CODE_FILE")
        .line("CODE_LINE")
        .module("CODE_MODULE")
        .text("EVENT_NAME", Stage::CallSite, |parts| parts.record.event_name().map(Into::into))
        .message("MESSAGE", TEXT)
        .text("ERROR", Stage::Event(Mark::Error), |parts| {
            parts.error.map(|error| json::text_of(&error).into_owned().into())
        })
        .text("ERROR_TYPE", Stage::Event(Mark::Error), |parts| parts.error_type().map(Into::into))
        .text("STACK", Stage::Event(Mark::Any), |parts| parts.stack().map(Into::into))
        .thread_name(false, "THREAD_NAME")
        .service("SERVICE")
        .request("REQUEST_ID", TEXT)
        .trace("TRACE_ID")
        .span("SPAN_ID")
        .parent("PARENT_SPAN_ID")
        .span_path("SPANS")
        .truncation_as("TRUNCATED", "ORIGINAL_BYTES")
        .held_back_as("HELD_BACK")
        .fields(TOP)
        .static_fields(TOP)
        // Last, because it never ends in a newline, which would be taken for the end of the entry.
        .number("PRIORITY", Stage::CallSite, |parts| Some(parts.level.syslog()))
}

impl Schema for JournalEntry {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let identifier = &self.identifier;
        self.entry.clear();
        self.engine.render(record, &mut self.entry, || layout(identifier.clone()));
        put_entry(&self.entry, out);
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.engine.edit(edits);
        true
    }

    fn forked(&mut self) {
        self.engine.forget();
    }
}

/// Appends the entry that the engine has written.
fn put_entry(entry: &[u8], out: &mut Vec<u8>) {
    let fields = || entry.split(|byte| *byte == b'\n');
    let count = fields().count();
    let is_more = |number: usize| count > MAX_FIELDS && number >= MAX_FIELDS - 2 && number + 1 < count;
    let mut more = Vec::new();
    for (number, field) in fields().enumerate() {
        if is_more(number) {
            if !more.is_empty() {
                more.push(b'\n');
            }
            // A newline of a value must not look like the end of a field.
            field.iter().for_each(|byte| match *byte {
                NEWLINE => more.extend_from_slice(b"\\n"),
                byte => more.push(byte),
            });
            continue;
        }
        if !more.is_empty() {
            out.push(b'\n');
            put_long(MORE, &std::mem::take(&mut more), out);
        }
        if number > 0 {
            out.push(b'\n');
        }
        put_field(field, out);
    }
}

/// Appends a field without its last newline.
fn put_field(field: &[u8], out: &mut Vec<u8>) {
    let at = field.iter().position(|byte| *byte == b'=').filter(|_| field.contains(&NEWLINE));
    let Some((name, value)) = at.and_then(|at| Some((field.get(..at)?, field.get(at + 1..)?))) else {
        return out.extend_from_slice(field);
    };
    put_long(name, value, out);
}

/// Appends a field whose value has newlines.
fn put_long(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.push(b'\n');
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend(value.iter().map(|byte| if *byte == NEWLINE { b'\n' } else { *byte }));
}

/// Appends a value as text. Tabs and newlines stay, other control characters are escaped.
fn put_value(value: &Value<'_>, out: &mut Vec<u8>) {
    for (number, line) in json::text_of(value).split('\n').enumerate() {
        if number > 0 {
            out.push(NEWLINE);
        }
        for (number, part) in line.split('\t').enumerate() {
            if number > 0 {
                out.push(b'\t');
            }
            put_text(part, out);
        }
    }
}

/// Returns the name of a user's field: upper-case letters, digits and `_`, as the journal demands.
fn users_name(name: &str) -> Cow<'_, str> {
    let plain = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' };
    let mut plain: String = name.chars().map(plain).collect();
    let is_ours = NAMES.split_ascii_whitespace().any(|ours| ours == plain) || plain.starts_with("COREDUMP_");
    if is_ours || !plain.starts_with(|char: char| char.is_ascii_uppercase()) {
        plain.insert_str(0, PREFIX);
    }
    plain.truncate(MAX_NAME_BYTES);
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_journal_takes() {
        for (name, expected) in [
            ("tenant", "TENANT"),
            ("http.status", "HTTP_STATUS"),
            ("message", "F_MESSAGE"),
            ("Priority", "F_PRIORITY"),
            ("_PID", "F__PID"),
            ("7up", "F_7UP"),
            ("größe", "GR__E"),
            ("", "F_"),
        ] {
            assert_eq!(users_name(name), expected, "{name}");
        }
        assert_eq!(users_name(&"x".repeat(100)).len(), MAX_NAME_BYTES);
    }

    #[test]
    fn a_value_with_newlines_has_its_length_before_it() {
        let mut out = Vec::new();
        put_field(b"MESSAGE=a=b\x1ec", &mut out);
        assert_eq!(out, b"MESSAGE\n\x05\0\0\0\0\0\0\0a=b\nc");
        out.clear();
        put_field(b"MESSAGE=a=b", &mut out);
        assert_eq!(out, b"MESSAGE=a=b");
    }

    #[test]
    fn fields_beyond_the_journals_limit_are_lines_of_one_field() {
        let entry = |count: usize| (0..count).map(|at| format!("F{at}=a\x1eb")).collect::<Vec<_>>().join("\n");
        let mut out = Vec::new();
        put_entry(entry(MAX_FIELDS).as_bytes(), &mut out);
        assert!(!out.windows(MORE.len()).any(|part| part == MORE));
        out.clear();
        put_entry(entry(MAX_FIELDS + 1).as_bytes(), &mut out);
        let more = b"\nMORE_FIELDS\n\x13\0\0\0\0\0\0\0F998=a\\nb\nF999=a\\nb\nF1000\n\x03\0\0\0\0\0\0\0a\nb";
        assert!(out.ends_with(more), "{}", out.escape_ascii());
    }
}
