//! Each framework answers three requests. Their lines have the same ids and fields in all of them.

use std::net::{SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::sync::mpsc;
use std::time::Duration;

use frameworks::{FAILURE, actix, poem, reqwest, rocket, salvo, warp};
use serde_json::Value;
use spanline::{Guard, Output, sink::Memory};
use tokio::runtime::Runtime;
use tower::Service;
use tracing::info_span;

/// The log of all tests.
static LOG: LazyLock<(Memory, Guard)> = LazyLock::new(|| {
    let memory = Memory::new();
    let guard = spanline::builder().output(Output::new(memory.clone())).init().expect("the only subscriber");
    (memory, guard)
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// The lines of a request.
fn lines(request_id: &str) -> Vec<Value> {
    assert!(LOG.1.handle().flush(Duration::from_secs(10)).is_ok());
    let lines =
        LOG.0.text().lines().map(|line| serde_json::from_str::<Value>(line).expect("a line")).collect::<Vec<_>>();
    lines.into_iter().filter(|line| line["request_id"] == request_id).collect()
}

/// Sends a request; returns the status, the header `x-request-id`, and the body.
fn get(address: SocketAddr, path: &str, request_id: &str) -> (u16, Option<String>, String) {
    RUNTIME.block_on(async {
        let request = ::reqwest::Client::new()
            .get(format!("http://{address}{path}"))
            .header("x-request-id", request_id)
            .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
        let response = request.send().await.expect("a response");
        assert!(response.content_length().is_some(), "{path}: no size");
        let id = response.headers().get("x-request-id").map(|id| id.to_str().expect("a text").to_owned());
        (response.status().as_u16(), id, response.text().await.expect("a body"))
    })
}

/// What a framework cannot tell.
#[derive(Clone, Copy, Default)]
struct Unknown {
    route: bool,
    error: bool,
}

fn check(name: &str, address: SocketAddr, unknown: Unknown) {
    LazyLock::force(&LOG);
    let id = format!("{name}-found");
    assert_eq!(get(address, "/orders/7?key=secret", &id), (200, Some(id.clone()), "order 7".to_owned()));
    let [handling, finished] = &lines(&id)[..] else { panic!("{name}: {:?}", lines(&id)) };
    assert_eq!((&handling["message"], &handling["trace_id"]), (&"handling".into(), &TRACE.into()), "{name}");
    assert_eq!((&finished["message"], &finished["level"]), (&"request finished".into(), &"INFO".into()), "{name}");
    let fields =
        ["trace_id", "span_id", "method", "outcome", "path"].map(|field| finished[field].as_str().unwrap_or("-"));
    assert_eq!(fields, [TRACE, handling["span_id"].as_str().unwrap(), "GET", "completed", "/orders/7"], "{name}");
    assert_eq!((&finished["status"], &finished["response_bytes"]), (&200.into(), &7.into()), "{name}");
    assert_eq!(finished["request_bytes"], 0, "{name}");
    let route = finished["route"].as_str().unwrap_or_default();
    assert_eq!(route.contains("orders") && !route.contains('7'), !unknown.route, "{name}: {route:?}");

    let id = format!("{name}-missing");
    let (status, answered, _) = get(address, "/missing", &id);
    assert_eq!((status, answered.as_ref()), (404, Some(&id)), "{name}");
    let [finished] = &lines(&id)[..] else { panic!("{name}: {:?}", lines(&id)) };
    assert_eq!((&finished["status"], &finished["level"]), (&404.into(), &"WARN".into()), "{name}");
    assert_eq!(finished["outcome"], "completed", "{name}");

    let id = format!("{name}-failing");
    let (status, answered, _) = get(address, "/failing", &id);
    assert_eq!((status, answered.as_ref()), (500, Some(&id)), "{name}");
    let [finished] = &lines(&id)[..] else { panic!("{name}: {:?}", lines(&id)) };
    assert_eq!((&finished["status"], &finished["level"]), (&500.into(), &"ERROR".into()), "{name}");
    let error = finished["error"].to_string();
    assert_eq!(error.contains(FAILURE), !unknown.error, "{name}: {error}");
}

#[test]
fn actix_web_has_the_lines_of_its_requests() {
    let (listener, address) = listener();
    std::thread::spawn(|| actix_web::rt::System::new().block_on(actix::server(listener).expect("a server")));
    check("actix-web", address, Unknown::default());
}

#[test]
fn poem_has_the_lines_of_its_requests() {
    let (listener, address) = listener();
    RUNTIME.spawn(poem::serve(listener));
    check("poem", address, Unknown::default());
}

#[test]
fn rocket_has_the_lines_of_its_requests() {
    let (ports, port) = mpsc::channel();
    let server = rocket::server(move |port| ports.send(port).expect("a test"));
    RUNTIME.spawn(server.launch());
    let port = port.recv_timeout(Duration::from_secs(60)).expect("a server");
    check("rocket", SocketAddr::from(([127, 0, 0, 1], port)), Unknown { error: true, ..Unknown::default() });
}

#[test]
fn salvo_has_the_lines_of_its_requests() {
    let (listener, address) = listener();
    RUNTIME.spawn(async { salvo::serve(tokio::net::TcpListener::from_std(listener)?).await });
    check("salvo", address, Unknown::default());
}

#[test]
fn warp_has_the_lines_of_its_requests() {
    let (listener, address) = listener();
    RUNTIME.spawn(async { warp::serve(tokio::net::TcpListener::from_std(listener)?).await });
    check("warp", address, Unknown { route: true, ..Unknown::default() });
}

#[test]
fn reqwest_sends_the_context_and_has_a_line() {
    LazyLock::force(&LOG);
    let (listener, address) = listener();
    RUNTIME.spawn(poem::serve(listener));
    let context = spanline::propagate::TraceContext::default().with_request_id("reqwest").expect("an id");
    let request = http::Request::get(format!("http://{address}/orders/7")).body(::reqwest::Body::default());
    let mut client = reqwest::client(::reqwest::Client::new());
    let call = context.in_scope(|| info_span!("checkout").in_scope(|| client.call(request.expect("a request"))));
    let response = RUNTIME.block_on(call).expect("a response");
    assert_eq!(response.status(), 200);
    let lines = lines("reqwest");
    let line = |message: &str| lines.iter().find(|line| line["message"] == message).expect("a line");
    let (sent, finished) = (line("request sent"), line("request finished"));
    assert_eq!((&sent["status"], &sent["path"]), (&200.into(), &"/orders/7".into()));
    assert_eq!((&sent["trace_id"], &sent["span_id"]), (&finished["trace_id"], &finished["parent_span_id"]));
}

#[test]
fn the_page_shows_this_code() {
    let page = include_str!("../../../docs/frameworks.md");
    let sources = [
        ("actix-web", include_str!("../src/actix.rs")),
        ("poem", include_str!("../src/poem.rs")),
        ("Rocket", include_str!("../src/rocket.rs")),
        ("salvo", include_str!("../src/salvo.rs")),
        ("warp", include_str!("../src/warp.rs")),
        ("reqwest", include_str!("../src/reqwest.rs")),
    ];
    let plain = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    for (name, source) in sources {
        let section = page.split("\n## ").find(|section| section.starts_with(name)).expect("a section");
        let blocks: Vec<_> = section.split("```").skip(1).step_by(2).collect();
        assert!(!blocks.is_empty(), "{name}");
        for block in blocks {
            let code = plain(block.split_once('\n').expect("a block").1);
            assert!(plain(source).contains(code.trim()), "{name}: {code}");
        }
    }
}
