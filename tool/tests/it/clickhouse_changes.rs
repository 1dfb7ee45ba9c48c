//! `spanline load` while files, states and other programs change.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::Dir;
use crate::clickhouse_support::{Hold, Numbers, Server, lines, nodes, printed, run, until};

/// Returns all lines there, in order.
fn found(server: &Server) -> Vec<u8> {
    let output = run(&Dir::new(), &["find", "--engine", "clickhouse", "--url", &server.url("logs")]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Waits until the times of a file tell of any further change.
fn until_settled(path: &Path) {
    use std::os::unix::fs::MetadataExt;

    let changed = fs::metadata(path).unwrap().ctime();
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    until("the file is old enough", || now() > changed + 3);
}

#[test]
fn a_file_that_has_not_changed_is_not_read_again() {
    let Some(servers) = nodes(1) else { return };
    let (server, url) = (&servers[0], servers[0].url("logs"));
    let (dir, mut numbers) = (Dir::new(), Numbers(7));
    let load = || printed(&dir, &["load", "--to", &url]);
    let [one, two, active] = [2, 1, 0].map(|number| {
        let name = if number == 0 { "a.log".to_owned() } else { format!("a.log.{number}") };
        dir.put(&name, lines(&mut numbers, 20, number));
        dir.path().join(name)
    });
    until_settled(&active);
    assert!(load().starts_with("loaded 60 lines of 3 segments "));
    let again = load();
    assert!(again.contains("3 segments had been loaded before\n"), "{again}");
    // What only has another name is read once more, and then is known by it.
    fs::rename(&two, dir.path().join("a.log.3")).unwrap();
    assert!(load().contains("3 segments had been loaded before, 1 read again to see that\n"));
    until_settled(&dir.path().join("a.log.3"));
    load();
    let stored = "SELECT count() FROM system.mutations WHERE is_done = 0";
    until("the stamps are stored", || server.number(stored) == 0);
    assert!(load().contains("3 segments had been loaded before\n"));
    // Other bytes of the same number, and the time of the last writing set back: another segment.
    let written = fs::metadata(&one).unwrap().modified().unwrap();
    let mut bytes = fs::read(&one).unwrap();
    let last = bytes.len() - 2;
    bytes[last] = if bytes[last] == b'}' { b')' } else { b'}' };
    fs::write(&one, bytes).unwrap();
    fs::File::options().append(true).open(&one).unwrap().set_modified(written).unwrap();
    assert!(load().starts_with("loaded 20 lines of 1 segment "));
}

#[test]
fn a_file_that_is_overwritten_during_its_upload_leaves_no_row() {
    let Some(servers) = nodes(1) else { return };
    let (server, dir, mut numbers) = (&servers[0], Dir::new(), Numbers(9));
    let before = lines(&mut numbers, 60_000, 0);
    dir.put("a.log", &before);
    dir.put("b.log", "{\"message\":\"b\"}\n");
    let hold = Hold::new(server, "INSERT%20INTO%20%60logs%60.%60lines%60%20");
    let mut command = dir.command(&["load", "a.log", "--to", &hold.url("logs")]);
    let load = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the first batch is held back", || hold.holds());
    // As long as before, and nothing of it is the same.
    let after: Vec<u8> = before.iter().rev().copied().collect();
    fs::write(dir.path().join("a.log"), &after).unwrap();
    hold.let_go();
    let output = load.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("changed meanwhile"), "{stderr}");
    assert_eq!(server.number("SELECT count() FROM logs.lines"), 0);
    let url = server.url("logs");
    printed(&dir, &["load", "--to", &url]);
    assert!(found(server) == run(&dir, &["find"]).stdout);
}

#[test]
fn a_load_waits_only_for_its_own_deletions() {
    let Some(servers) = nodes(1) else { return };
    let (server, dir) = (&servers[0], Dir::new());
    let url = server.url("logs");
    dir.put("a.log", "{\"message\":\"a\"}\n");
    printed(&dir, &["load", "--to", &url]);
    dir.put("a.log", "{\"message\":\"a\"}\n{\"message\":\"b\"}\n");
    let hold = Hold::new(server, "DELETE WHERE");
    let mut command = dir.command(&["load", "--to", &hold.url("logs")]);
    let mut load = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the deletion is sent", || hold.holds());
    let done = |is: u8| format!("SELECT count() FROM system.mutations WHERE is_done = {is}");
    until("the rows are deleted", || server.number(&done(1)) == 1);
    // It fails again and again.
    server.query("ALTER TABLE logs.lines DELETE WHERE toUInt32(line) = 1").unwrap();
    hold.let_go();
    until("the load ends", || load.try_wait().unwrap().is_some_and(|status| status.success()));
    assert_eq!(server.number(&done(0)), 1, "the other one is not done");
}

#[test]
fn logs_of_two_machines_with_the_same_paths_are_different_logs() {
    let Some(servers) = nodes(1) else { return };
    let (server, dir) = (&servers[0], Dir::new());
    let url = server.url("logs");
    dir.put("a.log", "{\"message\":\"a\"}\n");
    for (host, expected) in [("one", "loaded 1 line "), ("two", "loaded 1 line "), ("one", "loaded 0 lines")] {
        let loaded = printed(&dir, &["load", "--to", &url, "--host", host]);
        assert!(loaded.starts_with(expected), "{host}: {loaded}");
    }
    assert_eq!(server.number("SELECT count() FROM logs.lines"), 2);
    assert_eq!(server.number("SELECT uniqExact(log) FROM logs.lines"), 2);
}

#[test]
fn states_of_segments_that_are_gone_do_not_pile_up() {
    let Some(servers) = nodes(2) else { return };
    let dir = Dir::new();
    let [one, two] = [0, 1].map(|node: usize| servers[node].url("logs?cluster=all"));
    dir.put("a.log", "{\"message\":\"a\"}\n");
    let load = || printed(&dir, &["load", "--to", &one, "--to", &two]);
    load();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let put = |server: &Server, ids: std::ops::Range<u64>, at: Duration| {
        let states = ["begun", "complete", "dropped", "gone"];
        let row = |id: u64| states.map(|state| format!("({id},'{state}',{})", at.as_secs())).join(",");
        let rows: Vec<_> = ids.map(row).collect();
        let insert = "INSERT INTO logs.lines_segments (segment, state, loaded) VALUES";
        server.query(&format!("{insert} {}", rows.join(","))).unwrap();
    };
    let old = now.saturating_sub(Duration::from_secs(2 * 3600));
    // One node has not heard of some of them.
    put(&servers[0], 1..200, old);
    put(&servers[1], 1..150, old);
    put(&servers[0], 200..210, now);
    load();
    for server in &servers {
        let states = |condition: &str| server.number(&format!("SELECT count() FROM logs.lines_segments {condition}"));
        assert_eq!(states("WHERE segment < 200"), 0);
        assert!(states("WHERE segment < 210") > 0, "others may still see what is gone since a moment ago");
        assert_eq!(states("WHERE segment >= 210"), 2, "begun, and complete");
    }
    assert!(load().contains("1 segment had been loaded before"));
}

#[test]
fn a_question_lists_the_segments_once() {
    let Some(servers) = nodes(1) else { return };
    let (server, dir) = (&servers[0], Dir::new());
    dir.put("a.log", "{\"message\":\"a\"}\n");
    printed(&dir, &["load", "--to", &server.url("logs")]);
    let path = "x".repeat(100);
    let row = |id: u64| format!("({id},'complete','{path}','{path}')");
    let rows: Vec<_> = (1..20_000).map(row).collect();
    let insert = "INSERT INTO logs.lines_segments (segment, state, log, path) VALUES";
    server.query(&format!("{insert} {}", rows.join(","))).unwrap();
    let answered = |command: &str| {
        let hold = Hold::new(server, "never held");
        printed(&dir, &[command, "--engine", "clickhouse", "--url", &hold.url("logs")]);
        hold.answered()
    };
    let (one, stats) = (answered("find"), answered("stats"));
    assert!(one > 4_000_000 && stats < one + 200_000, "{one} and {stats} bytes");
}

#[test]
fn a_dated_log_and_a_plain_one_share_a_directory() {
    let Some(servers) = nodes(1) else { return };
    let (server, dir) = (&servers[0], Dir::new());
    for name in ["plain.log", "orders.2026-11-19.log", "orders.2026-11-20.log", "stock.log", "stock.log.1"] {
        dir.put(name, format!("{{\"message\":\"{name}\"}}\n"));
    }
    let url = server.url("logs");
    assert!(printed(&dir, &["load", "--to", &url]).starts_with("loaded 5 lines of 5 segments "));
    let loaded = printed(&dir, &["load", "*.log", "--to", &url]);
    assert!(loaded.contains("segments had been loaded before"), "{loaded}");
    assert_eq!(server.number("SELECT count() FROM logs.lines"), 5);
}

#[test]
fn times_without_a_zone_or_a_year_are_those_that_the_load_has_read() {
    let Some(servers) = nodes(1) else { return };
    let (url, dir) = (servers[0].url("logs"), Dir::new());
    dir.put("a.log", "{\"time\":\"2026-11-20 10:15:38\",\"level\":\"ERROR\",\"message\":\"no zone\"}\n");
    dir.put("syslog.log", "<11>Nov 20 10:15:39 web app: no year\n<14>Nov 20 10:15:40 web app: nor here\n");
    let file = fs::File::options().append(true).open(dir.path().join("syslog.log")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_500_000)).unwrap();
    printed(&dir, &["load", "--zone", "Asia/Tokyo", "--to", &url]);
    let engine = ["--engine", "clickhouse", "--url", &url];
    for args in [
        &["find", "--fields", "time,level,message"][..],
        &["find", "--since", "2023-11-20T01:15:40Z", "--until", "2026-11-20T01:15:39Z", "--format", "json"],
        &["find", "--where", "time < '2024-01-01T00:00:00Z' and has message", "--format", "json"],
        &["hist", "--json"],
        &["stats", "--json"],
    ] {
        let without_figures = |text: String| {
            let mut answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let Some(members) = answer.as_object_mut() else { return text };
            ["run", "figures", "engine", "files"].iter().for_each(|name| drop(members.remove(*name)));
            answer.to_string()
        };
        let files = without_figures(printed(&dir, &[args, &["--zone", "Asia/Tokyo"]].concat()));
        assert_eq!(without_figures(printed(&dir, &[args, &engine].concat())), files, "{args:?}");
        assert!(files.contains("2023-11-20T01:15:40Z") || args[0] != "find", "{files}");
    }
}
