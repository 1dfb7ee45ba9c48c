//! The backtrace of a panic has the program's frames, and no more of the runtime's than their number.

use std::future::{Future, pending};
use std::panic::set_hook;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use spanline::Output;
use spanline::schema::{NAMES, by_name};
use spanline::sink::Memory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tracing::{Instrument, info_span};

use crate::support::child::child;
use crate::support::stage::parsed;
use crate::support::wait::PATIENCE;

/// Container runtimes split lines at 16 KiB. This leaves room for the fields of a program.
const MOST_BYTES: usize = 12 * 1024;

#[inline(never)]
fn load_order() -> String {
    panic!("no such order")
}

async fn show_order() -> String {
    tokio::task::yield_now().await;
    load_order()
}

async fn check_login(request: Request, next: Next) -> Response {
    next.run(request).await
}

async fn count_requests(request: Request, next: Next) -> Response {
    next.run(request).await
}

/// Serves one request, on loopback, whose handler panics.
async fn serve() {
    let app = axum::Router::new()
        .route("/", get(show_order))
        .layer(from_fn(check_login))
        .layer(from_fn(count_requests))
        .layer(spanline::tower::ServerLayer::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n").await.unwrap();
    let _ = client.read_to_end(&mut Vec::new()).await;
}

fn on_runtime(run: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, run).await }).unwrap();
}

#[test]
fn a_panic_in_a_handler_is_a_short_line_in_every_schema() {
    child(this_test!(), &[("RUST_BACKTRACE", "1")], || {
        set_hook(Box::new(|_| ()));
        let memories: Vec<_> = NAMES.iter().map(|name| (*name, Memory::new())).collect();
        let mut builder = spanline::builder();
        for (name, memory) in &memories {
            builder = builder.output(Output::new(memory.clone()).name(*name).schema(by_name(name).unwrap()));
        }
        let guard = builder.init().unwrap();
        on_runtime(serve());
        guard.handle().flush(Duration::from_secs(60)).unwrap();
        for (name, memory) in &memories {
            let text = memory.lines().join("\n");
            let (at, _) = text.match_indices("no such order").next().unwrap();
            let start = text[..at].rfind("panic_traces::load_order").unwrap_or(at);
            let line = text.lines().find(|line| line.contains("no such order")).unwrap();
            assert!(line.len() < MOST_BYTES, "{name}: {}", line.len());
            let shown = &text[start..];
            for frame in ["load_order", "panic_traces.rs", "frames of "] {
                assert!(shown.contains(frame), "{name} has no {frame}: {text}");
            }
            for runtime in ["tokio::runtime", "hyper::proto", "axum::middleware", "/tokio-1", "/axum-0", "__rust_try"] {
                assert!(!shown.contains(runtime), "{name} has {runtime}: {text}");
            }
            let places = shown.matches("panic_traces.rs").count();
            assert!(places >= 4, "{name} has {places} of: handler, two layers, what they call: {text}");
        }
    });
}

/// Returns the backtrace of the panic that `run` causes, in a process with its own log.
fn backtrace_of(name: &str, run: impl FnOnce()) {
    child(name, &[("RUST_BACKTRACE", "1")], || {
        set_hook(Box::new(|_| ()));
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone())).init().unwrap();
        run();
        guard.handle().flush(Duration::from_secs(60)).unwrap();
        let line = parsed(&memory).into_iter().find(|line| line["target"] == "panic").unwrap();
        let backtrace = line["backtrace"].as_str().unwrap();
        assert!(backtrace.lines().next().unwrap().ends_with("load_order"), "{backtrace}");
        assert!(backtrace.matches("panic_traces.rs").count() >= 2, "{backtrace}");
        assert!(backtrace.len() < 4096, "{backtrace}");
        for runtime in ["tokio::runtime", "/tokio-1", "futures_util", "catch_unwind", "call_once"] {
            assert!(!backtrace.contains(runtime), "{runtime}: {backtrace}");
        }
    });
}

#[test]
fn the_backtrace_of_a_task_has_no_frames_of_the_runtime() {
    backtrace_of(this_test!(), || on_runtime(async { assert!(tokio::spawn(show_order()).await.is_err()) }));
}

#[test]
fn the_backtrace_of_a_thread_has_no_frames_of_its_start() {
    backtrace_of(this_test!(), || assert!(std::thread::spawn(|| load_order().len()).join().is_err()));
}

#[test]
fn the_backtrace_of_nested_futures_has_the_programs_frames_only() {
    backtrace_of(this_test!(), || {
        on_runtime(async {
            let task = tokio::spawn(async {
                let shown = tokio::time::timeout(PATIENCE, show_order().instrument(info_span!("show")));
                let boxed: std::pin::Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(shown);
                tokio::join!(boxed, async {
                    tokio::select! {
                        _ = tokio::task::yield_now() => (),
                        () = pending() => (),
                    }
                })
            });
            assert!(task.await.is_err());
        });
    });
}
