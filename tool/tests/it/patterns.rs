//! Patterns in quotes, which no shell expands.

use crate::{Dir, failed, printed};

fn dir() -> Dir {
    let dir = Dir::new();
    for (name, text) in
        [("logs/a.log", "1\n"), ("logs/b.log", "2\n"), ("logs/deep/c.log", "3\n"), ("logs/.d.log", "4\n")]
    {
        dir.put(name, text);
    }
    dir
}

#[test]
fn a_pattern_stands_for_the_files_that_match_it() {
    let dir = dir();
    for (pattern, expected) in
        [("logs/*.log", "1\n2\n"), ("logs/[b-z].log", "2\n"), ("logs/**/?.log", "1\n2\n3\n"), ("*/deep/*", "3\n")]
    {
        assert_eq!(dir.run(&["cat", pattern]), printed(expected), "{pattern}");
        assert_eq!(dir.run(&["ls", pattern]).stdout.lines().count(), expected.lines().count() + 1, "{pattern}");
        #[cfg(feature = "find")]
        assert_eq!(dir.run(&["find", pattern]).stdout, expected, "{pattern}");
    }
}

#[test]
fn a_file_with_such_a_name_comes_first() {
    let dir = dir();
    dir.put("[a].log", "5\n");
    dir.put("a.log", "6\n");
    assert_eq!(dir.run(&["cat", "[a].log"]), printed("5\n"));
}

#[test]
fn a_pattern_without_a_match_or_a_meaning_fails() {
    let dir = dir();
    let expected = "spanline: open logs/*.gz: found no file that matches this pattern\n";
    assert_eq!(dir.run(&["cat", "logs/*.gz"]), failed(expected));
    assert_eq!(dir.run(&["ls", "logs/*.gz"]), failed(expected));
    let run = dir.run(&["cat", "logs/[a", "logs/a.log"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, "1\n"));
    assert!(
        run.stderr.starts_with("spanline: open logs/[a: expected a pattern such as logs/*.log; "),
        "{}",
        run.stderr
    );
    let run = dir.run(&["cat", "\x1b2J*"]);
    assert!(run.stderr.starts_with("spanline: open \\u{1b}2J*: found no file"), "{}", run.stderr);
}
