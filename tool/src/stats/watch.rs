//! Counts go on while lines come: those that are there, in one pass, and then each new one.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use spanline::read::Follow;
use spanline::record::Timestamp;

use super::Answer;
use super::counter::{Counter, Onward, tell};
use super::display::Display;
use super::run::Run;
use super::statistics::{Questions, Stats};
use super::table::{lines_text, time_text};
use crate::entry::Entry;
use crate::follow::{END_PATIENCE, Feed, Stop};
use crate::loggers::time::NANOS;
use crate::report::Report;
use crate::scan::{Place, Totals, scan_while};

/// How often the answer is shown.
const PERIOD: Duration = Duration::from_secs(1);

/// Putting an answer together takes at most one part in this many of the time.
const SHARE: u32 = 5;

const INTERRUPTED: &str = "interrupted before all lines were counted that were there";

/// When answers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Each in the place of the one before, if stdout is a terminal; else all that differ, below a line with the time.
    Replaced,
    /// All that differ, as they are.
    Listed,
    /// The last one alone.
    Last,
}

/// What is counted, and when it is shown.
pub(crate) struct Settings<'q> {
    pub(crate) paths: &'q [PathBuf],
    pub(crate) questions: &'q Questions,
    pub(crate) shown: Shown,
    /// What gets the lines, too.
    pub(crate) onward: Option<&'q dyn Onward>,
}

/// Counts until the end: a signal, the key `q`, the end of stdin, or of the reader of stdout. Prints the last answer then.
///
/// `print`: writes an answer.
///
/// # Errors
/// The output cannot be written, or a temporary file cannot be read.
pub(crate) fn watch<W: Write>(
    settings: &Settings<'_>,
    print: impl Fn(&Answer, &Run, &mut Vec<u8>) -> io::Result<()>,
    output: &mut W,
    report: &mut Report,
) -> io::Result<()> {
    let begun = Instant::now();
    let Settings { paths, questions, shown, onward } = settings;
    let is_screen = *shown == Shown::Replaced && Display::is_possible();
    if is_screen {
        // What is reported before the other screen is shown would be behind it.
        report.hold();
    }
    // On the other screen, an end at once would leave it behind.
    let (mut feed, inputs) = Feed::open(paths, !is_screen, report)?;
    let (files, stop) = (inputs.len(), feed.stop());
    let meanwhile = |report: &Report| onward.iter().for_each(|onward| tell(*onward, report));
    let mut scanned = scan_while(inputs, || Counter::new(questions, *onward, &stop), meanwhile, report);
    if !scanned.is_whole || scanned.visitors.iter().any(Counter::has_left_out) {
        report.failure(INTERRUPTED);
    }
    scanned.visitors.iter_mut().for_each(Counter::flush);
    let live = Counter::new(questions, *onward, &stop);
    let (counted, totals) = (scanned.visitors, scanned.totals);
    let (files, read) = (files as u64, begun.elapsed());
    let mut watch = Watch { settings, counted, live, totals, files, begun: 0, read, has_room: true };
    let has_times = *shown == Shown::Replaced && !is_screen;
    let mut screen = Screen { display: None, shown: *shown, lines: None, has_times, due: Instant::now() };
    if is_screen {
        screen.display = Some(Display::open(!feed.reads_stdin())?);
    }
    let result = screen.run(&mut watch, &mut feed, &print, (output, report));
    if screen.display.take().is_some() {
        // From here on, a second signal ends the process.
        Stop::new(true)?;
    }
    report.release();
    result?;
    if screen.lines != Some(watch.totals.lines) {
        screen.print(&watch, &print, (output, report))?;
    }
    output.flush()
}

/// All counts so far.
struct Watch<'q> {
    settings: &'q Settings<'q>,
    /// Of the lines that were there.
    counted: Vec<Counter<'q, 'q>>,
    live: Counter<'q, 'q>,
    totals: Totals,
    files: u64,
    /// How many files were begun since.
    begun: u64,
    read: Duration,
    /// Whether what gets the lines has room for more.
    has_room: bool,
}

impl Watch<'_> {
    /// Counts the lines that have come. Returns whether more are there.
    fn take(&mut self, feed: &mut Feed, report: &mut Report) -> bool {
        self.has_room = self.settings.onward.is_none_or(Onward::has_room);
        if !self.has_room {
            return false;
        }
        let (begun, before) = (Instant::now(), self.totals.lines);
        let (live, totals) = (&mut self.live, &mut self.totals);
        let is_busy = feed.read(report, |entry: &Entry<'_>, place: Place| {
            totals.count(entry, entry.is_cut());
            totals.bytes += entry.line().len() as u64 + 1;
            live.count(entry, place);
            !live.has_to_look()
        });
        self.live.flush();
        self.begun = feed.files();
        if self.totals.lines > before {
            self.read += begun.elapsed();
        }
        is_busy
    }

    /// Reports what the receiver of the lines has to complain of.
    fn complain(&self, report: &Report) {
        self.settings.onward.iter().for_each(|onward| tell(*onward, report));
    }

    /// Puts the answer together. Counting can go on.
    fn answer(&self) -> io::Result<(Answer, Run)> {
        let begun = Instant::now();
        let all: Vec<Stats<'_>> = self.counted.iter().chain([&self.live]).map(|one| one.stats.clone()).collect();
        let answer = Stats::merge(self.settings.questions, all)?;
        let run = Run { files: self.files + self.begun, totals: self.totals, read: self.read, merge: begun.elapsed() };
        Ok((answer, run))
    }
}

/// Where answers are shown, and when the next one is.
struct Screen {
    display: Option<Display>,
    shown: Shown,
    /// How many lines the answer that was printed last is about.
    lines: Option<u64>,
    /// Whether the time stands above each answer.
    has_times: bool,
    due: Instant,
}

impl Screen {
    /// Counts and shows until the end.
    fn run<W: Write>(
        &mut self,
        watch: &mut Watch<'_>,
        feed: &mut Feed,
        print: &impl Fn(&Answer, &Run, &mut Vec<u8>) -> io::Result<()>,
        (output, report): (&mut W, &mut Report),
    ) -> io::Result<()> {
        let mut over_since = None;
        loop {
            // Before lines are read: what was written before the end counts.
            let is_over = feed.is_over();
            if is_over && over_since.is_none() {
                // What has arrived counts.
                feed.close(report);
            }
            let is_busy = watch.take(feed, report);
            watch.complain(report);
            if is_over {
                let since = *over_since.get_or_insert_with(Instant::now);
                if watch.has_room && !is_busy {
                    return Ok(());
                }
                // An output is down, or lines come faster than they are counted.
                if since.elapsed() >= END_PATIENCE {
                    report.failure(INTERRUPTED);
                    return Ok(());
                }
            }
            let is_new = self.display.is_some() || self.lines != Some(watch.totals.lines);
            if self.shown != Shown::Last && is_new && Instant::now() >= self.due && !is_over {
                let begun = Instant::now();
                self.print(watch, print, (output, report))?;
                self.due = begun + PERIOD.max(begun.elapsed() * SHARE);
            }
            let wait = if is_busy { Duration::ZERO } else { Follow::DEFAULT_INTERVAL };
            if self.display.as_ref().map(Display::obey).transpose()? == Some(true) {
                self.due = Instant::now();
            }
            let has_keys = feed.wait(wait, self.display.as_ref().and_then(Display::keys))?;
            if has_keys && self.display.as_mut().is_some_and(Display::has_quit) {
                return Ok(());
            }
        }
    }

    /// Shows the answer, or prints it.
    fn print<W: Write>(
        &mut self,
        watch: &Watch<'_>,
        print: &impl Fn(&Answer, &Run, &mut Vec<u8>) -> io::Result<()>,
        (output, report): (&mut W, &Report),
    ) -> io::Result<()> {
        let (answer, run) = watch.answer()?;
        let mut text = Vec::new();
        print(&answer, &run, &mut text)?;
        let now = time_text(Timestamp::now().as_nanos().div_euclid(NANOS));
        if let Some(display) = &self.display {
            let waits = if watch.has_room { "" } else { " · waiting for an output" };
            let below = format!("{now} · {}{waits}", lines_text(run.totals.lines));
            let (_, reported) = report.waiting();
            return display.show(&String::from_utf8_lossy(&text), &reported, &below, output);
        }
        if self.has_times {
            let gap = if self.lines.is_some() { "\n" } else { "" };
            writeln!(output, "{gap}--- {now}\n")?;
        }
        self.lines = Some(run.totals.lines);
        output.write_all(&text)?;
        output.flush()
    }
}
