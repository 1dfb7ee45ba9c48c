//! Child processes: a test runs itself again and watches the output and the end.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use spanline::RollingFile;
use tracing::Level;

use crate::support::ledger::log;
use crate::support::wait::PATIENCE;

/// Where the child's part of stdout begins: the test harness has printed before it.
const BEGIN: &str = "#child-begins\n";
const CHILD: &str = "SPANLINE_IT_CHILD";

/// Whether this process is the child of a test. In it, the test does the child's part.
pub(crate) fn is_child() -> bool {
    let is = std::env::var_os(CHILD).is_some();
    if is {
        print!("\n{BEGIN}");
        io::stdout().flush().unwrap();
    }
    is
}

/// Ends the child without the harness's summary.
pub(crate) fn child_done() -> ! {
    std::process::exit(0)
}

/// The command that runs the test `test` in a child process. Stdout and stderr are pipes.
pub(crate) fn child_command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    as_child(&mut command, test);
    command
}

/// The same, by a copy of this program.
pub(crate) fn child_of(program: &Path, test: &str) -> Command {
    let mut command = Command::new(program);
    as_child(&mut command, test);
    command
}

/// The same, started by another program with its arguments.
pub(crate) fn child_behind(program: &str, arguments: &[&str], test: &str) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(std::env::current_exe().unwrap());
    as_child(&mut command, test);
    command
}

fn as_child(command: &mut Command, test: &str) {
    command
        .args(["--exact", test, "--nocapture", "--quiet", "--test-threads=1"])
        .env(CHILD, "1")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
}

/// A child that is ended, by its id, when the test is over.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Waits for its end without reading from its pipes.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            if begun.elapsed() > PATIENCE {
                let _ = self.0.kill();
                panic!("the child hangs; its stderr: {}", self.stderr());
            }
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Reads stdout from the child's own part on.
    pub(crate) fn stdout(&mut self) -> String {
        let mut text = Vec::new();
        self.0.stdout.take().unwrap().read_to_end(&mut text).unwrap();
        own_part(&String::from_utf8_lossy(&text)).to_owned()
    }

    pub(crate) fn stderr(&mut self) -> String {
        let mut text = Vec::new();
        self.0.stderr.take().unwrap().read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Reads both to the end, waits, and asks for success.
    #[track_caller]
    pub(crate) fn finish(self) -> (String, String) {
        self.finish_within(PATIENCE)
    }

    /// The same for a child that has much to do.
    #[track_caller]
    pub(crate) fn finish_within(mut self, patience: Duration) -> (String, String) {
        let mut pipe = self.0.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
        });
        let mut pipe = self.0.stdout.take().unwrap();
        let out = std::thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
        });
        let begun = Instant::now();
        while !out.is_finished() && begun.elapsed() < patience {
            std::thread::park_timeout(Duration::from_millis(2));
        }
        if !out.is_finished() {
            let _ = self.0.kill();
        }
        let status = self.wait();
        let stderr = reader.join().unwrap().unwrap();
        let stdout = out.join().unwrap().unwrap();
        assert!(status.success(), "{status}\n{stdout}\n{stderr}");
        (own_part(&stdout).to_owned(), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn own_part(text: &str) -> &str {
    text.split_once(BEGIN).map_or("", |(_, own)| own)
}

/// The length of what the harness and [`is_child`] print first is not known: skips it.
pub(crate) fn skip_to_own_part(stdout: &mut impl io::BufRead) {
    let mut line = String::new();
    while stdout.read_line(&mut line).unwrap() > 0 && line != BEGIN {
        line.clear();
    }
}

pub(crate) const FILE: &str = "SPANLINE_IT_FILE";
pub(crate) const HOW: &str = "SPANLINE_IT_HOW";

/// What the child has to do.
pub(crate) fn how() -> String {
    std::env::var(HOW).unwrap()
}

/// In a child: the file that it logs to.
pub(crate) fn file() -> RollingFile {
    RollingFile::new(std::env::var_os(FILE).unwrap())
}

/// Four threads that log `lines` each.
pub(crate) fn log_on_four_threads(lines: u64) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || (0..lines).for_each(|seq| log(Level::INFO, thread, seq)));
        }
    });
}

/// Runs the child of a test, which does `how` and logs to `file`.
#[track_caller]
pub(crate) fn run_child(test: &str, how: &str, file: &Path) -> (ExitStatus, String) {
    let mut command = child_command(test);
    command.env(FILE, file).env(HOW, how);
    let mut child = Running::start(command);
    let status = child.wait();
    (status, child.stderr())
}
