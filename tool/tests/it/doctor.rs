//! `spanline doctor`: each kind of trouble is found in logs that have it, and nothing in logs that do not.

use serde_json::Value;

use crate::Dir;

/// A line at a second of a service.
fn line(second: u32, service: &str, rest: &str) -> String {
    let (minute, second) = (second / 60, second % 60);
    format!(
        "{{\"timestamp\":\"2026-11-20T10:{minute:02}:{second:02}Z\",\"level\":\"INFO\",\"target\":\"{service}::api\",\"service\":\"{service}\",{rest}}}\n"
    )
}

/// What a healthy service logs: requests with ends, all with ids, and different messages.
fn healthy(service: &str, offset: u32) -> String {
    let request = |number: u32| {
        let ids = format!("\"request_id\":\"r-{number}\",\"trace_id\":\"t-{number}\"");
        let at = number * 5 + offset;
        line(at, service, &format!("\"message\":\"loaded {}\",{ids}", ["a", "b", "c", "d", "e"][number as usize % 5]))
            + &line(at + 1, service, &format!("\"message\":\"request finished\",\"status\":200,{ids}"))
    };
    (0..100).map(request).collect()
}

fn kinds(dir: &Dir, args: &[&str]) -> Vec<(String, u64)> {
    let run = dir.run(&[&["doctor", "--json"], args].concat());
    assert_eq!(run.stderr, "", "{args:?}");
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    let findings = found["findings"].as_array().unwrap();
    assert_eq!(run.status, i32::from(!findings.is_empty()));
    findings.iter().map(|one| (one["kind"].as_str().unwrap().to_owned(), one["count"].as_u64().unwrap())).collect()
}

#[test]
fn nothing_is_wrong_with_a_healthy_log() {
    let dir = Dir::new();
    dir.put("orders.log", healthy("orders", 0).replace("request finished", "done") + &healthy("orders", 2));
    let run = dir.run(&["doctor", "orders.log"]);
    let expected = "\
what writes most, by its share of all bytes:
     27 %  100 lines  orders::api  request finished
     25 %  100 lines  orders::api  done
     10 %  40 lines  orders::api  loaded a
     10 %  40 lines  orders::api  loaded b
     10 %  40 lines  orders::api  loaded c

400 lines: nothing is wrong with them
";
    assert_eq!((run.stdout.as_str(), run.status), (expected, 0), "{}", run.stderr);
}

#[test]
fn each_kind_of_trouble_is_found() {
    let more = |rest: &str| healthy("orders", 0) + rest;
    let warn = |ids: &str| line(9, "orders", &format!("\"message\":\"slow\"{ids}")).replace("INFO", "WARN");
    for (kind, count, text) in [
        ("broken", 2, more("{\"level\":\"INFO\"\n{\"a\":1}}\n")),
        ("plain_text", 1, more("thread 'main' panicked\n\n")),
        ("not_utf8", 1, more("{\"level\":\"INFO\",\"timestamp\":\"2026-11-20T10:00:00Z\",\"a\":\"\u{0}\"}\n")),
        ("duplicate_key", 1, more(&line(7, "orders", "\"a\":1,\"b\":2,\"a\":3"))),
        ("no_time", 1, more("{\"level\":\"INFO\",\"message\":\"x\"}\n")),
        ("no_level", 1, more("{\"timestamp\":\"2026-11-20T10:00:00Z\",\"message\":\"x\"}\n")),
        (
            "field_type",
            1,
            more(
                &(line(7, "orders", "\"a\":{\"b\":1}")
                    + &line(8, "orders", "\"a\":null,\"c\":[]")
                    + &line(8, "orders", "\"a\":[{}]")
                    + &line(8, "orders", "\"a\":7")),
            ),
        ),
        (
            "long_line",
            1,
            more(&line(7, "orders", &format!("\"a\":\"{}\"", "x".repeat(12_000)))).repeat(2).replacen(
                &"x".repeat(12_000),
                "",
                1,
            ),
        ),
        (
            "lost",
            1200,
            more(
                &line(7, "orders", "\"message\":\"log lines were dropped\",\"dropped\":1200,\"reason\":\"queue_full\"")
                    .replace("orders::api", "spanline"),
            ),
        ),
        ("request_without_end", 1, more(&line(9, "orders", "\"message\":\"begun\",\"request_id\":\"r-x\""))),
        ("gap", 1, healthy("orders", 0) + &healthy("orders", 1300)),
        ("missing_id", 1, more(&(warn(",\"request_id\":\"r-1\"").repeat(2) + &warn("")))),
    ] {
        let dir = Dir::new();
        let mut bytes = text.into_bytes();
        bytes.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 0xff);
        dir.put("orders.log", bytes);
        assert_eq!(kinds(&dir, &["orders.log"]), [(kind.to_owned(), count)]);
    }
}

#[test]
fn a_clock_that_is_off_is_found_by_the_traces_of_two_services() {
    let dir = Dir::new();
    let (mut orders, mut stock) = (String::new(), String::new());
    for number in 0..20 {
        let ids = format!("\"request_id\":\"r-{number}\",\"trace_id\":\"t-{number}\"");
        let at = 100 + number * 20;
        orders += &line(at, "orders", &format!("\"message\":\"begun {number}\",{ids}"));
        orders += &line(at + 10, "orders", &format!("\"message\":\"done\",\"status\":200,{ids}"));
        // What it does takes two seconds, after five of the caller's, and its clock is thirty seconds behind.
        stock += &line(at + 4 - 30, "stock", &format!("\"message\":\"looked {number}\",{ids}"));
        stock += &line(at + 6 - 30, "stock", &format!("\"message\":\"found\",\"status\":200,{ids}"));
    }
    dir.put("orders.log", &orders);
    dir.put("stock.log", &stock);
    let run = dir.run(&["doctor", "."]);
    let expected =
        "the clock of `stock` is at least 26.000 s behind that of `orders`, if `orders` calls it: 20 traces agree\n";
    assert!(run.stdout.starts_with(expected), "{}", run.stdout);
    let right = stock.replace("stock", "other");
    dir.put("stock.log", right);
    assert_eq!(kinds(&dir, &["."]), [("clock".to_owned(), 20)]);
    dir.put("stock.log", orders.replace("orders", "stock"));
    assert_eq!(kinds(&dir, &["."]), []);
}

#[test]
fn an_example_names_its_file_and_byte_and_controls_no_terminal() {
    let dir = Dir::new();
    dir.put("orders.log", healthy("orders", 0) + "\x1b[2J{\"level\"\n");
    let at = healthy("orders", 0).len();
    let run = dir.run(&["doctor", "orders.log"]);
    let expected = format!(
        "1 line of plain text\n    such as orders.log at byte {at}: \\u{{1b}}[2J{{\"level\"\n    send panics and the output of other libraries to the log too\n\n"
    );
    assert!(run.stdout.starts_with(&expected) && run.stdout.ends_with("\n201 lines, 1 finding\n"), "{}", run.stdout);
}
