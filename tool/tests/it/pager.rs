//! The pager: when it runs, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::terminal::Terminal;
use crate::{Dir, printed};

/// A log that is larger than all pipes and buffers, and pagers.
fn dir() -> Dir {
    let dir = Dir::new();
    dir.put("x.log", "{\"level\":\"INFO\",\"msg\":\"m\"}\n".repeat(20_000) + "text\n");
    // Marks what it shows.
    script(&dir, "marks", "echo BEGIN; cat; echo END \"$@\"");
    script(&dir, "closes", "read line; echo \"$line\"");
    dir
}

fn script(dir: &Dir, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    dir.put(name, format!("#!/bin/sh\n{text}\n"));
    fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o700)).unwrap();
}

fn command(dir: &Dir, args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = dir.command(args);
    for name in ["PAGER", "SPANLINE_PAGER", "LESS", "XDG_CONFIG_HOME"] {
        command.env_remove(name);
    }
    command.env("SPANLINE_TOOL_CONFIG", "").env("TERM", "xterm").envs(variables.iter().copied());
    command
}

fn shown(dir: &Dir, args: &[&str], variables: &[(&str, &str)]) -> String {
    Terminal::new(80).run(&mut command(dir, args, variables))
}

#[test]
fn a_pager_shows_what_a_terminal_would() {
    let dir = dir();
    let find = ["find", "x.log", "--limit", "2", "--time", "none", "--color", "never"];
    let lines = "INFO  m\nINFO  m\n";
    let marked = format!("BEGIN\n{lines}END\n");
    assert_eq!(shown(&dir, &find, &[("PAGER", "./marks")]), marked);
    assert_eq!(
        shown(&dir, &find, &[("SPANLINE_PAGER", "./marks -a b"), ("PAGER", "x")]),
        marked.replace("END", "END -a b")
    );
    dir.put("tool.toml", "pager = \"./marks\"\n");
    assert_eq!(shown(&dir, &find, &[("SPANLINE_TOOL_CONFIG", "tool.toml"), ("PAGER", "x")]), marked);
    assert!(shown(&dir, &["ls"], &[("PAGER", "./marks")]).starts_with("BEGIN\nPERIOD"));
    for report in [&["stats", "x.log"][..], &["hist", "x.log"], &["doctor", "x.log"]] {
        let text = shown(&dir, report, &[("PAGER", "./marks")]);
        assert!(text.starts_with("BEGIN\n") && text.ends_with("END\n"), "{report:?}: {text}");
    }
    dir.put("y.log", "{\"level\":\"INFO\",\"msg\":\"m\",\"request_id\":\"r-1\"}\n");
    let drawn = shown(&dir, &["trace", "r-1", "y.log"], &[("PAGER", "./marks")]);
    assert!(drawn.starts_with("BEGIN\n") && drawn.ends_with("END\n"), "{drawn}");
    // What switches it off.
    assert_eq!(shown(&dir, &[&find[..], &["--no-pager"]].concat(), &[("PAGER", "./marks")]), lines);
    for pager in ["", " ", "cat"] {
        assert_eq!(shown(&dir, &find, &[("SPANLINE_PAGER", pager), ("PAGER", "./marks")]), lines, "{pager:?}");
    }
    assert_eq!(shown(&dir, &find, &[("PAGER", "./marks"), ("TERM", "dumb")]), lines);
    // Nothing is there to show.
    let none = [&find[..], &["--level", "fatal"]].concat();
    assert_eq!(shown(&dir, &none, &[("PAGER", "./marks")]), "");
    let help = shown(&dir, &["--help"], &[("PAGER", "./marks")]);
    assert!(!help.contains("BEGIN"), "{help}");
    let piped = command(&dir, &["find", "x.log", "--limit", "1"], &[("PAGER", "./marks")]).output().unwrap();
    assert_eq!(crate::done(piped), printed("{\"level\":\"INFO\",\"msg\":\"m\"}\n"));
}

#[test]
fn what_is_reported_waits_for_the_pager() {
    let dir = dir();
    let terminal = Terminal::new(80);
    let mut command = command(&dir, &["find", "x.log", "missing.log", "--grep", "text"], &[("PAGER", "./marks")]);
    let child = terminal.spawn(command.stderr(Stdio::piped()));
    drop(command);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("spanline: open missing.log") && stderr.contains("1 line was no record"), "{stderr}");
    assert_eq!(terminal.shown(), "BEGIN\ntext\nEND\n");
}

#[test]
fn a_pager_that_is_closed_ends_the_command_quietly() {
    let dir = dir();
    let terminal = Terminal::new(80);
    let args = ["find", "x.log", "--format", "raw"];
    let mut command = command(&dir, &args, &[("PAGER", "./closes")]);
    let child = terminal.spawn(command.stderr(Stdio::piped()));
    drop(command);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    assert_eq!(terminal.shown(), "{\"level\":\"INFO\",\"msg\":\"m\"}\n");
}

#[test]
fn a_pager_that_does_not_start_is_reported() {
    let dir = dir();
    let terminal = Terminal::new(80);
    let mut command = command(&dir, &["cat", "x.log"], &[("PAGER", "./missing \x1b[2J")]);
    dir.put("x.log", "1\n");
    let child = terminal.spawn(command.stderr(Stdio::piped()));
    drop(command);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("spanline: start the pager `./missing \\u{1b}[2J`: No such file"), "{stderr}");
    assert_eq!((output.status.code(), terminal.shown().as_str()), (Some(0), "1\n"));
}

/// The terminal sends it to both.
#[test]
fn an_interrupt_is_for_the_pager() {
    let dir = dir();
    script(&dir, "waits", "trap 'echo interrupted; exit' INT; echo ready; while :; do sleep 0.05; done");
    let terminal = Terminal::new(80);
    let mut command = command(&dir, &["cat", "x.log"], &[("PAGER", "./waits")]);
    let mut child = terminal.spawn(command.stderr(Stdio::piped()));
    drop(command);
    let mut shown = BufReader::new(terminal.screen());
    let mut line = String::new();
    shown.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\r\n");
    let tool = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(tool, rustix::process::Signal::INT).unwrap();
    let pagers = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let pager = rustix::process::Pid::from_raw(pagers.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pager, rustix::process::Signal::INT).unwrap();
    line.clear();
    shown.read_line(&mut line).unwrap();
    assert_eq!(line, "interrupted\r\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// As it is on machines without `less`, or with it.
#[test]
fn without_a_choice_short_output_needs_no_key() {
    let dir = Dir::new();
    dir.put("x.log", "1\n");
    let text = shown(&dir, &["cat", "x.log"], &[]);
    assert!(text.contains('1'), "{text:?}");
}
