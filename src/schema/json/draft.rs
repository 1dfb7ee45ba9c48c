//! Writes JSON through a small buffer of fixed size: the fast way to a line.
//!
//! Appending to a `Vec` costs a copy call and a capacity check for each of the twenty-odd pieces of a line. Here, a key
//! is copied as a block of constant size, whatever its length. A text is copied eight bytes at a time, and the same
//! words are searched for characters that need an escape. The next piece overwrites what is not needed of the last
//! block. Long pieces, and texts that need escapes, go to the line itself.

use super::Form;
use super::escape::{HIGH, put_escaped, unplain};
use super::value::put_value;
use crate::record::{Raw, UNSEALED, Value};

/// Larger than the head and the fields of nearly every line; a longer line is flushed several times.
const BYTES: usize = 768;

/// A prepared key with everything around it: `,"user_id":`.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    block: [u8; BLOCK],
    length: usize,
    /// The bytes, if they do not fit into the block.
    long: Option<Box<[u8]>>,
}

const BLOCK: usize = 32;

impl Piece {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        let long = match block.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                None
            }
            None => Some(bytes.into()),
        };
        Self { block, length: bytes.len(), long }
    }
}

/// The memory of a [`Draft`].
pub(crate) struct DraftBytes([u8; BYTES]);

impl Default for DraftBytes {
    fn default() -> Self {
        Self([0; BYTES])
    }
}

impl std::fmt::Debug for DraftBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DraftBytes")
    }
}

/// An object being written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opened {
    /// Where its key begins.
    pub(crate) start: usize,
    /// Where its first member begins.
    pub(crate) inside: usize,
    /// Whether it stays when it has no members.
    pub(crate) is_required: bool,
}

/// What is being appended to `out`. Only [`finish`](Self::finish) guarantees that all of it is there.
pub(crate) struct Draft<'a> {
    bytes: &'a mut [u8; BYTES],
    length: usize,
    out: &'a mut Vec<u8>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(bytes: &'a mut DraftBytes, out: &'a mut Vec<u8>) -> Self {
        Self { bytes: &mut bytes.0, length: 0, out }
    }

    /// Returns the length of the line so far.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.out.len() + self.length
    }

    /// Appends what is still in the buffer.
    #[inline]
    pub(crate) fn finish(mut self) {
        self.flush();
    }

    #[inline]
    fn flush(&mut self) {
        self.out.extend_from_slice(self.bytes.get(..self.length).unwrap_or_default());
        self.length = 0;
    }

    #[cold]
    fn put_at_once(&mut self, bytes: &[u8]) {
        self.flush();
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn put_piece(&mut self, piece: &Piece) {
        if let Some(long) = &piece.long {
            return self.put_at_once(long);
        }
        match self.bytes.get_mut(self.length..self.length + BLOCK) {
            Some(place) => {
                place.copy_from_slice(&piece.block);
                self.length += piece.length;
            }
            None => self.put_at_once(piece.block.get(..piece.length).unwrap_or_default()),
        }
    }

    /// Appends bytes as they are.
    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.length..self.length + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.put_at_once(bytes),
        }
    }

    /// Appends a few bytes as they are, such as a number or a key.
    #[inline]
    pub(crate) fn put_short(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.length..self.length + bytes.len()) {
            Some(place) => {
                copy::<false>(place, bytes);
                self.length += bytes.len();
            }
            None => self.put_at_once(bytes),
        }
    }

    /// Appends a text as a JSON string.
    #[inline]
    pub(crate) fn put_text(&mut self, text: &[u8]) {
        if let Some([open, place @ .., close]) = self.bytes.get_mut(self.length..self.length + text.len() + 2)
            && copy::<true>(place, text)
        {
            (*open, *close) = (b'"', b'"');
            self.length += text.len() + 2;
        } else {
            self.put_text_at_once(text);
        }
    }

    #[cold]
    fn put_text_at_once(&mut self, text: &[u8]) {
        debug_assert!(std::str::from_utf8(text).is_ok(), "captured from a `str`");
        self.flush();
        self.out.push(b'"');
        put_escaped(self.out, text);
        self.out.push(b'"');
    }

    /// Appends a value in a form, see [`Form`].
    pub(crate) fn put_formed(&mut self, raw: Raw<'_>, form: Form) {
        match (form, raw) {
            (Form::Json, raw) => self.put_raw(raw),
            (Form::Text | Form::Except(..), Raw::Text(text)) => self.put_text(text),
            (Form::Except(is, _), Raw::Value(value)) if !is(&value) => self.put_value(&value),
            (Form::Bare(is_plain, _), Raw::Text(text)) if is_plain(text) => self.put_short(text),
            (Form::Bare(..), Raw::Value(value)) if is_simple(&value) => self.put_value(&value),
            (Form::Text, Raw::Value(value)) if is_simple(&value) => {
                self.put(b"\"");
                self.put_value(&value);
                self.put(b"\"");
            }
            (form, raw) => self.put_otherwise(&raw.value(), form),
        }
    }

    #[inline(never)]
    fn put_otherwise(&mut self, value: &Value<'_>, form: Form) {
        form.put(value, self.out());
    }

    /// Ends an object or a list. `open`: what takes the place of the first separator, if anything does. Without members it
    /// is removed, unless it is required.
    pub(crate) fn end_object(&mut self, object: Opened, open: Option<u8>, close: &[u8]) {
        let before = self.out.len();
        let comma = match object.inside.checked_sub(before) {
            Some(inside) => self.bytes.get_mut(..self.length).and_then(|bytes| bytes.get_mut(inside)),
            None => self.out.get_mut(object.inside),
        };
        match comma {
            Some(first) => {
                *first = open.unwrap_or(*first);
                self.put(close);
            }
            None if object.is_required => {
                self.put(open.as_slice());
                self.put(close);
            }
            None => self.truncate(object.start),
        }
    }

    /// Removes what was appended behind a length of the line.
    pub(crate) fn truncate(&mut self, length: usize) {
        match length.checked_sub(self.out.len()) {
            Some(rest) => self.length = rest.min(self.length),
            None => {
                self.out.truncate(length);
                self.length = 0;
            }
        }
    }

    /// Appends a value of the captured form.
    #[inline(always)]
    pub(crate) fn put_raw(&mut self, raw: Raw<'_>) {
        match raw {
            Raw::Text(text) => self.put_text(text),
            Raw::Sealed(_) => self.put_text(UNSEALED.as_bytes()),
            Raw::Value(value) => self.put_value(&value),
        }
    }

    /// Appends a value.
    #[inline(always)]
    fn put_value(&mut self, value: &Value<'_>) {
        match *value {
            Value::U64(number) => self.put_short(itoa::Buffer::new().format(number).as_bytes()),
            Value::I64(number) => self.put_short(itoa::Buffer::new().format(number).as_bytes()),
            Value::Bool(true) => self.put(b"true"),
            Value::Bool(false) => self.put(b"false"),
            Value::F64(number) if number.is_finite() => {
                self.put_short(zmij::Buffer::new().format_finite(number).as_bytes());
            }
            Value::Str(text) => self.put_text(text.as_bytes()),
            _ => {
                self.flush();
                put_value(self.out, value);
            }
        }
    }

    /// Returns the line itself, for other ways to append.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        self.flush();
        self.out
    }
}

/// Returns whether a value is a number or a boolean that JSON has.
#[inline(always)]
fn is_simple(value: &Value<'_>) -> bool {
    match value {
        Value::U64(_) | Value::I64(_) | Value::Bool(_) => true,
        Value::F64(number) => number.is_finite(),
        _ => false,
    }
}

/// Copies `from` to `to`, which have the same length. With `SEARCH`, returns false if a byte needs an escape in JSON.
/// Words overlap at the end when the length is not a multiple of theirs.
#[inline]
fn copy<const SEARCH: bool>(to: &mut [u8], from: &[u8]) -> bool {
    let mut found = 0;
    let mut see = |word: u64| found |= if SEARCH { unplain(word) } else { 0 };
    if let (Some(last), Some(place)) = (from.last_chunk::<8>(), to.last_chunk_mut::<8>()) {
        see(u64::from_le_bytes(*last));
        *place = *last;
        for (place, word) in to.as_chunks_mut::<8>().0.iter_mut().zip(from.as_chunks::<8>().0) {
            see(u64::from_le_bytes(*word));
            *place = *word;
        }
    } else if let (Some(first), Some(last)) = (from.first_chunk::<4>(), from.last_chunk::<4>()) {
        see(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)));
        if let Some(place) = to.first_chunk_mut::<4>() {
            *place = *first;
        }
        if let Some(place) = to.last_chunk_mut::<4>() {
            *place = *last;
        }
    } else {
        for (place, byte) in to.iter_mut().zip(from) {
            *place = *byte;
            see(u64::from_le_bytes([*byte; 8]));
        }
    }
    found & HIGH == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::json::put_str;

    proptest! {
        #[test]
        fn a_draft_gives_the_same_bytes_as_appending(
            texts in proptest::collection::vec((any::<String>(), "[ -~]{0,60}", 0usize..1200), 0..20),
            numbers in any::<(u64, i64, u64, bool)>(),
        ) {
            let (mut drafted, mut appended) = (b"before".to_vec(), b"before".to_vec());
            let mut bytes = DraftBytes::default();
            let mut draft = Draft::new(&mut bytes, &mut drafted);
            for (any, plain, length) in &texts {
                let long = "x".repeat(*length);
                for text in [any, plain, &long] {
                    draft.put_piece(&Piece::new(text.as_bytes()));
                    draft.put(text.as_bytes());
                    draft.put_text(text.as_bytes());
                    appended.extend_from_slice(text.as_bytes());
                    appended.extend_from_slice(text.as_bytes());
                    put_str(&mut appended, text);
                }
                let (unsigned, signed, bits, on) = numbers;
                for value in [
                    Value::U64(unsigned),
                    Value::I64(signed),
                    Value::F64(f64::from_bits(bits)),
                    Value::F64(f64::NAN),
                    Value::Bool(on),
                    Value::U128(u128::MAX),
                ] {
                    draft.put_raw(Raw::Value(value));
                    put_value(&mut appended, &value);
                }
            }
            draft.finish();
            prop_assert_eq!(drafted, appended);
        }
    }
}
