//! `--engine clickhouse`: answers equal those from files, row by row.

use std::process::{Output, Stdio};

use serde_json::Value;

use crate::Dir;
use crate::clickhouse_support::{Numbers, Server, current_engine, lines, nodes, printed, run, until};

/// Two logs, one of them in three segments whose times overlap.
fn logs() -> Dir {
    let (dir, mut numbers) = (Dir::new(), Numbers(7));
    dir.put("orders.2026-11-18T101538-000001.log.gz", gzip(&lines(&mut numbers, 700, 2)));
    let begin = [b"no record\n{\"message\":\"no time\"}\n".as_slice(), &lines(&mut numbers, 700, 0)].concat();
    dir.put("orders.2026-11-19T101538-000002.log.zst", zstd::encode_all(begin.as_slice(), 3).unwrap());
    dir.put("orders.log", [&lines(&mut numbers, 600, 1)[..], b"{\"message\":\"torn"].concat());
    let long =
        format!("{{\"timestamp\":\"2026-11-20T10:01:00Z\",\"level\":\"INFO\",\"text\":\"{}\"}}\n", "x".repeat(2 << 20));
    dir.put("stock.log", [lines(&mut numbers, 500, 0), long.into_bytes(), lines(&mut numbers, 500, 4)].concat());
    // Ambiguous lines are read as the first record says.
    dir.put("pipe.log", "1795169700 | INFO | a | b | s | t\n1795169700 | half\nlevel=info\n");
    dir.put("fmt.log", "level=info msg=a ts=2026-11-20T10:01:00Z\nlevel=error\nplain\n");
    dir
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const QUESTIONS: &[&[&str]] = &[
    &["find"],
    &["find", "--level", "warn"],
    &["find", "--level", "error", "--format", "json"],
    &["find", "--format", "pretty", "--color", "never", "--request", "r-7"],
    &["find", "--service", "'; DROP TABLE lines; --", "--service", "a\\b"],
    &["find", "--service", ""],
    &["find", "--target", "orders"],
    &["find", "--trace", "0000000000000000000000000000000A"],
    &["find", "--trace", "t", "--trace", "nothing"],
    &["find", "--since", "2026-11-20T10:01:00Z", "--until", "2026-11-20T10:02:30.5Z"],
    &["find", "--grep", "order lost"],
    &["find", "--grep", "ORDER|it's \\\\\\\\'"],
    &["find", "--grep", "'; DROP"],
    &["find", "--where", "status >= 500 and level >= warn"],
    &["find", "--where", "level = error or time < \"2026-11-20T10:01:00Z\""],
    &["find", "--where", "not level >= warn"],
    &["find", "--where", "level != error"],
    &["find", "--where", "service = \"orders\" and not has status"],
    &["find", "--where", "service != \"orders\""],
    &["find", "--where", "trace_id = \"0000000000000000000000000000000a\""],
    &["find", "--where", "message ~ \"lost$\""],
    &["find", "--where", "message = \"no record\""],
    &["find", "--level", "warn", "--limit", "7"],
    &["find", "--where", "status = 404", "--limit", "3"],
    &["find", "--level", "error", "--context", "2"],
    &["find", "--sample", "7"],
    &["find", "--sample", "20%", "--level", "info"],
    &["find", "--count"],
    &["find", "--count", "--level", "error"],
    &["find", "--count", "--level", "error", "--limit", "5"],
    &["find", "--count", "--where", "status > 300"],
    &["find", "--service", "nobody"],
    &["hist", "--json"],
    &["hist", "--json", "--every", "1s"],
    &["hist", "--json", "--level", "error", "--rows", "3"],
    &["hist", "--json", "--where", "status >= 500"],
    &["hist", "--json", "--service", "nobody"],
    &["stats", "--json"],
    &["stats", "--json", "--level", "error", "--errors", "50"],
    &["stats", "--json", "--service", "orders", "--top", "3", "--recent", "10s"],
    &["stats", "--json", "--where", "status >= 500"],
    &["stats", "--json", "--field", "status", "--by", "service"],
    &["stats", "--json", "--since", "2026-11-20T10:02:00Z", "--grep", "lost"],
    &["stats", "--json", "--service", "nobody"],
    &["trace", "r-7", "--json"],
    &["trace", "00000000000000000000000000000007"],
    &["trace", "0000000000000000000000000000000B", "--json"],
    &["trace", "0000000000000011", "--json"],
    &["trace", "nothing"],
    &["trace", "'; DROP TABLE lines; --"],
];

/// Returns what was printed, without figures of the run that differ.
fn comparable(output: &Output) -> (Option<i32>, Vec<u8>) {
    let mut stdout = output.stdout.clone();
    if let Ok(Value::Object(mut answer)) = serde_json::from_slice(&stdout)
        && let Some(Value::Object(mut run)) = answer.remove("run")
    {
        for figure in ["seconds", "merge_seconds", "peak_memory_bytes"] {
            run.remove(figure);
        }
        answer.insert("run".to_owned(), run.into());
        stdout = Value::Object(answer).to_string().into_bytes();
    }
    (output.status.code(), stdout)
}

/// Loads the logs to servers, and asks all questions of the last one.
fn all_answers_are_equal(servers: &[Server], database: &str) {
    let dir = logs();
    let urls: Vec<_> = servers.iter().map(|server| server.url(database)).collect();
    let to: Vec<&str> = urls.iter().flat_map(|url| ["--to", url]).collect();
    let loaded = printed(&dir, &[&["load"], to.as_slice()].concat());
    assert!(loaded.starts_with("loaded 3,010 lines of 6 segments in "), "{loaded}");
    let again = printed(&dir, &[&["load"], to.as_slice()].concat());
    assert!(again.contains("loaded 0 lines of 0 segments") && again.contains("6 segments had been loaded before"));
    let empty = Dir::new();
    for question in QUESTIONS {
        let there = [question, ["--engine", "clickhouse", "--url", urls.last().unwrap()].as_slice()].concat();
        let (here, there) = (run(&dir, question), run(&empty, &there));
        let (expected, found) = (comparable(&here), comparable(&there));
        let text = |output: &(Option<i32>, Vec<u8>)| String::from_utf8_lossy(&output.1).into_owned();
        assert!(expected.0 < Some(2), "{question:?}: {}", String::from_utf8_lossy(&here.stderr));
        let different = text(&expected)
            .lines()
            .zip(text(&found).lines())
            .find(|(one, other)| one != other)
            .map(|(one, other)| format!("\nexpected {one}\nfound    {other}"));
        assert!(
            expected == found,
            "{question:?}: {:?} and {:?}; {} and {} bytes; {}{}",
            expected.0,
            found.0,
            expected.1.len(),
            found.1.len(),
            String::from_utf8_lossy(&there.stderr),
            different.unwrap_or_default()
        );
    }
}

#[test]
fn version_18_16_answers_as_files_do() {
    let Some(servers) = nodes(1) else { return };
    all_answers_are_equal(&servers, "logs");
}

#[test]
fn the_current_engine_answers_as_files_do() {
    let Some(server) = current_engine() else { return };
    all_answers_are_equal(&[server], "logs");
}

#[test]
fn a_cluster_of_two_nodes_answers_as_files_do_and_an_error_stands_for_a_node_that_was_killed() {
    let Some(mut servers) = nodes(2) else { return };
    all_answers_are_equal(&servers, "logs?cluster=all");
    // Each node has segments.
    for server in &servers {
        assert!(server.number("SELECT uniqExact(segment) FROM logs.lines_local") > 0);
    }
    let url = servers[0].url("logs?cluster=all");
    let dir = Dir::new();
    servers[1].kill();
    for question in QUESTIONS.iter().filter(|question| !question.contains(&"--context")) {
        let output = run(&dir, &[question, ["--engine", "clickhouse", "--url", &url].as_slice()].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]), "{question:?}: {stderr}");
        assert!(stderr.contains("Code: "), "{question:?}: {stderr}");
    }
}

#[test]
fn a_node_that_is_killed_during_a_question_makes_an_error() {
    let Some(mut servers) = nodes(2) else { return };
    let dir = logs();
    let urls = [servers[0].url("logs?cluster=all"), servers[1].url("logs?cluster=all")];
    printed(&dir, &["load", "--to", &urls[0], "--to", &urls[1]]);
    for question in [&["stats"][..], &["hist"], &["find"], &["trace", "r-7"]] {
        let asked = [question, ["--engine", "clickhouse", "--url", &urls[0]].as_slice()].concat();
        assert_eq!(run(&Dir::new(), &asked).status.code(), Some(0));
        // It has the question, and does not answer.
        servers[1].stop();
        let empty = Dir::new();
        let asking = empty.command(&asked).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let running =
            "SELECT count() FROM system.processes WHERE query LIKE '%lines%' AND query NOT LIKE '%processes%'";
        let mut asking = Some(asking);
        until("the other node has the question", || {
            let has_ended = asking.as_mut().is_some_and(|asking| asking.try_wait().unwrap().is_some());
            has_ended || servers[0].number(running) > 0
        });
        servers[1].kill();
        let output = asking.take().unwrap().wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]), "{question:?}: {stderr}");
        servers[1].start();
    }
}

#[test]
fn explain_shows_the_sql_and_what_the_tool_judges() {
    let dir = Dir::new();
    let engine = ["--engine", "clickhouse", "--url", "clickhouse://nowhere.invalid/logs", "--explain"];
    let explained = |question: &[&str]| printed(&dir, &[question, &engine].concat());
    let find = explained(&["find", "--service", "o'b\\", "--where", "status = 5 and level >= warn"]);
    assert!(find.contains(r"AND service IN ('o\'b\\')") && find.contains("CAST(level, 'Int8') >= 5"), "{find}");
    assert!(find.ends_with("\n-- spanline judges --where of these lines\n"), "{find}");
    let hist = explained(&["hist", "--level", "error"]);
    assert!(
        hist.contains("GROUP BY step, rank") && hist.ends_with("\n-- ClickHouse judges all conditions\n"),
        "{hist}"
    );
    let stats = explained(&["stats", "--grep", "a"]);
    assert!(stats.contains("uniqExact(trace_id)") && stats.contains("position(line, 'a') > 0"), "{stats}");
    assert!(explained(&["stats", "--field", "status"]).contains("is_cut, present, time, segment, line"));
    assert!(explained(&["trace", "r-1"]).contains("hasAny(ids, ['r-1'])"));
    assert!(explained(&["find", "--count"]).contains("SELECT toUInt64(count())"));
}

#[test]
fn the_page_has_the_tables_that_load_creates() {
    let page = include_str!("../../../docs/tool.md");
    let explain = |url| printed(&Dir::new(), &["load", "--explain", "--to", url]);
    let statements = explain("clickhouse://127.0.0.1/logs");
    assert!(page.contains(&format!("```sql\n{}\n```", statements.trim())), "{statements}");
    let cluster = explain("clickhouse://127.0.0.1/logs?cluster=all");
    let distributed = "CREATE TABLE IF NOT EXISTS `logs`.`lines` AS `logs`.`lines_local` ENGINE = Distributed('all', 'logs', \
                       'lines_local');";
    assert!(cluster.contains(distributed), "{cluster}");
}

#[test]
fn a_wrong_command_line_says_what_to_write_and_shows_no_password() {
    let dir = Dir::new();
    dir.put("a.log", "{\"message\":\"a\"}\n");
    let url = "clickhouse://127.0.0.1:1/logs";
    for (args, part) in [
        (&["find", "--engine", "clickhouse"][..], "--url"),
        (&["find", "--url", url], "add --engine clickhouse"),
        (&["find", "a.log", "--engine", "clickhouse", "--url", url], "remove the paths"),
        (&["hist", "--engine", "clickhouse", "--url", "http://a/b"], "expected clickhouse://"),
        (&["load", "a.log", "--to", "clickhouse://u:hunter2@a/b"], "--password-file"),
        (&["load", "-", "--to", url], "load reads files"),
        (&["load", "a.log"], "--to <URL>"),
    ] {
        let output = run(&dir, args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && stderr.contains(part), "{args:?}: {stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
    for args in [&["load", "a.log", "--to", url][..], &["stats", "--engine", "clickhouse", "--url", url]] {
        let output = run(&dir, args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = "spanline: ClickHouse at http://127.0.0.1:1/logs: ";
        assert!(output.status.code() == Some(1) && stderr.starts_with(expected), "{args:?}: {stderr}");
    }
}
