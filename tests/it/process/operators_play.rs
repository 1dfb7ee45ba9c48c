//! Promises 51 and 52: what operators do to a process that logs. Each attempt is one row of [`ATTEMPTS`], with its
//! outcome. The operator is a shell script, the program a child process.
#![cfg(all(target_os = "linux", feature = "signals"))]
#![allow(unsafe_code)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spanline::metrics::Reason;
use tracing::Level;

use crate::process::operators::Outcome::{Closed, Ends, Hole, Left, Refused, Rest, Revived, Whole};
use crate::process::operators::{ATTEMPTS, Attempt};
use crate::process::operators_peers::OUT;
use crate::sinks::peer::balanced;
use crate::support::faults::Complaints;
use crate::support::ledger::{log, read};
use crate::support::log_directory;
use crate::support::process::{FILE, HOW, Running, child_behind, child_done, how, is_child};
use crate::support::wait::PATIENCE;

/// More than a pipe holds.
const LINES: u64 = 1_000;

/// The guard gives up after this time, however long it takes to notice it.
const GIVES_UP: Duration = Duration::from_secs(15);

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Logs lines with the next numbers.
pub(crate) fn log_lines(count: u64) {
    (0..count).for_each(|_| log(Level::INFO, 0, NEXT.fetch_add(1, Ordering::Relaxed)));
}

/// The log's directory.
pub(crate) fn directory() -> PathBuf {
    PathBuf::from(std::env::var_os(FILE).unwrap()).parent().unwrap().to_owned()
}

static AT_END: Mutex<Vec<Box<dyn FnOnce() + Send>>> = Mutex::new(Vec::new());

/// Checks something when the log has ended.
pub(crate) fn at_end(check: impl FnOnce() + Send + 'static) {
    AT_END.lock().unwrap().push(Box::new(check));
}

/// Moves what the script gave as 7, 8 and 9 to the standard streams.
fn move_streams(script: &str) {
    for to in 0..3 {
        let from = to + 7;
        if script.contains(&format!("{from}<")) || script.contains(&format!("{from}>")) {
            // SAFETY: both numbers are the program's, and nothing else uses them at the moment.
            unsafe {
                assert_eq!(libc::dup2(from, to), to, "{}", std::io::Error::last_os_error());
                libc::close(from);
            }
        }
    }
}

/// The program: logs, acts, logs, and checks its side of the outcome.
fn serve(attempt: &Attempt) -> ! {
    move_streams(attempt.script);
    (attempt.before)();
    let complaints = Complaints::default();
    let guard = match ((attempt.log)(spanline::builder()).on_complaint(complaints.hook()).init(), &attempt.outcome) {
        (Err(error), Refused(why)) => {
            assert!(format!("{error:#}").contains(why), "{error:#}");
            child_done();
        }
        (started, _) => started.unwrap(),
    };
    let handle = guard.handle();
    log_lines(1);
    (attempt.acts)(&handle);
    log_lines(LINES);
    if let Ends(_) = attempt.outcome {
        std::mem::forget(guard);
        (attempt.ends)();
        loop {
            std::thread::park_timeout(PATIENCE);
        }
    }
    let begun = Instant::now();
    let closed = guard.close();
    let metrics = handle.metrics();
    let (output, told) = (balanced(&metrics), complaints.all());
    let says = |text: &str| told.iter().all(|told| told.contains(text)) && told.is_empty() == text.is_empty();
    match attempt.outcome {
        Refused(_) | Ends(_) => panic!("the log started and ended"),
        Whole(text) | Rest(text) | Hole(text) => {
            closed.unwrap();
            assert!(says(text), "{told:?}");
            assert_eq!(output.dropped.total(), 0, "{output:#?}");
        }
        Revived(text) => {
            closed.unwrap();
            assert!(says(text), "{told:?}");
            assert_eq!(output.dropped.total(), output.dropped.reason(Reason::Closed).total(), "{output:#?}");
        }
        Closed(text) => {
            closed.unwrap();
            assert!(told.len() == 1 && says(text), "{told:?}");
            let lines = output.written.total() + output.dropped.reason(Reason::Closed).total();
            assert!(output.emitted.total() == lines && output.written.total() < LINES, "{output:#?}");
        }
        Left(text) => {
            let lines = closed.unwrap_err().unwritten_lines().unwrap();
            let told = told.iter().filter(|told| !told.contains("lines were not written in time")).collect::<Vec<_>>();
            assert!(told.iter().all(|told| told.contains(text)), "{told:?}");
            assert!(lines > 0 && begun.elapsed() < GIVES_UP, "{lines} after {:?}", begun.elapsed());
            assert_eq!(output.dropped.reason(Reason::Shutdown).total(), lines, "{output:#?}");
        }
    }
    std::mem::take(&mut *AT_END.lock().unwrap()).into_iter().for_each(|check| check());
    child_done()
}

/// All that was logged: what the peer or the script has read, or else the log's files, the active one last.
fn text(directory: &Path) -> String {
    if let Ok(text) = fs::read_to_string(directory.join(OUT)) {
        return text;
    }
    let names = log_directory::names(directory);
    let mut names: Vec<_> = names.into_iter().filter(|name| name.starts_with("it.")).collect();
    names.sort_by_key(|name| (name == "it.log", name.clone()));
    names.iter().map(|name| log_directory::read(&directory.join(name))).collect()
}

/// Plays one row.
fn play(test: &str, attempt: &Attempt) {
    let name = attempt.name;
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().canonicalize().unwrap();
    let log = if attempt.script.contains("mnt") { directory.join("mnt/it.log") } else { directory.join("it.log") };
    let mut command = child_behind("sh", &["-c", attempt.script, "sh"], test);
    command.env(HOW, name).env(FILE, &log).current_dir(&directory);
    let peer = attempt.peer.map(|peer| {
        let (theirs, acts) = peer(&directory);
        command.stdin(Stdio::from(theirs));
        acts
    });
    let mut child = Running::start(command);
    let peer = peer.map(std::thread::spawn);
    let status = child.wait();
    let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
    let expected = if let Ends(status) = attempt.outcome { status } else { 0 };
    assert_eq!(status, expected, "{name}: {}", child.stderr());
    drop(child);
    peer.into_iter().for_each(|peer| peer.join().unwrap());
    let first = match attempt.outcome {
        Whole(_) | Ends(_) => 0,
        Rest(_) | Hole(_) | Revived(_) => 1,
        Refused(_) => {
            assert!(!log.exists(), "{name}: an empty file is left");
            return;
        }
        // The reader may have any part of the lines.
        Closed(_) | Left(_) => return,
    };
    let text = text(&directory);
    let lines = text.trim_start_matches('\0');
    assert_eq!(lines.len() < text.len(), matches!(attempt.outcome, Hole(_)), "{name}: a hole");
    let lines = read(lines);
    let numbers = lines.iter().map(|line| line.seq).collect::<Vec<_>>();
    let whole = (first..).take(numbers.len()).collect::<Vec<_>>();
    assert!(numbers == whole && *numbers.last().unwrap() >= LINES, "{name}: {numbers:?}");
}

fn can_play(attempt: &Attempt) -> bool {
    let can = Command::new("sh").args(["-c", attempt.needs]).output().unwrap().status.success();
    if !can {
        eprintln!("not played, as `{}` fails here: {}", attempt.needs, attempt.name);
    }
    can
}

#[test]
fn promise_52_what_operators_do_harms_neither_the_log_nor_the_program() {
    let test = this_test!();
    if is_child() {
        serve(ATTEMPTS.iter().find(|attempt| attempt.name == how()).unwrap());
    }
    let only = std::env::var("SPANLINE_ATTEMPT").unwrap_or_default();
    let rows: Vec<_> = ATTEMPTS.iter().filter(|attempt| attempt.name.contains(&only) && can_play(attempt)).collect();
    let failures: Vec<_> = rows
        .iter()
        .filter_map(|attempt| std::panic::catch_unwind(|| play(test, attempt)).err().map(|_| attempt.name))
        .collect();
    assert!(failures.is_empty(), "{} of {} failed: {failures:#?}", failures.len(), rows.len());
}
