//! `spanline find`: CSV, templates, and what is at their edges.

use crate::{Dir, Done, done};

const LINES: [&str; 4] = [
    r#"{"timestamp":"2026-11-20T10:15:38.5Z","level":"INFO","target":"orders","message":"order \"7\", loaded","status":200,"labels":{"user":"größe"},"service":"orders"}"#,
    r#"{"timestamp":"2026-11-20T10:15:39Z","level":"ERROR","message":"=cmd|' /C calc'!A0\nnext\u001b[2J","status":-5,"change":"-5","labels":{"user":"+1"}}"#,
    r#"{"timestamp":"2026-11-20T10:15:40Z","level":"WARN","message":"@SUM(A1)","status":"-","change":"\t=1"}"#,
    "plain text",
];

const NOTE: &str = "spanline: 1 line was no record: 0 broken, 1 of plain text\n";

fn run(args: &[&str]) -> Done {
    let dir = Dir::new();
    dir.put("x.log", LINES.join("\n"));
    done(dir.command(&[&["find", "x.log"], args].concat()).env("TZ", "UTC").output().unwrap())
}

fn printed(stdout: &str) -> Done {
    Done { stdout: stdout.to_owned(), stderr: NOTE.to_owned(), status: 0 }
}

#[test]
fn csv_is_quoted_and_no_cell_is_a_formula() {
    let expected = r#"time,level,message,status,change,labels.user
2026-11-20T10:15:38.500Z,INFO,"order ""7"", loaded",200,,größe
2026-11-20T10:15:39Z,ERROR,"'=cmd|' /C calc'!A0
next\u{1b}[2J",-5,-5,"'+1"
2026-11-20T10:15:40Z,WARN,"'@SUM(A1)","'-","'	=1",
,,plain text,,,
"#;
    let fields = "time, level,message,status,change,labels.user";
    assert_eq!(run(&["--format", "csv", "--fields", fields]), printed(expected));
    assert_eq!(run(&["--fields", fields]), printed(expected));
    // Some spreadsheets separate cells by semicolons.
    let template = Dir::new();
    template.put("x.log", "{\"level\":\"INFO\",\"message\":\"x;=1\"}");
    assert_eq!(template.run(&["find", "x.log", "--fields", "message"]).stdout, "message\n\"x;=1\"\n");
    // A name may need quotes, and a table has its header also without rows.
    let none = run(&["--fields", "\"a,\"\"b\",'-x'", "--level", "fatal"]);
    assert!(none.stderr.contains("column 5: expected a comma or the end, found '\"'"), "{}", none.stderr);
    let none = run(&["--fields", "'a,b','-x'", "--level", "fatal"]);
    assert_eq!((none.status, none.stdout.as_str()), (1, "\"a,b\",\"'-x\"\n"));
    let all = run(&["--format", "csv", "--limit", "1"]).stdout;
    assert!(all.starts_with(
        "time,level,service,target,message,request_id,trace_id\n2026-11-20T10:15:38.500Z,INFO,orders,orders,"
    ));
}

/// What another reader of CSV reads is what the lines have, but for what is escaped.
#[test]
fn csv_has_as_many_cells_in_each_row() {
    let text = run(&["--fields", "message,status,change"]).stdout;
    let (mut rows, mut cells, mut is_quoted) = (0, 1, false);
    for char in text.chars() {
        match char {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells += 1,
            '\n' if !is_quoted => {
                assert_eq!(cells, 3, "{text}");
                (rows, cells) = (rows + 1, 1);
            }
            _ => {}
        }
    }
    assert_eq!(rows, 5);
}

#[test]
fn a_template_places_values() {
    for (template, expected) in [
        (
            "{time} {level:>5} {service} {message}",
            "2026-11-20T10:15:38.500Z  INFO orders order \"7\", loaded\n\
             2026-11-20T10:15:39Z ERROR - =cmd|' /C calc'!A0\\nnext\\u{1b}[2J\n\
             2026-11-20T10:15:40Z  WARN - @SUM(A1)\n-     - - plain text\n",
        ),
        ("[{level?:^7}] {status?}.", "[ INFO  ] 200.\n[ ERROR ] -5.\n[ WARN  ] -.\n[       ].\n"),
        ("{{{level:.2}}} {message:<8.8}|", "{IN} order \"7|\n{ER} =cmd|' /|\n{WA} @SUM(A1)|\n{-} plain te|\n"),
        ("{labels.user?:>6}|{\"status\"?:4}|", " größe|200 |\n    +1|-5  |\n      |-   |\n      |    |\n"),
    ] {
        assert_eq!(run(&["--template", template]), printed(expected), "{template}");
        assert_eq!(run(&["--format", "template", "--template", template]), printed(expected), "{template}");
    }
}

#[test]
fn mistakes_name_their_column_and_what_to_write() {
    for (args, expected) in [
        (
            &["--fields", "time,,level"][..],
            "column 6: expected the name of a field, found ','; put unusual names in quotes",
        ),
        (&["--fields", ""], "column 1: expected the name of a field, found the end"),
        (&["--fields", "a b"], "column 3: expected a comma or the end, found 'b'"),
        (&["--fields", "größe,'x"], "column 7: this text has no end; add ' behind it"),
        (&["--template", "größe {level"], "column 13: expected `}` for the `{` in column 7, found the end"),
        (&["--template", "{level:x}"], "column 8: expected `}` for the `{` in column 1, found 'x'"),
        (&["--template", "a}"], "column 2: this `}` closes nothing; write `}}` for one that is printed"),
        (&["--template", "{}"], "column 2: expected the name of a field, found '}'"),
        (&["--template", "{a:9999999999999999999999}"], "column 1: expected a width of at most 1000"),
        (&["--format", "template"], "--format template: needs --template"),
        (&["--format", "json", "--fields", "a"], "--fields: needs --format csv"),
        (&["--format", "csv", "--template", "a"], "--template: needs --format template"),
    ] {
        let run = run(args);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(run.stderr.contains(expected), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn a_sample_has_every_nth_line_or_whole_traces() {
    let dir = Dir::new();
    let line =
        |number: usize, id: usize| format!("{{\"level\":\"INFO\",\"at\":{number},\"trace_id\":\"{id:032x}\"}}\n");
    dir.put("a.log", (0..4000).map(|number| line(number, number / 4)).collect::<String>());
    dir.put("b.log", (0..4000).map(|number| line(number, number / 4)).collect::<String>());
    let run = |args: &[&str]| dir.run(&[&["find", "--format", "csv", "--fields", "trace_id"], args].concat()).stdout;
    assert_eq!(dir.run(&["find", "a.log", "--sample", "1000", "--fields", "at"]).stdout, "at\n0\n1000\n2000\n3000\n");
    assert_eq!(dir.run(&["find", "a.log", "--sample", "100%", "--count"]).stdout, "4000\n");
    let taken = run(&["a.log", "--sample", "10%"]);
    let ids: Vec<&str> = taken.lines().skip(1).collect();
    assert!(ids.chunks(4).all(|trace| trace.iter().all(|id| *id == trace[0])), "{taken}");
    assert!((200..600).contains(&ids.len()), "{}", ids.len());
    // In each log and on each run the same ones.
    assert_eq!(run(&["b.log", "--sample", "10%"]), taken);
    dir.put("none.log", "{\"level\":\"INFO\"}\n".repeat(1000));
    assert_eq!(dir.run(&["find", "none.log", "--sample", "2.5%", "--count"]).stdout, "25\n");
    for wrong in ["0", "0%", "101%", "-1", "x", "NaN%"] {
        let run = dir.run(&["find", "a.log", &format!("--sample={wrong}")]);
        assert_eq!(run.status, 2);
        assert!(run.stderr.contains("expected a number of lines, such as 100, or a share, such as 1%"), "{wrong}");
    }
}

/// Datadog writes the lower half of a trace's id as a decimal number.
#[test]
fn a_trace_is_found_by_the_id_that_its_line_has() {
    let dir = Dir::new();
    let line = r#"{"timestamp":"2026-11-20T10:15:38.123456Z","status":"info","message":"order loaded","service":"orders","dd.service":"orders","dd.trace_id":"17911839290282890590","logger.name":"orders"}"#;
    let other = r#"{"timestamp":"2026-11-20T10:15:38.5Z","level":"INFO","target":"a","message":"m","trace_id":"910a2dec89025cc1beeb8da1658eec67"}"#;
    dir.put("x.log", format!("{line}\n{other}\n"));
    // Another service writes the same id as hex digits.
    let hex = r#"{"timestamp":"2026-11-20T10:15:39Z","level":"INFO","target":"b","message":"m","service":"cart","trace_id":"0000000000000000f893a2eefb32555e"}"#;
    dir.put("y.log", format!("{hex}\n"));
    for id in ["17911839290282890590", "0000000000000000f893a2eefb32555e"] {
        assert_eq!(dir.run(&["find", "x.log", "--trace", id]), crate::printed(&format!("{line}\n")), "{id}");
        assert_eq!(dir.run(&["find", "y.log", "--trace", id]), crate::printed(&format!("{hex}\n")), "{id}");
        let drawn = dir.run(&["trace", id, "x.log", "y.log"]);
        assert!(drawn.stdout.contains("2 services, 0 spans, 2 lines"), "{id}: {drawn:?}");
        assert!(
            drawn.status == 0 && drawn.stdout.starts_with("trace 0000000000000000f893a2eefb32555e\n"),
            "{id}: {drawn:?}"
        );
    }
}
