//! Runs a scenario: its own directory, the program in it, and waiting for conditions.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Scenario;
use super::books::Counted;
use super::program::{self, Logged};

/// The longest wait for a condition.
const PATIENCE: Duration = Duration::from_secs(20);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Notes a Ctrl-C.
pub(super) fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// A directory that is removed when this is dropped.
pub(super) struct Stage {
    scenario: &'static str,
    directory: TempDir,
}

impl Stage {
    pub(super) fn new(scenario: &Scenario) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("orders-chaos-").tempdir()?;
        fs::create_dir(directory.path().join("logs"))?;
        Ok(Self { scenario: scenario.name, directory })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.path().join("logs")
    }

    /// Starts the program, with its stdout in a pipe.
    pub(super) fn start(&self) -> io::Result<Program> {
        self.start_through(Command::new(std::env::current_exe()?))
    }

    /// Starts the program through a command that executes its arguments.
    pub(super) fn start_through(&self, mut command: Command) -> io::Result<Program> {
        // An earlier program may have left one.
        let _ = fs::remove_file(self.path().join("witness"));
        command.args(["--chaos-program", self.scenario]).arg(self.path());
        // Ctrl-C must reach this process only, which then kills the program.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::options().create(true).append(true).open(self.path().join("stderr"))?);
        Ok(Program { child: command.spawn()?, directory: self.path().to_owned() })
    }

    /// Returns what the programs printed on stderr.
    pub(super) fn complaints(&self) -> io::Result<Vec<String>> {
        let text = fs::read_to_string(self.path().join("stderr"))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// A running program. It is killed when this is dropped.
pub(super) struct Program {
    child: Child,
    directory: PathBuf,
}

impl Program {
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the reading end of its stdout.
    pub(super) fn stdout(&mut self) -> io::Result<ChildStdout> {
        self.child.stdout.take().ok_or_else(|| io::Error::other("its stdout was taken"))
    }

    /// Returns the number of lines whose calls have returned, by thread.
    fn logged(&self) -> Logged {
        program::witnessed(&self.directory)
    }

    /// Waits until each thread has logged `lines` more lines.
    pub(super) fn log_on(&mut self, lines: u64) -> io::Result<()> {
        let before = self.logged();
        self.until("lines to be logged", |logged| {
            Ok(logged.iter().zip(before).all(|(now, before)| *now >= before + lines))
        })
    }

    /// Waits until a condition holds, given the number of lines logged so far.
    pub(super) fn until(&mut self, what: &str, mut holds: impl FnMut(&[u64]) -> io::Result<bool>) -> io::Result<()> {
        until(what, || {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the program ended early: {status}")));
            }
            holds(&program::witnessed(&self.directory))
        })
    }

    /// Sends SIGKILL to the program only. Returns the number of lines whose calls had returned.
    pub(super) fn kill(mut self) -> io::Result<Logged> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.logged())
    }

    /// Lets the program end. Returns the number of lines whose calls had returned, and the log's counters.
    pub(super) fn stop(mut self) -> io::Result<(Logged, Vec<Counted>)> {
        drop(self.child.stdin.take());
        until("the program to end", || Ok(self.child.try_wait()?.is_some()))?;
        let counted = fs::read(self.directory.join("counted.json"))?;
        Ok((self.logged(), serde_json::from_slice(&counted)?))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut holds: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        let held = holds();
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err(io::Error::new(ErrorKind::Interrupted, "interrupted"));
        }
        if held? {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                format!("waited {} s for {what}, which did not happen", PATIENCE.as_secs()),
            ));
        }
        thread::sleep(Duration::from_millis(1));
    }
}
