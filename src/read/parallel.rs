//! The lines of sealed segments that several processes have written at the same time, such as a parent and its forked children:
//! merged by time.
//!
//! The segments of one chain follow each other. Of those that are open, the line with the earliest time comes first. A segment
//! is opened once the others have come to its beginning, so few are open at once.

use std::collections::HashSet;

use super::decode::Key;
use super::sealed;
use super::segment::Segment;
use super::segment_lines::SegmentLines;
use crate::error::Error;
use crate::sealed::{Place, SegmentId};

/// Merges segments.
pub(super) struct Parallel {
    key: Key,
    max_line_bytes: usize,
    /// Segments that are not open yet, in their order.
    waiting: Vec<Planned>,
    open: Vec<Ahead>,
    /// Those that are waiting or open.
    unread: HashSet<SegmentId>,
    /// The one of the line or error returned last.
    last: Option<Segment>,
    /// What was returned last is the line of the open segment at this place.
    returned: Option<usize>,
}

/// A segment that is not open yet.
struct Planned {
    segment: Segment,
    /// `None`: it is not sealed, or its header cannot be read.
    place: Option<Place>,
    /// When it was begun, but not before the one that it follows in its chain.
    begun: i64,
}

/// An open segment, and what it returns next.
struct Ahead {
    segment: Segment,
    place: Option<Place>,
    lines: SegmentLines,
    next: Ready,
}

enum Ready {
    Unknown,
    Line { time: i64 },
    Failed(Error),
}

impl Parallel {
    /// Looks at the headers of segments; `None` if each follows the one before it in the list, as far as it is there.
    pub(super) fn find(segments: &[Segment], key: &Key, max_line_bytes: usize) -> Option<Self> {
        if segments.len() < 2 {
            return None;
        }
        let places: Vec<_> = segments.iter().map(sealed::place).collect();
        let sealed: Vec<_> = places.iter().flatten().collect();
        let is_there = |id: SegmentId| sealed.iter().any(|place| place.id == id);
        // One that follows a missing one stands where that one stood.
        let follows = |place: &Place, before: &Place| {
            place.previous.is_some_and(|previous| previous == before.id || !is_there(previous))
        };
        if sealed.windows(2).all(|pair| matches!(pair, [before, place] if follows(place, before))) {
            return None;
        }
        let mut waiting: Vec<Planned> = Vec::new();
        for (segment, place) in segments.iter().zip(places) {
            let named = place.and_then(|place| place.previous_in_chain());
            let previous = waiting.iter().find(|planned| named.is_some() && planned.place.map(|it| it.id) == named);
            // Where nothing is known, the place in the list counts.
            let earliest =
                if place.is_some() { previous } else { waiting.last() }.map_or(i64::MIN, |before| before.begun);
            let begun = place.map_or(earliest, |place| place.begun.max(earliest));
            waiting.push(Planned { segment: segment.clone(), place, begun });
        }
        waiting.sort_by_key(|planned| planned.begun);
        let unread = waiting.iter().filter_map(|planned| Some(planned.place?.id)).collect();
        let (open, last, returned) = (Vec::new(), None, None);
        Some(Self { key: key.clone(), max_line_bytes, waiting, open, unread, last, returned })
    }

    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>, Error> {
        if let Some(ahead) = self.returned.take().and_then(|place| self.open.get_mut(place)) {
            ahead.next = Ready::Unknown;
        }
        loop {
            self.read_ahead();
            let times = self.open.iter().enumerate().map(|(place, ahead)| (ahead.time(), place));
            let first = times.min();
            if let Some(place) = self.due(first.map(|(time, _)| time)) {
                self.begin(place)?;
                continue;
            }
            let Some((_, place)) = first else { return Ok(None) };
            let Some(ahead) = self.open.get_mut(place) else { return Ok(None) };
            if self.last.as_ref().is_none_or(|last| !last.is_same_file(&ahead.segment)) {
                self.last = Some(ahead.segment.clone());
            }
            if let Ready::Failed(_) = ahead.next
                && let Ready::Failed(error) = std::mem::replace(&mut ahead.next, Ready::Unknown)
            {
                return Err(error);
            }
            self.returned = Some(place);
            return Ok(self.open.get(place).map(|ahead| ahead.lines.line()));
        }
    }

    /// Makes sure that each open segment has its next line or error. Lets go of those that have none.
    fn read_ahead(&mut self) {
        let unread = &mut self.unread;
        self.open.retain_mut(|ahead| {
            let is_open = ahead.read();
            if let Some(place) = ahead.place.filter(|_| !is_open) {
                unread.remove(&place.id);
            }
            is_open
        });
    }

    /// Returns the waiting segment that has to be opened now. `first`: the time of the earliest line of the open ones.
    fn due(&self, first: Option<i64>) -> Option<usize> {
        let follows_unread = |planned: &Planned| {
            let previous = planned.place.and_then(|place| place.previous_in_chain());
            previous.is_some_and(|previous| self.unread.contains(&previous))
        };
        let place = self.waiting.iter().position(|planned| !follows_unread(planned));
        match first {
            // Headers that name each other in a circle are forged.
            None => place.or(if self.waiting.is_empty() { None } else { Some(0) }),
            Some(first) => place.filter(|place| self.waiting.get(*place).is_some_and(|planned| planned.begun <= first)),
        }
    }

    fn begin(&mut self, place: usize) -> Result<(), Error> {
        let Planned { segment, place, .. } = self.waiting.remove(place);
        match SegmentLines::open(&segment, Some(&self.key), self.max_line_bytes) {
            Ok(lines) => self.open.push(Ahead { segment, place, lines, next: Ready::Unknown }),
            Err(error) => {
                self.unread.retain(|id| place.is_none_or(|place| place.id != *id));
                self.last = Some(segment);
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn is_torn(&self) -> bool {
        self.returned.and_then(|place| self.open.get(place)).is_some_and(|ahead| ahead.lines.is_torn())
    }

    pub(super) fn segment(&self) -> Option<&Segment> {
        self.last.as_ref()
    }
}

impl Ahead {
    /// Reads the next line, unless it is known. Returns false at the end.
    fn read(&mut self) -> bool {
        if let Ready::Unknown = self.next {
            self.next = match self.lines.advance() {
                // What is not sealed has no times, and comes at once.
                Ok(true) => Ready::Line { time: self.lines.time().unwrap_or(i64::MIN) },
                Ok(false) => return false,
                Err(error) => Ready::Failed(error),
            };
        }
        true
    }

    fn time(&self) -> i64 {
        match self.next {
            Ready::Line { time } => time,
            Ready::Unknown | Ready::Failed(_) => i64::MIN,
        }
    }
}
