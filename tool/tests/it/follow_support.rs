//! A run of `spanline follow` whose output a test waits for.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A fact that takes longer fails the test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process, and what it has printed so far.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: Reader,
    stderr: Reader,
}

/// Reads a pipe on a thread.
struct Reader {
    text: Arc<Mutex<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn start(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::<Mutex<String>>::default();
        let shared = Arc::clone(&text);
        let read = move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = pipe
                .read(&mut bytes)
                .and_then(|count| (count > 0).then_some(count).ok_or(std::io::ErrorKind::UnexpectedEof.into()))
            {
                shared.lock().unwrap().push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
        };
        Self { text, thread: Some(std::thread::spawn(read)) }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { stdin: child.stdin.take(), stdout: Reader::start(stdout), stderr: Reader::start(stderr), child }
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until it has printed a text.
    #[track_caller]
    pub(crate) fn until_printed(&self, text: &str) {
        let begun = Instant::now();
        while !self.stdout().contains(text) {
            let (stdout, stderr) = (self.stdout(), self.stderr());
            assert!(begun.elapsed() < PATIENCE, "{text:?} was not printed\nstdout: {stdout}\nstderr: {stderr}");
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Waits until it has noted a text on stderr.
    #[track_caller]
    pub(crate) fn until_noted(&self, text: &str) {
        let begun = Instant::now();
        while !self.stderr().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "{text:?} was not noted: {}", self.stderr());
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends a signal that it gets together with what happens before.
    pub(crate) fn signal_behind(&self, happens: impl FnOnce(), signal: Signal) {
        self.signal(Signal::STOP);
        happens();
        self.signal(signal);
        self.signal(Signal::CONT);
    }

    /// Waits for its end. Returns what it printed, and its exit status.
    #[track_caller]
    pub(crate) fn end(mut self) -> (String, String, i32) {
        drop(self.stdin.take());
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(begun.elapsed() < PATIENCE, "it did not end: {}", self.stderr()),
            }
            std::thread::park_timeout(Duration::from_millis(2));
        };
        for reader in [&mut self.stdout, &mut self.stderr] {
            reader.thread.take().unwrap().join().unwrap();
        }
        (self.stdout(), self.stderr(), status.code().unwrap_or(-1))
    }

    /// Ends it as Ctrl-C does.
    #[track_caller]
    pub(crate) fn interrupt(self) -> (String, String, i32) {
        self.signal(Signal::INT);
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}
