//! `spanline stats --watch` and `--follow`: each line counts once, those that are there and those that come.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::Value;
use spanline::{Output, RollingFile};
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt;

use crate::Dir;
use crate::follow_support::{PATIENCE, Running, append};
use crate::terminal::Terminal;

pub(crate) fn line(number: u64, level: &str, service: &str) -> String {
    let (minute, second) = (number / 60 % 60, number % 60);
    format!(
        r#"{{"timestamp":"2026-11-20T10:{minute:02}:{second:02}Z","level":"{level}","target":"t","message":"line {number}","service":"{service}"}}"#
    ) + "\n"
}

fn stats(dir: &Dir, args: &[&str]) -> Running {
    Running::start(dir.command(&[&["stats"], args].concat()))
}

/// The last answer that was printed as JSON.
fn last(stdout: &str) -> Value {
    let whole = stdout.rsplit_once('\n').map_or("", |(lines, _)| lines);
    whole.lines().next_back().map_or(Value::Null, |line| serde_json::from_str(line).unwrap())
}

#[track_caller]
fn until_counted(running: &Running, lines: u64) {
    let begun = Instant::now();
    while last(&running.stdout())["lines"] != lines {
        let (stdout, stderr) = (running.stdout(), running.stderr());
        assert!(begun.elapsed() < PATIENCE, "{lines} lines were not counted\nstdout: {stdout}\nstderr: {stderr}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn lines_that_are_there_and_lines_that_come_count_once_through_rotations() {
    let dir = Dir::new();
    let active = dir.path().join("a.log");
    dir.put("a.log.2.gz", gzip(&line(1, "INFO", "a")));
    dir.put("a.log.1", line(2, "WARN", "a"));
    dir.put("a.log", line(3, "ERROR", "a") + "{\"level\":\"INFO\",\"ser");
    let running = stats(&dir, &["a.log", "--watch", "--json"]);
    until_counted(&running, 3);
    // The rest of the line that was torn, then a rotation under names that only the directory shows.
    append(&active, "vice\":\"b\"}\n");
    until_counted(&running, 4);
    fs::rename(dir.path().join("a.log.1"), dir.path().join("a.log.3")).unwrap();
    fs::rename(&active, dir.path().join("a.log.1")).unwrap();
    append(&dir.path().join("a.log.1"), &line(4, "INFO", "late"));
    append(&active, &line(5, "DEBUG", "a"));
    until_counted(&running, 6);
    append(&active, &line(6, "DEBUG", "a"));
    // Without a moment in which it could be noticed before the end.
    running.signal(Signal::TERM);
    let (stdout, stderr, status) = running.end();
    let answer = last(&stdout);
    assert_eq!((stderr.as_str(), status), ("", 0));
    assert_eq!(answer["lines"], 7);
    assert_eq!((&answer["services"]["late"]["info"], &answer["services"]["a"]["debug"]), (&1.into(), &2.into()));
    assert_eq!(answer["run"]["lines"], 7);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The writer rotates and compresses all the time, also while the tool lists and reads what is there.
#[test]
fn promise_49_no_line_of_a_busy_writer_is_missed_or_counted_twice() {
    let dir = Dir::new();
    let file = RollingFile::new(dir.path().join("busy.log")).rotate_bytes(20_000).keep_files(10_000).gzip();
    let (layer, guard) = spanline::builder().service("busy").output(Output::new(file)).build().unwrap();
    let written = AtomicU64::new(0);
    with_default(tracing_subscriber::registry().with(layer), || {
        let write = |count: u64| {
            for _ in 0..count {
                tracing::info!(number = written.fetch_add(1, Ordering::Relaxed), "a line");
            }
            guard.handle().flush(PATIENCE).unwrap();
        };
        write(2000);
        for _ in 0..3 {
            let running = stats(&dir, &["busy.log", "--watch", "--json"]);
            let begun = Instant::now();
            while running.stdout().is_empty() {
                assert!(begun.elapsed() < PATIENCE, "{}", running.stderr());
                write(100);
            }
            write(1000);
            until_counted(&running, written.load(Ordering::Relaxed));
            let (_, stderr, status) = running.interrupt();
            assert_eq!((stderr.as_str(), status), ("", 0));
        }
    });
    guard.close().unwrap();
}

/// As logrotate does with `dateext` and `extension .log`: the new name is that of a log, too.
#[test]
fn promise_49_a_file_that_is_renamed_to_the_name_of_a_log_counts_once() {
    let dir = Dir::new();
    let logs = dir.path().join("logs");
    fs::create_dir(&logs).unwrap();
    append(&logs.join("a.log"), &line(1, "INFO", "a"));
    let running = stats(&dir, &["logs", "--watch", "--json"]);
    until_counted(&running, 1);
    for turn in 1..4 {
        fs::rename(logs.join("a.log"), logs.join(format!("a-{turn}.log"))).unwrap();
        append(&logs.join("a.log"), &line(2 * turn, "INFO", "a"));
        until_counted(&running, 2 * turn);
        // A log that appears is found by a look at the directory, which finds the renamed file, too.
        append(&logs.join(format!("b-{turn}.log")), &line(2 * turn + 1, "INFO", "b"));
        until_counted(&running, 2 * turn + 1);
    }
    let (_, stderr, status) = running.interrupt();
    assert_eq!((stderr.as_str(), status), ("", 0));
}

#[test]
fn answers_follow_each_other_without_a_terminal() {
    let dir = Dir::new();
    dir.put("a.log", line(1, "INFO", "a"));
    let running = stats(&dir, &["a.log", "--watch"]);
    running.until_printed("1 line in 1 file");
    append(&dir.path().join("a.log"), &line(2, "ERROR", "a"));
    running.until_printed("2 lines in 1 file");
    let (stdout, stderr, status) = running.interrupt();
    assert_eq!((stderr.as_str(), status), ("", 0));
    assert_eq!(stdout.lines().filter(|line| line.starts_with("--- ")).count(), 2, "{stdout}");
    assert!(!stdout.contains('\x1b'), "{stdout}");
}

#[test]
fn follow_prints_the_last_answer_alone_and_stdin_has_an_end() {
    let dir = Dir::new();
    dir.put("a.log", line(1, "INFO", "a"));
    let running = stats(&dir, &["a.log", "--follow", "--json"]);
    append(&dir.path().join("a.log"), &line(2, "INFO", "a"));
    running.until_ready(&dir);
    let (stdout, _, status) = running.interrupt();
    assert_eq!((stdout.lines().count(), status), (1, 0));
    assert_eq!(last(&stdout)["lines"], 2);

    let mut command = dir.command(&["stats", "--follow", "--json"]);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    running.stdin.as_mut().unwrap().write_all((line(1, "INFO", "a") + "text\nlast").as_bytes()).unwrap();
    let (stdout, _, status) = running.end();
    assert_eq!((&last(&stdout)["lines"], &last(&stdout)["run"]["plain_text"], status), (&3.into(), &2.into(), 0));
}

#[test]
fn what_arrived_on_stdin_before_a_signal_counts() {
    let dir = Dir::new();
    let mut command = dir.command(&["stats", "--watch", "--json"]);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(line(1, "INFO", "a").as_bytes()).unwrap();
    until_counted(&running, 1);
    let more: String = (0..300).map(|number| line(number, "INFO", "a")).collect();
    running.signal_behind(|| stdin.write_all(more.as_bytes()).unwrap(), Signal::TERM);
    let (stdout, stderr, status) = running.end();
    assert_eq!((&last(&stdout)["lines"], stderr.as_str(), status), (&301.into(), "", 0));
}

#[test]
fn files_that_appear_are_counted() {
    let dir = Dir::new();
    dir.put("logs/a.log", line(1, "INFO", "a"));
    let running = stats(&dir, &["logs", "--watch", "--json"]);
    until_counted(&running, 1);
    assert_eq!(last(&running.stdout())["run"]["files"], 1);
    append(&dir.path().join("logs/b.log"), &line(2, "INFO", "b"));
    until_counted(&running, 2);
    assert_eq!(last(&running.stdout())["run"]["files"], 2);
    fs::rename(dir.path().join("logs/a.log"), dir.path().join("logs/a.log.1")).unwrap();
    append(&dir.path().join("logs/a.log"), &line(3, "INFO", "a"));
    until_counted(&running, 3);
    assert_eq!(last(&running.stdout())["run"]["files"], 3);
    assert_eq!(running.interrupt().2, 0);
}

impl Running {
    /// Waits until it has begun to follow: it has the file open, no longer reads on several threads, and waits.
    fn until_ready(&self, dir: &Dir) {
        let begun = Instant::now();
        let folder = format!("/proc/{}/fd", self.child.id());
        let has_open = || {
            let files = fs::read_dir(&folder).unwrap();
            let mut paths = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
            paths.any(|path| path.starts_with(dir.path().canonicalize().unwrap()))
        };
        let status = || fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        while !has_open() || !status().contains("Threads:\t1\n") || !status().contains("State:\tS") {
            assert!(begun.elapsed() < PATIENCE, "{}", self.stderr());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// A terminal, and what was shown on it so far.
struct Screen {
    terminal: Terminal,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Screen {
    fn new() -> Self {
        let terminal = Terminal::new(100);
        let shown = Arc::<Mutex<Vec<u8>>>::default();
        let (mut screen, seen) = (terminal.screen(), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                seen.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        });
        Self { terminal, shown }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    #[track_caller]
    fn until_shown(&self, text: &str) {
        let begun = Instant::now();
        while !self.text().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "{text:?} was not shown: {:?}", self.text());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn start(&self, command: &mut Command) -> std::process::Child {
        // A process group of a shell's job can be stopped.
        command.env("TERM", "xterm").stdin(self.terminal.inside()).process_group(0);
        self.terminal.spawn(command)
    }

    /// Waits until a text was shown this often.
    #[track_caller]
    fn until_shown_often(&self, text: &str, times: usize) {
        let begun = Instant::now();
        while self.text().matches(text).count() < times {
            assert!(begun.elapsed() < PATIENCE, "{text:?} was not shown {times} times: {:?}", self.text());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_terminal_shows_each_answer_in_place_and_is_restored() {
    for end in ["q", "interrupt", "terminate"] {
        let dir = Dir::new();
        dir.put("a.log", line(1, "INFO", "orders"));
        let screen = Screen::new();
        let before = tcgetattr(screen.terminal.inside()).unwrap().local_modes;
        let mut child = screen.start(&mut dir.command(&["stats", "a.log", "--watch"]));
        screen.until_shown("q quits");
        let hostile = line(2, "ERROR", "orders").replace("line 2", r"\u001b[2J") + "\x1b[2Jtext\n";
        append(&dir.path().join("a.log"), &hostile);
        screen.until_shown("3 lines in 1 file");
        assert!(!tcgetattr(screen.terminal.inside()).unwrap().local_modes.contains(LocalModes::ICANON));
        match end {
            "q" => screen.terminal.screen().write_all(b"q").unwrap(),
            "interrupt" => kill_process(Pid::from_child(&child), Signal::INT).unwrap(),
            _ => kill_process(Pid::from_child(&child), Signal::TERM).unwrap(),
        }
        assert!(child.wait().unwrap().success(), "{end}");
        screen.until_shown("\x1b[?1049l");
        let text = screen.text();
        let (during, after) = text.split_once("\x1b[?1049l").unwrap();
        assert!(during.starts_with("\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H"), "{end}: {during:?}");
        assert!(during.ends_with("\x1b[?7h\x1b[?25h"), "{end}: {during:?}");
        screen.until_shown("MB of memory");
        assert!(!text.contains("\x1b[2J") && !after.contains("\x1b[H"), "{end}: {text:?}");
        assert!(screen.text().split_once("\x1b[?1049l").unwrap().1.starts_with("3 lines in 1 file"), "{end}");
        assert_eq!(tcgetattr(screen.terminal.inside()).unwrap().local_modes, before, "{end}");
    }
}

const LEAVES: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

#[test]
fn a_quit_signal_restores_the_terminal() {
    let dir = Dir::new();
    dir.put("a.log", line(1, "INFO", "orders"));
    let screen = Screen::new();
    let before = tcgetattr(screen.terminal.inside()).unwrap().local_modes;
    let mut child = screen.start(&mut dir.command(&["stats", "a.log", "--watch"]));
    screen.until_shown("q quits");
    kill_process(Pid::from_child(&child), Signal::QUIT).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::QUIT.as_raw()));
    screen.until_shown(LEAVES);
    assert_eq!(tcgetattr(screen.terminal.inside()).unwrap().local_modes, before);
}

/// Also if stdin has lines, and no keys.
#[test]
fn a_stopped_process_gives_the_terminal_back_and_shows_the_answer_again() {
    for has_keys in [true, false] {
        let dir = Dir::new();
        dir.put("a.log", line(1, "INFO", "orders"));
        let screen = Screen::new();
        let before = tcgetattr(screen.terminal.inside()).unwrap();
        let mut command = dir.command(if has_keys { &["stats", "--watch"] } else { &["stats", "-", "--watch"] });
        let mut child = if has_keys {
            screen.start(&mut command)
        } else {
            command.env("TERM", "xterm").stdin(Stdio::piped()).process_group(0);
            screen.terminal.spawn(&mut command)
        };
        let mut stdin = child.stdin.take();
        stdin.iter_mut().for_each(|stdin| stdin.write_all(line(1, "INFO", "orders").as_bytes()).unwrap());
        screen.until_shown("1 line in 1 file");
        // Ctrl-Z is left to the terminal, which sends the signal.
        let codes = format!("{:?}", tcgetattr(screen.terminal.inside()).unwrap().special_codes);
        assert_eq!(codes, format!("{:?}", before.special_codes));
        kill_process(Pid::from_child(&child), Signal::TSTP).unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        let begun = Instant::now();
        while !fs::read_to_string(&stat).unwrap().contains(") T ") {
            assert!(begun.elapsed() < PATIENCE, "it was not stopped: {:?}", screen.text());
            std::thread::park_timeout(Duration::from_millis(5));
        }
        screen.until_shown(LEAVES);
        assert_eq!(tcgetattr(screen.terminal.inside()).unwrap().local_modes, before.local_modes);
        kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
        screen.until_shown_often("\x1b[?1049h", 2);
        let shown = screen.text().matches("line in 1 file").count();
        screen.until_shown_often("line in 1 file", shown + 1);
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert!(child.wait().unwrap().success());
        screen.until_shown_often(LEAVES, 2);
    }
}

#[test]
fn what_is_reported_is_shown_below_the_answer_and_printed_at_the_end() {
    let dir = Dir::new();
    dir.put("a.log", line(1, "INFO", "orders"));
    let screen = Screen::new();
    std::os::unix::fs::symlink("b.log", dir.path().join("b.log")).unwrap();
    let mut command = dir.command(&["stats", "a.log", "b.log", "--watch"]);
    let mut child = screen.start(command.stderr(Stdio::piped()));
    screen.until_shown("symbolic links");
    dir.put(
        "a.log",
        "another text, and longer than before: the file was truncated, which a comparison tells".repeat(3) + "\n",
    );
    screen.until_shown("a.log was truncated");
    assert!(screen.text().starts_with("\x1b[?1049h"), "{:?}", screen.text());
    screen.terminal.screen().write_all(b"q").unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(stderr.contains("symbolic links") && stderr.contains("a.log was truncated"), "{stderr}");
}
