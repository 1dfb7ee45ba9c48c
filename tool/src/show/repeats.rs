//! The fields that a request's lines share.

use std::mem;

/// Of more fields, only those at the same place are compared, so that time stays linear.
const FEW: usize = 32;

/// Knows the fields of the line before, if it belongs to the same request.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    /// The request or the trace of the line before.
    id: Vec<u8>,
    last: Fields,
    next: Fields,
    is_same: bool,
}

/// Names and values, one behind the other.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fields {
    bytes: Vec<u8>,
    /// Where each name and each value end.
    ends: Vec<(usize, usize)>,
    /// What tells most fields from each other, compared first.
    marks: Vec<u64>,
}

/// Equal ones mark the same fields of the next line.
impl PartialEq for Repeats {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.next == other.next
    }
}

impl Repeats {
    /// Begins a line. `id`: its request or its trace; empty if it has neither.
    pub(super) fn begin(&mut self, id: &[u8]) {
        mem::swap(&mut self.last, &mut self.next);
        self.next.bytes.clear();
        self.next.ends.clear();
        self.next.marks.clear();
        self.is_same = !id.is_empty() && self.id == id;
        self.id.clear();
        self.id.extend_from_slice(id);
    }

    /// Takes a field. Returns whether the line before has the same.
    pub(super) fn is_repeated(&mut self, name: &str, value: &[u8]) -> bool {
        if self.id.is_empty() {
            return false;
        }
        let place = self.next.ends.len();
        self.next.bytes.extend_from_slice(name.as_bytes());
        let middle = self.next.bytes.len();
        self.next.bytes.extend_from_slice(value);
        self.next.ends.push((middle, self.next.bytes.len()));
        let mark = mark(name, value);
        self.next.marks.push(mark);
        if !self.is_same {
            return false;
        }
        if self.last.marks.len() > FEW {
            return self.last.is(place, name.as_bytes(), value);
        }
        // Most differ in their marks.
        self.last.marks.contains(&mark)
            && (0..self.last.ends.len()).any(|place| self.last.is(place, name.as_bytes(), value))
    }
}

/// Returns a number that is the same for the same field.
fn mark(name: &str, value: &[u8]) -> u64 {
    let end = value.last_chunk().map_or(0, |end| u32::from_ne_bytes(*end));
    (value.len() as u64) << 40 ^ (name.len() as u64) << 32 ^ u64::from(end)
}

impl Fields {
    /// Returns whether there is this field at a place.
    fn is(&self, place: usize, name: &[u8], value: &[u8]) -> bool {
        let Some((middle, end)) = self.ends.get(place).copied() else { return false };
        if self.bytes.get(middle..end) != Some(value) {
            return false;
        }
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |(_, end)| *end);
        self.bytes.get(start..middle) == Some(name)
    }
}
