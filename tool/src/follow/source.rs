//! One log, stdin, or a pipe of the command: its lines in order.

use std::os::fd::BorrowedFd;

use spanline::read::{Follow, Followed};
use spanline::record::Timestamp;

use super::pipe::Pipe;
use crate::entry::{Entry, Parser, Request};
use crate::escape::escaped;
use crate::report::{Report, with_sources};
use crate::scan::MAX_LINE_BYTES;

/// How much of a line is read: one byte more than counts tells that it is longer.
pub(super) const LONGEST: usize = MAX_LINE_BYTES + 1;

/// A source of lines.
pub(super) struct Source {
    feed: Feed,
    /// Reads each line when it comes, for its time.
    parser: Parser,
    /// Reads each line again when it is printed.
    again: Parser,
    /// The records of an export request of OTLP that are not returned yet, and its line.
    request: Request,
    request_line: Vec<u8>,
    /// The latest time so far, in nanoseconds since 1970.
    time: Option<i64>,
    /// The last error, which is reported once.
    problem: Option<String>,
}

enum Feed {
    Log(Box<Follow>),
    Pipe(Pipe),
}

impl Source {
    /// `again`: what reads the first line.
    pub(super) fn log(follow: Follow, again: Parser) -> Self {
        let follow = follow.max_line_bytes(LONGEST).cut_long_lines();
        Self { again, ..Self::new(Feed::Log(Box::new(follow))) }
    }

    pub(super) fn pipe(pipe: Pipe) -> Self {
        Self::new(Feed::Pipe(pipe))
    }

    fn new(feed: Feed) -> Self {
        Self {
            feed,
            parser: Parser::default(),
            again: Parser::default(),
            request: Request::default(),
            request_line: Vec::new(),
            time: None,
            problem: None,
        }
    }

    /// Reads the next line, or record of a request; false if there is none by now. Reports what cannot be read before it.
    pub(super) fn next(&mut self, line: &mut Vec<u8>, report: &mut Report) -> bool {
        loop {
            if let Some((record, _)) = self.request.next(&self.request_line) {
                line.clear();
                line.extend_from_slice(record);
                return true;
            }
            if !self.next_line(line, report) {
                return false;
            }
            if !self.request.open(line) {
                return true;
            }
            std::mem::swap(line, &mut self.request_line);
        }
    }

    fn next_line(&mut self, line: &mut Vec<u8>, report: &mut Report) -> bool {
        // A source without an end of errors must not stop the others.
        for _ in 0..100 {
            let failed = match &mut self.feed {
                Feed::Log(follow) => match follow.poll() {
                    Ok(Some(Followed::Line(text))) => {
                        line.clear();
                        line.extend_from_slice(text);
                        self.problem = None;
                        return true;
                    }
                    Ok(Some(Followed::Truncated { is_copied })) => {
                        if !is_copied {
                            let path = escaped(follow.path());
                            report.note(&format!("{path} was truncated; lines before that may be missing"));
                        }
                        continue;
                    }
                    Ok(_) => return false,
                    Err(error) => with_sources(&error),
                },
                Feed::Pipe(pipe) => match pipe.next(line) {
                    Ok(is_line) => return is_line,
                    Err(why) => why,
                },
            };
            if self.problem.as_ref() == Some(&failed) {
                return false;
            }
            report.failure(&failed);
            self.problem = Some(failed);
        }
        false
    }

    /// Returns where the line belongs: at its time, or behind the line before. In a source without times, at this moment.
    pub(super) fn place(&mut self, line: &[u8]) -> i64 {
        let time = read(&mut self.parser, line).time();
        self.time = self.time.max(time);
        self.time.unwrap_or_else(|| Timestamp::now().as_nanos())
    }

    /// Returns the entry of a line, which are read again in their order. A long line counts by its first bytes.
    pub(super) fn entry<'e>(&'e mut self, line: &'e [u8]) -> Entry<'e> {
        read(&mut self.again, line)
    }

    /// Returns how many files it has begun to read; 1 for a pipe.
    pub(super) fn files(&self) -> u64 {
        match &self.feed {
            Feed::Log(follow) => follow.files(),
            Feed::Pipe(_) => 1,
        }
    }

    pub(super) fn is_log(&self) -> bool {
        matches!(self.feed, Feed::Log(_))
    }

    /// Returns whether it has no more lines, ever, except those that were read.
    pub(super) fn is_ended(&self) -> bool {
        matches!(&self.feed, Feed::Pipe(pipe) if pipe.is_ended()) && !self.request.is_open()
    }

    /// Returns what to wait for.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.feed {
            Feed::Log(_) => None,
            Feed::Pipe(pipe) => pipe.descriptor(),
        }
    }

    /// Notes that something can be read.
    pub(super) fn ready(&mut self) {
        if let Feed::Pipe(pipe) = &mut self.feed {
            pipe.ready();
        }
    }

    /// Reads what is in a pipe, and ends it. Its last line may lack its newline.
    pub(super) fn close(&mut self, report: &mut Report) {
        if let Feed::Pipe(pipe) = &mut self.feed
            && let Err(why) = pipe.close()
        {
            report.failure(&why);
        }
    }
}

/// Returns the entry of a line, or of the part of it that counts.
fn read<'e>(parser: &'e mut Parser, line: &'e [u8]) -> Entry<'e> {
    let counts = line.get(..MAX_LINE_BYTES).unwrap_or(line);
    parser.read_line(counts, counts.len() < line.len());
    parser.entry(counts)
}
