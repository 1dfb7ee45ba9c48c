//! The follower: which file is read, and which comes next.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::super::lines::Lines;
use super::super::log::Log;
use super::super::segment::{PlainFile, Segment};
use super::super::segment_lines::{Longest, SegmentLines};
use super::at_hand::AtHand;
use super::copies;
use super::found::{Followed, Found, Last, Leave};
use super::known::Known;
use super::lingering::{LINGER, Lingering};
use super::looked::{Looked, Next};
use super::tail::{Step, Tail};
use crate::error::Error;
use crate::rotation::Compression;

/// How long a write of one line takes at most, once its first bytes are there. Another process writes while this one reads.
const WRITE_TIME: Duration = Duration::from_millis(500);
/// This many listings may be disturbed by rotations before it is an error.
const MAX_DISTURBED: u32 = 20;

/// Returns the lines of a log as they are written.
///
/// It goes on when the log is rotated, by the library or by another program, under any names, and when closed segments are
/// compressed. It waits for a file that was removed to come back. A line is returned once, when its newline is there. A last
/// line without one is returned when the next file begins: [`is_torn`](Self::is_torn).
///
/// After a truncation, it begins anew at the first byte, and returns [`Followed::Truncated`]. A truncation is noticed unless
/// the file has the same last 64 bytes at the same place again.
///
/// There is no thread and no subscription: [`poll`](Self::poll) looks at the files, with one `pread` and one `stat` if
/// nothing is new. The file at hand stays open, so its disk space is freed only when the next file begins. A file that was
/// left stays open for five seconds, for writers that have not noticed the rotation. Their lines come late.
///
/// What is at the log's path for a while and cannot be opened, such as a directory, is reported once. It is tried again every
/// second.
///
/// Memory is bounded by [`max_line_bytes`](Self::max_line_bytes). Sealed logs cannot be followed. A symbolic link is followed
/// once, when the log is opened. Where files have no device and inode, a rotation is taken for a truncation.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use spanline::read::{Follow, Followed, Log};
///
/// # fn main() -> Result<(), spanline::Error> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("orders.log");
/// # std::fs::write(&path, "old\n").unwrap();
/// let mut follow = Follow::from_end(Log::open(&path)?)?;
/// # std::fs::rename(&path, directory.path().join("orders.log.1")).unwrap();
/// # std::fs::write(&path, "new\n").unwrap();
/// match follow.wait(Duration::from_secs(10))? {
///     Some(Followed::Line(line)) => assert_eq!(line, b"new"),
///     Some(_) => println!("truncated: {}", follow.path().display()),
///     None => println!("nothing for ten seconds"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct Follow {
    log: Log,
    known: Known,
    /// The file at hand.
    at_hand: Option<AtHand>,
    /// What comes after it.
    next: VecDeque<Next>,
    /// Files that were left.
    lingering: Lingering,
    /// The line at hand comes after what is late: it may have been written later.
    holds: bool,
    /// Since when the file at hand would be left if its last line were whole.
    torn_since: Option<Instant>,
    /// Where the last line is.
    last: Last,
    longest: Longest,
    interval: Duration,
    looked: Looked,
    /// How many files were begun.
    files: u64,
}

impl Follow {
    /// How often [`wait`](Self::wait) looks at the files unless set: every 100 milliseconds.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_millis(100);

    /// Follows a log from its first line: all segments, then new lines.
    ///
    /// # Errors
    /// The log cannot be listed.
    pub fn from_start(log: Log) -> Result<Self, Error> {
        Self::from_last_bytes(log, u64::MAX)
    }

    /// Follows a log from its last lines: those that begin in the last `bytes` of its files, as they are stored. A compressed
    /// segment is read from its beginning.
    ///
    /// # Errors
    /// The log cannot be listed.
    pub fn from_last_bytes(log: Log, bytes: u64) -> Result<Self, Error> {
        if bytes == 0 {
            return Self::from_end(log);
        }
        let listed = log.segments()?;
        let known = Known::of(&listed);
        let mut rest = bytes;
        let mut next = VecDeque::new();
        // What could not be opened is looked for later.
        for segment in listed.into_iter().rev().filter(|segment| !segment.is_unopened()) {
            if rest == 0 {
                break;
            }
            let is_plain = segment.compression() == Compression::Plain;
            let offset = if is_plain { segment.bytes().saturating_sub(rest) } else { 0 };
            rest = rest.saturating_sub(segment.bytes());
            next.push_front(Next::Segment(segment, offset));
        }
        Ok(Self::new(log, known, next))
    }

    /// Follows a log from its end: only lines that are complete later.
    ///
    /// # Errors
    /// The log cannot be listed, or its active file cannot be read.
    pub fn from_end(log: Log) -> Result<Self, Error> {
        let listed = log.segments()?;
        Self::at_end(log, &listed)
    }

    /// Follows a log behind segments that were listed: what is read of them, up to [`positions`](Self::positions), and what is
    /// returned later, are together all lines, each once.
    ///
    /// `listed`: the latest result of [`Log::segments`].
    ///
    /// # Errors
    /// A file that may grow cannot be read.
    pub fn after(log: Log, listed: &[Segment]) -> Result<Self, Error> {
        let mut follow = Self::at_end(log, listed)?;
        // A writer that has not noticed the last rotation may still write to this one.
        if let Some(last) = listed.iter().rfind(|segment| !segment.is_active() && segment.is_younger_than(LINGER))
            && let Ok((path, Compression::Plain, file)) = last.open_stored()
        {
            follow.lingering.push(Tail::at_end(&path, file, follow.longest)?);
        }
        Ok(follow)
    }

    fn at_end(log: Log, listed: &[Segment]) -> Result<Self, Error> {
        let mut follow = Self::new(log, Known::of(listed), VecDeque::new());
        if let Some(active) = listed.last().filter(|segment| segment.is_active()) {
            let (path, _, file) = active.open_stored()?;
            follow.at_hand = Some(AtHand::Plain(Box::new(Tail::at_end(&path, file, follow.longest)?)));
        }
        Ok(follow)
    }

    fn new(log: Log, known: Known, next: VecDeque<Next>) -> Self {
        Self {
            log,
            known,
            at_hand: None,
            next,
            lingering: Lingering::default(),
            holds: false,
            torn_since: None,
            last: Last::None,
            longest: Longest { bytes: Lines::DEFAULT_MAX_LINE_BYTES, is_cut: false },
            interval: Self::DEFAULT_INTERVAL,
            looked: Looked::default(),
            files: 0,
        }
    }

    /// Sets the longest line, in bytes without its newline; [`Lines::DEFAULT_MAX_LINE_BYTES`] unless set.
    ///
    /// A longer line is skipped and reported as an error, or [cut](Self::cut_long_lines).
    pub fn max_line_bytes(self, bytes: usize) -> Self {
        let longest = Longest { bytes, ..self.longest };
        self.longest(longest)
    }

    /// Returns the first [`max_line_bytes`](Self::max_line_bytes) bytes of a longer line as soon as they are there, and skips
    /// the rest of it. Unless set, all of it is skipped.
    pub fn cut_long_lines(self) -> Self {
        let longest = Longest { is_cut: true, ..self.longest };
        self.longest(longest)
    }

    fn longest(mut self, longest: Longest) -> Self {
        self.longest = longest;
        if let Some(AtHand::Plain(tail)) = &mut self.at_hand {
            tail.set_longest(longest);
        }
        self.lingering.set_longest(longest);
        self
    }

    /// Sets how often [`wait`](Self::wait) looks at the files; [`Self::DEFAULT_INTERVAL`] unless set.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Returns what is new; `None` if nothing is. Lines come in the order written.
    ///
    /// # Blocking
    /// Reads files, and never waits for a writer.
    ///
    /// # Errors
    /// A file cannot be read, a line is too long, or segments were removed before they were read. Following can continue: the
    /// next call returns what comes after it.
    pub fn poll(&mut self) -> Result<Option<Followed<'_>>, Error> {
        Ok(match self.step()? {
            Found::Line => Some(Followed::Line(self.line())),
            Found::Truncated { is_copied } => Some(Followed::Truncated { is_copied }),
            Found::Nothing => None,
        })
    }

    /// Returns what is new, or waits for it; `None` after `timeout`.
    ///
    /// # Blocking
    /// Sleeps for the [`interval`](Self::interval) between two looks, and for `timeout` at most.
    ///
    /// # Errors
    /// As for [`poll`](Self::poll).
    pub fn wait(&mut self, timeout: Duration) -> Result<Option<Followed<'_>>, Error> {
        let begun = Instant::now();
        loop {
            match self.step()? {
                Found::Line => return Ok(Some(Followed::Line(self.line()))),
                Found::Truncated { is_copied } => return Ok(Some(Followed::Truncated { is_copied })),
                Found::Nothing => {}
            }
            let rest = timeout.saturating_sub(begun.elapsed());
            if rest.is_zero() {
                return Ok(None);
            }
            thread::sleep(self.interval.min(rest));
        }
    }

    /// Returns the plain files that may grow, and where each is read on: the line there was not returned.
    pub fn positions(&self) -> Vec<(PlainFile, u64)> {
        let at_hand = self.at_hand.as_ref().and_then(AtHand::tail);
        self.lingering.tails().chain(at_hand).map(Tail::position).collect()
    }

    /// Returns whether the line returned last has no newline: its file was left, and a crash has torn the line.
    pub fn is_torn(&self) -> bool {
        matches!(self.last, Last::AtHand { is_torn: true } | Last::Lingering { is_torn: true })
    }

    /// Returns whether the line returned last was longer, and was cut: see [`cut_long_lines`](Self::cut_long_lines).
    pub fn is_cut(&self) -> bool {
        match self.last {
            Last::Lingering { .. } => self.lingering.is_cut(),
            Last::None | Last::AtHand { .. } => self.at_hand.as_ref().is_some_and(AtHand::is_cut),
        }
    }

    /// Returns how many files were begun so far, without those of [`positions`](Self::positions) at the start.
    pub fn files(&self) -> u64 {
        self.files
    }

    /// Returns the path at which the file of the last line, truncation or error was opened.
    pub fn path(&self) -> &Path {
        let lingering = match self.last {
            Last::Lingering { .. } => self.lingering.path(),
            Last::None | Last::AtHand { .. } => None,
        };
        lingering.or_else(|| self.at_hand.as_ref().map(AtHand::path)).unwrap_or_else(|| self.log.path())
    }

    fn line(&self) -> &[u8] {
        match self.last {
            Last::Lingering { .. } => self.lingering.line(),
            Last::None | Last::AtHand { .. } => self.at_hand.as_ref().map(AtHand::line).unwrap_or_default(),
        }
    }

    fn step(&mut self) -> Result<Found, Error> {
        loop {
            match self.read() {
                Ok(Found::Nothing) => {}
                Ok(found) => return Ok(found),
                Err(error) => {
                    // Behind a line that is too long, reading goes on.
                    if !error.is_rejected() {
                        self.leave_unreadable()?;
                    }
                    return Err(error);
                }
            }
            match self.leave() {
                Leave::Torn => {
                    self.last = Last::AtHand { is_torn: true };
                    return Ok(Found::Line);
                }
                Leave::Later => return self.read_lingering(),
                Leave::Now => {}
            }
            let is_begun = self.begin()?;
            if !is_begun && !self.look()? {
                return self.read_lingering();
            }
        }
    }

    /// Leaves the file at hand if it cannot be read, and another one is next.
    fn leave_unreadable(&mut self) -> Result<(), Error> {
        let Some(AtHand::Plain(tail)) = self.at_hand.as_ref().filter(|_| !self.holds) else { return Ok(()) };
        let refused = AtHand::Refused(tail.path().to_owned(), tail.identity(), Some(tail.file()));
        if !self.next.is_empty() || self.look()? {
            self.at_hand = Some(refused);
        }
        Ok(())
    }

    /// Reads the file at hand.
    fn read(&mut self) -> Result<Found, Error> {
        if self.holds {
            return self.read_held();
        }
        let (is_line, is_torn) = match &mut self.at_hand {
            None | Some(AtHand::Refused(..)) => return Ok(Found::Nothing),
            Some(AtHand::Packed(_, lines)) => (lines.advance()?, lines.is_torn()),
            Some(AtHand::Plain(tail)) => match tail.advance()? {
                Step::Truncated => return Ok(self.truncated()),
                Step::Line if tail.take_filled() => {
                    self.holds = true;
                    return self.read_held();
                }
                step => (step == Step::Line, false),
            },
        };
        self.last = Last::AtHand { is_torn };
        Ok(if is_line { Found::Line } else { Found::Nothing })
    }

    /// Reads what comes late, in files that were left.
    fn read_lingering(&mut self) -> Result<Found, Error> {
        self.last = Last::Lingering { is_torn: false };
        let Some(is_torn) = self.lingering.advance()? else { return Ok(Found::Nothing) };
        self.last = Last::Lingering { is_torn };
        Ok(Found::Line)
    }

    /// Returns what was written to files that were left, and then the line at hand. In this order: a writer of both wrote to
    /// the old one first.
    fn read_held(&mut self) -> Result<Found, Error> {
        if let Found::Line = self.read_lingering()? {
            return Ok(Found::Line);
        }
        self.holds = false;
        self.last = Last::AtHand { is_torn: false };
        Ok(Found::Line)
    }

    /// Goes on in a copy of the truncated file, if there is one, and else at the beginning.
    fn truncated(&mut self) -> Found {
        self.last = Last::AtHand { is_torn: false };
        let Some(AtHand::Plain(mut tail)) = self.at_hand.take() else { return Found::Nothing };
        let copy = copies::find(&mut tail);
        let is_copied = copy.is_some();
        self.at_hand = Some(AtHand::Plain(match copy {
            Some(copy) => {
                self.next.push_front(Next::Tail(tail));
                Box::new(copy)
            }
            None => {
                tail.restart();
                tail
            }
        }));
        // A copy is no later segment.
        if let Ok(listed) = self.log.segments() {
            self.known = Known::of(&listed);
        }
        Found::Truncated { is_copied }
    }

    /// Goes to the torn last line of the file at hand, if another file is next.
    fn leave(&mut self) -> Leave {
        let Some(AtHand::Plain(tail)) = &mut self.at_hand else { return Leave::Now };
        if self.next.is_empty() || !tail.has_rest() {
            return Leave::Now;
        }
        let since = *self.torn_since.get_or_insert_with(Instant::now);
        // A file that was written to long ago is torn for good.
        if since.elapsed() < WRITE_TIME && !tail.is_older_than(WRITE_TIME) {
            return Leave::Later;
        }
        if tail.take_torn() { Leave::Torn } else { Leave::Now }
    }

    /// Begins the next file, if there is one.
    fn begin(&mut self) -> Result<bool, Error> {
        let Some(next) = self.next.pop_front() else { return Ok(false) };
        if let Some(AtHand::Plain(tail)) = self.at_hand.take() {
            self.lingering.push(*tail);
        }
        self.last = Last::None;
        self.torn_since = None;
        let opened = match next {
            Next::Tail(tail) => {
                self.at_hand = Some(AtHand::Plain(tail));
                return Ok(true);
            }
            Next::Segment(segment, offset) => self.open(&segment, offset).map_err(|error| (segment, error)),
        };
        let (at_hand, result) = match opened {
            Ok(opened) => (opened, Ok(true)),
            Err((segment, error)) => {
                let (path, file) = (segment.path().to_owned(), segment.held().cloned());
                (AtHand::Refused(path, segment.identity(), file), Err(error))
            }
        };
        self.at_hand = Some(at_hand);
        self.files += 1;
        result
    }

    fn open(&self, segment: &Segment, offset: u64) -> Result<AtHand, Error> {
        let (path, compression, file) = segment.open_stored()?;
        if compression == Compression::Plain {
            return Ok(AtHand::Plain(Box::new(Tail::new(&path, file, offset, self.longest)?)));
        }
        let lines = SegmentLines::open(segment, None, self.longest)?;
        Ok(AtHand::Packed(path, Box::new(lines)))
    }

    /// Looks for files that came after the one at hand. Returns whether there are some.
    fn look(&mut self) -> Result<bool, Error> {
        if !self.looked.is_due(&self.log, self.at_hand.as_ref())? {
            return Ok(false);
        }
        self.looked.at = Some(Instant::now());
        let listed = match self.log.segments() {
            Err(error) if error.is_retryable() && self.looked.disturbed < MAX_DISTURBED => {
                self.looked.disturbed += 1;
                return Ok(false);
            }
            listed => listed?,
        };
        self.looked.disturbed = 0;
        let known = Known::of(&listed);
        let identity = self.at_hand.as_ref().and_then(AtHand::identity);
        let tail = self.at_hand.as_ref().and_then(AtHand::tail);
        let mut later = self.known.later(listed, identity, tail);
        let unopened = later.segments.pop_if(|segment| segment.is_unopened());
        let was_refused = std::mem::replace(&mut self.looked.is_refused, unopened.is_some());
        // Is an error only once.
        let refused = unopened.filter(|_| !was_refused).and_then(|segment| segment.open_stored().err());
        self.looked.empty = None;
        if let [only] = later.segments.as_slice()
            && only.is_active()
            && only.bytes() == 0
        {
            // Until it has a line, the writer may still have the old one.
            self.looked.empty = Some(only.clone());
            return Ok(false);
        }
        let is_later = !later.segments.is_empty();
        if is_later {
            self.known = known;
            self.next.extend(later.segments.drain(..).map(|segment| Next::Segment(segment, 0)));
        }
        match later.missing(self.log.path()).filter(|_| is_later).or(refused) {
            Some(error) => Err(error),
            None => Ok(is_later),
        }
    }
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow").field("path", &self.path()).finish_non_exhaustive()
    }
}
