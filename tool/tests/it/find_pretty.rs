//! `spanline find --format pretty`: times, folding, themes, errors, and what a request's lines share.

use std::time::{Duration, SystemTime};

use crate::{Dir, done};

/// Runs with these lines in UTC, with few colours. Variables: `NAME=value`.
fn run_with(lines: &[&str], args: &[&str], variables: &[(&str, &str)]) -> String {
    let dir = Dir::new();
    dir.put("x.log", lines.join("\n"));
    let mut command = dir.command(&[&["find", "x.log", "--format", "pretty"], args].concat());
    for name in ["NO_COLOR", "COLORTERM", "TERM", "COLUMNS"] {
        command.env_remove(name);
    }
    done(command.env("TZ", "Asia/Tokyo").envs(variables.iter().copied()).output().unwrap()).stdout
}

fn run(lines: &[&str], args: &[&str]) -> String {
    run_with(lines, args, &[])
}

const REQUEST: [&str; 4] = [
    r#"{"timestamp":"2026-11-20T10:00:00.5Z","level":"INFO","message":"begun","path":"/a","step":1,"request_id":"r-1"}"#,
    r#"{"timestamp":"2026-11-20T10:00:01.75Z","level":"INFO","message":"done","path":"/a","step":2,"request_id":"r-1"}"#,
    r#"{"timestamp":"2026-11-20T10:00:01Z","level":"INFO","message":"done","path":"/a","step":2,"request_id":"r-2"}"#,
    r#"{"timestamp":"2026-11-20T10:05:01Z","level":"INFO","message":"idle","path":"/a"}"#,
];

#[test]
fn a_request_names_its_fields_once() {
    let expected = "\
INFO  begun  path=/a step=1 request_id=r-1
INFO  done   step=2 …
INFO  done   path=/a step=2 request_id=r-2
INFO  idle   path=/a
";
    assert_eq!(run(&REQUEST, &["--time", "none"]), expected);
    let expected = expected.replace("step=2 …", "path=/a step=2 request_id=r-1");
    assert_eq!(run(&REQUEST, &["--time", "none", "--repeat"]), expected);
    // Nothing is left to name, and another line comes between.
    let lines = [REQUEST[0], REQUEST[0], "text", REQUEST[0]];
    let expected = "INFO  begun  path=/a step=1 request_id=r-1\nINFO  begun  …\ntext\n\
                    INFO  begun  path=/a step=1 request_id=r-1\n";
    assert_eq!(run(&lines, &["--time", "none"]), expected);
}

#[test]
fn each_kind_of_time_is_shown() {
    let times = |args: &[&str]| {
        let printed = run(&REQUEST, args);
        printed.lines().map(|line| line.split(" INFO ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(times(&[])[0], "2026-11-20 19:00:00.500000");
    assert_eq!(times(&["--time-zone", "utc"])[3], "2026-11-20 10:05:01.000000");
    assert_eq!(times(&["--time", "delta"]), ["   +0.000000", "   +1.250000", "   -0.750000", " +300.000000"]);
    assert_eq!(times(&["--time", "start"]), ["   +0.000000", "   +1.250000", "   +0.500000", " +300.500000"]);
    let ago = |seconds: u64| {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() - Duration::from_secs(seconds);
        format!("{{\"time\":{},\"level\":\"INFO\",\"msg\":\"x\"}}", time.as_secs())
    };
    let lines = [ago(3 * 86_400 + 4 * 3600 + 1800), ago(2 * 3600 + 330)];
    let printed = run(&lines.each_ref().map(String::as_str), &["--time", "relative"]);
    assert_eq!(printed, "  3d04h ago INFO  x\n  2h05m ago INFO  x\n");
}

#[test]
fn extra_lists_the_fields() {
    let expected = "\
INFO  begun
    path: /a
    step: 1
    request_id: r-1
";
    assert_eq!(run(&REQUEST[..1], &["--time", "none", "--extra"]), expected);
}

#[test]
fn errors_of_all_schemas_stand_below() {
    for (line, expected) in [
        (
            r#"{"level":"ERROR","msg":"lost","error.message":"refused","error.type":"Io","error.stack_trace":"timed out\nno route","a":1}"#,
            "ERROR lost  a=1\n    error.message: refused (Io)\n    error.stack_trace:\n      timed out\n      no route\n",
        ),
        (
            r#"{"level":"ERROR","msg":"lost","errorMessage":"refused","errorType":"Io","stackTrace":["a.rs:1","b.rs:2"]}"#,
            "ERROR lost\n    errorMessage: refused (Io)\n    stackTrace:\n      a.rs:1\n      b.rs:2\n",
        ),
        (
            r#"{"level":"ERROR","msg":"lost","backtrace":"  0: a\n","exception.message":"x\u001b[2J","exception.type":"y","error":"short"}"#,
            "ERROR lost  error=short\n    exception.message: x\\u{1b}[2J (y)\n    backtrace:   0: a\n",
        ),
        (
            r#"{"level":"ERROR","msg":"lost","err":{"message":"refused","name":"Io","chain":["a","b"],"stack":"at a\nat b"}}"#,
            "ERROR lost\n    err: refused (Io)\n      caused by: a\n      caused by: b\n    stack:\n      at a\n      at b\n",
        ),
    ] {
        assert_eq!(run(&[line], &[]), expected, "{line}");
    }
}

#[test]
fn a_theme_has_the_colours_that_the_terminal_has() {
    let line = r#"{"level":"ERROR","msg":"m","a":1}"#;
    let colored = |args: &[&str], variables: &[(&str, &str)]| {
        run_with(&[line], &[&["--color", "always"], args].concat(), variables)
    };
    assert_eq!(colored(&[], &[]), "\x1b[31mERROR\x1b[0m m \x20\x1b[36ma=\x1b[0m1\n");
    assert_eq!(colored(&["--theme", "mono"], &[]), "\x1b[1mERROR\x1b[0m m  a=1\n");
    assert_eq!(colored(&["--theme", "none"], &[]), "ERROR m  a=1\n");
    let (many, all) = (("TERM", "xterm-256color"), ("COLORTERM", "truecolor"));
    for (theme, variables, code) in [
        ("dark", &[many][..], "38;5;203"),
        ("dark", &[many, all], "38;2;255;123;114"),
        ("light", &[], "31"),
        ("light", &[many], "38;5;160"),
        ("light", &[all], "38;2;207;34;46"),
    ] {
        let printed = colored(&["--theme", theme], variables);
        assert!(printed.starts_with(&format!("\x1b[{code}mERROR\x1b[0m")), "{theme}: {printed:?}");
    }
}

#[cfg(target_os = "linux")]
mod on_a_terminal {
    use super::*;
    use crate::terminal::Terminal;

    const LONG: &str = r#"{"level":"INFO","msg":"one two three four five six seven eight nine ten","first":"0123456789","second":"a b","third":"0123456789012345678901234567890123456789012345678901234567890123456789","f":1}"#;

    fn shown(columns: u16, args: &[&str]) -> String {
        let dir = Dir::new();
        dir.put("x.log", LONG);
        let mut command = dir.command(&[&["find", "x.log", "--color", "never", "--no-pager"], args].concat());
        Terminal::new(columns).run(command.env_remove("COLUMNS"))
    }

    #[test]
    fn a_field_is_printed_however_much_room_there_is() {
        let dir = Dir::new();
        let first = format!("{{\"level\":\"INFO\",\"message\":\"{}\"}}\n", "m".repeat(40));
        let second =
            |length| format!("{{\"level\":\"INFO\",\"message\":\"lost\",\"user\":\"v{}\"}}\n", "x".repeat(length));
        dir.put("x.log", first + &(0..60).map(second).collect::<String>());
        let mut command = dir.command(&["find", "x.log", "--color", "never", "--no-pager"]);
        let shown = Terminal::new(60).run(command.env_remove("COLUMNS"));
        assert_eq!(shown.matches("user=v").count(), 60, "{shown}");
    }

    #[test]
    fn what_is_wider_is_folded() {
        let expected = "\
INFO  one two three four five six seven
    eight nine ten  first=0123456789
    second=\"a b\"
    third=012345678901234567890123456789
      0123456789012345678901234567890123
      456789 f=1
";
        assert_eq!(shown(40, &[]), expected);
        assert!(shown(44, &[]).lines().all(|line| line.len() <= 44));
        let flat = "INFO  one two three four five six seven eight nine ten  first=0123456789 second=\"a b\" \
                    third=0123456789012345678901234567890123456789012345678901234567890123456789 f=1\n";
        assert_eq!(shown(40, &["--wide"]), flat);
        assert_eq!(shown(500, &[]), flat);
        // Too narrow, or no terminal at all.
        assert_eq!(shown(10, &[]), flat);
        assert_eq!(run(&[LONG], &[]), flat);
    }
}
