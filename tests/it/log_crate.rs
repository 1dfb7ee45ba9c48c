//! Records of the `log` crate, with the target, the file and the line that they carry themselves.

use log::{Level, MetadataBuilder, RecordBuilder};
use serde_json::json;
use spanline::schema::Flat;
use spanline::{Console, Memory, Output};
use tracing::subscriber::with_default;
use tracing::{info, info_span};
use tracing_subscriber::prelude::*;

use crate::child::child;
use crate::stage::{fixed, lines_of, parsed, text_of};

/// Logs as the macros of `log` do, to the current subscriber.
fn record(target: &str, level: Level, text: &str) {
    tracing_log::format_trace(
        &RecordBuilder::new()
            .metadata(MetadataBuilder::new().target(target).level(level).build())
            .args(format_args!("{text}"))
            .file(Some("src/pool.rs"))
            .line(Some(42))
            .module_path(Some("pool::inner"))
            .build(),
    )
    .unwrap();
}

#[test]
fn a_record_has_its_own_target_and_place() {
    let lines = text_of(fixed().service("orders"), || {
        record("pool", Level::Info, "one");
        info_span!("request", request_id = "r-1").in_scope(|| record("pool::inner", Level::Error, "two\n\u{202e}"));
        let bare = |args: std::fmt::Arguments<'_>| {
            tracing_log::format_trace(&RecordBuilder::new().args(args).level(Level::Warn).target("").build())
        };
        bare(format_args!("three")).unwrap();
    });
    let time = "{\"timestamp\":\"2026-11-20T10:15:38.123456Z\",";
    let ids = "\"trace_id\":\"910a2dec89025cc1beeb8da1658eec67\",\"span_id\":\"f893a2eefb32555e\"";
    assert_eq!(
        lines,
        [
            format!("{time}\"level\":\"INFO\",\"target\":\"pool\",\"message\":\"one\",\"service\":\"orders\"}}"),
            format!(
                "{time}\"level\":\"ERROR\",\"target\":\"pool::inner\",\"message\":\"two\\n\\u202e\",\"service\":\"orders\",\
             \"request_id\":\"r-1\",{ids},\"spans\":[\"request\"]}}"
            ),
            format!("{time}\"level\":\"WARN\",\"target\":\"\",\"message\":\"three\",\"service\":\"orders\"}}"),
        ]
    );
}

#[test]
fn a_records_place_is_shown_where_it_is_switched_on() {
    let (flat, console) = (Memory::new(), Memory::new());
    let (layer, guard) = fixed()
        .output(Output::new(flat.clone()).schema(Flat::new().file().line().module()))
        .output(Output::new(console.clone()).schema(Console::new().utc()))
        .build()
        .unwrap();
    with_default(tracing_subscriber::registry().with(layer), || record("pool", Level::Info, "text"));
    guard.close().unwrap();
    let lines = parsed(&flat);
    assert_eq!((&lines[0]["file"], &lines[0]["line"]), (&json!("src/pool.rs"), &json!(42)));
    assert_eq!(lines[0]["module"], "pool::inner");
    assert_eq!(console.text(), "10:15:38.123456 INFO  pool  text\n");
}

#[test]
fn filters_look_at_a_records_own_target() {
    for (filter, expected) in [
        ("pool=debug", vec!["b", "c"]),
        ("info,pool=debug", vec!["a", "b", "c"]),
        ("info,pool=off", vec!["a"]),
        ("log=trace", vec![]),
        ("off", vec![]),
        ("trace,pool::inner=error", vec!["a", "b", "d"]),
    ] {
        let lines = lines_of(fixed().filter(filter), || {
            record("orders", Level::Info, "a");
            record("pool", Level::Debug, "b");
            record("pool::inner", Level::Warn, "c");
            record("orders", Level::Trace, "d");
        });
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, expected, "{filter}");
    }
}

#[test]
fn each_output_has_its_own_filter_for_records_too() {
    let (one, two) = (Memory::new(), Memory::new());
    let (layer, guard) = fixed()
        .output(Output::new(one.clone()).filter("pool=debug"))
        .output(Output::new(two.clone()).filter("warn"))
        .build()
        .unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        record("pool", Level::Debug, "a");
        record("orders", Level::Warn, "b");
        record("pool", Level::Warn, "c");
    });
    guard.close().unwrap();
    let messages = |memory| parsed(memory).iter().map(|line| line["message"].clone()).collect::<Vec<_>>();
    assert_eq!((messages(&one), messages(&two)), (vec![json!("a"), json!("c")], vec![json!("b"), json!("c")]));
}

#[test]
fn init_takes_the_records_of_log_and_its_level_follows_the_filter() {
    child("log_crate::init_takes_the_records_of_log_and_its_level_follows_the_filter", &[], || {
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone())).init().unwrap();
        let handle = guard.handle();
        let seen = || {
            handle.flush(std::time::Duration::from_secs(60)).unwrap();
            let lines = parsed(&memory);
            memory.take();
            lines.into_iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let log = || {
            log::error!("error");
            log::info!("info");
            log::debug!("debug");
            log::trace!(target: "pool", "pool");
        };
        assert_eq!(log::max_level(), log::LevelFilter::Info, "the default");
        log();
        assert_eq!(seen(), ["error", "info"]);
        for (filter, level, expected) in [
            ("warn,pool=trace", log::LevelFilter::Trace, vec!["error", "pool"]),
            ("error", log::LevelFilter::Error, vec!["error"]),
            ("off", log::LevelFilter::Off, vec![]),
            ("debug", log::LevelFilter::Debug, vec!["error", "info", "debug"]),
        ] {
            handle.set_filter(filter).unwrap();
            assert_eq!(log::max_level(), level, "{filter}: not the level of contexts");
            log();
            assert_eq!(seen(), expected, "{filter}");
        }
        handle.set_output_filter("memory", "warn").unwrap();
        assert_eq!(log::max_level(), log::LevelFilter::Warn);
        info!("tracing's own");
        log();
        assert_eq!(seen(), ["error"]);
    });
}

#[test]
fn without_log_leaves_the_log_crate_alone() {
    child("log_crate::without_log_leaves_the_log_crate_alone", &[], || {
        let memory = Memory::new();
        let guard = spanline::builder().without_log().output(Output::new(memory.clone())).init().unwrap();
        assert_eq!(log::max_level(), log::LevelFilter::Off);
        log::error!("not ours");
        guard.handle().set_filter("trace").unwrap();
        assert_eq!(log::max_level(), log::LevelFilter::Off);
        info!("ours");
        guard.close().unwrap();
        assert_eq!(parsed(&memory).len(), 1);
    });
}

#[test]
fn asking_whether_a_record_is_wanted_loses_no_event() {
    child("log_crate::asking_whether_a_record_is_wanted_loses_no_event", &[], || {
        let memory = Memory::new();
        let builder = spanline::builder().filter("info,pool=debug");
        let guard = builder.output(Output::new(memory.clone())).init().unwrap();
        for at in 0..10 {
            assert!(!log::log_enabled!(Level::Debug));
            info!(at, "after a question that was denied");
            assert!(log::log_enabled!(target: "pool", Level::Debug));
            log::info!("after one that was not");
            log::debug!("not wanted");
            info!(at, "after a record that was not wanted");
        }
        guard.close().unwrap();
        assert_eq!(parsed(&memory).len(), 30);
    });
}
