//! Encodes fields on the logging thread.
//!
//! Only `Debug`, `Display` and errors are formatted here, because they are borrowed. That is user code: it may panic,
//! fail, log, or never end. A panic is caught and leaves `"<panicked>"`; a failure leaves `"<format error>"`. Text beyond
//! the limit is refused with an error, and code that keeps writing anyway is unwound. No lock and no thread-local borrow
//! is held meanwhile.

use std::error::Error;
use std::fmt::{self, Write};

use tracing::Metadata;
use tracing::field::{Field, Visit};

use super::json::{self, Written};
use super::repeated::with_unique_names;
use super::scratch::{SMALL_BYTES, Scratch};
use super::type_name::TypeName;
use super::user_code::{discard, guarded};
use crate::values::{
    BACKTRACE, ErrorChain, FieldValue, MAX_INDEX, Source, THREAD, TRUNCATED, UndeclaredFields, Value, append,
    plain_name, prefix, put, put_long, put_name, put_named, value_tag,
};

const PANICKED: &[u8] = b"<panicked>";
const FAILED: &[u8] = b"<format error>";

/// The sources captured of one error. A chain that forms a circle ends here.
const MAX_SOURCES: usize = 64;

/// The number of writes that add no text, refused or empty, after which code that never ends is unwound.
const MAX_REFUSALS: u32 = 100_000;

/// A field keeps at least this many bytes of its text, even when the record is full.
const MIN_TEXT_BYTES: usize = 64;

/// A thread's name is cut to this many bytes.
const MAX_THREAD_NAME_BYTES: usize = 255;

/// Visits fields and appends them to a buffer.
#[derive(Debug)]
pub(crate) struct Capture<'b> {
    scratch: &'b mut Scratch,
    /// Where the buffer may end now.
    end: usize,
    /// Where it may end if all threads together do not capture too much.
    last_end: usize,
    /// The bytes of the current field that did not fit.
    truncated: u64,
}

impl<'b> Capture<'b> {
    /// Captures into `scratch`. Texts are cut so that the record does not exceed `max_bytes`.
    #[inline]
    pub(crate) fn new(scratch: &'b mut Scratch, max_bytes: usize) -> Self {
        let start = scratch.bytes.len();
        let end = start.saturating_add(max_bytes.min(SMALL_BYTES));
        Self { scratch, end, last_end: start.saturating_add(max_bytes), truncated: 0 }
    }

    /// Adds the logging thread.
    pub(crate) fn thread(&mut self, id: u64, name: &str) {
        let name = prefix(name, MAX_THREAD_NAME_BYTES);
        self.out().extend_from_slice(&[THREAD, value_tag::BYTES]);
        self.out().extend_from_slice(&(name.len() as u32 + 8).to_le_bytes());
        self.out().extend_from_slice(&id.to_le_bytes());
        self.out().extend_from_slice(name.as_bytes());
    }

    /// Adds a backtrace.
    pub(crate) fn backtrace(&mut self, text: &str) {
        self.out().push(BACKTRACE);
        let fitting = prefix(text, self.make_room(text.len()));
        self.long(value_tag::STR, fitting.as_bytes(), text.len());
    }

    /// Adds a field that no call site declares.
    pub(crate) fn named(&mut self, name: &str, value: &Value<'_>) {
        let fitting = value.truncated_to(self.make_room(value.text_bytes()));
        self.truncated += value.text_bytes().saturating_sub(fitting.text_bytes()) as u64;
        put_named(&mut self.scratch.bytes, name, &fitting);
        self.end_text();
    }

    /// Adds a field that no call site declares; an absent value adds nothing.
    pub(crate) fn named_value(&mut self, name: &str, value: &FieldValue<'_>) {
        match &value.0 {
            Source::None => {}
            Source::Value(value) => self.named(name, value),
            Source::Text(text) => self.named(name, &Value::Str(text)),
            Source::Bytes(bytes) => self.named(name, &Value::Bytes(bytes)),
            Source::Error(error) => self.named_error(name, *error),
            Source::OwnedError(error) => self.named_error(name, &**error),
        }
    }

    /// Adds a field that no call site declares: the text that `value` writes.
    #[cfg(feature = "log")]
    pub(crate) fn named_text(&mut self, name: &str, value: &dyn fmt::Display) {
        put_name(self.out(), name);
        self.out().push(value_tag::STR);
        self.formatted(|out| write!(out, "{value}"));
        self.end_text();
    }

    /// Adds a field that no call site declares: data as JSON, or a text. `json` writes the value as JSON, where a text is a
    /// string. `text` is used only if that does not fit.
    #[cfg(feature = "log-serde")]
    pub(crate) fn named_data(&mut self, name: &str, json: &dyn fmt::Debug, text: &dyn fmt::Display) {
        let start = self.out().len();
        put_name(self.out(), name);
        let tag = self.out().len();
        self.text_or_json(json);
        if self.truncated > 0 {
            self.out().truncate(start);
            self.truncated = 0;
            return self.named_text(name, text);
        }
        let (kind, written) = (self.out().get(tag).copied(), self.out().get(tag + 5..).unwrap_or_default());
        if kind == Some(value_tag::JSON)
            && let Ok(text) = serde_json::from_slice::<String>(written)
        {
            self.out().truncate(tag);
            put_long(self.out(), value_tag::STR, text.as_bytes());
        }
    }

    /// Adds a field that no call site declares: an error with its sources.
    pub(crate) fn named_error(&mut self, name: &str, value: &(dyn Error + 'static)) {
        put_name(self.out(), name);
        self.error(value);
    }

    /// Adds a failure that is no Rust error, as an error without sources.
    pub(crate) fn named_failure(&mut self, name: &str, type_name: &str, message: &str) {
        let room = self.make_room(type_name.len() + message.len());
        let fitting = prefix(message, room.saturating_sub(type_name.len()));
        self.truncated += (message.len() - fitting.len()) as u64;
        let mut chain = Vec::new();
        ErrorChain::put(&mut chain, type_name.as_bytes());
        ErrorChain::put(&mut chain, fitting.as_bytes());
        put_named(&mut self.scratch.bytes, name, &Value::Error(ErrorChain::of(&chain)));
        self.end_text();
    }

    /// Adds fields that were captured earlier.
    #[cfg(feature = "log")]
    pub(crate) fn captured(&mut self, fields: &Scratch) {
        self.out().extend_from_slice(&fields.bytes);
    }

    /// Gives fields that repeat a name other names. `meta`: the call site of declared fields.
    pub(crate) fn tell_names_apart(&mut self, meta: &'static Metadata<'static>) {
        if let Some(unique) = with_unique_names(&self.scratch.bytes, meta) {
            self.scratch.bytes = unique;
        }
    }

    /// Records that the preceding field lost `bytes` when it was captured.
    #[cfg(feature = "log")]
    pub(crate) fn truncated(&mut self, bytes: u64) {
        self.truncated += bytes;
        self.end_text();
    }

    /// Marks the field just written as truncated, if it was.
    #[inline]
    fn end_text(&mut self) {
        if self.truncated > 0 {
            self.scratch.bytes.push(TRUNCATED);
            put(&mut self.scratch.bytes, value_tag::U64, &self.truncated.to_le_bytes());
            self.truncated = 0;
        }
    }

    #[inline]
    fn key(&mut self, field: &Field) {
        let index = field.index();
        if index <= MAX_INDEX {
            self.out().push(index as u8);
        } else {
            self.key_by_name(field);
        }
    }

    #[cold]
    fn key_by_name(&mut self, field: &Field) {
        put_name(self.out(), plain_name(field.name()));
    }

    /// Appends key, tag and payload at once where the key is an index, as it nearly always is.
    #[inline]
    fn fixed<const BYTES: usize>(&mut self, field: &Field, tag: u8, payload: [u8; BYTES]) {
        if field.index() > MAX_INDEX {
            self.key(field);
            return put(self.out(), tag, &payload);
        }
        let mut bytes = [0; 18];
        let (head, tail) = bytes.split_at_mut(2);
        head.copy_from_slice(&[field.index() as u8, tag]);
        if let Some(place) = tail.get_mut(..BYTES) {
            place.copy_from_slice(&payload);
        }
        self.out().extend_from_slice(bytes.get(..2 + BYTES).unwrap_or_default());
    }

    /// Returns how many bytes of text the next value may have.
    #[inline]
    fn room(&self) -> usize {
        self.end.saturating_sub(self.scratch.bytes.len()).max(MIN_TEXT_BYTES)
    }

    /// Returns the same after trying to make room for `wanted` bytes.
    #[inline]
    fn make_room(&mut self, wanted: usize) -> usize {
        let free = self.end.saturating_sub(self.scratch.bytes.len());
        if wanted > free && self.last_end > self.end {
            let step = (wanted - free).max(SMALL_BYTES).min(self.last_end - self.end);
            self.end += if self.scratch.grant(step) { step } else { 0 };
        }
        self.room()
    }

    /// Appends the length and the text that `format` writes; returns whether the text is complete.
    fn formatted(&mut self, format: impl FnOnce(&mut LimitedText<'_, 'b>) -> fmt::Result) -> bool {
        self.out().extend_from_slice(&[0; 4]);
        let start = self.out().len();
        let end = start + self.room();
        let mut limited = LimitedText { capture: self, end, refused: 0, refusals: 0 };
        let result = guarded(|| format(&mut limited));
        let refused = limited.refused;
        self.truncated += refused;
        let placeholder = match result {
            _ if refused > 0 => None,
            Ok(Ok(())) => None,
            Ok(Err(fmt::Error)) => Some(FAILED),
            Err(_) => Some(PANICKED),
        };
        if let Err(payload) = result {
            discard(payload);
        }
        let out = self.out();
        if let Some(placeholder) = placeholder {
            out.truncate(start);
            out.extend_from_slice(placeholder);
        }
        let length = (out.len() - start) as u32;
        if let Some(prefix) = out.get_mut(start - 4..start) {
            prefix.copy_from_slice(&length.to_le_bytes());
        }
        refused == 0 && placeholder.is_none()
    }

    /// Appends tag, length and text of a value. The text is JSON if [`Json`](json::Json) has written all of it, and is shown
    /// only sealed if it is that of a value from [`sealed`](super::sealed()).
    #[inline]
    fn text_or_json(&mut self, value: &dyn fmt::Debug) {
        let tag = self.out().len();
        self.out().push(value_tag::STR);
        let before = json::begin_value(value);
        let is_complete = self.formatted(|out| write!(out, "{value:?}"));
        let of_text = match json::replace_written(before) {
            #[cfg(feature = "sealed")]
            Written::ToSeal => value_tag::SEALED,
            Written::Json(bytes) if is_complete && bytes == self.out().len() - tag - 5 => value_tag::JSON,
            _ => return,
        };
        if let Some(tag) = self.out().get_mut(tag) {
            *tag = of_text;
        }
    }

    /// Appends the name of an error's type and its length; the name is empty when `Debug` gives none.
    fn type_name(&mut self, error: &dyn Error) {
        let mut type_name = TypeName::default();
        let result = guarded(|| write!(type_name, "{error:?}"));
        let name = match &result {
            Ok(_) => type_name.name().unwrap_or_default(),
            Err(_) => "",
        };
        self.out().extend_from_slice(&(name.len() as u32).to_le_bytes());
        self.out().extend_from_slice(name.as_bytes());
        if let Err(payload) = result {
            discard(payload);
        }
    }

    /// Appends an error and its sources.
    fn error(&mut self, value: &(dyn Error + 'static)) {
        self.out().extend_from_slice(&[value_tag::ERROR, 0, 0, 0, 0]);
        let start = self.out().len();
        self.type_name(value);
        let mut next = Some(value);
        for _ in 0..=MAX_SOURCES {
            let Some(error) = next else { break };
            self.formatted(|out| write!(out, "{error}"));
            next = guarded(|| error.source()).unwrap_or_else(|payload| {
                discard(payload);
                None
            });
        }
        let length = (self.out().len() - start) as u32;
        if let Some(prefix) = self.out().get_mut(start - 4..start) {
            prefix.copy_from_slice(&length.to_le_bytes());
        }
        self.end_text();
    }

    #[inline]
    fn long(&mut self, tag: u8, payload: &[u8], whole: usize) {
        self.truncated += (whole - payload.len()) as u64;
        put_long(&mut self.scratch.bytes, tag, payload);
        self.end_text();
    }

    #[inline]
    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.scratch.bytes
    }
}

impl Visit for Capture<'_> {
    #[inline]
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fixed(field, value_tag::F64, value.to_le_bytes());
    }

    #[inline]
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fixed(field, value_tag::I64, value.to_le_bytes());
    }

    #[inline]
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fixed(field, value_tag::U64, value.to_le_bytes());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.fixed(field, value_tag::I128, value.to_le_bytes());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.fixed(field, value_tag::U128, value.to_le_bytes());
    }

    #[inline]
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fixed(field, if value { value_tag::TRUE } else { value_tag::FALSE }, []);
    }

    #[inline]
    fn record_str(&mut self, field: &Field, value: &str) {
        let free = self.end.saturating_sub(self.scratch.bytes.len());
        if value.len() < free && field.index() <= MAX_INDEX {
            let [a, b, c, d] = (value.len() as u32).to_le_bytes();
            let out = self.out();
            out.reserve(6 + value.len());
            out.extend_from_slice(&[field.index() as u8, value_tag::STR, a, b, c, d]);
            append(out, value.as_bytes());
            return;
        }
        self.key(field);
        let fitting = prefix(value, self.make_room(value.len()));
        self.long(value_tag::STR, fitting.as_bytes(), value.len());
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.key(field);
        let fitting = value.get(..self.make_room(value.len())).unwrap_or(value);
        self.long(value_tag::BYTES, fitting, value.len());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.key(field);
        self.error(value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.key(field);
        self.text_or_json(value);
        self.end_text();
    }

    /// A single value is captured like any other; a structure is nested data.
    #[cfg(all(feature = "valuable", tracing_unstable))]
    fn record_value(&mut self, field: &Field, value: valuable::Value<'_>) {
        use valuable::Value;

        match value {
            Value::Bool(value) => self.record_bool(field, value),
            Value::Char(value) => self.record_str(field, value.encode_utf8(&mut [0; 4])),
            Value::F32(value) => self.record_f64(field, value.into()),
            Value::F64(value) => self.record_f64(field, value),
            Value::I8(value) => self.record_i64(field, value.into()),
            Value::I16(value) => self.record_i64(field, value.into()),
            Value::I32(value) => self.record_i64(field, value.into()),
            Value::I64(value) => self.record_i64(field, value),
            Value::I128(value) => self.record_i128(field, value),
            Value::U8(value) => self.record_u64(field, value.into()),
            Value::U16(value) => self.record_u64(field, value.into()),
            Value::U32(value) => self.record_u64(field, value.into()),
            Value::U64(value) => self.record_u64(field, value),
            Value::U128(value) => self.record_u128(field, value),
            Value::String(value) => self.record_str(field, value),
            Value::Error(value) => self.record_error(field, value),
            value => self.record_debug(field, &crate::json(&valuable_serde::Serializable::new(value))),
        }
    }
}

/// Takes text up to a limit and refuses the rest.
struct LimitedText<'a, 'b> {
    capture: &'a mut Capture<'b>,
    end: usize,
    refused: u64,
    /// The number of calls that added no text.
    refusals: u32,
}

impl Write for LimitedText<'_, '_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.capture.scratch.bytes.len());
        if self.refused == 0 && text.len() <= room && !text.is_empty() {
            append(self.capture.out(), text.as_bytes());
            return Ok(());
        }
        self.refuse(text)
    }
}

impl LimitedText<'_, '_> {
    #[cold]
    fn refuse(&mut self, text: &str) -> fmt::Result {
        let start = self.capture.scratch.bytes.len();
        let room = match self.refused {
            0 => {
                let before = self.capture.end;
                self.capture.make_room(text.len());
                if self.capture.end > before {
                    self.end = self.end.max(self.capture.end);
                }
                self.end.saturating_sub(start)
            }
            _ => 0,
        };
        let fitting = prefix(text, room);
        self.capture.out().extend_from_slice(fitting.as_bytes());
        self.refused += (text.len() - fitting.len()) as u64;
        self.refusals += u32::from(fitting.is_empty());
        if self.refusals > MAX_REFUSALS && cfg!(panic = "unwind") {
            // Not a panic: no hook runs and nothing is printed. `formatted` catches it.
            self.refused += 1;
            std::panic::resume_unwind(Box::new("the text is longer than a line may be"));
        }
        if self.refused > 0 { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The longest text or error that is added to undeclared fields; the capture of a span or event cuts further.
const MAX_UNDECLARED_BYTES: usize = 1 << 20;

/// Adds a value to fields that no call site declares. An error is formatted here.
pub(crate) fn add_undeclared(fields: &mut UndeclaredFields, name: &str, value: &FieldValue<'_>) {
    let mut scratch = Scratch::default();
    match &value.0 {
        Source::None => {}
        Source::Value(value) => fields.put(name, value),
        Source::Text(text) => fields.put(name, &Value::Str(text)),
        Source::Bytes(bytes) => fields.put(name, &Value::Bytes(bytes)),
        Source::Error(_) | Source::OwnedError(_) => {
            Capture::new(&mut scratch, MAX_UNDECLARED_BYTES).named_value(name, value);
            fields.extend(&scratch.bytes);
        }
    }
}
