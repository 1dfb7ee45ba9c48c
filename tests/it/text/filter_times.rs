//! Filters that are set for a time, or reset, while the program runs: what is in force, and the lines about it.

use std::time::Duration;

use spanline::sink::Memory;
use spanline::{Handle, Output};
use tracing::subscriber::with_default;
use tracing::{debug, info};
use tracing_subscriber::prelude::*;

#[cfg(unix)]
use crate::support::fork::{fork, wait};
#[cfg(unix)]
use crate::support::process::{Running, child_command, is_child};
use crate::support::stage::{fixed, messages, parsed};
use crate::support::wait::until;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(50);

#[test]
fn a_filter_for_a_time_reverts_by_itself_and_both_are_lines_in_every_output() {
    let [all, errors] = [(); 2].map(|()| Memory::new());
    let silent = Output::new(errors.clone()).name("errors").output_filter("off").record_filter(|_| false);
    let (layer, guard) =
        fixed().filter("info").output(Output::new(all.clone()).name("all")).output(silent).build().unwrap();
    let handle = guard.handle();
    with_default(tracing_subscriber::registry().with(layer), || {
        debug!("hidden");
        handle.set_filter_for("debug,db=off", SHORT).unwrap();
        // Nobody logs meanwhile.
        until("it reverts", || handle.filter() == "info");
        until("the line of the revert", || messages(&all).len() == 2);
        debug!("hidden again");
        info!("shown");
    });
    guard.close().unwrap();
    assert_eq!(messages(&all), ["filter set", "filter reverted", "shown"]);
    let lines = parsed(&errors);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in &lines {
        assert_eq!((line["level"].as_str(), line["target"].as_str()), (Some("INFO"), Some("spanline::control")));
        assert_eq!(line["by"], "program");
    }
    assert_eq!((&lines[0]["filter"], &lines[1]["filter"]), (&"debug,db=off".into(), &"info".into()));
    assert_eq!(lines[1]["reverted"], "debug,db=off");
    assert!(lines[0]["until"].as_str().unwrap().starts_with("2026-11-20T10:15:38.173"), "{lines:?}");
}

#[test]
fn a_later_change_takes_the_place_of_one_with_a_time() {
    let memory = Memory::new();
    let (_layer, guard) = fixed()
        .filter("info")
        .output(Output::new(memory).name("all").output_filter("warn"))
        .build::<tracing_subscriber::Registry>()
        .unwrap();
    let handle = guard.handle();
    let own = || handle.output_filter("all").unwrap().unwrap();
    handle.set_filter_for("debug", LONG).unwrap();
    handle.set_output_filter_for("all", "trace", LONG).unwrap();
    assert_eq!((handle.filter(), own()), ("debug".to_owned(), "trace".to_owned()));
    handle.set_filter("error").unwrap();
    handle.reset_output_filter("all").unwrap();
    assert_eq!((handle.filter(), own()), ("error".to_owned(), "warn".to_owned()));
    handle.set_filter_for("debug", SHORT).unwrap();
    until("what is configured applies, not what was set before", || handle.filter() == "info");
    handle.set_filter("error").unwrap();
    handle.reset_filter().unwrap();
    assert_eq!(handle.filter(), "info");
    let error = handle.set_output_filter_for("al", "debug", LONG).unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("did you mean `all`"), "{error}");
    assert!(handle.set_filter_for("debug", Duration::ZERO).unwrap_err().to_string().contains("zero"));
    assert!(handle.set_filter_for("debgu", LONG).is_err() && handle.filter() == "info");
}

#[test]
fn an_appender_has_no_filter_to_reset() {
    let (_writer, guard) = Output::new(Memory::new()).appender().unwrap();
    let handle: Handle = guard.handle();
    assert_eq!(handle.filter(), "trace");
    assert!(handle.reset_filter().unwrap_err().to_string().contains("appender has no filter"));
    assert!(handle.output_filter("x").is_err());
}

#[cfg(unix)]
#[test]
fn promise_21_a_forked_child_reverts_what_its_parent_has_set_for_a_time() {
    // Other tests hold the locks of `tracing` now and then, and a forked child would hang on them.
    if !is_child() {
        Running::start(child_command(this_test!())).finish();
        return;
    }
    let (layer, guard) = fixed().filter("info").output(Output::new(Memory::new())).build().unwrap();
    let handle = guard.handle();
    with_default(tracing_subscriber::registry().with(layer), || {
        // The thread runs.
        handle.set_filter_for("debug", LONG).unwrap();
        let child = fork(|| {
            handle.set_filter_for("trace", SHORT).unwrap();
            until("the child reverts", || handle.filter() == "info");
        });
        assert_eq!(wait(child), 0);
        handle.set_filter_for("debug", Duration::from_millis(200)).unwrap();
        let child = fork(|| {
            info!("the child logs");
            until("the child reverts what the parent has set", || handle.filter() == "info");
        });
        assert_eq!(wait(child), 0);
        until("so does the parent", || handle.filter() == "info");
    });
}
