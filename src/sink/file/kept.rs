//! Copies of the bytes that were written since the last sync.
//!
//! After a failed `fsync` the system may drop what it could not write, and a later success proves nothing about it. So
//! these bytes are written again, to a new segment. The copies are kept only while someone syncs: before the first sync,
//! a small limit applies.

/// What is kept before the first sync: a batch of a program that logs little.
const FIRST_BYTES: usize = 64 << 10;

/// What is kept between two syncs. It bounds the memory.
const MAX_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    /// Everything since the last sync is here.
    is_complete: bool,
    /// Writing again has failed as well. It is not tried anew before a sync succeeds.
    pub(super) is_hopeless: bool,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), limit: FIRST_BYTES, is_complete: true, is_hopeless: false }
    }

    /// Adds what was written. `continues`: it is the rest of the line that was written last.
    pub(super) fn push(&mut self, bytes: &[u8], continues: bool) {
        if !self.is_complete {
            return;
        }
        // A line that was begun is written again from its start, or ended, when something came between.
        let fits = self.bytes.len().saturating_add(bytes.len()) <= self.limit;
        if fits && continues != self.is_line_end() {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.is_complete = false;
            self.bytes = Vec::new();
        }
    }

    /// Takes the lines to write again; `None` if something is missing, or if that failed before.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let is_usable = self.is_complete && self.is_line_end() && !self.is_hopeless;
        is_usable.then(|| std::mem::take(&mut self.bytes))
    }

    /// Starts anew after a sync, whatever became of it.
    pub(super) fn settle(&mut self) {
        // A line that was begun stays incomplete.
        self.is_complete = self.is_line_end();
        self.bytes.clear();
        self.bytes.shrink_to(FIRST_BYTES);
        self.limit = MAX_BYTES;
    }

    fn is_line_end(&self) -> bool {
        self.bytes.last().is_none_or(|byte| *byte == b'\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pushes: &[(&str, bool)]) -> Option<String> {
        let mut kept = Kept::new();
        pushes.iter().for_each(|(text, continues)| kept.push(text.as_bytes(), *continues));
        kept.take().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn whole_lines_are_kept_and_nothing_torn() {
        assert_eq!(taken(&[]).as_deref(), Some(""));
        assert_eq!(taken(&[("a\n", false), ("b", false), ("c\n", true)]).as_deref(), Some("a\nbc\n"));
        assert_eq!(taken(&[("a\nb", false)]), None);
        assert_eq!(taken(&[("a\nb", false), ("bc\n", false)]), None, "written from its start again");
        assert_eq!(taken(&[("c\n", true)]), None, "its beginning is missing");
        assert_eq!(taken(&[("a\n", false), ("c\n", true)]), None);
    }

    #[test]
    fn the_limit_grows_with_the_first_sync() {
        let mut kept = Kept::new();
        let line = [&[b'x'; 99][..], b"\n"].concat();
        let fill = |kept: &mut Kept, bytes: usize| (0..bytes / 100).for_each(|_| kept.push(&line, false));
        fill(&mut kept, FIRST_BYTES + 100);
        assert_eq!(kept.take(), None);
        kept.settle();
        fill(&mut kept, FIRST_BYTES + 100);
        assert!(kept.take().is_some());
        kept.settle();
        fill(&mut kept, MAX_BYTES + 100);
        assert_eq!((kept.take(), kept.bytes.capacity()), (None, 0));
    }
}
