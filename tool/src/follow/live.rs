//! The loop: reads all sources, prints, and waits.

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};

use super::command::Command;
use super::history;
use super::places::{Begin, Places};
use super::show::Show;
use super::signals::Signals;
use super::source::Source;
use super::wait::wait;
use super::window::Window;
use crate::inputs::is_passed;
use crate::report::Report;

/// How many lines of a source are read at once.
const LINES: usize = 1000;

/// What is followed.
pub(crate) struct Settings {
    pub(crate) paths: Vec<PathBuf>,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
    pub(crate) begin: Begin,
    /// How long lines wait for earlier ones of other sources.
    pub(crate) window: Duration,
}

/// Follows until a signal, the end of the command or of stdin, or of the reader.
pub(crate) fn run<S: Show>(settings: Settings, screen: &mut S, report: &mut Report) -> io::Result<()> {
    let Settings { mut paths, command, begin, window } = settings;
    if paths.is_empty() && command.is_empty() {
        paths.push(PathBuf::from(if is_passed() { "-" } else { "." }));
    }
    let mut signals = Signals::new(command.is_empty() && screen.keys().is_none())?;
    let (places, mut sources) = Places::open(&paths, begin, report);
    let started = Command::start(&command, report);
    if started.is_none() && !command.is_empty() {
        return Ok(());
    }
    let (command, pipes) = started.unzip();
    sources.extend(pipes.into_iter().flatten().map(Source::pipe));
    let mut live =
        Live { places, sources, window: Window::new(window), command, signals: &mut signals, is_gone: false };
    let followed = live.history(begin, screen, report).and_then(|()| live.follow(screen, report));
    let printed = followed.and_then(|()| live.print(screen, true));
    let flushed = printed.and_then(|()| screen.flush());
    // Without a reader, the command sees its pipes closed, as it would without this process.
    live.sources.clear();
    live.wait_for_command(report)?;
    flushed
}

struct Live<'a> {
    places: Places,
    sources: Vec<Source>,
    window: Window,
    command: Option<Command>,
    signals: &'a mut Signals,
    /// Whether stdout has no reader.
    is_gone: bool,
}

impl Live<'_> {
    fn history<S: Show>(&mut self, begin: Begin, screen: &mut S, report: &mut Report) -> io::Result<()> {
        history::print(&mut self.sources, begin, screen, self.signals, report)
    }

    /// Prints lines until the end.
    fn follow<S: Show>(&mut self, screen: &mut S, report: &mut Report) -> io::Result<()> {
        while !self.is_gone && !screen.is_done() {
            if !self.obey() {
                // What had arrived before the signal is shown.
                self.close(report);
                return Ok(());
            }
            screen.obey(report)?;
            // Before the sources are read: what was written before the end is read then.
            let has_ended = self.command.as_mut().map(Command::has_ended).transpose()?;
            self.sources.extend(self.places.look(Instant::now(), report));
            let is_busy = self.read(|_| true, report);
            self.print(screen, false)?;
            screen.flush()?;
            let are_ended = self.sources.iter().all(Source::is_ended) && !self.places.is_open();
            let pipes_ended = self.sources.iter().all(|source| source.is_log() || source.is_ended());
            match has_ended {
                Some(true) if pipes_ended && !is_busy => return Ok(()),
                Some(true)
                    if self.command.as_ref().is_some_and(|command| command.is_waited_for_enough(Instant::now())) =>
                {
                    report.note("other processes keep the output of the command open; it is no longer read");
                    self.close(report);
                    return Ok(());
                }
                None if are_ended && !is_busy => return Ok(()),
                _ => {}
            }
            self.wait(is_busy, screen.keys())?;
        }
        Ok(())
    }

    /// Forwards signals to the command. Returns false if there is none, and a signal ends all.
    fn obey(&mut self) -> bool {
        let arrived = self.signals.take();
        match &self.command {
            Some(command) => arrived.into_iter().for_each(|signal| command.forward(signal)),
            None => return arrived.is_empty(),
        }
        true
    }

    /// Reads what is new in some of the sources. Returns whether more is there.
    fn read(&mut self, is_read: impl Fn(&Source) -> bool, report: &mut Report) -> bool {
        let waits = self.sources.len() > 1;
        let mut is_busy = false;
        for (number, source) in self.sources.iter_mut().enumerate().filter(|(_, source)| is_read(source)) {
            let mut line = Vec::new();
            let mut count = 0;
            while count < LINES && source.next(&mut line, report) {
                let time = source.place(&line);
                self.window.push(number, time, std::mem::take(&mut line), Instant::now(), waits);
                count += 1;
            }
            is_busy |= count == LINES;
        }
        is_busy
    }

    /// Prints the lines whose time has come; all of them at the end.
    fn print<S: Show>(&mut self, screen: &mut S, is_end: bool) -> io::Result<()> {
        let now = Instant::now();
        while let Some((number, line)) = if is_end { self.window.pop_first() } else { self.window.pop(now) } {
            if let Some(source) = self.sources.get_mut(number) {
                screen.take(&source.entry(&line))?;
            }
        }
        Ok(())
    }

    /// Ends the pipes, and reads their last lines.
    fn close(&mut self, report: &mut Report) {
        self.sources.iter_mut().for_each(|source| source.close(report));
        while self.read(|source| !source.is_log(), report) {}
    }

    /// Waits until something can be read, a key is pressed, a line has to be printed, or files are to be looked at again.
    fn wait(&mut self, is_busy: bool, keys: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let now = Instant::now();
        let longest = self.window.wait(now).unwrap_or(Duration::MAX);
        let timeout = if is_busy { Duration::ZERO } else { longest };
        self.is_gone = wait(&mut self.sources, timeout, keys)?.is_gone;
        Ok(())
    }

    /// Waits for the end of the command, and takes over its exit status.
    fn wait_for_command(&mut self, report: &mut Report) -> io::Result<()> {
        while self.command.as_mut().map(Command::has_ended).transpose()? == Some(false) {
            self.obey();
            let timeout = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            let _ = poll(&mut [], Some(&timeout));
        }
        if let Some(command) = &self.command {
            command.report(report);
        }
        Ok(())
    }
}
