//! Lines for a command that counts: those that are there, as inputs of a pass over all of them, and then those that come.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use spanline::Error;
use spanline::read::{Follow, Log, PlainFile};

use super::places::Places;
use super::signals::Stop;
use super::source::Source;
use super::wait::wait;
use crate::entry::{Entry, Parser};
use crate::inputs::is_passed;
use crate::log_paths::expanded;
use crate::report::Report;
use crate::scan::{Input, Place, parser_behind};

/// How many lines of a source are read at once.
const LINES: usize = 1000;

/// Lines as they come, of all logs and of stdin. Each line is either of the inputs or of these, and never of both.
pub(crate) struct Feed {
    places: Places,
    sources: Vec<Source>,
    stop: Stop,
    /// The number of the first source among the inputs.
    first: usize,
    /// The number of the next line.
    number: u64,
    /// The source that is read first.
    turn: usize,
    is_over: bool,
}

impl Feed {
    /// Opens logs and stdin. Returns what is there, too. The signals that end it no longer end the process by themselves; if
    /// one `kills`, the second does.
    ///
    /// # Errors
    /// The system refuses to pass on signals.
    pub(crate) fn open(paths: &[PathBuf], kills: bool, report: &mut Report) -> io::Result<(Self, Vec<Input>)> {
        let default = [PathBuf::from(if is_passed() { "-" } else { "." })];
        let paths = if paths.is_empty() { &default } else { paths };
        let paths: Vec<PathBuf> = expanded(paths, report).into_iter().map(PathBuf::from).collect();
        let stop = Stop::new(kills)?;
        let mut inputs = Vec::new();
        let (places, sources) = Places::open_each(&paths, |log| behind(log, &mut inputs), report);
        let first = inputs.len();
        Ok((Self { places, sources, stop, first, number: 0, turn: 0, is_over: false }, inputs))
    }

    /// Returns what a signal sets.
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        self.stop.flag()
    }

    /// Passes on what has come, until `take` returns that it wants no more now. Returns whether more is there.
    pub(crate) fn read(&mut self, report: &mut Report, mut take: impl FnMut(&Entry<'_>, Place) -> bool) -> bool {
        self.sources.extend(self.places.look(Instant::now(), report));
        let mut is_busy = false;
        let mut line = Vec::new();
        let (behind, before) = (self.turn..self.sources.len(), 0..self.turn.min(self.sources.len()));
        for number in behind.chain(before) {
            let Some(source) = self.sources.get_mut(number) else { continue };
            let mut count = 0;
            while count < LINES && source.next(&mut line, report) {
                let wants_more = take(&source.entry(&line), Place { input: self.first + number, at: self.number });
                self.number += 1;
                count += 1;
                if !wants_more {
                    // A source that always has lines must not keep the others waiting.
                    self.turn = number + 1;
                    return true;
                }
            }
            is_busy |= count == LINES;
        }
        is_busy
    }

    /// Returns whether stdin has lines.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.sources.iter().any(|source| !source.is_log())
    }

    /// Returns whether nothing more comes: a signal has arrived, stdin has ended and nothing else is read, or stdout has no
    /// reader.
    pub(crate) fn is_over(&mut self) -> bool {
        let is_ended = || self.sources.iter().all(Source::is_ended) && !self.places.is_open();
        self.is_over || self.stop.is_set() || is_ended()
    }

    /// Waits until something can be read, files are to be looked at again, or `timeout` is over. Returns whether there is
    /// something to read from `keys`.
    ///
    /// # Errors
    /// The system refuses to wait.
    pub(crate) fn wait(&mut self, timeout: Duration, keys: Option<BorrowedFd<'_>>) -> io::Result<bool> {
        let woken = wait(&mut self.sources, timeout, keys)?;
        self.is_over |= woken.is_gone;
        Ok(woken.has_keys)
    }

    /// Reads what has arrived in pipes, and ends them.
    pub(crate) fn close(&mut self, report: &mut Report) {
        self.sources.iter_mut().for_each(|source| source.close(report));
    }

    /// Returns how many files were begun since it was opened.
    pub(crate) fn files(&self) -> u64 {
        self.sources.iter().map(Source::files).sum()
    }
}

/// Follows a log from its end, and adds what is before it to the inputs.
fn behind(log: Log, inputs: &mut Vec<Input>) -> Result<(Follow, Parser), Error> {
    let listed = log.segments()?;
    let follow = Follow::after(log, &listed)?;
    let mut positions = follow.positions();
    let parser = positions.last().map(|(file, position)| parser_behind(file, *position)).unwrap_or_default();
    for segment in listed {
        let place = positions.iter().position(|(file, _)| file.path() == segment.path());
        let (file, position): (PlainFile, u64) = match place {
            Some(place) => positions.swap_remove(place),
            None => {
                inputs.push(Input::Segment(segment));
                continue;
            }
        };
        inputs.push(Input::Start(file, position));
    }
    Ok((follow, parser))
}
