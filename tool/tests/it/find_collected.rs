//! `spanline find` and `stats`: what collectors of logs have written to files, the older syslog and requests of OTLP.

use std::time::{Duration, SystemTime};

use crate::{Dir, Done};

const SYSLOG: &str = "\
Dec 31 23:59:58 web-1 app[123]: before the year
<34>Jan  1 00:00:01 web-1 app[123]: critical behind it
Jan  1 00:00:02 web-1 kernel: [    0.000000] no process
Jan  1 00:00:03 web-1 last message repeated 2 times
2027-01-01T00:00:04.500000+01:00 web-1 systemd[1]: Started app.
<13>app: no time and no host
2027-01-01T00:00:05Z ERROR orders: not syslog
Jan 32 00:00:01 web-1 app: no day
";

/// Runs in a directory with the log, which was written last at a time.
fn run(args: &[&str], zone: &str) -> Done {
    let dir = Dir::new();
    dir.put("syslog", SYSLOG);
    let file = std::fs::File::options().append(true).open(dir.path().join("syslog")).unwrap();
    // 2027-01-02T00:00:00Z
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_848_000)).unwrap();
    crate::done(dir.command(args).env("TZ", zone).output().unwrap())
}

#[test]
fn old_syslog_is_read_in_the_year_and_the_zone_of_its_file() {
    let fields = "time,level,service,pid,hostname,message";
    let expected = "\
time,level,service,pid,hostname,message
2026-12-31T23:59:58Z,,app,123,web-1,before the year
2027-01-01T00:00:01Z,CRITICAL,app,123,web-1,critical behind it
2027-01-01T00:00:02Z,,kernel,,web-1,[    0.000000] no process
2027-01-01T00:00:03Z,,,,web-1,last message repeated 2 times
2026-12-31T23:00:04.500Z,,systemd,1,web-1,Started app.
,NOTICE,app,,,no time and no host
,,,,,2027-01-01T00:00:05Z ERROR orders: not syslog
,,,,,Jan 32 00:00:01 web-1 app: no day
";
    let found = run(&["find", "syslog", "--fields", fields], "UTC");
    assert_eq!(found.stdout, expected);
    assert_eq!(found.stderr, "spanline: 2 lines were no records: 0 broken, 2 of plain text\n");
    for (args, zone) in [(&["--zone", "Asia/Tokyo"][..], "UTC"), (&["--zone", "+09:00"], "UTC"), (&[], "Asia/Tokyo")] {
        let times = run(&[&["find", "syslog", "--fields", "time", "--limit", "2"], args].concat(), zone).stdout;
        assert_eq!(times, "time\n2026-12-31T14:59:58Z\n2026-12-31T15:00:01Z\n", "{args:?} {zone}");
    }
    assert!(run(&["find", "syslog", "--zone", "Berlin"], "UTC").stderr.contains("Europe/Berlin"));
}

#[test]
fn old_syslog_is_counted_as_it_is_found() {
    let stats = run(&["stats", "syslog", "--json"], "UTC").stdout;
    let answer: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(answer["services"]["app"]["critical"], 1, "{answer}");
    let since = run(&["find", "syslog", "--since", "2027-01-01T00:00:00Z", "--count"], "UTC");
    assert_eq!(since.stdout, "3\n");
}

/// One export request, as the collector's file exporter writes it: two resources, three records.
pub(crate) const REQUEST: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"orders"}},{"key":"host.name","value":{"stringValue":"web-1"}}]},"scopeLogs":[{"scope":{"name":"orders::api"},"logRecords":[{"timeUnixNano":"1795169738000000000","severityNumber":17,"severityText":"ERROR","body":{"stringValue":"order \"7\" lost"},"attributes":[{"key":"status","value":{"intValue":"500"}}],"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7"},{"timeUnixNano":"1795169739000000000","severityNumber":9,"body":{"stringValue":"order 8 loaded"},"attributes":[]}]}]},{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"stock"}}]},"scopeLogs":[{"scope":{},"logRecords":[{"timeUnixNano":"1795169740000000000","severityNumber":13,"body":{"stringValue":"low"}}]}]}]}"#;

#[test]
fn a_request_of_otlp_has_an_entry_for_each_record() {
    let dir = Dir::new();
    // Without a newline at its end.
    dir.put("otel.json", REQUEST);
    dir.put("two.json", format!("{REQUEST}\n{REQUEST}\n"));
    let fields = "time,level,service,target,message,host.name,status,trace_id";
    let expected = "\
time,level,service,target,message,host.name,status,trace_id
2026-11-20T10:15:38Z,ERROR,orders,orders::api,\"order \"\"7\"\" lost\",web-1,500,4bf92f3577b34da6a3ce929d0e0e4736
2026-11-20T10:15:39Z,INFO,orders,orders::api,order 8 loaded,web-1,,
2026-11-20T10:15:40Z,WARN,stock,,low,,,
";
    let found = dir.run(&["find", "otel.json", "--fields", fields]);
    assert_eq!((found.status, found.stdout.as_str(), found.stderr.as_str()), (0, expected, ""));
    assert_eq!(dir.run(&["find", "two.json", "--level", "warn", "--count"]).stdout, "4\n");
    // What is printed is read again, and is the same.
    let raw = dir.run(&["find", "otel.json", "--service", "orders"]).stdout;
    assert_eq!(raw.lines().count(), 2);
    dir.put("again.json", raw);
    assert_eq!(
        dir.run(&["find", "again.json", "--fields", fields]).stdout,
        expected.lines().take(3).map(|line| format!("{line}\n")).collect::<String>()
    );
    let stats = dir.run(&["stats", "two.json", "--json"]).stdout;
    let answer: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(
        (&answer["services"]["orders"]["error"], &answer["services"]["stock"]["warn"]),
        (&2.into(), &2.into()),
        "{answer}"
    );
    let trace = dir.run(&["trace", "4bf92f3577b34da6a3ce929d0e0e4736", "two.json", "--json"]);
    assert!(trace.stdout.contains("lost"), "{}", trace.stdout);
}

#[test]
fn a_request_that_is_too_long_has_the_records_of_its_first_mebibyte() {
    let dir = Dir::new();
    let record = r#"{"timeUnixNano":"1795169738000000000","body":{"stringValue":"x"}}"#;
    let records = vec![record; 40_000].join(",");
    let request = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#);
    dir.put("x.json", format!("{request}\n{{\"message\":\"behind it\"}}\n"));
    let fit = (((1 << 20) - 46) / (record.len() + 1)) as u64;
    let counted: u64 = dir.run(&["find", "x.json", "--where", "has message", "--count"]).stdout.trim().parse().unwrap();
    let stats = dir.run(&["stats", "x.json", "--json"]).stdout;
    let answer: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(answer["lines"], counted, "{answer}");
    assert!(counted.abs_diff(fit) < 4, "{counted} of about {fit}");
}

#[test]
fn broken_requests_and_messages_are_no_records_and_cause_no_panic() {
    let dir = Dir::new();
    let mut lines = Vec::new();
    for end in (0..REQUEST.len()).step_by(7) {
        lines.extend_from_slice(&REQUEST.as_bytes()[..end]);
        lines.push(b'\n');
    }
    for line in SYSLOG.lines() {
        for at in 0..line.len() {
            let mut line = line.as_bytes().to_vec();
            line[at] = [0xff, 0, b'<', b'['][at % 4];
            lines.extend_from_slice(&line);
            lines.push(b'\n');
        }
    }
    dir.put("x.log", &lines);
    let found = dir.command(&["find", "x.log"]).output().unwrap();
    assert!(found.status.success());
    for format in ["json", "pretty", "csv"] {
        assert!(dir.command(&["find", "x.log", "--format", format]).output().unwrap().status.success(), "{format}");
    }
    assert_eq!(dir.run(&["stats", "x.log", "--json"]).status, 0);
}
