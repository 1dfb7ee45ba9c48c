//! The lines that are kept, within bounds.

use std::collections::VecDeque;

use crate::entry::{Entry, Form, Parser};

/// More lines are not kept: filtering them takes too long to be done at each key.
const MAX_LINES: usize = 10_000;

/// Nor do they take more memory, in bytes. One line is kept always.
const MAX_BYTES: usize = 16 << 20;

/// A line.
#[derive(Debug)]
pub(super) struct Line {
    /// Grows with each line.
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) form: Form,
    /// The id of its request, else that of its trace.
    pub(super) group: Option<String>,
    /// For people, with colours.
    pub(super) text: String,
}

/// The newest lines.
#[derive(Debug, Default)]
struct Newest {
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Newest {
    fn push(&mut self, line: Line) {
        self.bytes += line.size();
        self.lines.push_back(line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES && self.lines.len() > 1 {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.size());
        }
    }
}

impl Line {
    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + self.text.len() + self.group.as_ref().map_or(0, String::len)
    }
}

/// The lines that can be shown, and those that have come during a pause.
#[derive(Debug, Default)]
pub(super) struct Kept {
    shown: Newest,
    /// `None`: there is no pause.
    behind: Option<Newest>,
    /// How many lines have come during the pause.
    new: u64,
    /// The number of the next line.
    next: u64,
}

impl Kept {
    /// Keeps a line. Returns whether it can be shown.
    pub(super) fn push(&mut self, entry: &Entry<'_>, group: Option<String>, text: String) -> bool {
        let line = Line { number: self.next, bytes: entry.line().to_vec(), form: entry.form(), group, text };
        self.next += 1;
        match &mut self.behind {
            Some(behind) => {
                self.new += 1;
                behind.push(line);
            }
            None => self.shown.push(line),
        }
        self.behind.is_none()
    }

    /// Begins or ends a pause.
    pub(super) fn pause(&mut self) {
        self.new = 0;
        match self.behind.take() {
            Some(behind) => behind.lines.into_iter().for_each(|line| self.shown.push(line)),
            None => self.behind = Some(Newest::default()),
        }
    }

    /// Returns how many lines have come during the pause; `None` if there is none.
    pub(super) fn paused(&self) -> Option<u64> {
        self.behind.as_ref().map(|_| self.new)
    }

    pub(super) fn len(&self) -> usize {
        self.shown.lines.len()
    }

    /// Returns the lines that can be shown, oldest first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.shown.lines.iter()
    }

    /// Returns the number of the oldest line.
    pub(super) fn first(&self) -> u64 {
        self.shown.lines.front().map_or(self.next, |line| line.number)
    }

    pub(super) fn line(&self, number: u64) -> Option<&Line> {
        let place = self.shown.lines.binary_search_by_key(&number, |line| line.number).ok()?;
        self.shown.lines.get(place)
    }
}

/// Reads kept lines again.
pub(super) struct Readers {
    text: Parser,
    logfmt: Parser,
    pipe: Parser,
}

impl Readers {
    pub(super) fn new() -> Self {
        let [text, logfmt, pipe] = [Form::Text, Form::Logfmt, Form::Pipe].map(Parser::settled_on);
        Self { text, logfmt, pipe }
    }

    pub(super) fn entry<'e>(&'e mut self, line: &'e Line) -> Entry<'e> {
        let parser = match line.form {
            Form::Logfmt => &mut self.logfmt,
            Form::Pipe => &mut self.pipe,
            _ => &mut self.text,
        };
        parser.read(&line.bytes);
        parser.entry(&line.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(kept: &mut Kept, bytes: &[u8]) {
        let mut parser = Parser::default();
        parser.read(bytes);
        kept.push(&parser.entry(bytes), None, String::new());
    }

    #[test]
    fn the_newest_lines_are_kept_within_bounds() {
        let mut kept = Kept::default();
        for _ in 0..MAX_LINES + 7 {
            push(&mut kept, b"x");
        }
        assert_eq!((kept.len(), kept.first()), (MAX_LINES, 7));
        assert!(kept.line(6).is_none() && kept.line(7).is_some());
        for _ in 0..3 {
            push(&mut kept, &vec![b'x'; MAX_BYTES]);
        }
        assert_eq!(kept.len(), 1);
    }

    #[test]
    fn lines_of_a_pause_are_shown_after_it() {
        let mut kept = Kept::default();
        push(&mut kept, b"a");
        kept.pause();
        for _ in 0..MAX_LINES + 1 {
            push(&mut kept, b"b");
        }
        assert_eq!((kept.len(), kept.paused()), (1, Some(MAX_LINES as u64 + 1)));
        kept.pause();
        assert_eq!((kept.len(), kept.paused(), kept.first()), (MAX_LINES, None, 2));
        assert!(kept.line(1).is_none() && kept.line(2).is_some());
    }
}
