//! Two services handle one request, under load, and a header grants that request detail in both.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, Request};
use axum::routing::get;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal};
use serde_json::Value;
use spanline::tower::{ClientLayer, Detail, ServerLayer};
use spanline::{Output, Overflow};
use tower::ServiceExt;
use tower_layer::Layer;
use tracing::{debug, debug_span, info};

use crate::support::process::{FILE, HOW, Running, child_command, child_done, file, how, is_child, skip_to_own_part};
use crate::support::strict;
use crate::support::wait::until;

const DETAIL: HeaderName = HeaderName::from_static("x-log-detail");
const SECRET: &str = "s3same";

/// Requests that are granted detail, and as many that are refused.
const ASKING: usize = 30;

/// Requests that `wrk` has made before the others begin.
const UNDER_WAY: u64 = 300;

static SERVED: AtomicU64 = AtomicU64::new(0);

/// How the first service calls the second.
#[derive(Clone)]
struct Stock {
    address: String,
    client: spanline::tower::Client<Client<HttpConnector, Body>>,
}

impl Stock {
    fn new(address: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address: address.to_owned(), client: ClientLayer::new().detail_header(DETAIL).layer(client) }
    }
}

/// The first service.
async fn order(State(Stock { address: stock, client }): State<Stock>) -> String {
    SERVED.fetch_add(1, Ordering::Relaxed);
    debug!("reading the order");
    let request = Request::get(format!("http://{stock}/stock")).body(Body::empty()).unwrap();
    let status = client.oneshot(request).await.unwrap().status();
    debug!(%status, "asked for the stock");
    String::new()
}

/// The second service.
async fn stock() -> String {
    let load = debug_span!("load", table = "stock");
    load.in_scope(|| info!("loading"));
    debug!("read the stock");
    String::new()
}

/// Serves until stdin ends, and says where.
fn serve(stock_address: &str) -> ! {
    let output = Output::new(file()).queue_bytes(64 << 20).overflow(Overflow::block());
    let guard = spanline::builder().filter("info,hyper=off,hyper_util=off").output(output).init().unwrap();
    let detail = Detail::new("debug,hyper=off,hyper_util=off").unwrap();
    let granting = ServerLayer::new().detail_header(DETAIL, move |value, _| (value == SECRET).then(|| detail.clone()));
    let app = Router::new()
        .route("/order", get(order))
        .with_state(Stock::new(stock_address))
        .route("/stock", get(stock))
        .layer(granting)
        .route("/served", get(|| async { SERVED.load(Ordering::Relaxed).to_string() }));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let stdin = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let _ = stdin.await;
    });
    runtime.shutdown_background();
    let handle = guard.handle();
    guard.close().unwrap();
    assert_eq!(handle.metrics().dropped(), 0);
    child_done()
}

/// A service in a process.
struct Service {
    process: Running,
    address: String,
}

impl Service {
    fn start(test: &str, log: &Path, stock: &str) -> Self {
        let mut command = child_command(test);
        command.env(FILE, log).env(HOW, stock).stdin(Stdio::piped());
        let mut process = Running::start(command);
        let mut stdout = BufReader::new(process.0.stdout.take().unwrap());
        skip_to_own_part(&mut stdout);
        let mut address = String::new();
        stdout.read_line(&mut address).unwrap();
        Self { process, address: address.trim().to_owned() }
    }

    /// Sends a request, and returns the answer's body.
    fn get(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn served(&self) -> u64 {
        self.get("/served", "").parse().unwrap()
    }

    fn end(mut self) {
        drop(self.process.0.stdin.take());
        let status = self.process.wait();
        assert!(status.success(), "{}", self.process.stderr());
    }
}

/// Requests from `wrk`, which is ended with the test.
struct Load(Child);

impl Load {
    /// Starts it, if it is installed.
    fn start(service: &Service, seconds: u32) -> Option<Self> {
        let mut command = Command::new("wrk");
        command.args(["-t1", "-c8", &format!("-d{seconds}s"), &format!("http://{}/order", service.address)]);
        match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
            Ok(child) => Some(Self(child)),
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "wrk is missing, which .ci/run installs: {error}");
                eprintln!("not tested: wrk is missing");
                None
            }
        }
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Ends it with its report.
    fn interrupt(&self) {
        rustix::process::kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
    }

    /// Waits for its end, and returns the requests in a second.
    fn rate(mut self) -> f64 {
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(
            self.0.wait().unwrap().success() && !text.contains("Non-2xx") && !text.contains("Socket errors"),
            "{text}"
        );
        let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).unwrap();
        rate.trim().parse().unwrap()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lines(log: &Path) -> Vec<Value> {
    fs::read_to_string(log).unwrap().lines().map(strict::line).collect()
}

/// The requests whose lines are below INFO, or have a field that only a DEBUG span hands down, once each.
fn detailed(lines: &[Value], message: &str) -> Vec<String> {
    let is_detail = |line: &&Value| line["level"] == "DEBUG" || line["table"] == "stock";
    let mut of_message = Vec::new();
    for line in lines.iter().filter(is_detail) {
        let request = line["request_id"].as_str().unwrap();
        assert!(request.starts_with("granted-"), "detail of another request: {line}");
        if line["message"] == message {
            of_message.push(request.to_owned());
        }
    }
    of_message
}

/// Criterion: both services log the DEBUG lines of the requests that are granted them, and those of no other request.
#[test]
fn a_header_grants_detail_in_two_services_under_load() {
    if is_child() {
        serve(&how());
    }
    let directory = tempfile::tempdir().unwrap();
    let [orders_log, stock_log] = ["orders.log", "stock.log"].map(|name| directory.path().join(name));
    let stock = Service::start(this_test!(), &stock_log, "");
    let orders = Service::start(this_test!(), &orders_log, &stock.address);
    let Some(load) = Load::start(&orders, 2) else { return };
    let before = load.rate();

    let served = orders.served();
    let mut load = Load::start(&orders, 60).unwrap();
    until("the load is under way", || orders.served() > served + UNDER_WAY);
    let begun = Instant::now();
    for number in 0..ASKING {
        orders.get("/order", &format!("x-request-id: granted-{number}\r\n{DETAIL}: {SECRET}\r\n"));
        orders.get("/order", &format!("x-request-id: refused-{number}\r\n{DETAIL}: guess\r\n"));
    }
    let took = begun.elapsed();
    assert!(load.is_running(), "the requests took longer than the load: {took:?}");
    load.interrupt();
    let after = load.rate();
    orders.end();
    stock.end();

    let granted: Vec<_> = (0..ASKING).map(|number| format!("granted-{number}")).collect();
    let (orders, stock) = (lines(&orders_log), lines(&stock_log));
    for (lines, message) in [
        (&orders, "reading the order"),
        (&orders, "asked for the stock"),
        (&stock, "loading"),
        (&stock, "read the stock"),
    ] {
        assert_eq!(detailed(lines, message), granted, "{message}");
    }
    for lines in [&orders, &stock] {
        let finished = |request: &str| lines.iter().filter(|line| line["request_id"] == request).count();
        assert!((0..ASKING).all(|number| finished(&format!("refused-{number}")) >= 1));
        let others = lines.iter().filter(|line| line["message"] == "request finished").count();
        assert!(others as u64 >= served + UNDER_WAY, "{others} requests");
    }
    println!(
        "{before:.0} requests a second before the first grant, {after:.0} with {ASKING} granted ones, which took {:.1} ms each \
         beside them; {} and {} lines",
        took.as_secs_f64() * 500.0 / ASKING as f64,
        orders.len(),
        stock.len()
    );
}
