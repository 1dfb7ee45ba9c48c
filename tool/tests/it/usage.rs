//! Help, typing errors and exit statuses.

use crate::Dir;

#[test]
fn a_typo_gets_a_suggestion_and_exit_status_2() {
    let done = Dir::new().run(&["catt"]);
    assert_eq!((done.status, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("a similar subcommand exists: 'cat'"), "{}", done.stderr);
}

#[cfg(not(feature = "sealed"))]
#[test]
fn a_command_that_this_build_lacks_is_named() {
    let done = Dir::new().run(&["keygen"]);
    assert_eq!((done.status, done.stdout.as_str()), (2, ""));
    let why = "spanline: this build has no `keygen`; `cargo install spanline-cli` builds all commands\n";
    assert!(done.stderr.starts_with(why), "{}", done.stderr);
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

/// The groups of the help page have the commands that there are.
#[cfg(all(feature = "find", feature = "manual"))]
#[test]
fn help_lists_commands_in_groups() {
    let help = Dir::new().run(&["--help"]).stdout;
    let (mut group, mut commands) = ("", Vec::new());
    for line in help.lines() {
        match line.strip_prefix("  ") {
            Some(row) if !group.is_empty() => commands.push((group, row.split(' ').next().unwrap())),
            Some(_) => {}
            None => {
                let title = line.strip_suffix(':').filter(|title| *title != "Options" && *title != "Exit status");
                group = title.unwrap_or("");
            }
        }
    }
    for expected in [("Read", "find"), ("Read", "cat"), ("This tool", "man"), ("This tool", "help")] {
        assert!(commands.contains(&expected), "{help}");
    }
    assert!(!commands.iter().any(|(group, _)| *group == "Others"), "{help}");
    for (_, command) in commands.iter().filter(|(_, command)| *command != "help") {
        assert_eq!(Dir::new().run(&[*command, "--help"]).status, 0, "{command}");
    }
}

#[cfg(feature = "manual")]
#[test]
fn completions_and_pages_are_for_all_commands() {
    let dir = Dir::new();
    for shell in ["bash", "zsh", "fish"] {
        let run = dir.run(&["completions", shell]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        for word in ["cat", "no-pager", "completions"] {
            assert!(run.stdout.contains(word), "{shell}: {word}");
        }
    }
    // A shell reads them without an error.
    dir.put("script", dir.run(&["completions", "bash"]).stdout);
    if let Ok(bash) = std::process::Command::new("bash").args(["-n", "script"]).current_dir(dir.path()).output() {
        assert!(bash.status.success(), "{bash:?}");
    }
    let page = dir.run(&["man"]).stdout;
    assert!(page.contains(".TH spanline") && page.contains(r"spanline\-cat"), "{page}");
    let page = dir.run(&["man", "cat"]).stdout;
    assert!(page.contains(".TH spanline-cat") && page.contains("oldest first"), "{page}");
    let run = dir.run(&["man", "cta"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.starts_with("spanline: unknown command `cta`; did you mean `cat`?"), "{}", run.stderr);
    std::fs::create_dir(dir.path().join("pages")).unwrap();
    assert_eq!(dir.run(&["man", "--dir", "pages"]), crate::printed(""));
    assert!(dir.path().join("pages/spanline-ls.1").is_file());
    let run = dir.run(&["man", "--dir", "missing"]);
    assert!(run.status == 1 && run.stderr.starts_with("spanline: write to missing: "), "{}", run.stderr);
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
