//! One line as the sink sees it.

use tracing::Level;

use super::buffer::Lines;
use super::chunk::{Chunk, Entry, State};
use crate::record::{SpanId, Timestamp, TraceId, is_relayed};

/// One rendered line, or what is left of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Line<'a> {
    /// The line's number in its output. Ids increase; a gap means nothing.
    pub id: u64,
    /// The bytes not yet taken, including the newline at the end.
    pub bytes: &'a [u8],
    /// The level of the event.
    pub level: Level,
    /// When the event happened.
    pub time: Timestamp,
    /// The target of the event: a module path unless the call site sets another. `None` for a line that an
    /// [appender](crate::Output::appender) made. For records of the `log` crate it is their own target only with
    /// [`Profile::columns`](super::super::Profile::columns), and `log` otherwise.
    pub target: Option<&'a str>,
    /// The ids, where the sink asked for them with [`Profile::columns`](super::super::Profile::columns).
    pub columns: Option<&'a Columns>,
    /// Another program made the record, and says when.
    pub(crate) is_relayed: bool,
    /// Written by the log about itself, or the rest of a dropped line: no book counts it.
    #[cfg_attr(not(feature = "spool"), allow(dead_code))]
    pub(crate) is_notice: bool,
}

/// What a database wants to know of a line besides its text.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Columns {
    /// The trace that the event is in.
    pub trace_id: Option<TraceId>,
    /// The span that the event is in.
    pub span_id: Option<SpanId>,
    /// The request that the event is in.
    pub request_id: Option<Box<str>>,
    /// The value of the field that the sink asked for with [`Profile::field`](super::super::Profile::field), as text: that
    /// of the event, else of the innermost span that has the field, else of a static field.
    pub field: Option<Box<str>>,
    /// The target that a record of the `log` crate carries itself.
    pub(crate) log_target: Option<Box<str>>,
}

impl Columns {
    pub(super) fn resident_bytes(&self) -> usize {
        let texts = [&self.request_id, &self.field, &self.log_target];
        size_of::<Self>() + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
    }
}

impl<'a> Line<'a> {
    pub(super) fn of(chunk: &'a Chunk, index: usize, entry: &'a Entry, start: usize) -> Self {
        let columns = chunk.columns.get(index);
        let log_target = columns.and_then(|columns| columns.log_target.as_deref());
        Self {
            id: chunk.first_id + index as u64,
            bytes: chunk.bytes.get(start..entry.end).unwrap_or_default(),
            level: entry.level,
            time: entry.time,
            target: log_target.or_else(|| entry.meta.map(|meta| meta.target())),
            columns,
            is_relayed: entry.meta.is_some_and(is_relayed),
            is_notice: entry.counted() == 0,
        }
    }
}

/// Lines in order. Made by [`Lines::iter`] and [`Lines::iter_in_flight`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    lines: &'a Lines,
    chunk: usize,
    index: usize,
    /// Where the first line begins, when its beginning was taken already.
    cursor: Option<usize>,
    state: State,
    end_id: u64,
}

impl<'a> Iter<'a> {
    pub(super) fn offered(lines: &'a Lines) -> Self {
        let next = lines.next;
        let cursor = Some(lines.cursor);
        Self { lines, chunk: next.chunk, index: next.index, cursor, state: State::Offered, end_id: lines.offer_end }
    }

    pub(super) fn in_flight(lines: &'a Lines) -> Self {
        Self { lines, chunk: 0, index: 0, cursor: None, state: State::InFlight, end_id: u64::MAX }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        loop {
            let chunk = self.lines.chunks.get(self.chunk)?;
            let Some(entry) = chunk.entries.get(self.index) else {
                self.chunk += 1;
                self.index = 0;
                self.cursor = None;
                continue;
            };
            let index = self.index;
            if chunk.first_id + index as u64 >= self.end_id {
                return None;
            }
            self.index += 1;
            if entry.state == self.state {
                let start = self.cursor.take().unwrap_or_else(|| chunk.start(index));
                return Some(Line::of(chunk, index, entry, start));
            }
            if entry.state != State::OwedNewline {
                self.cursor = None;
            }
        }
    }
}
