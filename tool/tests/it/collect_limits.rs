//! Hostile, broken and greedy senders: each limit, and that others go on.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::collect_support::{Collector, acknowledged, answer, connect, find, frame, messages, post, records, until};

struct Stage {
    folder: tempfile::TempDir,
    collector: Collector,
}

impl Stage {
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let to = format!("files:{}", folder.path().join("logs").display());
        let collector = Collector::start(folder.path(), &[args, &["--to", &to]].concat());
        Self { folder, collector }
    }

    fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    /// Asserts that the receiver has never used more memory.
    #[track_caller]
    fn assert_peak(&self, mebibytes: u64) {
        #[cfg(target_os = "linux")]
        {
            let status = format!("/proc/{}/status", self.collector.pid().as_raw_nonzero());
            let status = std::fs::read_to_string(status).unwrap();
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
            let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
            assert!(kib < mebibytes << 10, "it has used {kib} KiB");
        }
        #[cfg(not(target_os = "linux"))]
        let _ = mebibytes;
    }
}

/// Returns whether the receiver has hung up, with or without a reset.
fn is_closed(mut stream: &std::net::TcpStream) -> bool {
    matches!(stream.read(&mut [0; 16]), Ok(0)) || matches!(stream.read(&mut [0; 16]), Ok(0) | Err(_))
}

#[test]
fn longer_lines_are_cut_and_marked_and_the_next_one_is_whole() {
    let listen = ["tcp://127.0.0.1:0", "length32://127.0.0.1:0", "udp://127.0.0.1:0", "http://127.0.0.1:0"];
    let listen: Vec<&str> = listen.iter().flat_map(|listen| ["--listen", listen]).collect();
    let mut stage = Stage::start(&[&listen[..], &["--max-line-bytes", "1KiB"]].concat());
    let at = |index| stage.collector.at(index);
    let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(3000));
    let short = r#"{"message":"short"}"#;
    connect(at(0)).write_all(format!("{long}\n{short}\n").as_bytes()).unwrap();
    let mut frames = connect(at(1));
    frames.write_all(&[frame(&long), frame(short)].concat()).unwrap();
    assert_eq!(acknowledged(&mut frames, 2), 2, "a line that was cut is written and acknowledged");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(long.as_bytes(), at(2)).unwrap();
    socket.send_to(short.as_bytes(), at(2)).unwrap();
    let answer = post(at(3), "/", &[], format!("{long}\n{short}").as_bytes());
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"accepted":2,"refused":0}"#));
    let report = stage.collector.stop();
    assert_eq!((&report["received"], &report["truncated"], &report["refused"]), (&8.into(), &4.into(), &0.into()));
    let (records, _) = records(&stage.logs(), "default");
    assert_eq!(records.iter().filter(|record| record["message"] == "short").count(), 4);
    let cut: Vec<_> = records.iter().filter(|record| record["fields"]["truncated"] == true).collect();
    assert_eq!(cut.len(), 4);
    for record in cut {
        assert_eq!(
            (record["fields"]["original_bytes"].as_u64(), &record["content"]),
            (Some(3014), &long[..1024].into()),
            "{record}"
        );
    }
}

/// Python's own handler sends pickles. They are counted and kept as bytes, and never loaded.
#[test]
fn promise_50_pickles_of_pythons_socket_handler_are_refused() {
    let Some(python) = find("python3") else { return };
    let mut stage = Stage::start(&["--listen", "length32://127.0.0.1:0"]);
    let script = "
import logging, logging.handlers, sys
handler = logging.handlers.SocketHandler('127.0.0.1', int(sys.argv[1]))
logging.getLogger().addHandler(handler)
for number in range(3):
    logging.error('line %s', number)
handler.close()
";
    let port = stage.collector.at(0).port().to_string();
    assert!(Command::new(python).args(["-c", script, &port]).status().unwrap().success());
    let logs = stage.logs();
    until("the pickles are set aside", || records(&logs, "refused").0.len() == 3);
    let report = stage.collector.stop();
    assert_eq!((&report["received"], &report["refused"]), (&3.into(), &3.into()));
    for record in records(&logs, "refused").0 {
        assert_eq!((&record["reason"], &record["level"]), (&"pickle".into(), &"WARN".into()), "{record}");
        assert!(record["content_base64"].is_string() || record["content"].is_string(), "{record}");
        assert!(record["sender"].as_str().unwrap().starts_with("127.0.0.1:"));
    }
}

#[test]
fn broken_lines_are_set_aside_and_the_others_are_written() {
    let mut stage = Stage::start(&["--listen", "tcp://127.0.0.1:0", "--listen", "http://127.0.0.1:0"]);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let text = format!(
        "{{\"message\":\"one\"}}\nhello\n[1]\n{deep}\n{{\"message\":\"torn\n\n{{\"message\":\"two\"}}\n{{\"half"
    );
    let mut sender = connect(stage.collector.at(0));
    sender.write_all(text.as_bytes()).unwrap();
    sender.write_all(b"\xff\xfe").unwrap();
    sender.shutdown(Shutdown::Write).unwrap();
    let answer = post(stage.collector.at(1), "/logs", &[], b"{\"message\":\"three\"}\nhello\n\n");
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"accepted":1,"refused":1}"#));
    let logs = stage.logs();
    until("all are written", || records(&logs, "refused").0.len() == 6 && records(&logs, "default").0.len() == 3);
    let report = stage.collector.stop();
    assert_eq!((&report["received"], &report["refused"], &report["written"]), (&9.into(), &6.into(), &9.into()));
    let mut texts = messages(&stage.logs(), "default");
    texts.sort();
    assert_eq!(texts, ["one", "three", "two"]);
}

#[test]
fn what_is_no_frame_ends_the_connection_and_only_that_one() {
    let mut stage = Stage::start(&["--listen", "length32://127.0.0.1:0", "--listen", "syslog+tcp://127.0.0.1:0"]);
    let mut other = connect(stage.collector.at(0));
    other.write_all(&frame(r#"{"message":"one"}"#)).unwrap();
    assert_eq!(acknowledged(&mut other, 1), 1);
    for (index, garbage) in [(0, &b"GET / HTTP/1.1\r\n\r\n"[..]), (1, b"5 <1>ab<1>"), (0, &[0xff; 100])] {
        let mut sender = connect(stage.collector.at(index));
        sender.write_all(garbage).unwrap();
        assert!(is_closed(&sender), "{garbage:?}");
    }
    other.write_all(&frame(r#"{"message":"two"}"#)).unwrap();
    assert_eq!(acknowledged(&mut other, 2), 2);
    let report = stage.collector.stop();
    assert_eq!(report["turned_away"], 3);
    assert_eq!(messages(&stage.logs(), "default").len(), 3, "two frames, and the message before the garbage");
}

#[test]
fn a_sender_that_never_ends_its_line_is_closed_and_an_idle_one_too() {
    let args = ["--line-timeout", "300ms", "--idle-timeout", "2s"];
    let listen =
        ["--listen", "tcp://127.0.0.1:0", "--listen", "http://127.0.0.1:0", "--listen", "length32://127.0.0.1:0"];
    let mut stage = Stage::start(&[&args[..], &listen].concat());
    // One byte at a time does not help.
    for (index, start) in [(0, "{\"message\":"), (1, "POST / HTTP/1.1\r\n"), (2, "\0\0\0\u{7f}")] {
        let mut slow = connect(stage.collector.at(index));
        slow.write_all(start.as_bytes()).unwrap();
        slow.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        until("the slow sender is closed", || {
            let _ = slow.write_all(b"x");
            match slow.read(&mut [0; 4096]) {
                Ok(0) => true,
                Ok(_) => false,
                Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            }
        });
    }
    // A body that does not come.
    let mut slow = connect(stage.collector.at(1));
    slow.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}").unwrap();
    assert_eq!(answer(&mut slow).status, 408);
    let idle = connect(stage.collector.at(0));
    assert!(is_closed(&idle));
    let report = stage.collector.stop();
    assert_eq!(report["connections"], 0);
    assert_eq!(records(&stage.logs(), "refused").0[0]["reason"], "torn");
}

/// A slow and a hostile sender do not hold up the others.
#[test]
fn promise_50_senders_do_not_wait_for_each_other() {
    let listen = ["--listen", "length32://127.0.0.1:0", "--listen", "http://127.0.0.1:0"];
    let mut stage = Stage::start(&[&listen[..], &["--line-timeout", "1h"]].concat());
    let at = |index| stage.collector.at(index);
    let mut held = Vec::new();
    for _ in 0..50 {
        // The beginning of a frame, and one that never reads its acknowledgements.
        let mut slow = connect(at(0));
        slow.write_all(b"\0\0\x10\0{").unwrap();
        let mut deaf = connect(at(0));
        deaf.write_all(&frame(r#"{"message":"x","service":"deaf"}"#).repeat(100)).unwrap();
        let mut body = connect(at(1));
        body.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{").unwrap();
        held.push((slow, deaf, body));
    }
    let mut sender = connect(at(0));
    for number in 1..=20 {
        sender.write_all(&frame(r#"{"message":"fast"}"#)).unwrap();
        let mut count = [0; 4];
        sender.read_exact(&mut count).unwrap();
        assert_eq!(u32::from_be_bytes(count), number);
    }
    assert_eq!(post(at(1), "/", &[], b"{\"message\":\"fast\"}").status, 200);
    drop(held);
    stage.collector.stop();
    assert_eq!(messages(&stage.logs(), "default").len(), 21);
}

#[test]
fn connections_beyond_the_limit_of_an_address_are_closed_and_beyond_that_of_all_they_wait() {
    let mut stage = Stage::start(&["--listen", "length32://127.0.0.1:0", "--max-connections-per-address", "2"]);
    let mut first = connect(stage.collector.at(0));
    let mut second = connect(stage.collector.at(0));
    for sender in [&mut first, &mut second] {
        sender.write_all(&frame(r#"{"message":"x"}"#)).unwrap();
        assert_eq!(acknowledged(sender, 1), 1);
    }
    assert!(is_closed(&connect(stage.collector.at(0))));
    drop(first);
    // There is room again.
    until("another one is let in", || {
        let mut third = connect(stage.collector.at(0));
        third.write_all(&frame(r#"{"message":"x"}"#)).is_ok() && acknowledged(&mut third, 1) == 1
    });
    assert!(stage.collector.stop()["turned_away"].as_u64() >= Some(1));

    let mut stage = Stage::start(&["--listen", "length32://127.0.0.1:0", "--max-connections", "1"]);
    let mut first = connect(stage.collector.at(0));
    first.write_all(&frame(r#"{"message":"x"}"#)).unwrap();
    assert_eq!(acknowledged(&mut first, 1), 1);
    let mut waiting = connect(stage.collector.at(0));
    waiting.write_all(&frame(r#"{"message":"y"}"#)).unwrap();
    drop(first);
    assert_eq!(acknowledged(&mut waiting, 1), 1);
    stage.collector.stop();

    // A listener without connections takes no room from another.
    let args = ["--listen", "length32://127.0.0.1:0", "--listen", "length32://127.0.0.1:0", "--max-connections", "1"];
    let mut stage = Stage::start(&args);
    for listener in [1, 0, 1] {
        let mut sender = connect(stage.collector.at(listener));
        sender.write_all(&frame(r#"{"message":"x"}"#)).unwrap();
        assert_eq!(acknowledged(&mut sender, 1), 1);
    }
    stage.collector.stop();
}

#[test]
fn a_decompression_bomb_is_refused_within_its_limit() {
    let mut stage = Stage::start(&["--listen", "http://127.0.0.1:0", "--max-body-bytes", "1MiB"]);
    let zeros = vec![b'\n'; 256 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&zeros).unwrap();
    let bombs = [("gzip", gzip.finish().unwrap()), ("zstd", zstd::encode_all(zeros.as_slice(), 3).unwrap())];
    for (coding, bomb) in bombs {
        let answer = post(stage.collector.at(0), "/", &[("Content-Encoding", coding)], &bomb);
        assert_eq!(answer.status, 413, "{answer:?}");
    }
    let plain = post(stage.collector.at(0), "/", &[], &vec![b'\n'; (1 << 20) + 1]);
    assert_eq!(plain.status, 413);
    stage.assert_peak(128);
    assert_eq!(stage.collector.stop()["turned_away"], 3);
}

/// Each of these is far larger as records than as text.
#[test]
fn promise_50_a_request_of_many_small_parts_takes_no_more_memory_than_the_limits() {
    let gzip = |bytes: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    let mut stage = Stage::start(&["--listen", "http://127.0.0.1:0", "--write-timeout", "30s"]);
    let at = stage.collector.at(0);
    let refused = post(at, "/", &[("Content-Encoding", "gzip")], &gzip(&b"x\n".repeat(100_000)));
    assert!(refused.status == 200 && refused.body.contains(r#""refused":100000"#), "{refused:?}");
    stage.assert_peak(64);

    // 8 million attributes of two bytes, in one record and in its resource; and as JSON.
    let field = |number: u8, bytes: &[u8]| {
        let mut length = Vec::new();
        let mut left = bytes.len();
        while left > 127 {
            length.push((left & 127) as u8 | 128);
            left >>= 7;
        }
        [&[number << 3 | 2], &length[..], &[left as u8], bytes].concat()
    };
    let attributes = |key: u8| [key, 0].repeat(8_000_000);
    let json = format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"attributes":[{}{{}}]}}]}}]}}]}}"#,
        "{},".repeat(5_000_000)
    );
    let protobuf = ("Content-Type", "application/x-protobuf");
    for (kind, body) in [
        (protobuf, field(1, &field(2, &field(2, &attributes(0x32))))),
        (protobuf, field(1, &field(1, &attributes(0x0a)))),
        (protobuf, field(1, &field(2, &field(1, &[0x20, 1].repeat(8_000_000))))),
        (("Content-Type", "application/json"), json.into_bytes()),
    ] {
        let refused = post(at, "/v1/logs", &[kind, ("Content-Encoding", "gzip")], &gzip(&body));
        assert!(refused.status == 400 && refused.body.contains("64 MiB"), "{refused:?}");
    }
    stage.assert_peak(400);
    let report = stage.collector.stop();
    assert_eq!((&report["written"], &report["refused"]), (&100_000.into(), &100_000.into()));
}

/// It would keep its connection for good.
#[test]
fn a_sender_that_reads_no_answers_is_closed() {
    let mut stage = Stage::start(&["--listen", "http://127.0.0.1:0", "--line-timeout", "300ms"]);
    let mut sender = connect(stage.collector.at(0));
    let requests = b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    // Answers fill both buffers long before that. Then writing waits, until the receiver hangs up.
    let closed = (0..100_000).find_map(|_| sender.write_all(&requests).err()).unwrap();
    assert!(matches!(closed.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{closed}");
    stage.collector.stop();
}

#[test]
fn a_sender_that_closes_its_direction_hears_the_answer() {
    let mut stage = Stage::start(&["--listen", "http://127.0.0.1:0"]);
    let mut sender = connect(stage.collector.at(0));
    sender.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    sender.shutdown(Shutdown::Write).unwrap();
    assert_eq!(answer(&mut sender).status, 200);
    assert_eq!(stage.collector.stop()["written"], 1);
}

/// Such senders would keep it from ending, and what it has taken from being written.
#[test]
fn the_end_comes_while_datagrams_arrive() {
    let mut stage = Stage::start(&["--listen", "udp://127.0.0.1:0"]);
    let (at, is_over) = (stage.collector.at(0), AtomicBool::new(false));
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            while !is_over.load(Ordering::Relaxed) {
                // The receiver is gone at the end.
                let _ = socket.send_to(b"{\"message\":\"flood\"}", at);
            }
        });
        let report = stage.collector.stop();
        is_over.store(true, Ordering::Relaxed);
        report
    });
    assert_eq!(report["received"], report["written"], "{report}");
}

/// A part of a head is no request, and nobody waits for the rest of it.
#[test]
fn the_end_waits_for_no_sender_that_has_begun_no_request() {
    let args = ["--listen", "http://127.0.0.1:0", "--shutdown-timeout", "1h", "--line-timeout", "1h"];
    let mut stage = Stage::start(&args);
    let mut senders: Vec<_> = (0..3).map(|_| connect(stage.collector.at(0))).collect();
    for sender in &mut senders {
        sender.write_all(b"POST / HTTP/1.1\r\nHost").unwrap();
    }
    // They are accepted in their order.
    assert_eq!(post(stage.collector.at(0), "/", &[], b"{}").status, 200);
    assert_eq!(stage.collector.stop()["written"], 1);
}

#[test]
fn hostile_service_names_are_safe_file_names_and_their_number_is_bounded() {
    let mut stage = Stage::start(&["--listen", "length32://127.0.0.1:0", "--max-services", "5"]);
    let long = "long".repeat(10_000);
    let names = [&*long, "../../etc/passwd", "a/b", "con", "", "\u{202e}x", "sixth", "seventh"];
    let mut sender = connect(stage.collector.at(0));
    for (number, name) in names.iter().enumerate() {
        let line = serde_json::json!({ "service": name, "message": number.to_string() });
        sender.write_all(&frame(&line.to_string())).unwrap();
    }
    assert_eq!(acknowledged(&mut sender, 8), 8);
    // What is set aside has its file however many services there are.
    sender.write_all(&frame("no record")).unwrap();
    assert_eq!(acknowledged(&mut sender, 9), 9);
    stage.collector.stop();
    assert_eq!(records(&stage.logs(), "refused").0[0]["content"], "no record");
    let files = std::fs::read_dir(stage.logs()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: Vec<String> = files.collect();
    let is_safe = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"~-_.".contains(&byte));
    assert!(files.iter().all(is_safe), "{files:?}");
    assert!(files.len() <= 8, "{files:?}");
    let (others, _) = records(&stage.logs(), "other");
    for other in [&*long, "seventh"] {
        assert!(others.iter().any(|record| record["original_service"] == other), "{others:?} {files:?}");
    }
    assert!(!stage.folder.path().join("etc").exists());
}

#[test]
fn a_request_that_is_no_request_is_answered_with_what_was_expected() {
    let mut stage = Stage::start(&["--listen", "http://127.0.0.1:0"]);
    let at = stage.collector.at(0);
    for (path, headers, body, status, part) in [
        ("/nope", &[][..], &b"{}"[..], 404, "/v1/logs"),
        ("/v1/logs", &[], b"{}", 415, "application/x-protobuf"),
        ("/v1/logs", &[("Content-Type", "application/json")], b"[]", 400, "expected"),
        ("/v1/logs", &[("Content-Type", "application/x-protobuf")], b"\xff\xff", 400, "expected"),
        ("/", &[("Content-Encoding", "br")], b"{}", 415, "gzip"),
        ("/", &[("Content-Encoding", "gzip")], b"{}", 400, "not compressed"),
        ("/logs", &[("Origin", "http://a.example"), ("Content-Type", "text/plain")], b"{}", 403, "no browser"),
        ("/", &[], b"", 200, r#""accepted":0"#),
    ] {
        let answer = post(at, path, headers, body);
        assert!(answer.status == status && answer.body.contains(part), "{path} {headers:?}: {answer:?}");
    }
    assert_eq!(stage.collector.stop()["received"], 0);
}
