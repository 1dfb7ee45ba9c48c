//! Promises 41 and 44: servers that lie, flood or never end cost time and no line, and learn no secret's way into the log.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use spanline::Output;
use spanline::metrics::Reason;
use spanline::sink::{Http, Otlp, Secret, Tcp};

use crate::sinks::http::{Stage, numbers, quick};
use crate::support::http_server::{Request, Server, Step};
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::sample::is_long;
use crate::support::wait::{PATIENCE, until};

/// What a server sends in place of an answer, until the client hangs up.
type Fault = fn(&mut TcpStream) -> std::io::Result<()>;

/// Sends a text again and again.
fn endlessly(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    let text = text.repeat(1 + 16_384 / text.len());
    loop {
        stream.write_all(text.as_bytes())?;
    }
}

/// Waits until the client hangs up.
fn wait(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.read_to_end(&mut Vec::new()).map(drop)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Each of them, and whether its status alone says that the batch is stored.
const FAULTS: &[(&str, bool, Fault)] = &[
    ("a flood of 103", false, |stream| endlessly(stream, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")),
    ("a flood of 100", false, |stream| endlessly(stream, "HTTP/1.1 100 Continue\r\n\r\n")),
    ("101", false, |stream| {
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")?;
        wait(stream)
    }),
    ("headers without end", false, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        endlessly(stream, "X-More: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n")
    }),
    ("one header without end", false, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nX-Long: ")?;
        endlessly(stream, "0123456789")
    }),
    ("a status line without end", false, |stream| endlessly(stream, "HTTP/1.1 200 ")),
    ("a body without end", true, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        endlessly(stream, "0123456789")
    }),
    ("chunks without end", true, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        endlessly(stream, "4\r\nabcd\r\n")
    }),
    ("a chunk of an impossible size", true, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc")?;
        wait(stream)
    }),
    ("an impossible length", false, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")?;
        wait(stream)
    }),
    ("a length that never comes", true, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nabc")?;
        wait(stream)
    }),
    ("a compressed answer that is none", true, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")
    }),
    ("an impossible status", false, |stream| {
        stream.write_all(b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n")?;
        wait(stream)
    }),
    ("another protocol", false, |stream| {
        stream.write_all(b"HTTP/7.0 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        wait(stream)
    }),
    ("nulls", false, |stream| endlessly(stream, "\0\0\0\0")),
    ("a redirect to a file", false, |stream| {
        stream.write_all(b"HTTP/1.1 307 Away\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")?;
        wait(stream)
    }),
    ("a pause of a century after 200", true, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nRetry-After: 3153600000\r\nContent-Length: 0\r\n\r\n")
    }),
    ("a byte now and then", false, |stream| {
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" {
            stream.write_all(&[*byte])?;
            std::thread::park_timeout(Duration::from_millis(50));
        }
        Ok(())
    }),
];

/// Reads a request. Returns its lines.
fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if head.to_lowercase().contains("expect: 100") && body.is_empty() {
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
            }
            if body.len() >= length.unwrap_or(0) {
                return Some(body.to_owned());
            }
        }
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => bytes.extend_from_slice(&buffer[..length]),
            _ => return None,
        }
    }
}

/// A server that answers the first requests with a fault, and the others with `good`.
fn serve(faulty: usize, fault: Fault, good: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&seen);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let seen = Arc::clone(&counted);
            std::thread::spawn(move || {
                while request(&mut stream).is_some() {
                    if seen.fetch_add(1, Ordering::SeqCst) < faulty {
                        let _ = fault(&mut stream);
                        return;
                    }
                    if stream.write_all(good.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, seen)
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// In another process, whose memory is measured.
#[test]
fn promise_41_no_answer_of_a_server_costs_a_line_or_more_memory_than_its_limit() {
    if !is_child() {
        Running::start(child_command(this_test!())).finish();
        return;
    }
    let both = [0, 1];
    for (at, (what, is_stored, fault)) in FAULTS.iter().enumerate() {
        let (address, seen) = serve(2, *fault, OK);
        let before = resident();
        let begun = Instant::now();
        let url = format!("http://{address}");
        let timeout = Duration::from_millis(if is_long() { 1_000 } else { 200 });
        for which in if is_long() { &both[..] } else { &both[at % 2..=at % 2] } {
            seen.store(0, Ordering::SeqCst);
            let stage = Stage::of(match which {
                0 => Output::new(quick(Http::new(&url)).timeout(timeout)),
                _ => Output::new(Otlp::new(&url).requests(|http| quick(http).timeout(timeout))),
            });
            for round in 0..3 {
                stage.log(round..round + 1);
                stage.flush();
            }
            let books = stage.books();
            assert_eq!((books.written.total(), books.dropped.total()), (3, 0), "{what}: {books:#?}");
            assert!(*is_stored || books.retries >= 2, "{what}: {books:#?}");
            stage.guard.close().unwrap();
        }
        println!("{what}: {:?}, {} KiB", begun.elapsed(), resident().saturating_sub(before));
        assert!(resident().saturating_sub(before) < 32 << 10, "{what}: {} KiB", resident().saturating_sub(before));
        assert!(begun.elapsed() < PATIENCE / 2, "{what}: {:?}", begun.elapsed());
    }
    child_done()
}

/// Answers in JSON, of which each value would take a hundred bytes. In another process, whose memory is measured.
#[test]
fn promise_41_an_answer_of_a_million_values_costs_no_memory() {
    if !is_child() {
        Running::start(child_command(this_test!())).finish();
        return;
    }
    const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{\"errors\":false,\"code\":0}";
    const BEGIN: &str = "{\"errors\":true,\"items\":[";
    const ITEM: &str = "{\"create\":{\"status\":500}},";
    let faults: [(&str, Fault); 2] = [
        ("one text", |stream| {
            let count = (12 << 20) / ITEM.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Length:";
            write!(stream, "{head} {}\r\n\r\n{BEGIN}", BEGIN.len() + count * ITEM.len() + 4)?;
            let some = ITEM.repeat(1_000);
            (0..count / 1_000).try_for_each(|_| stream.write_all(some.as_bytes()))?;
            stream.write_all(ITEM.repeat(count % 1_000).as_bytes())?;
            stream.write_all(b"{}]}")
        }),
        ("chunks without end", |stream| {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked";
            write!(stream, "{head}\r\n\r\n{:x}\r\n{BEGIN}\r\n", BEGIN.len())?;
            endlessly(stream, &format!("{:x}\r\n{ITEM}\r\n", ITEM.len()))
        }),
    ];
    for (what, fault) in faults {
        for which in 0..3 {
            let (address, _) = serve(2, fault, GOOD);
            let url = format!("http://{address}");
            let http = |http: Http| quick(http).timeout(Duration::from_secs(5));
            let before = resident();
            let stage = Stage::of(match which {
                0 => Output::new(http(Http::elastic(&url, "logs"))),
                1 => Output::new(http(Http::splunk_hec(&url, Secret::text("hunter2")))),
                _ => Output::new(Otlp::new(&url).json().requests(http)),
            });
            for round in 0..3 {
                stage.log(round..round + 1);
                stage.flush();
            }
            let books = stage.books();
            assert_eq!((books.written.total(), books.dropped.total()), (3, 0), "{what}, {which}: {books:#?}");
            stage.guard.close().unwrap();
            let more = resident().saturating_sub(before);
            assert!(more < 32 << 10, "{what}, {which}: {more} KiB");
        }
    }
    child_done()
}

#[test]
fn promise_44_no_text_of_a_server_brings_a_secret_into_the_log() {
    const SECRETS: [&str; 5] = ["hunter2-token", "hunter2-pass", "hunter2-query", "hunter2-header", "aHVudGVy"];
    type Answer = fn(&Request) -> (u16, String);
    type Preset = fn(&str, Secret) -> Output;
    fn echo(request: &Request) -> String {
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        // What `Basic` encodes.
        let password = if headers.iter().any(|header| header.contains("Basic")) { "hunter2-pass" } else { "" };
        format!("{} {} {password}", request.line, headers.join(" "))
    }
    let by: [(&str, Answer); 5] = [
        ("a failure", |request| (500, echo(request))),
        ("a refusal", |request| (403, echo(request))),
        ("one that is no text", |request| (500, format!("\u{1}{}", echo(request)))),
        ("a rejected line", |request| (400, echo(request))),
        ("a redirect", |request| (302, echo(request))),
    ];
    for (what, by) in by {
        let server = Server::start([Step::By(by), Step::By(by)]);
        let url =
            format!("{}/in?token=hunter2-query&format=json", server.url().replace("://", "://hunter:hunter2-pass@"));
        let sinks = [
            quick(Http::new(&url)).header("X-Own", "hunter2-header"),
            quick(Http::new(url.replace("hunter:hunter2-pass@", ""))).bearer(Secret::text("hunter2-token")),
        ];
        for sink in sinks {
            let shown = format!("{sink:?}");
            server.then([Step::By(by)]);
            let stage = Stage::new(sink);
            stage.log(0..3);
            stage.flush();
            let told = format!("{shown}{:?}{:?}", stage.said.all(), stage.guard.handle().metrics());
            let secret = SECRETS.iter().find(|secret| told.contains(**secret));
            assert_eq!(secret, None, "{what}: {told}");
            stage.guard.close().unwrap();
        }
    }
    // Servers that take lines and refuse others.
    let items =
        r#"{"errors":true,"items":[{"create":{"status":400,"error":{"type":"x","reason":"with hunter2-token"}}}]}"#;
    let partial = r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"with hunter2-token"}}"#;
    let clickhouse = "Code: 27. DB::Exception: with hunter2-token";
    let token = || Secret::text("hunter2-token");
    let sinks: [(&str, Preset); 3] = [
        (items, |url, token| Output::new(quick(Http::elastic(url, "logs")).bearer(token))),
        (partial, |url, token| Output::new(Otlp::new(url).json().requests(|http| quick(http).bearer(token)))),
        (clickhouse, |url, token| Output::new(quick(Http::clickhouse(url, "logs")).bearer(token))),
    ];
    for (body, output) in sinks {
        let server = Server::start([Step::json(200, body)]);
        // Of the notice about the line.
        server.always(Step::json(200, r#"{"errors":false}"#));
        let stage = Stage::of(output(&server.url(), token()));
        stage.log(0..1);
        stage.flush();
        let (books, told) = (stage.books(), format!("{:?}", stage.said.all()));
        assert_eq!(books.dropped.reason(Reason::Rejected).total(), 1, "{books:#?}");
        assert!(told.contains("with ***") && !told.contains("hunter2"), "{told}");
        stage.guard.close().unwrap();
    }
}

/// A header that was set in one piece, as people paste it.
#[test]
fn promise_44_a_mistyped_setting_is_not_shown() {
    for sink in [
        Http::new("http://127.0.0.1:1").header("Authorization: Bearer hunter2", ""),
        Http::new("http://127.0.0.1:1").secret_header("X-Api-Key=hunter2", Secret::text("hunter2")),
        Http::new("http://127.0.0.1:1").header("X-Key", "hunter2\n"),
        Http::new("http://127.0.0.1:1/").proxy("http://ada:1/hunter2@proxy:3128"),
        Http::new("http://ada:1/hunter2@127.0.0.1:1/"),
    ] {
        let shown = format!("{sink:?}");
        let error = spanline::builder().output(Output::new(sink)).build::<tracing_subscriber::Registry>();
        let error = error.map(drop).unwrap_err();
        assert!(error.is_invalid() && format!("{error:?}").contains("expected"), "{error:?}");
        assert!(!format!("{shown}{error:?}").contains("hunter2"), "{shown} {error:?}");
    }
}

#[test]
fn a_secret_that_cannot_be_sent_is_read_again() {
    let server = Server::start([]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter2\nof yesterday\n").unwrap();
    let stage = Stage::new(quick(Http::new(server.url())).bearer(Secret::file(&file)));
    stage.log(0..3);
    until("a complaint", || !stage.said.all().is_empty());
    let told = format!("{:?}", stage.said.all());
    assert!(told.contains("characters that no header may have") && !told.contains("hunter2"), "{told}");
    // Replaced by nothing, then by the right one; a server that knows no token of before answers 403.
    server.then([Step::status(403)]);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "right").unwrap();
    stage.flush();
    std::fs::write(&file, "rotated").unwrap();
    server.then([Step::status(403)]);
    stage.log(3..6);
    stage.flush();
    assert_eq!(numbers(&server), (0..6).collect::<Vec<_>>());
    let last = server.requests().pop().unwrap();
    assert_eq!(last.header("authorization"), Some("Bearer rotated"));
    stage.guard.close().unwrap();
}

#[test]
fn promise_41_what_an_answer_claims_beyond_the_batch_is_not_believed() {
    // Of a batch of two lines, the hundredth is wrong: which ones are stored stays unknown.
    let far = r#"{"text":"Invalid data format","code":6,"invalid-event-number":100}"#;
    // The results of three lines, all stored.
    let items =
        r#"{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}},{"create":{"status":201}}]}"#;
    let forbidden = r#"{"errors":true,"items":[{"create":{"status":403,"error":{"type":"cluster_block_exception"}}}]}"#;
    let good = r#"{"errors":false,"items":[{"create":{"status":201}}]}"#;
    let negative = r#"{"partialSuccess":{"rejectedLogRecords":"-5","errorMessage":"?"}}"#;
    let run = |what: &str, server: &Server, output: Output, written: u64, retries: u64| {
        let stage = Stage::of(output);
        stage.log(0..1);
        stage.flush();
        let books = stage.books();
        assert_eq!((books.written.total(), books.dropped.total()), (written, 1 - written), "{what}: {books:#?}");
        assert_eq!(books.retries, retries, "{what}: {books:#?}");
        assert!(!server.requests().is_empty());
        stage.guard.close().unwrap();
    };
    let server = Server::start([Step::json(400, far)]);
    run("splunk", &server, Output::new(quick(Http::splunk_hec(server.url(), Secret::text("t")))), 0, 0);
    let server = Server::start([Step::json(200, items), Step::json(200, good)]);
    run("items", &server, Output::new(quick(Http::elastic(server.url(), "logs"))), 1, 1);
    let server = Server::start([Step::json(200, forbidden), Step::json(200, good)]);
    run("blocked", &server, Output::new(quick(Http::elastic(server.url(), "logs"))), 1, 1);
    let server = Server::start([Step::json(200, negative)]);
    run("negative", &server, Output::new(Otlp::new(server.url()).json().requests(quick)), 1, 0);
}

/// Acknowledgements that go back, repeat or flood, and connections that end anywhere.
#[test]
fn promise_41_wrong_acknowledgements_lose_no_line() {
    type Act = fn(&mut TcpStream, u32) -> std::io::Result<()>;
    let acts: [(&str, Act); 6] = [
        ("goes back", |stream, stored| {
            stream.write_all(&stored.to_be_bytes())?;
            stream.write_all(&stored.saturating_sub(1).to_be_bytes())
        }),
        ("beyond", |stream, stored| stream.write_all(&(stored + 1_000).to_be_bytes())),
        ("the largest", |stream, _| stream.write_all(&u32::MAX.to_be_bytes())),
        ("a flood of zeros", |stream, _| endlessly(stream, "\0\0\0\0")),
        ("half a number", |stream, stored| {
            stream.write_all(&stored.to_be_bytes()[..3])?;
            stream.shutdown(std::net::Shutdown::Both)
        }),
        ("byte by byte", |stream, stored| stored.to_be_bytes().iter().try_for_each(|byte| stream.write_all(&[*byte]))),
    ];
    for (what, act) in acts {
        let stored = crate::sinks::server::Stored::default();
        let taken = stored.clone();
        let server = crate::sinks::server::Server::start(move |number, mut stream: &TcpStream| {
            if number >= 3 {
                return taken.frames(stream, u32::MAX, true);
            }
            let place = taken.begin();
            let mut own = stream.try_clone().unwrap();
            for count in 1..=5 {
                let mut length = [0; 4];
                if stream.read_exact(&mut length).is_err() {
                    return;
                }
                let mut line = vec![0; u32::from_be_bytes(length) as usize];
                if stream.read_exact(&mut line).is_err() {
                    return;
                }
                taken.add(place, &line);
                if act(&mut own, count).is_err() {
                    return;
                }
            }
        });
        let stage = crate::sinks::tcp::Stage::of(
            Tcp::new(server.address.to_string()).acknowledged().timeout(Duration::from_millis(500)),
        );
        stage.log(0..50);
        let books = stage.close();
        assert_eq!((books.written.total(), books.dropped.total()), (50, 0), "{what}: {books:#?}");
        assert!(stored.missing(50).is_empty(), "{what}: {:?}", stored.missing(50));
    }
}
