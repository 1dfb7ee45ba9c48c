//! `spanline::testing`: what a test of a user sees.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Barrier;
use std::thread;

use spanline::propagate::TraceContext;
use spanline::testing::{capture, capture_async};
use tracing::{Level, debug, error, info, info_span, trace, warn};

use super::trace_context::{PARENT, REMOTE, TRACE};

#[test]
fn records_come_in_order_with_fields_and_context() {
    let log = capture(|| {
        trace!(target: "orders::db", rows = 3u8, "read");
        TraceContext::from_traceparent(PARENT).unwrap().in_scope(|| {
            info_span!("request", request_id = "r-1", attempt = 1).in_scope(|| {
                let _tenant = spanline::with("tenant", "acme").enter();
                info_span!("load", attempt = 2).in_scope(|| error!(ok = false, id = u64::MAX, "not {}", "loaded"));
            });
        });
        7
    });
    assert_eq!(log.value, 7);
    let [read, failed] = log.records() else { panic!("{log:#?}") };
    assert_eq!((read.level, read.target.as_str(), read.message.as_str()), (Level::TRACE, "orders::db", "read"));
    assert_eq!(read.fields["rows"], 3);
    assert_eq!((read.context.trace_id, read.context.span_id, read.context.spans.len()), (None, None, 0));

    assert_eq!(
        (failed.level, failed.target.as_str(), failed.message.as_str()),
        (Level::ERROR, module_path!(), "not loaded")
    );
    assert_eq!(failed.fields.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["ok", "id"]);
    assert!(failed.fields["ok"] == false && failed.fields["id"] == u64::MAX && failed.fields["id"] != -1);
    let context = &failed.context;
    assert_eq!(context.trace_id.unwrap().to_string(), TRACE);
    assert!(context.span_id.is_some() && context.parent_span_id.unwrap().to_string() != REMOTE);
    assert_eq!(context.spans, ["request", "load"]);
    assert_eq!((&context.fields["request_id"], &context.fields["attempt"]), (&"r-1".into(), &2.into()));
    assert_eq!(failed.field("tenant"), Some(&"acme".into()));
    assert_eq!((failed.field("ok"), failed.field("none")), (Some(&false.into()), None));
}

#[test]
fn queries_find_messages_and_errors() {
    let log = capture(|| {
        info!(id = 1, "order loaded");
        warn!(id = 2, "order loaded late");
    });
    log.assert_no_errors();
    assert!(log.contains("loaded late") && !log.contains("lost"));
    assert_eq!(log.find("order loaded").unwrap().fields["id"], 1);
    assert_eq!(log.iter().map(|record| record.level).collect::<Vec<_>>(), [Level::INFO, Level::WARN]);

    let log = capture(|| error!(id = 3, "order lost"));
    let panic = catch_unwind(AssertUnwindSafe(|| log.assert_no_errors())).unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(said.contains("order lost") && said.contains("id"), "{said}");
    let panic = catch_unwind(AssertUnwindSafe(|| log[0].fields["order"] == 3)).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "no field `order`; expected one of: id");
}

#[test]
fn captures_of_parallel_tests_keep_apart() {
    const TESTS: usize = 8;
    let barrier = &Barrier::new(TESTS);
    thread::scope(|threads| {
        for test in 0..TESTS {
            threads.spawn(move || {
                let log = capture(|| {
                    barrier.wait();
                    (0..100).for_each(|at| debug!(test, at, "working"));
                    barrier.wait();
                });
                assert_eq!(log.len(), 100);
                for (at, record) in log.iter().enumerate() {
                    assert!(record.fields["test"] == test && record.fields["at"] == at, "{record:?}");
                }
            });
        }
    });
}

#[test]
fn an_inner_capture_takes_its_lines() {
    let outer = capture(|| {
        info!("before");
        let inner = capture(|| info!("inside"));
        info!("behind");
        inner.len()
    });
    assert_eq!((outer.value, outer.len(), outer.contains("inside")), (1, 2, false));
}

#[test]
fn a_thread_is_captured_if_it_takes_the_capture_along() {
    let log = capture(|| {
        thread::spawn(|| info!("alone")).join().unwrap();
        let span = info_span!("request");
        let _entered = span.enter();
        thread::spawn(spanline::propagate::carry(|| info!("carried"))).join().unwrap();
    });
    assert_eq!((log.len(), &*log[0].message, &log[0].context.spans), (1, "carried", &vec!["request".to_owned()]));
}

#[test]
fn a_future_is_captured_on_every_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let log = runtime.block_on(async {
        let work = async {
            for at in 0..20 {
                info!(at, "polled");
                tokio::task::yield_now().await;
            }
            "done"
        };
        tokio::spawn(capture_async(work)).await.unwrap()
    });
    assert_eq!((log.value, log.len()), ("done", 20));
    assert!(log.iter().enumerate().all(|(at, record)| record.fields["at"] == at));
}

#[cfg(feature = "tokio")]
#[test]
fn a_task_is_captured_if_it_takes_the_capture_along() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let log = runtime.block_on(capture_async(async {
        tokio::spawn(async { info!("alone") }).await.unwrap();
        spanline::propagate::task::spawn(async { info!("carried") }).await.unwrap();
    }));
    assert_eq!((log.len(), log.contains("carried")), (1, true));
}

#[test]
fn a_secret_is_redacted_as_in_any_log() {
    let log = capture(|| info!(password = "swordfish", "login"));
    assert_eq!(log[0].fields["password"], "<redacted>");
}

#[test]
fn a_value_that_is_too_long_for_other_logs_is_whole() {
    let text = "x".repeat(5 << 20);
    let log = capture(|| info!(text, "long"));
    assert_eq!((log.len(), log[0].fields["text"] == text), (1, true));
}

/// Runs this test again, as one that fails or passes.
fn harness_output(name: &str, how: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--test-threads=1"]).env("SPANLINE_TEST_CAPTURE", how);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn a_failing_test_prints_its_records_and_a_passing_one_does_not() {
    let log_and = |end: fn()| {
        capture(|| {
            info_span!("request", request_id = "r-1").in_scope(|| warn!(attempt = 2, "not loaded"));
            end();
        })
    };
    match std::env::var("SPANLINE_TEST_CAPTURE").as_deref() {
        Ok("fails inside") => drop(log_and(|| panic!("the test fails"))),
        Ok("fails behind") => assert!(log_and(|| ()).contains("loaded at last")),
        Ok(_) => drop(log_and(|| ())),
        Err(_) => {
            for how in ["fails inside", "fails behind"] {
                let output = harness_output(this_test!(), how);
                let own = output.split_once(" stdout ----").map_or("", |(_, own)| own);
                let line = own.lines().find(|line| line.contains("not loaded")).unwrap_or_else(|| panic!("{output}"));
                for part in ["WARN", "attempt=2", "r-1"] {
                    assert!(line.contains(part), "{line}");
                }
            }
            let output = harness_output(this_test!(), "passes");
            assert!(output.contains("1 passed") && !output.contains("not loaded"), "{output}");
        }
    }
}
