//! `spanline load`: each line once, whatever happens meanwhile.

use std::fs;
use std::process::Stdio;

use crate::Dir;
use crate::clickhouse_support::{Gate, Numbers, Server, lines, nodes, printed, run, until};

/// Returns all lines there, in order.
fn found(server: &Server, database: &str) -> Vec<u8> {
    let output = run(&Dir::new(), &["find", "--engine", "clickhouse", "--url", &server.url(database)]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Returns all lines of files, in order.
fn expected(dir: &Dir) -> Vec<u8> {
    run(dir, &["find"]).stdout
}

#[test]
fn a_load_that_was_killed_resumes_without_a_line_twice_or_missing() {
    let Some(servers) = nodes(2) else { return };
    let (dir, mut numbers) = (Dir::new(), Numbers(3));
    dir.put("a.log", "{\"message\":\"short\"}\n");
    for name in ["b.log", "c.log"] {
        dir.put(name, lines(&mut numbers, 40_000, 0));
    }
    let [one, two] = [0, 1].map(|node: usize| servers[node].url("logs?cluster=all"));
    // The last bytes that a node gets are in the middle of a batch.
    let gates = [0, 1].map(|node| Gate::new(&servers[node], 12 << 20));
    let [gate_one, gate_two] =
        [0, 1].map(|node: usize| format!("clickhouse://127.0.0.1:{}/logs?cluster=all", gates[node].port));
    let mut command = dir.command(&["load", "--to", &gate_one, "--to", &gate_two]);
    let mut load = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("a gate closes", || gates.iter().any(Gate::is_closed));
    let second = run(&dir, &["load", "--to", &one, "--to", &two]);
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert!(second.status.code() == Some(1) && stderr.contains("another load is running"), "{stderr}");
    let stored = |server: &Server| server.number("SELECT count() FROM logs.lines_local");
    until("a batch is stored", || servers.iter().map(stored).sum::<u64>() > 1);
    load.kill().unwrap();
    load.wait().unwrap();
    assert!(servers.iter().map(stored).sum::<u64>() < 80_001);
    // What is not complete does not count.
    let before = found(&servers[0], "logs?cluster=all");
    assert!(before.len() < expected(&dir).len());
    let resumed = printed(&dir, &["load", "--to", &one, "--to", &two]);
    assert!(resumed.contains("had been loaded in part, and was removed first"), "{resumed}");
    assert!(found(&servers[0], "logs?cluster=all") == expected(&dir));
    let all: u64 = servers.iter().map(stored).sum();
    assert_eq!(all, 80_001, "no row of the load that was killed is left");
    for server in &servers {
        let left = "SELECT count() FROM (SELECT segment FROM logs.lines_segments GROUP BY segment \
                    HAVING max(CAST(state, 'Int8')) IN (1, 3))";
        assert_eq!(server.number(left), 0);
    }
}

#[test]
fn a_segment_that_has_grown_or_was_rotated_and_compressed_is_there_once() {
    let Some(servers) = nodes(1) else { return };
    let (server, url) = (&servers[0], servers[0].url("logs"));
    let (dir, mut numbers) = (Dir::new(), Numbers(5));
    let load = || printed(&dir, &["load", "--to", &url]);
    let count = || server.number("SELECT count() FROM logs.lines");
    dir.put("orders.log", [&lines(&mut numbers, 300, 0)[..], b"{\"message\":\"tor"].concat());
    dir.put("empty.log", "");
    assert!(load().starts_with("loaded 301 lines of 1 segment "));
    // The torn line gets its end, and others follow.
    append(&dir, "orders.log", &[b"n\"}\n", &lines(&mut numbers, 50, 1)[..]].concat());
    assert!(load().contains("1 segment had grown, and took the place of what was loaded"));
    assert!((count(), found(server, "logs") == expected(&dir)) == (351, true));
    // Rotated: compressed under another name, beside a new file.
    let old = fs::read(dir.path().join("orders.log")).unwrap();
    dir.put("orders.2026-11-20T101538-000001.log.zst", zstd::encode_all(old.as_slice(), 3).unwrap());
    dir.put("orders.log", lines(&mut numbers, 20, 4));
    let rotated = load();
    assert!(
        rotated.starts_with("loaded 20 lines of 1 segment ") && rotated.contains("1 segment had been loaded before")
    );
    assert!((count(), found(server, "logs") == expected(&dir)) == (371, true));
    // Removed by retention: its lines stay.
    fs::remove_file(dir.path().join("orders.2026-11-20T101538-000001.log.zst")).unwrap();
    assert!(load().contains("1 segment had been loaded before"));
    assert_eq!(count(), 371);
    // Truncated in place: other lines are another segment.
    dir.put("orders.log", lines(&mut numbers, 5, 8));
    assert!(load().starts_with("loaded 5 lines of 1 segment "));
    assert_eq!(count(), 376);
}

fn append(dir: &Dir, name: &str, bytes: &[u8]) {
    use std::io::Write;
    fs::OpenOptions::new().append(true).open(dir.path().join(name)).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_password_comes_from_a_file_or_a_variable_and_no_message_has_it() {
    let Some(servers) = nodes(1) else { return };
    let url = format!("clickhouse://reader@127.0.0.1:{}/logs", servers[0].port);
    let dir = Dir::new();
    dir.put("a.log", "{\"message\":\"a\"}\n");
    dir.put("password", "hunter2\n");
    dir.put("wrong", "hunter3\n");
    printed(&dir, &["load", "a.log", "--to", &url, "--password-file", "password"]);
    let stats = ["stats", "--engine", "clickhouse", "--url", &url];
    let named = dir.command(&stats).env("CLICKHOUSE_PASSWORD", "hunter2").output().unwrap();
    assert_eq!(named.status.code(), Some(0));
    for (args, why) in
        [(&["--password-file", "wrong"][..], "Code: "), (&["--password-file", "none"], "read the password in")]
    {
        let refused = run(&dir, &[&stats, args].concat());
        let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(1) && stderr.contains(why), "{stderr}");
        assert!(!stderr.contains("hunter"), "{stderr}");
    }
}

#[test]
fn nodes_and_clusters_that_do_not_fit_are_refused() {
    let Some(servers) = nodes(2) else { return };
    let dir = Dir::new();
    dir.put("a.log", "{\"message\":\"a\"}\n");
    let load = |urls: &[String]| {
        let to: Vec<&str> = urls.iter().flat_map(|url| ["--to", url]).collect();
        let output = run(&dir, &[&["load"], to.as_slice()].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let url = |node: usize, behind: &str| servers[node].url(behind);
    for (urls, part) in [
        (vec![url(0, "logs"), url(1, "logs")], "add ?cluster=NAME"),
        (vec![url(0, "logs?cluster=all"), url(1, "logs")], "the same database and cluster"),
        (vec![url(0, "logs?cluster=all")], "the cluster has 2 shards on 2 nodes, and 1 were given"),
        (vec![url(0, "logs?cluster=none")], "the cluster has 0 shards"),
    ] {
        let (status, stderr) = load(&urls);
        assert!(status == Some(1) && stderr.contains(part), "{urls:?}: {stderr}");
    }
}
