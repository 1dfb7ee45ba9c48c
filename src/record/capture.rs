//! Writes the binary form on the thread that logs.
//!
//! Only `Debug`, `Display` and errors become text here, because they are borrowed. That is the user's code: it may
//! panic, fail, log, or never end. A panic is caught and leaves `"<panicked>"`, a failure `"<format error>"`; text
//! beyond the limit is refused with an error, and code that goes on writing all the same is unwound. No lock and no
//! thread-local is held meanwhile.

use std::any::Any;
use std::error::Error;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::field::{Field, Visit};

use super::form::{self, kind};
use super::json;

const PANICKED: &[u8] = b"<panicked>";
const FAILED: &[u8] = b"<format error>";

/// Sources of one error that are kept; a chain that goes round in a circle ends here.
const MAX_SOURCES: usize = 64;

/// Refused writes after which code that ignores the error is unwound.
const MAX_REFUSALS: u32 = 1_000;

/// A field keeps at least this many bytes of its text, also when the record is full.
const MIN_TEXT_BYTES: usize = 64;

/// Visits fields and appends them to a buffer.
#[derive(Debug)]
pub(crate) struct Capture<'b> {
    out: &'b mut Vec<u8>,
    /// Where the buffer should end at the latest.
    end: usize,
    /// Bytes of text that did not fit.
    refused: u64,
}

impl<'b> Capture<'b> {
    /// Captures into `out`, texts cut so that they do not pass `max_bytes` in all.
    pub(crate) fn new(out: &'b mut Vec<u8>, max_bytes: usize) -> Self {
        let end = out.len().saturating_add(max_bytes);
        Self { out, end, refused: 0 }
    }

    /// Adds the thread that logs.
    pub(crate) fn thread(&mut self, id: u64, name: &str) {
        let name = super::value::prefix(name, 255);
        self.out.extend_from_slice(&[form::THREAD, kind::BYTES]);
        self.out.extend_from_slice(&(name.len() as u32 + 8).to_le_bytes());
        self.out.extend_from_slice(&id.to_le_bytes());
        self.out.extend_from_slice(name.as_bytes());
    }

    /// Ends the record: says what was cut, if anything was.
    pub(crate) fn finish(self) {
        if self.refused > 0 {
            self.out.push(form::CUT);
            form::put(self.out, kind::U64, &self.refused.to_le_bytes());
        }
    }

    #[inline]
    fn key(&mut self, field: &Field) {
        let index = field.index();
        if index <= form::MAX_INDEX {
            self.out.push(index as u8);
        } else {
            let name = super::value::prefix(form::plain_name(field.name()), usize::from(u16::MAX));
            self.out.push(form::NAMED);
            self.out.extend_from_slice(&(name.len() as u16).to_le_bytes());
            self.out.extend_from_slice(name.as_bytes());
        }
    }

    /// Appends key, kind and payload in one go where the key is an index, as it nearly always is.
    #[inline]
    fn fixed<const BYTES: usize>(&mut self, field: &Field, kind: u8, payload: [u8; BYTES]) {
        if field.index() > form::MAX_INDEX {
            self.key(field);
            return form::put(self.out, kind, &payload);
        }
        let mut bytes = [0; 18];
        let (head, tail) = bytes.split_at_mut(2);
        head.copy_from_slice(&[field.index() as u8, kind]);
        if let Some(place) = tail.get_mut(..BYTES) {
            place.copy_from_slice(&payload);
        }
        self.out.extend_from_slice(bytes.get(..2 + BYTES).unwrap_or_default());
    }

    /// Bytes of text that the next value may have.
    #[inline]
    fn room(&self) -> usize {
        self.end.saturating_sub(self.out.len()).max(MIN_TEXT_BYTES)
    }

    /// Appends the text that `format` writes, with its length before it; true when it is whole.
    fn formatted(&mut self, format: impl FnOnce(&mut Limited<'_>) -> fmt::Result) -> bool {
        let end = self.out.len() + 4 + self.room();
        self.out.extend_from_slice(&[0; 4]);
        let start = self.out.len();
        let mut limited = Limited { out: self.out, end, refused: 0, refusals: 0 };
        let result = catch_unwind(AssertUnwindSafe(|| format(&mut limited)));
        let refused = limited.refused;
        self.refused += refused;
        let placeholder = match result {
            _ if refused > 0 => None,
            Ok(Ok(())) => None,
            Ok(Err(fmt::Error)) => Some(FAILED),
            Err(_) => Some(PANICKED),
        };
        if let Err(payload) = result {
            discard(payload);
        }
        if let Some(placeholder) = placeholder {
            self.out.truncate(start);
            self.out.extend_from_slice(placeholder);
        }
        let length = (self.out.len() - start) as u32;
        if let Some(prefix) = self.out.get_mut(start - 4..start) {
            prefix.copy_from_slice(&length.to_le_bytes());
        }
        refused == 0 && placeholder.is_none()
    }

    #[inline]
    fn long(&mut self, kind: u8, payload: &[u8]) {
        form::put_long(self.out, kind, payload);
    }
}

impl Visit for Capture<'_> {
    #[inline]
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fixed(field, kind::F64, value.to_le_bytes());
    }

    #[inline]
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fixed(field, kind::I64, value.to_le_bytes());
    }

    #[inline]
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fixed(field, kind::U64, value.to_le_bytes());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.fixed(field, kind::I128, value.to_le_bytes());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.fixed(field, kind::U128, value.to_le_bytes());
    }

    #[inline]
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fixed(field, if value { kind::TRUE } else { kind::FALSE }, []);
    }

    #[inline]
    fn record_str(&mut self, field: &Field, value: &str) {
        self.key(field);
        let kept = super::value::prefix(value, self.room());
        self.refused += (value.len() - kept.len()) as u64;
        self.long(kind::STR, kept.as_bytes());
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.key(field);
        let kept = value.get(..self.room()).unwrap_or(value);
        self.refused += (value.len() - kept.len()) as u64;
        self.long(kind::BYTES, kept);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.key(field);
        self.out.extend_from_slice(&[kind::ERROR, 0, 0, 0, 0]);
        let start = self.out.len();
        let mut next = Some(value);
        for _ in 0..=MAX_SOURCES {
            let Some(error) = next else { break };
            self.formatted(|out| write!(out, "{error}"));
            next = catch_unwind(AssertUnwindSafe(|| error.source())).unwrap_or_else(|payload| {
                discard(payload);
                None
            });
        }
        let length = (self.out.len() - start) as u32;
        if let Some(prefix) = self.out.get_mut(start - 4..start) {
            prefix.copy_from_slice(&length.to_le_bytes());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.key(field);
        let tag = self.out.len();
        self.out.push(kind::STR);
        json::forget();
        let whole = self.formatted(|out| write!(out, "{value:?}"));
        if whole
            && json::wrote() == Some(self.out.len() - tag - 5)
            && let Some(tag) = self.out.get_mut(tag)
        {
            *tag = kind::JSON;
        }
    }
}

/// Takes text up to a limit and refuses the rest.
struct Limited<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
    refused: u64,
    refusals: u32,
}

impl Write for Limited<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.out.len());
        if self.refused == 0 && text.len() <= room {
            self.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        self.refuse(text, room)
    }
}

impl Limited<'_> {
    #[cold]
    fn refuse(&mut self, text: &str, room: usize) -> fmt::Result {
        let kept = if self.refused == 0 { super::value::prefix(text, room) } else { "" };
        self.out.extend_from_slice(kept.as_bytes());
        self.refused += (text.len() - kept.len()) as u64;
        self.refusals += 1;
        if self.refusals > MAX_REFUSALS && cfg!(panic = "unwind") {
            // Not a panic, so no hook runs and nothing is printed; caught in `formatted`.
            std::panic::resume_unwind(Box::new("the text is longer than a line may be"));
        }
        Err(fmt::Error)
    }
}

/// Drops what a panic carried; its own `Drop` is the user's code too.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}
