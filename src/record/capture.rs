//! Writes the binary form on the thread that logs.
//!
//! Only `Debug`, `Display` and errors become text here, because they are borrowed. That is the user's code: it may
//! panic, fail, log, or never end. A panic is caught and leaves `"<panicked>"`, a failure `"<format error>"`; text
//! beyond the limit is refused with an error, and code that goes on writing all the same is unwound. No lock and no
//! thread-local is held meanwhile.

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::field::{Field, Visit};

use super::form::{self, kind};
use super::json;
use super::kind::Kind;
use super::value::Value;
use crate::context::Dynamic;

const PANICKED: &[u8] = b"<panicked>";
const FAILED: &[u8] = b"<format error>";

/// Sources of one error that are kept; a chain that goes round in a circle ends here.
const MAX_SOURCES: usize = 64;

/// Writes that get the text no further, refused or empty, after which code that never ends is unwound.
const MAX_REFUSALS: u32 = 100_000;

/// A field keeps at least this many bytes of its text, also when the record is full.
const MIN_TEXT_BYTES: usize = 64;

/// So much is captured without asking; more is asked for in steps of at least this.
const SMALL_BYTES: usize = 32 * 1024;

/// All threads together hold no more than this beyond [`SMALL_BYTES`] each while they capture, unless one alone needs
/// more: it is not the queue's memory, so it has to be small.
const MAX_LARGE_BYTES: usize = 2 << 20;

/// What is held of that.
static LARGE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// In a forked child: the parent's other threads hold nothing here.
pub(crate) fn begin_anew() {
    LARGE_BYTES.store(0, Ordering::Relaxed);
}

/// The buffer a record is captured into.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    /// What it holds of [`LARGE_BYTES`].
    granted: usize,
}

impl Scratch {
    /// Uses a buffer that was used before.
    #[inline]
    pub(crate) fn new(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self { bytes, granted: 0 }
    }

    /// The captured fields.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The buffer for the next record; none when it has become too large to be kept.
    #[inline]
    pub(crate) fn into_kept(mut self) -> Option<Vec<u8>> {
        let kept = self.granted == 0 && self.bytes.capacity() <= SMALL_BYTES;
        kept.then(|| std::mem::take(&mut self.bytes))
    }

    #[cold]
    fn grant(&mut self, bytes: usize) -> bool {
        let taken = LARGE_BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            (held == 0 || held.saturating_add(bytes) <= MAX_LARGE_BYTES).then(|| held.saturating_add(bytes))
        });
        self.granted += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }
}

impl Drop for Scratch {
    #[inline]
    fn drop(&mut self) {
        if self.granted > 0 {
            // The memory goes first, then somebody else may have it.
            drop(std::mem::take(&mut self.bytes));
            let back = |held: usize| Some(held.saturating_sub(self.granted));
            let _ = LARGE_BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
        }
    }
}

/// Visits fields and appends them to a buffer.
#[derive(Debug)]
pub(crate) struct Capture<'b> {
    scratch: &'b mut Scratch,
    /// Where the buffer should end at the latest.
    end: usize,
    /// Where it may end if all threads together are not capturing too much.
    last_end: usize,
    /// Bytes of the present field's text that did not fit.
    refused: u64,
}

impl<'b> Capture<'b> {
    /// Captures into `scratch`, texts cut so that they do not pass `max_bytes` in all.
    #[inline]
    pub(crate) fn new(scratch: &'b mut Scratch, max_bytes: usize) -> Self {
        let start = scratch.bytes.len();
        let end = start.saturating_add(max_bytes.min(SMALL_BYTES));
        Self { scratch, end, last_end: start.saturating_add(max_bytes), refused: 0 }
    }

    /// Adds the thread that logs.
    pub(crate) fn thread(&mut self, id: u64, name: &str) {
        let name = super::value::prefix(name, 255);
        self.out().extend_from_slice(&[form::THREAD, kind::BYTES]);
        self.out().extend_from_slice(&(name.len() as u32 + 8).to_le_bytes());
        self.out().extend_from_slice(&id.to_le_bytes());
        self.out().extend_from_slice(name.as_bytes());
    }

    /// Adds the calls that led here.
    pub(crate) fn backtrace(&mut self, text: &str) {
        self.out().push(form::BACKTRACE);
        let kept = super::value::prefix(text, self.make_room(text.len()));
        self.long(kind::STR, kept.as_bytes(), text.len());
    }

    /// Adds a field that no call site declares.
    pub(crate) fn named(&mut self, name: &str, value: &Value<'_>) {
        let kept = value.cut_to(self.make_room(value.text_bytes()));
        self.refused += value.text_bytes().saturating_sub(kept.text_bytes()) as u64;
        form::put_named(&mut self.scratch.bytes, name, &kept);
        self.end_text();
    }

    /// Adds a field that no call site declares, as the text that `value` writes.
    #[cfg(feature = "log")]
    pub(crate) fn named_text(&mut self, name: &str, value: &dyn fmt::Display) {
        form::put_name(self.out(), name);
        self.out().push(kind::STR);
        self.formatted(|out| write!(out, "{value}"));
        self.end_text();
    }

    /// Adds a field that no call site declares, as an error with its sources.
    #[cfg(feature = "log")]
    pub(crate) fn named_error(&mut self, name: &str, value: &(dyn Error + 'static)) {
        form::put_name(self.out(), name);
        self.error(value);
    }

    /// Adds fields that were captured before.
    #[cfg(feature = "log")]
    pub(crate) fn captured(&mut self, fields: &Scratch) {
        self.out().extend_from_slice(&fields.bytes);
    }

    /// Adds fields that came as one.
    #[cold]
    #[inline(never)]
    fn dynamic(&mut self, fields: &Dynamic) {
        fields.iter().for_each(|(name, value)| self.named(name, &value));
    }

    /// Says that so many bytes of the field before did not fit.
    #[cfg(feature = "log")]
    pub(crate) fn cut(&mut self, refused: u64) {
        self.refused += refused;
        self.end_text();
    }

    /// Says behind a field what was cut of it.
    #[inline]
    fn end_text(&mut self) {
        if self.refused > 0 {
            self.scratch.bytes.push(form::CUT);
            form::put(&mut self.scratch.bytes, kind::U64, &self.refused.to_le_bytes());
            self.refused = 0;
        }
    }

    #[inline]
    fn key(&mut self, field: &Field) {
        let index = field.index();
        if index <= form::MAX_INDEX {
            self.out().push(index as u8);
        } else {
            self.key_by_name(field);
        }
    }

    #[cold]
    fn key_by_name(&mut self, field: &Field) {
        form::put_name(self.out(), form::plain_name(field.name()));
    }

    /// Appends key, kind and payload in one go where the key is an index, as it nearly always is.
    #[inline]
    fn fixed<const BYTES: usize>(&mut self, field: &Field, kind: u8, payload: [u8; BYTES]) {
        if field.index() > form::MAX_INDEX {
            self.key(field);
            return form::put(self.out(), kind, &payload);
        }
        let mut bytes = [0; 18];
        let (head, tail) = bytes.split_at_mut(2);
        head.copy_from_slice(&[field.index() as u8, kind]);
        if let Some(place) = tail.get_mut(..BYTES) {
            place.copy_from_slice(&payload);
        }
        self.out().extend_from_slice(bytes.get(..2 + BYTES).unwrap_or_default());
    }

    /// Bytes of text that the next value may have.
    #[inline]
    fn room(&self) -> usize {
        self.end.saturating_sub(self.scratch.bytes.len()).max(MIN_TEXT_BYTES)
    }

    /// The same, with an attempt to make it as much as `wanted`.
    #[inline]
    fn make_room(&mut self, wanted: usize) -> usize {
        let free = self.end.saturating_sub(self.scratch.bytes.len());
        if wanted > free && self.last_end > self.end {
            let step = (wanted - free).max(SMALL_BYTES).min(self.last_end - self.end);
            self.end += if self.scratch.grant(step) { step } else { 0 };
        }
        self.room()
    }

    /// Appends the text that `format` writes, with its length before it; true when it is whole.
    fn formatted(&mut self, format: impl FnOnce(&mut Limited<'_, 'b>) -> fmt::Result) -> bool {
        self.out().extend_from_slice(&[0; 4]);
        let start = self.out().len();
        let end = start + self.room();
        let mut limited = Limited { capture: self, end, refused: 0, refusals: 0 };
        let result = guarded(|| format(&mut limited));
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

    /// Appends the name of an error's type, with its length before it; empty when it tells none.
    fn error_kind(&mut self, error: &dyn Error) {
        let mut kind = Kind::default();
        let result = guarded(|| write!(kind, "{error:?}"));
        let name = match &result {
            Ok(_) => kind.name().unwrap_or_default(),
            Err(_) => "",
        };
        self.out().extend_from_slice(&(name.len() as u32).to_le_bytes());
        self.out().extend_from_slice(name.as_bytes());
        if let Err(payload) = result {
            discard(payload);
        }
    }

    /// Appends the texts of an error and of its sources.
    fn error(&mut self, value: &(dyn Error + 'static)) {
        self.out().extend_from_slice(&[kind::ERROR, 0, 0, 0, 0]);
        let start = self.out().len();
        self.error_kind(value);
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
    fn long(&mut self, kind: u8, payload: &[u8], whole: usize) {
        self.refused += (whole - payload.len()) as u64;
        form::put_long(&mut self.scratch.bytes, kind, payload);
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
        let free = self.end.saturating_sub(self.scratch.bytes.len());
        if value.len() < free && field.index() <= form::MAX_INDEX {
            let [a, b, c, d] = (value.len() as u32).to_le_bytes();
            let out = self.out();
            out.reserve(6 + value.len());
            out.extend_from_slice(&[field.index() as u8, kind::STR, a, b, c, d]);
            form::append(out, value.as_bytes());
            return;
        }
        self.key(field);
        let kept = super::value::prefix(value, self.make_room(value.len()));
        self.long(kind::STR, kept.as_bytes(), value.len());
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.key(field);
        let kept = value.get(..self.make_room(value.len())).unwrap_or(value);
        self.long(kind::BYTES, kept, value.len());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if let Some(fields) = value.downcast_ref::<Dynamic>() {
            return self.dynamic(fields);
        }
        self.key(field);
        self.error(value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.key(field);
        let tag = self.out().len();
        self.out().push(kind::STR);
        json::forget();
        let whole = self.formatted(|out| write!(out, "{value:?}"));
        if whole
            && json::wrote() == Some(self.out().len() - tag - 5)
            && let Some(tag) = self.out().get_mut(tag)
        {
            *tag = kind::JSON;
        }
        self.end_text();
    }
}

/// Takes text up to a limit and refuses the rest.
struct Limited<'a, 'b> {
    capture: &'a mut Capture<'b>,
    end: usize,
    refused: u64,
    /// Calls that got the text no further.
    refusals: u32,
}

impl Write for Limited<'_, '_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.capture.scratch.bytes.len());
        if self.refused == 0 && text.len() <= room && !text.is_empty() {
            form::append(self.capture.out(), text.as_bytes());
            return Ok(());
        }
        self.refuse(text)
    }
}

impl Limited<'_, '_> {
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
        let kept = super::value::prefix(text, room);
        self.capture.out().extend_from_slice(kept.as_bytes());
        self.refused += (text.len() - kept.len()) as u64;
        self.refusals += u32::from(kept.is_empty());
        if self.refusals > MAX_REFUSALS && cfg!(panic = "unwind") {
            // Not a panic, so no hook runs and nothing is printed; caught in `formatted`.
            self.refused += 1;
            std::panic::resume_unwind(Box::new("the text is longer than a line may be"));
        }
        if self.refused > 0 { Err(fmt::Error) } else { Ok(()) }
    }
}

thread_local! {
    /// Values being captured on this thread, one inside the other.
    static FORMATTING: Cell<u32> = const { Cell::new(0) };
}

/// Whether the user's code runs on this thread to have a value captured: should it panic, that is caught.
pub(crate) fn is_formatting() -> bool {
    FORMATTING.try_with(Cell::get).is_ok_and(|depth| depth > 0)
}

/// Runs the user's code; a panic comes back as its payload.
#[inline]
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| {
        let _formatting = Formatting::enter();
        run()
    }))
}

/// The panic hook runs before this is dropped.
struct Formatting;

impl Formatting {
    #[inline]
    fn enter() -> Self {
        let _ = FORMATTING.try_with(|depth| depth.set(depth.get().wrapping_add(1)));
        Self
    }
}

impl Drop for Formatting {
    #[inline]
    fn drop(&mut self) {
        let _ = FORMATTING.try_with(|depth| depth.set(depth.get().wrapping_sub(1)));
    }
}

/// Drops what a panic carried; its own `Drop` is the user's code too.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = guarded(|| drop(payload)) {
        std::mem::forget(again);
    }
}
