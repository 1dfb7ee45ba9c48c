//! `spanline follow` on a pseudo-terminal, with a model of its screen.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use vt100::{Parser, Screen};

use crate::Dir;
use crate::follow_support::PATIENCE;
use crate::terminal::Terminal;

pub(crate) const ROWS: u16 = 24;
pub(crate) const COLUMNS: u16 = 130;

/// A run whose screen a test looks at.
pub(crate) struct Session {
    pub(crate) child: Child,
    keys: File,
    inside: File,
    shown: Arc<Mutex<Shown>>,
    before: Termios,
}

/// What was written to the terminal, and what is on its screen.
struct Shown {
    parser: Parser,
    bytes: Vec<u8>,
}

impl Session {
    pub(crate) fn start(dir: &Dir, args: &[&str]) -> Self {
        Self::of(dir.command(&[&["follow"], args].concat()))
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let terminal = Terminal::new(COLUMNS);
        let (inside, mut screen, keys) = (terminal.inside(), terminal.screen(), terminal.screen());
        let before = tcgetattr(&inside).unwrap();
        // A job of a shell, which can be stopped.
        command.stdin(terminal.inside()).stderr(Stdio::piped()).process_group(0);
        command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR").env_remove("COLUMNS");
        let child = terminal.spawn(&mut command);
        let shown = Arc::new(Mutex::new(Shown { parser: Parser::new(ROWS, COLUMNS, 0), bytes: Vec::new() }));
        let written = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end is an error on Linux.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let mut shown = written.lock().unwrap();
                shown.parser.process(&bytes[..count]);
                shown.bytes.extend_from_slice(&bytes[..count]);
            }
        });
        Self { child, keys, inside, shown, before }
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Screen) -> T) -> T {
        look(self.shown.lock().unwrap().parser.screen())
    }

    /// Returns all that was written to the terminal.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shown.lock().unwrap().bytes.clone()
    }

    /// Returns what is on the screen.
    pub(crate) fn contents(&self) -> String {
        self.look(Screen::contents)
    }

    /// Returns its last row.
    pub(crate) fn status(&self) -> String {
        self.look(|screen| screen.rows(0, screen.size().1).last().unwrap())
    }

    /// Waits until a fact is true.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            assert!(begun.elapsed() < PATIENCE, "not so: {what}\n{}", self.contents());
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Waits until these texts are on the screen, and those are not.
    #[track_caller]
    pub(crate) fn until_shown(&self, texts: &[&str], others: &[&str]) {
        self.until(&format!("{texts:?} are shown, and {others:?} are not"), |session| {
            let contents = session.contents();
            texts.iter().all(|text| contents.contains(text)) && !others.iter().any(|text| contents.contains(text))
        });
    }

    /// Waits for a beginning of the last row.
    #[track_caller]
    pub(crate) fn until_status(&self, start: &str) {
        self.until(&format!("the status begins with {start:?}"), |session| session.status().starts_with(start));
    }

    pub(crate) fn press(&self, keys: &str) {
        (&self.keys).write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.shown.lock().unwrap().parser.screen_mut().set_size(rows, columns);
        tcsetwinsize(&self.inside, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Returns whether the terminal is as it was before.
    pub(crate) fn is_restored(&self) -> bool {
        let now = tcgetattr(&self.inside).unwrap();
        let modes =
            |termios: &Termios| (termios.input_modes, termios.output_modes, termios.control_modes, termios.local_modes);
        let is_same = modes(&now) == modes(&self.before)
            && format!("{:?}", now.special_codes) == format!("{:?}", self.before.special_codes);
        is_same && self.look(|screen| !screen.alternate_screen() && !screen.hide_cursor())
    }

    /// Waits for the end. Returns the exit status, and what it has reported.
    #[track_caller]
    pub(crate) fn end(&mut self) -> (i32, String) {
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(begun.elapsed() < PATIENCE, "it did not end: {}", self.contents()),
            }
            std::thread::park_timeout(Duration::from_millis(2));
        };
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (status.code().unwrap_or(-1), stderr)
    }

    /// Waits for the end, after which the terminal is as it was.
    #[track_caller]
    pub(crate) fn end_restored(&mut self) {
        let ended = self.end();
        assert_eq!(ended, (0, String::new()));
        self.until("the terminal is as it was before", Self::is_restored);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
