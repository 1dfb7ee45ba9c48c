//! The tool's own configuration file.

use crate::terminal::Terminal;
use crate::{Dir, Done, done};

const LINE: &str = r#"{"timestamp":"2026-11-20T10:00:00Z","level":"ERROR","msg":"m"}"#;

fn dir(settings: &str) -> Dir {
    let dir = Dir::new();
    dir.put("x.log", LINE);
    dir.put("home/.config/spanline/tool.toml", settings);
    dir
}

/// Runs with the file in the home directory.
fn run(settings: &str, args: &[&str]) -> Done {
    let dir = dir(settings);
    let mut command = dir.command(args);
    command.env_remove("XDG_CONFIG_HOME").env_remove("SPANLINE_TOOL_CONFIG").env("HOME", dir.path().join("home"));
    done(command.env("TERM", "xterm").env_remove("COLORTERM").output().unwrap())
}

#[test]
fn settings_are_the_defaults_of_options() {
    let settings = "theme = \"mono\"\ncolor = \"always\"\ntime = \"none\"\ntime-zone = \"utc\"\nformat = \"json\"\npager = \"x\"\n";
    let pretty = ["find", "x.log", "--format", "pretty"];
    assert_eq!(run(settings, &pretty).stdout, "\x1b[1mERROR\x1b[0m m\n");
    let others = [&pretty[..], &["--theme", "none", "--time", "absolute"]].concat();
    assert_eq!(run(settings, &others).stdout, "2026-11-20 10:00:00.000000 ERROR m\n");
    // A script gets what it always got.
    assert_eq!(run(settings, &["find", "x.log"]).stdout, format!("{LINE}\n"));
}

#[test]
fn format_counts_on_a_terminal() {
    let dir = dir("format = \"logfmt\"\n");
    let mut command = dir.command(&["find", "x.log", "--no-pager"]);
    command.env_remove("XDG_CONFIG_HOME").env_remove("SPANLINE_TOOL_CONFIG").env("HOME", dir.path().join("home"));
    assert_eq!(Terminal::new(80).run(&mut command), "ts=2026-11-20T10:00:00Z level=error msg=m\n");
}

#[test]
fn options_of_other_formats_choose_theirs() {
    let dir = dir("format = \"pretty\"\n");
    for (option, value, expected) in [("--fields", "message", "message\nm\n"), ("--template", "<{message}>", "<m>\n")] {
        let mut command = dir.command(&["find", "x.log", "--no-pager", option, value]);
        command.env_remove("XDG_CONFIG_HOME").env_remove("SPANLINE_TOOL_CONFIG").env("HOME", dir.path().join("home"));
        assert_eq!(Terminal::new(80).run(&mut command), expected);
    }
}

#[test]
fn variables_name_the_file() {
    let dir = dir("time = \"none\"\n");
    dir.put("xdg/spanline/tool.toml", "time = \"start\"\n");
    dir.put("other.toml", "time = \"delta\"\ntheme = \"none\"\n");
    let run = |variables: &[(&str, &str)]| {
        let mut command = dir.command(&["find", "x.log", "--format", "pretty"]);
        command.env_remove("XDG_CONFIG_HOME").env_remove("SPANLINE_TOOL_CONFIG").env("HOME", dir.path().join("home"));
        done(command.envs(variables.iter().copied()).output().unwrap())
    };
    let xdg = dir.path().join("xdg");
    let xdg = ("XDG_CONFIG_HOME", xdg.to_str().unwrap());
    assert_eq!(run(&[]).stdout, "ERROR m\n");
    assert_eq!(run(&[xdg]).stdout, "   +0.000000 ERROR m\n");
    assert_eq!(run(&[xdg, ("SPANLINE_TOOL_CONFIG", "other.toml")]).stdout, "   +0.000000 ERROR m\n");
    assert!(run(&[xdg, ("SPANLINE_TOOL_CONFIG", "")]).stdout.starts_with("20"));
    let run = run(&[("SPANLINE_TOOL_CONFIG", "missing.toml")]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.starts_with("missing.toml: No such file"), "{}", run.stderr);
}

#[test]
fn mistakes_have_their_place_and_the_nearest_name() {
    for (settings, expected) in [
        (
            "time = \"none\"\ntehme = \"dark\"\n",
            ":2:1: unknown key `tehme`; did you mean `theme`? expected one of: color, ",
        ),
        (
            "theme = \"drak\"\n",
            ":1:9: unknown theme `drak`; did you mean `dark`? expected one of: dark, light, mono, none\n",
        ),
        ("theme = 1\n", ":1:9: expected a text in quotes for `theme`\n"),
        ("theme = \n", ":1:9: no TOML: "),
        ("[theme]\n", ":1:1: expected a text in quotes for `theme`\n"),
    ] {
        let found = run(settings, &["find", "x.log"]);
        assert_eq!((found.status, found.stdout.as_str()), (2, ""), "{settings}");
        assert!(found.stderr.contains("tool.toml") && found.stderr.contains(expected), "{settings}: {}", found.stderr);
        // Other commands, and the help, do not need it.
        assert_eq!(run(settings, &["--help"]).status, 0);
        #[cfg(feature = "manual")]
        assert_eq!(run(settings, &["completions", "bash"]).status, 0);
    }
}
