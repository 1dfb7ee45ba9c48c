//! Help, typing errors and exit statuses.

use crate::Dir;

#[test]
fn a_typo_gets_a_suggestion_and_exit_status_2() {
    let done = Dir::new().run(&["catt"]);
    assert_eq!((done.status, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("a similar subcommand exists: 'cat'"), "{}", done.stderr);
}

#[test]
fn cat_without_a_path_is_a_wrong_command_line() {
    let done = Dir::new().run(&["cat"]);
    assert_eq!((done.status, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("<PATH>..."), "{}", done.stderr);
}

#[test]
fn help_lists_every_command_and_the_exit_statuses() {
    let done = Dir::new().run(&["--help"]);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    for expected in [
        "Print the lines of logs, oldest first",
        "List the files of logs, oldest first",
        #[cfg(feature = "find")]
        "Print the lines of logs that meet conditions",
        "0  everything was done",
        "1  something could not be read or written; stderr says what",
        "2  the command line is wrong",
    ] {
        assert!(done.stdout.contains(expected), "{}", done.stdout);
    }
}

#[cfg(feature = "collect")]
#[test]
fn the_help_of_collect_has_examples_and_its_exit_statuses() {
    for flag in ["-h", "--help"] {
        let done = Dir::new().run(&["collect", flag]);
        assert_eq!((done.status, done.stderr.as_str()), (0, ""));
        assert!(done.stdout.contains("--to console\n") && done.stdout.contains("  0  ended by"), "{}", done.stdout);
    }
}

/// A shell puts in file names for `*`. One may look like an option.
#[test]
fn no_argument_controls_the_terminal() {
    for args in [&["cat", "--\x1b[2J\r\u{202e}"][..], &["\x07\u{9b}31m"]] {
        let run = Dir::new().run(args);
        assert_eq!(run.status, 2);
        let is_safe = |char: char| char == '\n' || !(char.is_control() || char == '\u{202e}');
        assert!(run.stderr.starts_with("error: ") && run.stderr.chars().all(is_safe), "{:?}", run.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn help_on_a_full_disk_is_a_failure() {
    for args in [&["--help"][..], &["--version"], &["help", "cat"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let run = crate::done(Dir::new().command(args).stdout(full).output().unwrap());
        assert_eq!(run, crate::failed("spanline: write to stdout: No space left on device (os error 28)\n"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stderr_changes_nothing_else() {
    let dir = Dir::new();
    dir.put("orders.log", "1\n");
    let mut command = std::process::Command::new("sh");
    let script = "exec \"$0\" cat missing.log orders.log 2>/dev/full";
    let command = command.args(["-c", script, env!("CARGO_BIN_EXE_spanline")]).current_dir(dir.path());
    let run = crate::done(command.output().unwrap());
    assert_eq!((run.status, run.stdout.as_str()), (1, "1\n"));
}
