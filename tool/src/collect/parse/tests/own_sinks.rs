//! What the library's sinks `Otlp` and `Syslog` send.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use spanline::sink::{Facility, Memory, Otlp, Syslog};
use spanline::{Output, schema};
use tracing_subscriber::layer::SubscriberExt;

use super::super::{otlp_json, otlp_protobuf, syslog};
use super::{Incoming, NOW, read};

/// Logs in the ways that these sinks tell apart.
fn log(output: Output) {
    let builder = spanline::builder().filter("trace").service("orders").static_field("version", "1.2").output(output);
    let (layer, guard) = builder.build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info_span!("request", request_id = "r-\"1\"]\\", tenant = 7).in_scope(|| {
            tracing::info!(user = "ada", on = true, part = 0.5, wide = u64::MAX, empty = "", spans = "own", "für 5 €");
            let failed = std::io::Error::other("disk full");
            tracing::error!(error = &failed as &dyn Error, "failed");
            tracing::trace!(nested = spanline::json(&[1, 2]), bytes = &b"\n\x00\xff"[..], "nested");
        });
        tracing::debug!(name: "order.paid", negative = -1, "paid");
        tracing::warn!(level_name = "notice", "noticed");
        tracing::error!(level_name = "fatal", "ended");
    });
    guard.close().unwrap();
}

/// Returns the bodies of the requests that `send` makes to a server.
fn bodies(send: impl FnOnce(String)) -> Vec<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "a server in the test")]
    let server = thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let mut bodies = Vec::new();
        loop {
            let mut length = None;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap_or(0) == 0 {
                    return bodies;
                }
                let lower = line.to_ascii_lowercase();
                length = lower.strip_prefix("content-length:").map_or(length, |length| length.trim().parse().ok());
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length.unwrap()];
            stream.read_exact(&mut body).unwrap();
            bodies.push(body);
            stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    send(url);
    server.join().unwrap()
}

/// Returns records without what differs between two runs, their fields sorted.
fn comparable(records: Vec<Incoming>) -> Vec<String> {
    let show = |mut record: Incoming| {
        record.fields.sort_by(|one, other| one.0.cmp(&other.0));
        let message = record.message.take();
        format!("{} {message:?} {} {}", record.level, record.target, record.shown())
    };
    records.into_iter().map(show).collect()
}

#[test]
fn requests_of_the_sink_otlp_have_the_records_of_the_schema_otel() {
    let memory = Memory::new();
    log(Output::new(memory.clone()).schema(schema::Otel::new()));
    let lines: Vec<Incoming> = memory.text().lines().map(read).collect();
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|record| record.service.as_deref() == Some("orders")));
    assert_eq!(lines[0].trace_id.is_some(), lines[0].span_id.is_some());
    assert_eq!(lines[0].all("request_id"), [&"r-\"1\"]\\".into()]);
    assert!(lines[5].shown().contains("level_name=FATAL"), "{}", lines[5].shown());
    let expected = comparable(lines);

    let protobuf = bodies(|url| log(Output::new(Otlp::new(url))));
    let records = protobuf.iter().flat_map(|body| otlp_protobuf(body, NOW).unwrap()).collect();
    assert_eq!(comparable(records), expected);
    let json = bodies(|url| log(Output::new(Otlp::new(url).json())));
    let records = json.iter().flat_map(|body| otlp_json(body, NOW).unwrap()).collect();
    assert_eq!(comparable(records), expected);
}

#[test]
fn messages_of_the_sink_syslog_keep_their_ids_and_their_level() {
    for form in ["5424", "3164", "local"] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let sink = Syslog::udp(socket.local_addr().unwrap().to_string()).facility(Facility::Local3);
        log(Output::new(match form {
            "5424" => sink,
            "3164" => sink.rfc3164(),
            _ => sink.local_format(),
        }));
        let mut buffer = [0; 9_000];
        let records: Vec<_> = (0..6)
            .map(|_| {
                let bytes = socket.recv(&mut buffer).unwrap();
                syslog(&buffer[..bytes], spanline::record::Timestamp::now())
            })
            .collect();
        let pid = u64::from(std::process::id());
        for record in &records {
            let age = spanline::record::Timestamp::now().as_nanos() - record.time.as_nanos();
            assert!((0..60_000_000_000).contains(&age), "{form}: {age}");
            assert_eq!(record.service.as_deref(), Some("orders"));
            assert_eq!(
                (record.all("pid"), record.all("facility")),
                (vec![&super::Field::U64(pid)], vec![&super::Field::U64(19)])
            );
            assert_eq!(record.all("hostname").len(), usize::from(form != "local"), "{form}");
        }
        let message = records[0].message.as_deref().unwrap();
        assert!(message.starts_with("für 5 € "), "{message}");
        let levels: Vec<_> = records.iter().map(|record| record.level.to_string()).collect();
        if form == "5424" {
            assert_eq!(levels, ["INFO", "ERROR", "TRACE", "DEBUG", "INFO", "ERROR"]);
            assert!(records[0].trace_id.is_some() && records[0].span_id.is_some() && records[3].trace_id.is_none());
            assert_eq!(records[0].all("request_id"), [&"r-\"1\"]\\".into()]);
            assert_eq!(records[0].target, module_path!());
            assert_eq!(records[3].all("msgid"), [&"order.paid".into()]);
            assert!(records[5].shown().ends_with("level_name=FATAL"), "{}", records[5].shown());
        } else {
            assert_eq!(levels, ["INFO", "ERROR", "DEBUG", "DEBUG", "INFO", "ERROR"]);
        }
    }
}
