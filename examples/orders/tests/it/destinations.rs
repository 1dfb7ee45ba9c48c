//! `--to`: the lines at a server or in a database are those of the file.

use std::io::Read;
use std::net::TcpListener;
use std::thread;

use rusqlite::{Connection, OpenFlags};

use crate::requests::check;
use crate::{in_files, lines, run, sorted};

#[test]
fn a_server_of_tcp_gets_the_lines_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let (ran, received) = thread::scope(|scope| {
        let received = scope.spawn(|| {
            let mut text = String::new();
            server.accept().unwrap().0.read_to_string(&mut text).unwrap();
            text
        });
        let ran = run(&format!("\"$0\" --to tcp://{address}"), directory.path());
        (ran, received.join().unwrap())
    });
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let (file, _) = in_files(&directory.path().join("logs"), None);
    check(&file, 400, None);
    assert_eq!(sorted(&lines(&received)), sorted(&file));
    assert!(ran.stderr.contains(&format!("tcp: {} lines written, 0 dropped,", file.len())), "{}", ran.stderr);
}

#[test]
fn a_database_of_sqlite_gets_the_lines_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run("\"$0\" --to sqlite:db/orders.db --to sqlite://other.db", directory.path());
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let (file, _) = in_files(&directory.path().join("logs"), None);
    check(&file, 400, None);
    for path in ["db/orders.db", "other.db"] {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let database = Connection::open_with_flags(directory.path().join(path), flags).unwrap();
        let mut select = database.prepare("SELECT line, level, message FROM log ORDER BY id").unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let rows: Vec<(String, String, String)> = rows.map(Result::unwrap).collect();
        let of_rows: Vec<_> = rows.iter().map(|(line, ..)| line.clone()).collect();
        assert_eq!(sorted(&of_rows), sorted(&file), "{path}");
        assert!(rows.iter().any(|(_, level, message)| level == "INFO" && message == "order loaded"));
    }
}

#[test]
fn a_url_of_another_form_is_an_error_that_shows_the_form_and_not_the_url() {
    let directory = tempfile::tempdir().unwrap();
    for (url, expected) in [
        ("hunter2", "has no scheme; expected:\n  tcp://"),
        ("ftp://ada:hunter2@host/", "has an unknown scheme or another form; expected:\n  tcp://"),
        ("ada:hunter2@host", "has an unknown scheme or another form; expected:\n  tcp://"),
        ("tcp:/hunter2", "names no host; expected:\n  tcp://127.0.0.1:5170"),
        ("tcp://", "names no host; expected:\n  tcp://127.0.0.1:5170"),
        ("tcp://hunter2", "names no port; expected:\n  tcp://127.0.0.1:5170"),
        ("udp://hunter2:port", "names no port; expected:\n  udp://127.0.0.1:5170"),
        ("unix:", "names no file; expected:\n  unix:/run/logs.sock"),
        ("sqlite:", "names no file; expected:\n  sqlite:logs/orders.db"),
        ("clickhouse://ada:hunter2@host:8123", "names no table; expected:\n  clickhouse://127.0.0.1:8123/logs.orders"),
        ("elastic://ada:hunter2@host:9200/", "names no data stream; expected:\n  elastic://127.0.0.1:9200/"),
        ("otlp:ada:hunter2@host", "names no host; expected:\n  otlp://127.0.0.1:4318"),
        ("loki://ada:hunter2 @host", "expected a URL such as https://"),
        ("postgres://ada:hunter2@", "expected `postgres://user@host:5432/database`"),
        ("journald://hunter2", "has an unknown scheme or another form; expected:\n  journald:"),
    ] {
        let ran = run(&format!("\"$0\" --to '{url}'"), directory.path());
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{url}");
        assert!(ran.stderr.contains(expected) && !ran.stderr.contains("hunter2"), "{url}: {}", ran.stderr);
    }
}

#[test]
fn without_a_server_the_lines_that_are_left_are_counted_and_the_file_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = run(&format!("\"$0\" --requests 40 --to tcp://127.0.0.1:{port}"), directory.path());
    assert_eq!(ran.status, Some(1), "{}", ran.stderr);
    let (file, _) = in_files(&directory.path().join("logs"), None);
    check(&file, 40, None);
    let lost = format!("tcp: 0 lines written, {0} dropped (shutdown: {0}),", file.len());
    assert!(ran.stderr.contains(&lost), "{lost}: {}", ran.stderr);
}
