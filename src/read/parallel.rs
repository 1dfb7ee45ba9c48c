//! The lines of sealed segments that several processes have written at the same time, such as a parent and its forked children:
//! merged by time.
//!
//! The segments of one chain follow each other, and a chain that was begun after another had ended follows that. Of the
//! segments that are open, the line with the earliest time comes first. A segment is opened once the others have come to its
//! beginning, so few are open at once.

use std::collections::{HashMap, HashSet};

use super::decode::Key;
use super::sealed;
use super::segment::Segment;
use super::segment_lines::{Longest, SegmentLines};
use crate::error::Error;
use crate::sealed::{Place, SegmentId};

/// No more segments are open at once: a process may have few descriptors. The others come later.
const MOST_OPEN: usize = 128;

/// Merges segments.
pub(super) struct Parallel {
    key: Key,
    longest: Longest,
    /// Segments that are not open yet, in their order.
    waiting: Vec<Planned>,
    open: Vec<Ahead>,
    /// Those that are waiting or open.
    unread: HashSet<SegmentId>,
    /// The waiting one that is opened next.
    next: Option<usize>,
    /// The one of the line or error returned last.
    last: Option<Segment>,
    /// What was returned last is the line of the open segment at this place.
    returned: Option<usize>,
    is_torn: bool,
    is_cut: bool,
}

/// A segment that is not open yet.
struct Planned {
    segment: Segment,
    /// `None`: it is not sealed, or its header cannot be read.
    place: Option<Place>,
    /// The segment that it follows.
    previous: Option<SegmentId>,
    /// When it was begun, but not before the one that it follows.
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
    pub(super) fn find(segments: &[Segment], key: &Key, longest: Longest) -> Option<Self> {
        if segments.len() < 2 {
            return None;
        }
        let places: Vec<_> = segments.iter().map(sealed::place).collect();
        let sealed: Vec<_> = places.iter().flatten().collect();
        let all: HashSet<_> = sealed.iter().map(|place| place.id).collect();
        let follows = |place: &Place, before: &Place| {
            place.previous.is_some_and(|previous| {
                let (chain, number) = before.id;
                // One that is missing stood between them.
                previous == before.id || (previous.0 == chain && previous.1 > number && !all.contains(&previous))
            })
        };
        if sealed.windows(2).all(|pair| matches!(pair, [before, place] if follows(place, before))) {
            return None;
        }
        let continued: HashSet<_> = sealed.iter().filter_map(|place| place.previous_in_chain()).collect();
        let mut begun_at: HashMap<SegmentId, i64> = HashMap::new();
        let mut waiting: Vec<Planned> = Vec::new();
        for (segment, place) in segments.iter().zip(places) {
            // A forked child names the newest segment, too, but its parent goes on.
            let is_after = |place: &Place, id: &SegmentId| place.id.0 == id.0 || !continued.contains(id);
            let previous = place.and_then(|place| place.previous.filter(|id| is_after(&place, id)));
            let earliest = match place {
                Some(_) => previous.and_then(|previous| begun_at.get(&previous).copied()),
                // Where nothing is known, the place in the list counts.
                None => waiting.last().map(|before| before.begun),
            };
            let earliest = earliest.unwrap_or(i64::MIN);
            let begun = place.map_or(earliest, |place| place.begun.max(earliest));
            begun_at.extend(place.map(|place| (place.id, begun)));
            waiting.push(Planned { segment: segment.clone(), place, previous, begun });
        }
        waiting.sort_by_key(|planned| planned.begun);
        let mut merged = Self {
            key: key.clone(),
            longest,
            waiting,
            open: Vec::new(),
            unread: all,
            next: None,
            last: None,
            returned: None,
            is_torn: false,
            is_cut: false,
        };
        merged.find_next();
        Some(merged)
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
            self.is_torn = ahead.lines.is_torn();
            self.is_cut = ahead.lines.is_cut();
            self.returned = Some(place);
            return Ok(self.open.get(place).map(|ahead| ahead.lines.line()));
        }
    }

    /// Makes sure that each open segment has its next line or error. Lets go of those that have none.
    fn read_ahead(&mut self) {
        let (unread, open) = (&mut self.unread, self.open.len());
        self.open.retain_mut(|ahead| {
            let is_open = ahead.read();
            if let Some(place) = ahead.place.filter(|_| !is_open) {
                unread.remove(&place.id);
            }
            is_open
        });
        if self.open.len() < open {
            self.find_next();
        }
    }

    /// Returns the waiting segment that has to be opened now. `first`: the time of the earliest line of the open ones.
    fn due(&self, first: Option<i64>) -> Option<usize> {
        match first {
            // Headers that name each other in a circle are forged.
            None => self.next.or(if self.waiting.is_empty() { None } else { Some(0) }),
            Some(first) => {
                let is_due = |place: &usize| self.waiting.get(*place).is_some_and(|planned| planned.begun <= first);
                self.next.filter(|place| self.open.len() < MOST_OPEN && is_due(place))
            }
        }
    }

    /// Looks for the first waiting segment that follows none which is still to be read.
    fn find_next(&mut self) {
        let is_free = |planned: &Planned| planned.previous.is_none_or(|previous| !self.unread.contains(&previous));
        self.next = self.waiting.iter().position(is_free);
    }

    fn begin(&mut self, place: usize) -> Result<(), Error> {
        let Planned { segment, place, .. } = self.waiting.remove(place);
        let opened = SegmentLines::open(&segment, Some(&self.key), self.longest);
        let result = match opened {
            Ok(lines) => {
                self.open.push(Ahead { segment, place, lines, next: Ready::Unknown });
                Ok(())
            }
            Err(error) => {
                self.unread.retain(|id| place.is_none_or(|place| place.id != *id));
                self.last = Some(segment);
                Err(error)
            }
        };
        self.find_next();
        result
    }

    pub(super) fn is_torn(&self) -> bool {
        self.is_torn
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
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
