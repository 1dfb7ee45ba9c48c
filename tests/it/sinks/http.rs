//! Promises 41 and 44 for the sink `Http`: each fault of a server, and what becomes of the lines.

use std::time::{Duration, Instant};

use spanline::metrics::{OutputMetrics, Reason};
use spanline::sink::{Http, Memory, Secret};
use spanline::{Guard, Output};
use tracing::{Dispatch, Level};

use crate::support::faults::{built, within};
use crate::support::http_server::{Server, Step};
use crate::support::ledger::{self, in_order, log};
use crate::support::stage::Said;
use crate::support::wait::{PATIENCE, until};

/// A log with one sink.
pub(crate) struct Stage {
    dispatch: Dispatch,
    pub(crate) guard: Guard,
    pub(crate) said: Said,
}

impl Stage {
    pub(crate) fn new(sink: Http) -> Self {
        Self::of(Output::new(sink))
    }

    pub(crate) fn of(output: Output) -> Self {
        let said = Said::default();
        let builder = spanline::builder().filter("trace").on_complaint(said.hook()).service("orders");
        let (dispatch, guard) = built(builder.shutdown_timeout(PATIENCE, PATIENCE).output(output));
        Self { dispatch, guard, said }
    }

    pub(crate) fn log(&self, numbers: std::ops::Range<u64>) {
        within(&self.dispatch, || numbers.for_each(|number| log(Level::INFO, 0, number)));
    }

    pub(crate) fn within(&self, with: impl FnOnce()) {
        within(&self.dispatch, with);
    }

    pub(crate) fn books(&self) -> OutputMetrics {
        self.guard.handle().metrics().outputs.remove(0)
    }

    /// Waits until all lines are written.
    #[track_caller]
    pub(crate) fn flush(&self) {
        self.guard.handle().flush(PATIENCE).unwrap();
    }
}

/// Batches that a test does not wait for.
pub(crate) fn quick(sink: Http) -> Http {
    sink.batch(100, 64 << 10, Duration::from_millis(5))
}

pub(crate) fn sink(server: &Server) -> Http {
    quick(Http::new(server.url())).timeout(Duration::from_secs(20))
}

/// The numbers of the lines, each once, in the order of their first arrival.
#[track_caller]
pub(crate) fn numbers(server: &Server) -> Vec<u64> {
    let lines = ledger::read(&server.stored().iter().map(|line| format!("{line}\n")).collect::<String>());
    let mut seen = std::collections::BTreeSet::new();
    let first: Vec<_> = lines.into_iter().filter(|line| !line.is_notice() && seen.insert(line.seq)).collect();
    in_order(&first);
    first.iter().map(|line| line.seq).collect()
}

#[test]
fn lines_are_written_when_the_server_has_answered() {
    let server = Server::start([]);
    let stage = Stage::new(sink(&server));
    stage.log(0..1_000);
    stage.flush();
    assert_eq!(numbers(&server), (0..1_000).collect::<Vec<_>>());
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.total(), books.retries, books.resent), (1_000, 0, 0, 0));
    assert_eq!(server.connections(), 1, "one connection is kept alive");
    let request = server.requests().remove(0);
    assert_eq!(request.line, "POST / HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
    assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("spanline/")));
    stage.guard.close().unwrap();
}

#[test]
fn promise_41_each_fault_of_a_server_delays_lines_and_loses_none() {
    let soon = Duration::from_millis(1);
    let faults = [
        Step::status(500),
        Step::status(503),
        Step::Answer(429, "Retry-After: 0\r\n", String::new()),
        Step::status(401),
        Step::status(403),
        Step::status(404),
        Step::status(408),
        Step::Answer(307, "Location: https://ada:hunter2@other.example/in?token=hunter2\r\n", String::new()),
        Step::Garbage,
        Step::Close,
        Step::Reset,
        Step::HalfAnAnswer,
        Step::ByteByByte(200, soon),
        Step::ByteByByte(500, soon),
        Step::ThenClose,
    ];
    for fault in faults {
        let server = Server::start([Step::status(200), fault.clone(), Step::status(200), fault.clone()]);
        let stage = Stage::new(sink(&server));
        for round in 0..6 {
            stage.log(round * 10..round * 10 + 10);
            stage.flush();
        }
        assert_eq!(numbers(&server), (0..60).collect::<Vec<_>>(), "{fault:?}");
        let books = stage.books();
        assert_eq!((books.written.total(), books.dropped.total()), (60, 0), "{fault:?}: {books:#?}");
        assert!(!format!("{:?}", stage.said.all()).contains("hunter2"), "{fault:?}");
        stage.guard.close().unwrap();
    }
}

#[test]
fn promise_41_a_redirect_is_not_followed_and_the_complaint_names_its_target() {
    let other = Server::start([]);
    let server = Server::start([]);
    let location = format!("Location: {}/in?token=hunter2\r\n", other.url());
    server.then([Step::Answer(302, Box::leak(location.into_boxed_str()), String::new())]);
    let stage = Stage::new(sink(&server).bearer(Secret::text("hunter2")));
    stage.log(0..1);
    stage.flush();
    let said = format!("{:?}", stage.said.all());
    assert!(said.contains(&format!("redirected to {}/in", other.url())) && !said.contains("hunter2"), "{said}");
    assert_eq!(other.requests().len(), 0);
    stage.guard.close().unwrap();
}

#[test]
fn promise_41_a_stuck_server_holds_neither_the_end_nor_another_output() {
    let steps = [Step::Silence, Step::ByteByByte(200, Duration::from_secs(60))];
    for step in steps {
        let server = Server::start([]);
        server.always(step.clone());
        let memory = Memory::new();
        let said = Said::default();
        let patience = Duration::from_millis(500);
        let builder =
            spanline::builder().filter("trace").on_complaint(said.hook()).shutdown_timeout(patience, patience);
        let stuck = Output::new(quick(Http::new(server.url())).timeout(PATIENCE));
        let (dispatch, guard) = built(builder.output(stuck).output(Output::new(memory.clone())));
        let handle = guard.handle().clone();
        within(&dispatch, || (0..100).for_each(|number| log(Level::INFO, 0, number)));
        until("a request", || !server.requests().is_empty());
        until("the other output", || memory.lines().len() == 100);
        let begun = Instant::now();
        let unwritten = guard.close().unwrap_err().unwritten_lines();
        assert!(begun.elapsed() < PATIENCE / 4, "{step:?}: {:?}", begun.elapsed());
        assert_eq!(unwritten, Some(100), "{step:?}");
        let books = &handle.metrics().outputs[0];
        let lost = books.dropped.reason(Reason::Shutdown).total();
        assert_eq!((books.emitted.total(), books.written.total(), lost), (100, 0, 100), "{books:#?}");
    }
}

#[test]
fn promise_41_a_connection_that_ends_during_tls_is_tried_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let said = Said::default();
    let patience = Duration::from_millis(100);
    let builder = spanline::builder().filter("trace").on_complaint(said.hook()).shutdown_timeout(patience, patience);
    let sink = quick(Http::new(url)).connect_timeout(Duration::from_millis(50));
    let (dispatch, guard) = built(builder.output(Output::new(sink)));
    let books = || guard.handle().metrics().outputs.remove(0);
    within(&dispatch, || (0..3).for_each(|number| log(Level::INFO, 0, number)));
    // Closes one within the handshake, and leaves one without an answer.
    drop(listener.accept().unwrap());
    let silent = listener.accept().unwrap();
    let next = listener.accept().unwrap();
    until("two failures", || books().retries >= 2);
    drop((silent, next));
    let books = books();
    assert_eq!((books.written.total(), books.dropped.total()), (0, 0), "{books:#?}");
    assert_eq!(guard.close().unwrap_err().unwritten_lines(), Some(3));
}

#[test]
fn promise_41_a_request_without_an_answer_is_sent_again_after_its_timeout() {
    let server = Server::start([Step::Silence]);
    let stage = Stage::new(sink(&server).timeout(Duration::from_millis(100)));
    stage.log(0..10);
    stage.flush();
    assert_eq!(numbers(&server), (0..10).collect::<Vec<_>>());
    assert_eq!(stage.books().resent, 10);
    assert!(format!("{:?}", stage.said.all()).contains("no answer in time"), "{:?}", stage.said.all());
    stage.guard.close().unwrap();
}

#[test]
fn a_connection_that_the_server_has_closed_while_idle_is_no_failure() {
    let server = Server::start([]);
    let stage = Stage::new(sink(&server));
    for round in 0..20 {
        server.then([Step::ThenClose]);
        stage.log(round..round + 1);
        stage.flush();
    }
    // The server closes the connection when the next request is on it: the race that no probe can exclude.
    for round in 20..40 {
        server.then([Step::status(200), Step::Close]);
        stage.log(2 * round..2 * round + 1);
        stage.flush();
        stage.log(2 * round + 1..2 * round + 2);
        stage.flush();
    }
    let books = stage.books();
    assert_eq!((books.written.total(), books.retries, books.resent), (60, 0, 0), "{:?}", stage.said.all());
    assert_eq!(stage.said.all(), Vec::<String>::new());
    stage.guard.close().unwrap();
}

#[test]
fn a_line_that_is_to_blame_is_rejected_alone() {
    let server = Server::start([]);
    server.always(Step::Refuses("\"seq\":73,"));
    let stage = Stage::new(sink(&server));
    stage.log(0..100);
    stage.flush();
    let expected: Vec<_> = (0..100).filter(|number| *number != 73).collect();
    assert_eq!(numbers(&server), expected);
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (99, 1), "{books:#?}");
    assert!(format!("{:?}", stage.said.all()).contains("status 400"), "{:?}", stage.said.all());
    stage.guard.close().unwrap();
}

#[test]
fn a_batch_that_is_too_large_is_halved_down_to_one_line() {
    let server = Server::start([]);
    server.always(Step::TooLarge(2_000));
    let stage = Stage::new(sink(&server));
    stage.log(0..50);
    stage.within(|| tracing::info!(seq = 50, thread = 0, text = "x".repeat(3_000), "too long"));
    stage.log(51..100);
    stage.flush();
    let expected: Vec<_> = (0..100).filter(|number| *number != 50).collect();
    assert_eq!(numbers(&server), expected);
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (99, 1), "{books:#?}");
    stage.guard.close().unwrap();
}

#[test]
fn retry_after_is_kept() {
    let server = Server::start([Step::Answer(429, "Retry-After: 1\r\n", String::new())]);
    let stage = Stage::new(sink(&server));
    let begun = Instant::now();
    stage.log(0..10);
    stage.flush();
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(server.requests().len(), 2);
    stage.guard.close().unwrap();
}

#[test]
fn a_token_is_read_again_after_401() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "first\n").unwrap();
    let server = Server::start([]);
    server.always(Step::By(|request| match request.header("authorization") {
        Some("Bearer first") => (401, "hunter2".to_owned()),
        Some("Bearer second") => (200, String::new()),
        other => panic!("{other:?}"),
    }));
    let stage = Stage::new(sink(&server).bearer(Secret::file(&path)));
    stage.log(0..1);
    until("a refusal", || stage.books().retries > 0);
    std::fs::write(&path, "second\n").unwrap();
    stage.flush();
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.total()), (1, 0));
    stage.guard.close().unwrap();
}

#[test]
fn bodies_headers_and_compression_are_as_set() {
    let server = Server::start([]);
    let url = |path: &str| format!("http://ada:p%40ss@{}{path}", server.address);
    type Set = fn(Http) -> Http;
    let cases: [(Set, &str, Option<&str>); 5] = [
        (|http| http, "\n", None),
        (Http::json_array, "[]", None),
        (|http| http.template("{\"logs\":[", ",", "]}"), "{]}", None),
        (|http| http.json_array().gzip(), "[]", Some("gzip")),
        (|http| http.json_array().zstd().header("X-Tenant", "a"), "[]", Some("zstd")),
    ];
    for (set, ends, encoding) in cases {
        let stage = Stage::new(quick(set(Http::new(url("/in?a=b")))));
        stage.log(0..3);
        stage.flush();
        stage.guard.close().unwrap();
        let request = server.requests().pop().unwrap();
        assert_eq!(request.line, "POST /in?a=b HTTP/1.1");
        assert_eq!(request.header("content-encoding"), encoding);
        assert_eq!(request.header("authorization"), Some("Basic YWRhOnBAc3M="));
        assert!(request.body.ends_with(&ends[1..]), "{}", request.body);
        if ends.starts_with('[') {
            let lines: Vec<serde_json::Value> = serde_json::from_str(&request.body).unwrap();
            assert!(!lines.is_empty());
        } else if ends.starts_with('{') {
            let whole: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            assert!(whole["logs"].is_array());
        }
    }
}

#[test]
fn a_proxy_gets_the_requests() {
    let proxy = Server::start([]);
    let stage = Stage::new(quick(Http::new("http://collector.invalid/in")).proxy(proxy.url()));
    stage.log(0..3);
    stage.flush();
    assert!(proxy.requests()[0].line.contains("collector.invalid"), "{:?}", proxy.requests());
    stage.guard.close().unwrap();
}

#[test]
fn settings_that_can_only_be_a_mistake_fail_the_start() {
    let fine = || Http::new("http://127.0.0.1:9");
    let wrong: [(Http, &str); 8] = [
        (Http::new("collector.example"), "expected a URL"),
        (Http::new("ftp://ada:hunter2@host/"), "scheme is ftp"),
        (fine().header("a b", "c"), "name of a header"),
        (fine().header("a", "hunter2\n"), "characters"),
        (fine().timeout(Duration::ZERO), "timeout"),
        (fine().proxy("socks"), "proxy"),
        (fine().acknowledged(), "acknowledged is for splunk_hec"),
        (Http::elastic("http://127.0.0.1:9", "a").json_array(), "json_array is for http"),
    ];
    for (sink, expected) in wrong {
        let error =
            spanline::builder().output(Output::new(sink)).build::<tracing_subscriber::Registry>().err().unwrap();
        let text = format!("{error:#}");
        assert!(error.is_invalid() && text.contains(expected) && !text.contains("hunter2"), "{text}");
    }
    // A server that is away is no mistake.
    let (_, guard) = built(spanline::builder().on_complaint(|_| {}).output(Output::new(fine())));
    guard.close().unwrap();
}

#[test]
fn promise_44_no_secret_is_in_any_text() {
    const SECRET: &str = "hunter2-hunter2";
    for has_proxy in [false, true] {
        let soon = Duration::from_millis(1);
        // The server repeats what it was sent.
        let echo = Step::By(|request| {
            let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            (403, headers.join(" "))
        });
        let steps = [echo, Step::Garbage, Step::Reset, Step::Close, Step::ByteByByte(500, soon), Step::status(401)];
        let server = Server::start(steps);
        server.then([Step::Answer(302, "Location: http://a:hunter2-hunter2@b/?t=hunter2-hunter2\r\n", String::new())]);
        let url = format!("http://ada:{SECRET}@{}/in?token={SECRET}", server.address);
        let mut sink = quick(Http::new(url))
            .bearer(Secret::text(SECRET))
            .secret_header("X-Key", Secret::text(SECRET))
            .header("X-Other", SECRET);
        if has_proxy {
            sink = sink.proxy(format!("http://ada:{SECRET}@{}", server.address));
        }
        let mut texts = vec![format!("{sink:?}"), format!("{sink:#?}")];
        let output = Output::new(sink);
        texts.push(format!("{output:?}"));
        let stage = Stage::of(output);
        stage.log(0..1);
        until("the line", || {
            let metrics = stage.guard.handle().metrics();
            texts.extend([format!("{metrics:?}"), metrics.to_prometheus()]);
            texts.extend(stage.said.all());
            stage.books().written.total() == 1
        });
        stage.guard.close().unwrap();
        let expected = if has_proxy { "proxy server responded" } else { "did not take the lines: status 403" };
        assert!(texts.iter().any(|text| text.contains(expected)), "{texts:#?}");
        for text in texts {
            assert!(!text.contains("hunter2") && !text.contains("YWRhOmh1bnRlcjI"), "{text}");
        }
    }
}

#[test]
fn lines_wait_for_a_full_batch() {
    let server = Server::start([]);
    let stage = Stage::new(Http::new(server.url()).batch(1_000, 1 << 20, PATIENCE));
    stage.log(0..999);
    assert_eq!(server.requests().len(), 0);
    stage.log(999..1_000);
    until("a full batch", || stage.books().written.total() == 1_000);
    assert_eq!(server.requests().len(), 1);
    stage.guard.close().unwrap();
}
