//! Threads, futures and tasks take the context of their request along.

use std::sync::Barrier;

use serde_json::Value;
use spanline::Output;
use spanline::propagate::Scope;
use spanline::sink::Memory;
use tracing::{Dispatch, Instrument, dispatcher, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{fixed, parsed};

/// A log installed for a scope, and a request's span within.
fn in_a_request(run: impl FnOnce()) -> Vec<Value> {
    let memory = Memory::new();
    let (layer, guard) = fixed().output(Output::new(memory.clone())).build().unwrap();
    dispatcher::with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        info_span!("request", request_id = "r-1").in_scope(run);
    });
    guard.close().unwrap();
    parsed(&memory)
}

#[track_caller]
fn assert_all_in_the_request(lines: &[Value], count: usize) {
    assert_eq!(lines.len(), count, "{lines:#?}");
    assert!(lines.iter().all(|line| line["request_id"] == "r-1" && line["tenant"] == "acme"), "{lines:#?}");
}

#[test]
fn threads_keep_the_request() {
    let lines = in_a_request(|| {
        let _tenant = spanline::with("tenant", "acme").enter();
        std::thread::spawn(spanline::propagate::carry(|| info!("a closure"))).join().unwrap();
        let scope = Scope::current();
        let all_inside = Barrier::new(4);
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    scope.in_scope(|| {
                        info!("by reference, all at once");
                        all_inside.wait();
                    });
                });
            }
        });
        scope.in_scope(|| info!("on the same thread"));
    });
    assert_all_in_the_request(&lines, 6);
}

#[test]
fn futures_keep_the_request_on_any_polling_thread() {
    let lines = in_a_request(|| {
        let _tenant = spanline::with("tenant", "acme").enter();
        let future = Scope::current().instrument(async {
            info!("before");
            tokio::task::yield_now().await;
            info!("behind an await");
            async { info!("inside") }.instrument(info_span!("inner")).await;
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        std::thread::spawn(move || runtime.block_on(future)).join().unwrap();
    });
    assert_all_in_the_request(&lines, 3);
}

#[cfg(feature = "tokio")]
#[test]
fn tasks_keep_the_request() {
    let lines = in_a_request(|| {
        let _tenant = spanline::with("tenant", "acme").enter();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            let nested = spanline::propagate::task::spawn(async {
                info!("in a task");
                spanline::propagate::task::spawn(async { info!("in a task of a task") }).await.unwrap();
                spanline::propagate::task::spawn_blocking(|| info!("where it may block")).await.unwrap();
            });
            nested.await.unwrap();
            let local = tokio::task::LocalSet::new();
            local
                .run_until(async { spanline::propagate::task::spawn_local(async { info!("local") }).await.unwrap() })
                .await;
        });
    });
    assert_all_in_the_request(&lines, 4);
}

/// Once any thread has set a scoped subscriber, tracing is slower and drops what values log while they are formatted.
#[test]
fn a_global_subscriber_is_not_set_again_for_a_scope() {
    crate::support::child::child(this_test!(), &[], || {
        struct Logs;
        impl std::fmt::Debug for Logs {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                info!("from inside a value");
                f.write_str("Logs")
            }
        }
        let memory = Memory::new();
        let guard = fixed().output(Output::new(memory.clone())).init().unwrap();
        info_span!("request", request_id = "r-1").in_scope(|| {
            let _tenant = spanline::with("tenant", "acme").enter();
            std::thread::spawn(spanline::propagate::carry(|| info!(value = ?Logs, "a closure"))).join().unwrap();
            let future = Scope::current().instrument(async { info!(value = ?Logs, "a future") });
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            std::thread::spawn(move || runtime.block_on(future)).join().unwrap();
        });
        guard.close().unwrap();
        assert_all_in_the_request(&parsed(&memory), 4);
    });
}
