//! `spanline follow -- COMMAND`: its output, its stdin, its signals and its exit status.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::Dir;
use crate::follow_support::{Running, append};

fn shell(dir: &Dir, script: &str) -> Running {
    let mut command = dir.command(&["follow", "--", "sh", "-c", script]);
    command.stdin(Stdio::piped());
    Running::start(command)
}

#[test]
fn stdout_and_stderr_are_read_to_their_ends_and_the_status_is_that_of_the_command() {
    let dir = Dir::new();
    let script = "seq 1 50000; echo problem >&2; printf torn; exit 7";
    let (stdout, stderr, status) = shell(&dir, script).end();
    let mut lines: Vec<&str> = stdout.lines().collect();
    assert!(lines.contains(&"problem") && lines.contains(&"torn"));
    lines.retain(|line| *line != "problem" && *line != "torn");
    assert_eq!(lines, (1..=50_000).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(status, 7);
    assert_eq!(stderr, "spanline: 50002 lines were no records: 0 broken, 50002 of plain text\n");
}

#[test]
fn lines_are_printed_while_it_runs_and_stdin_is_passed_on() {
    let dir = Dir::new();
    let mut running = shell(&dir, "while read line; do echo \"got $line\"; done; echo over");
    let mut stdin = running.stdin.take().unwrap();
    for text in ["one", "two"] {
        stdin.write_all(format!("{text}\n").as_bytes()).unwrap();
        running.until_printed(&format!("got {text}\n"));
    }
    drop(stdin);
    let (stdout, _, status) = running.end();
    assert_eq!((stdout.as_str(), status), ("got one\ngot two\nover\n", 0));
}

#[test]
fn the_output_is_filtered_and_merged_with_logs() {
    let dir = Dir::new();
    dir.put("a.log", "");
    let script = r#"echo '{"level":"info","message":"no"}'; echo '{"level":"error","message":"yes"}'; read line"#;
    let mut command = dir.command(&["follow", "a.log", "--level", "error", "--", "sh", "-c", script]);
    command.stdin(Stdio::piped());
    let running = Running::start(command);
    running.until_printed("yes");
    append(&dir.path().join("a.log"), "{\"level\":\"error\",\"message\":\"of the log\"}\n");
    running.until_printed("of the log");
    let (stdout, _, status) = running.end();
    assert_eq!((stdout.contains("\"no\""), status), (false, 1));
}

#[test]
fn signals_are_forwarded_and_what_follows_them_is_printed() {
    let dir = Dir::new();
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        let script = format!(
            "trap 'echo caught {name}; echo last >&2; exit 3' {name}; echo ready; while :; do sleep 0.05; done"
        );
        let running = shell(&dir, &script);
        running.until_printed("ready");
        running.signal(signal);
        let (stdout, _, status) = running.end();
        assert!(stdout.contains(&format!("caught {name}\n")) && stdout.contains("last\n"), "{stdout}");
        assert_eq!(status, 3);
    }
}

#[test]
fn a_command_that_a_signal_ends_has_a_status_that_tells() {
    let dir = Dir::new();
    assert_eq!(shell(&dir, "echo x; kill -KILL $$").end().2, 128 + 9);
    let running = shell(&dir, "echo ready; exec sleep 600");
    running.until_printed("ready");
    running.signal(Signal::TERM);
    assert_eq!(running.end().2, 128 + 15);
}

/// A process in the background has the pipe.
#[test]
fn a_grandchild_that_keeps_the_pipe_open_does_not_keep_it_running() {
    let dir = Dir::new();
    let begun = Instant::now();
    let script = "(echo $$ > ready; while [ ! -e stop ]; do echo more; sleep 0.02; done) & echo started; exit 5";
    let (stdout, stderr, status) = shell(&dir, script).end();
    dir.put("stop", "");
    assert_eq!(status, 5);
    assert!(stdout.contains("started") && stdout.contains("more"), "{stdout}");
    assert!(stderr.contains("other processes keep the output of the command open; it is no longer read"), "{stderr}");
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

/// The command notices as it does without `follow`.
#[test]
fn a_reader_that_goes_away_closes_the_pipes_of_the_command() {
    let dir = Dir::new();
    let script = "trap 'exit 9' PIPE; while :; do echo line || exit 9; sleep 0.01; done";
    let mut command = dir.command(&["follow", "--", "sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(matches!(output.status.code(), Some(9 | 141)), "{output:?}");
}

#[test]
fn a_command_that_cannot_be_started_has_the_status_of_shells() {
    let dir = Dir::new();
    dir.put("no-program", "");
    let run = dir.run(&["follow", "--", "./no-program"]);
    assert_eq!(run.status, 126);
    assert!(run.stderr.starts_with("spanline: start ./no-program: Permission denied"), "{}", run.stderr);
}

#[test]
fn a_slow_reader_of_stdout_gets_all_that_the_command_has_written() {
    let dir = Dir::new();
    let mut command = dir.command(&["follow", "--window", "0s", "--", "seq", "20000"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // The fault: for longer than the patience with other processes, nothing is read.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(2500) {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut text).unwrap();
    let status = child.wait().unwrap();
    assert!(
        status.success() && text.lines().eq((1..=20_000).map(|number| number.to_string())),
        "{}",
        text.lines().count()
    );
}
