//! Promise 41: an answer that is not about the lines, or not of the server, costs none of them.

use std::time::Duration;

use serde_json::{Value, json};
use spanline::Output;
use spanline::metrics::Reason;
use spanline::sink::{Http, Otlp, Secret};

use crate::sinks::http::{Stage, numbers, quick, sink};
use crate::support::http_server::{Request, Server, Step};
use crate::support::wait::until;

/// Of servers, proxies and load balancers: limits, logins, protocols. None of them is about a line.
const NOT_ABOUT_LINES: &[u16] = &[
    402, 406, 407, 409, 410, 411, 412, 414, 416, 417, 418, 420, 421, 423, 424, 425, 426, 428, 431, 440, 444, 449, 450,
    451, 460, 463, 464, 494, 495, 496, 497, 498, 499, 505, 507, 511, 520, 529, 599,
];

#[test]
fn promise_41_a_status_that_is_not_about_the_lines_costs_none() {
    let server = Server::start(NOT_ABOUT_LINES.iter().flat_map(|status| [Step::status(*status), Step::status(200)]));
    let stage = Stage::new(sink(&server));
    let rounds = NOT_ABOUT_LINES.len() as u64;
    for round in 0..rounds {
        stage.log(round * 3..round * 3 + 3);
        stage.flush();
    }
    assert_eq!(numbers(&server), (0..rounds * 3).collect::<Vec<_>>());
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.total()), (rounds * 3, 0), "{books:#?}");
    assert!(books.retries >= rounds, "{books:#?}");
    stage.guard.close().unwrap();
}

/// After a reset, the sink asks first. Some proxies answer 417, as RFC 9110 allows, and want the request without that.
#[test]
fn promise_41_a_proxy_that_does_not_know_expect_gets_requests_without_it() {
    let server = Server::start([Step::Reset]);
    server.always(Step::By(|request| (if request.header("expect").is_some() { 417 } else { 200 }, String::new())));
    let stage = Stage::new(sink(&server));
    for round in 0..4 {
        stage.log(round * 10..round * 10 + 10);
        stage.flush();
        if round == 1 {
            server.then([Step::Reset]);
        }
    }
    assert_eq!(numbers(&server), (0..40).collect::<Vec<_>>());
    let refused = server.requests().iter().filter(|request| request.status == Some(417)).count();
    assert_eq!(refused, 1, "it is not asked again");
    assert_eq!((stage.books().written.total(), stage.books().dropped.total()), (40, 0));
    stage.guard.close().unwrap();
}

/// Each answer is a page, as of a login or a captive portal, which stand before the server for a while.
#[test]
fn promise_41_a_page_for_browsers_is_no_success() {
    let url = |server: &Server| server.url();
    let token = || Secret::text("hunter2");
    type Make<'a> = Box<dyn Fn(&Server) -> Output + 'a>;
    let presets: [(&str, Make<'_>, &str); 7] = [
        ("loki", Box::new(|server| Output::new(quick(Http::loki(url(server), [("a", "b")])))), ""),
        ("datadog", Box::new(|server| Output::new(quick(Http::datadog(url(server), token())))), "{}"),
        ("splunk", Box::new(|server| Output::new(quick(Http::splunk_hec(url(server), token())))), "{\"code\":0}"),
        ("elastic", Box::new(|server| Output::new(quick(Http::elastic(url(server), "a")))), "{\"errors\":false}"),
        ("clickhouse", Box::new(|server| Output::new(quick(Http::clickhouse(url(server), "a")))), ""),
        ("otlp", Box::new(|server| Output::new(Otlp::new(url(server)).requests(quick))), ""),
        ("otlp json", Box::new(|server| Output::new(Otlp::new(url(server)).json().requests(quick))), "{}"),
    ];
    for (what, preset, good) in presets {
        let page = "<html>please log in</html>".to_owned();
        let server = Server::start([Step::Answer(200, "Content-Type: text/html; charset=utf-8\r\n", page)]);
        server.always(Step::json(200, good));
        let stage = Stage::of(preset(&server));
        stage.within(|| tracing::info!("line"));
        stage.flush();
        let books = stage.books();
        assert_eq!((books.written.total(), books.retries), (1, 1), "{what}: {books:#?}");
        assert_eq!(server.requests().len(), 2, "{what}");
        stage.guard.close().unwrap();
    }
    // Of a server that nobody knows, any 2xx is a success.
    let server = Server::start([]);
    server.always(Step::Answer(200, "Content-Type: text/html\r\n", "<html>thanks</html>".to_owned()));
    let stage = Stage::new(sink(&server));
    stage.log(0..1);
    stage.flush();
    assert_eq!(server.requests().len(), 1);
    stage.guard.close().unwrap();
}

/// The bulk API: each line is taken, but that with the message `never`, which the index answers 500 to.
fn all_but_one(request: &Request) -> (u16, String) {
    let lines = request.body.lines().skip(1).step_by(2);
    let items = lines.map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let status = if line["message"] == "never" { 500 } else { 201 };
        json!({"create": {"status": status, "error": {"type": "weird", "reason": "no shard"}}})
    });
    (200, json!({"errors": true, "items": items.collect::<Vec<_>>()}).to_string())
}

#[test]
fn promise_41_a_line_that_elastic_never_takes_does_not_hold_up_the_others() {
    let server = Server::start([]);
    server.always(Step::By(all_but_one));
    let stage = Stage::new(quick(Http::elastic(server.url(), "logs")));
    stage.within(|| tracing::info!("never"));
    for round in 1..=5 {
        stage.log(0..20);
        until("the others to be written", || stage.books().written.total() == 20 * round);
    }
    let books = stage.books();
    assert_eq!(books.queued.total() + books.in_flight.total(), 1, "{books:#?}");
    server.always(Step::json(200, "{\"errors\":false}"));
    stage.flush();
    assert_eq!((stage.books().written.total(), stage.books().dropped.total()), (101, 0));
    stage.guard.close().unwrap();
}

/// ClickHouse repeats a part of the row, and cuts it within a character.
#[test]
fn promise_41_an_error_of_clickhouse_is_one_whatever_bytes_it_has() {
    let server = Server::start([
        Step::Raw(
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nCode: 241. DB::Exception: Memory \xff\xfe limit exceeded",
        ),
        Step::json(200, "Ok."),
        Step::Raw(b"HTTP/1.1 200 OK\r\nX-ClickHouse-Summary: {}\r\nContent-Length: 0\r\n\r\n"),
        // A row that violates a constraint, and one that cannot be parsed: both are rejected alone.
        Step::json(400, "Code: 469. DB::Exception: Constraint `c` is violated at row 1. (VIOLATED_CONSTRAINT)"),
        Step::Raw(
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 35\r\n\r\nCode: 27. DB::Exception: near: \xc3\xa4\xe2\x82",
        ),
    ]);
    let stage = Stage::new(quick(Http::clickhouse(server.url(), "logs.orders")));
    for number in 0..4 {
        stage.log(number..number + 1);
        stage.flush();
    }
    let books = stage.books();
    assert_eq!((books.written.total(), books.retries), (2, 2), "{books:#?}");
    assert_eq!(books.dropped.reason(Reason::Rejected).total(), 2, "{books:#?}");
    stage.guard.close().unwrap();
}

/// The question for an acknowledgement may fail. That is no reason to store the batch twice.
#[test]
fn promise_41_an_acknowledgement_of_splunk_is_asked_for_again() {
    let server = Server::start([
        Step::json(200, "{\"code\":0,\"ackId\":4}"),
        Step::Reset,
        Step::json(503, "busy"),
        Step::Garbage,
        Step::json(200, "<html>"),
        Step::json(200, "{\"acks\":{\"5\":true}}"),
        Step::json(200, "{\"acks\":{\"4\":true}}"),
    ]);
    let stage = Stage::new(quick(Http::splunk_hec(server.url(), Secret::text("hunter2")).acknowledged()));
    stage.within(|| tracing::info!("line"));
    stage.flush();
    let books = stage.books();
    assert_eq!((books.written.total(), books.retries, books.resent), (1, 0, 0), "{books:#?}");
    let events = server.requests().iter().filter(|request| request.line.contains("/event ")).count();
    assert_eq!(events, 1);
    stage.guard.close().unwrap();
    // If it fails for the whole timeout, the batch is sent again.
    let server = Server::start([Step::json(200, "{\"code\":0,\"ackId\":4}")]);
    server.always(Step::By(|request| match request.line.contains("/event ") {
        true => (200, "{\"code\":0,\"ackId\":5}".to_owned()),
        false if request.body.contains("[5]") => (200, "{\"acks\":{\"5\":true}}".to_owned()),
        false => (503, String::new()),
    }));
    let splunk = Http::splunk_hec(server.url(), Secret::text("hunter2")).acknowledged();
    let stage = Stage::new(quick(splunk).timeout(Duration::from_millis(500)));
    stage.within(|| tracing::info!("line"));
    stage.flush();
    let books = stage.books();
    assert_eq!((books.written.total(), books.retries), (1, 1), "{books:#?}");
    stage.guard.close().unwrap();
}

/// Dates as RFC 9110 has them. None of them is in the future, or is one, so nothing waits.
#[test]
fn promise_41_any_retry_after_ends_in_time() {
    let texts = [
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "Wednesday, 21-Oct-15 07:28:00 GMT",
        "Wed Oct 21 07:28:00 2015",
        "-5",
        "99999999999999999999999999",
        "1.5",
        "",
        "tomorrow",
    ];
    for text in texts {
        let header = Box::leak(format!("Retry-After: {text}\r\n").into_boxed_str());
        let server = Server::start([Step::Answer(429, header, String::new())]);
        let stage = Stage::new(sink(&server));
        stage.log(0..1);
        stage.flush();
        assert_eq!(server.requests().len(), 2, "{text}");
        stage.guard.close().unwrap();
    }
    for format in ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"] {
        let at = chrono::Utc::now() + chrono::Duration::seconds(3);
        let header = Box::leak(format!("Retry-After: {}\r\n", at.format(format)).into_boxed_str());
        let server = Server::start([Step::Answer(503, header, String::new())]);
        let stage = Stage::new(sink(&server));
        stage.log(0..1);
        until("an answer", || stage.books().retries == 1);
        let begun = std::time::Instant::now();
        stage.flush();
        assert!(begun.elapsed() > Duration::from_millis(500), "{format}: {:?}", begun.elapsed());
        stage.guard.close().unwrap();
    }
}
