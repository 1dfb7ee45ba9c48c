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
        "cat   Print the lines of logs, oldest first",
        "ls    List the files of logs, oldest first",
        "0  everything was done",
        "1  something could not be read or written; stderr says what",
        "2  the command line is wrong",
    ] {
        assert!(done.stdout.contains(expected), "{}", done.stdout);
    }
}
