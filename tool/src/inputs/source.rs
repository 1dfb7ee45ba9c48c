//! One log, or stdin: its lines in order.

use spanline::read::{Lines, Segment};
use spanline::record::Timestamp;

use super::stdin::StdinLines;
use super::stored::Stored;
use crate::entry::{Entry, Parser, Request};
use crate::report::Report;
use crate::scan::Passed;
use crate::sealed::Key;

/// A longer line counts by its first bytes.
pub(super) use crate::scan::MAX_LINE_BYTES;

/// The lines of one log, one at a time.
pub(crate) struct Source {
    lines: Feed,
    /// The line that was read last.
    line: Vec<u8>,
    parser: Parser,
    /// The records of an export request of OTLP that are not returned yet, and its line.
    request: Request,
    request_line: Vec<u8>,
    /// The time of the last line that has one, in nanoseconds since 1970.
    time: i64,
    /// How many lines were longer than [`MAX_LINE_BYTES`].
    cut_lines: u64,
}

enum Feed {
    Log(Box<Lines>),
    Stdin(StdinLines),
    Stored(Box<dyn Stored>),
}

impl Source {
    pub(super) fn log(lines: Lines) -> Self {
        Self::new(Feed::Log(Box::new(lines.max_line_bytes(MAX_LINE_BYTES).cut_long_lines())))
    }

    pub(super) fn stdin(key: Option<&Key>) -> Self {
        Self::new(Feed::Stdin(StdinLines::new(key)))
    }

    /// Takes lines that an engine or a search returns.
    pub(super) fn stored(lines: impl Stored + 'static) -> Self {
        Self::new(Feed::Stored(Box::new(lines)))
    }

    fn new(lines: Feed) -> Self {
        Self {
            lines,
            line: Vec::new(),
            parser: Parser::default(),
            request: Request::default(),
            request_line: Vec::new(),
            time: i64::MIN,
            cut_lines: 0,
        }
    }

    /// Goes to the next line. Reports what cannot be read before it. Returns false at the end.
    pub(super) fn advance(&mut self, report: &mut Report) -> bool {
        loop {
            if self.advance_in_request() {
                return true;
            }
            let read = match &mut self.lines {
                Feed::Log(lines) => match lines.next_line() {
                    Ok(Some(line)) => {
                        self.line.clear();
                        self.line.extend_from_slice(line);
                        self.parser.written(lines.segment().and_then(Segment::written_at).map(Timestamp::as_nanos));
                        Ok((true, lines.is_cut()))
                    }
                    Ok(None) => Ok((false, false)),
                    Err(error) => {
                        report.check::<(), _>(Err(error));
                        continue;
                    }
                },
                Feed::Stdin(stdin) => stdin.read(&mut self.line).map(|is_line| (is_line, stdin.is_cut())),
                Feed::Stored(stored) => stored.read(&mut self.line).map(|read| {
                    let Some(line) = read else { return (false, false) };
                    self.parser.settle(line.settled);
                    self.parser.stored(line.own_time);
                    self.time = line.time.unwrap_or(i64::MIN);
                    (true, line.is_cut)
                }),
            };
            match read {
                Ok((true, is_cut)) => {
                    self.cut_lines += u64::from(is_cut);
                    if self.request.open(&self.line) {
                        std::mem::swap(&mut self.line, &mut self.request_line);
                        continue;
                    }
                    if is_cut {
                        self.parser.read_cut(&self.line);
                    } else {
                        self.parser.read(&self.line);
                    }
                    return true;
                }
                Ok((false, _)) => return false,
                Err(why) => report.failure(&why),
            }
        }
    }

    /// Goes to the next record of a request. Returns false if there is none.
    fn advance_in_request(&mut self) -> bool {
        let Some((record, _)) = self.request.next(&self.request_line) else { return false };
        self.line.clear();
        self.line.extend_from_slice(record);
        self.parser.read(&self.line);
        true
    }

    /// Returns how many lines so far were longer than [`MAX_LINE_BYTES`].
    pub(super) fn cut_lines(&self) -> u64 {
        self.cut_lines + self.passed().cut
    }

    /// Returns how many lines were counted, instead of being returned.
    pub(super) fn counted(&self) -> u64 {
        match &self.lines {
            Feed::Log(_) | Feed::Stdin(_) => 0,
            Feed::Stored(stored) => stored.counted(),
        }
    }

    /// Returns how many lines were read and not returned.
    pub(super) fn passed(&self) -> Passed {
        match &self.lines {
            Feed::Log(_) | Feed::Stdin(_) => Passed::default(),
            Feed::Stored(stored) => stored.passed(),
        }
    }

    /// Returns whether the next line can be read at once.
    pub(super) fn is_ready(&self) -> bool {
        match &self.lines {
            _ if self.request.is_open() => true,
            Feed::Log(_) => true,
            Feed::Stdin(stdin) => stdin.is_ready(),
            Feed::Stored(stored) => stored.is_ready(),
        }
    }

    /// Returns the line that was read last.
    pub(super) fn entry(&self) -> Entry<'_> {
        self.parser.entry(&self.line)
    }

    /// Returns where the line belongs: at its time, or behind the line before.
    pub(super) fn place(&mut self) -> i64 {
        if let Some(time) = self.entry().time() {
            self.time = time;
        }
        self.time
    }
}
