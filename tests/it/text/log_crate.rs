//! Records of the `log` crate, with the target, the file and the line that they carry themselves.

use log::{Level, MetadataBuilder, RecordBuilder};
use serde_json::json;
use spanline::Output;
use spanline::schema::{Console, Flat};
use spanline::sink::Memory;
use tracing::subscriber::with_default;
use tracing::{info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::child::child;
use crate::support::stage::{fixed, lines_of, parsed, text_of};

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
        .output(Output::new(one.clone()).output_filter("pool=debug"))
        .output(Output::new(two.clone()).output_filter("warn"))
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
    child(this_test!(), &[], || {
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
    child(this_test!(), &[], || {
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
    child(this_test!(), &[], || {
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

/// A value that logs a record with key-values while it is formatted.
struct Logs;

impl std::fmt::Display for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        log::info!(inner = 1; "inside");
        f.write_str("logs")
    }
}

#[test]
fn key_values_of_a_record_are_fields_with_their_types() {
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone())).init().unwrap();
        let error = std::io::Error::other("disk full");
        info_span!("request", user = "outer").in_scope(|| {
            let none: Option<u8> = None;
            log::info!(user = "inner", count = 3_u8, ratio = 0.5, on = true, wide = i128::MAX, none:?; "typed");
        });
        log::error!(err:err = error; "failed");
        log::info!(outer:% = Logs; "nested");
        log::info!("without");
        log::info!(message = "forged", level = "forged", "log.target" = "forged", "" = 1; "reserved");
        log::info!(count = 1, count = 2, message = "a", message = "b"; "twice");
        log::debug!(costly:% = Logs; "not wanted, not formatted");
        guard.close().unwrap();

        let lines = parsed(&memory);
        let line = |message: &str| lines.iter().find(|line| line["message"] == message).unwrap();
        let typed = line("typed");
        assert_eq!((&typed["user"], &typed["count"], &typed["on"]), (&json!("inner"), &json!(3), &json!(true)));
        assert_eq!((&typed["ratio"], &typed["wide"]), (&json!(0.5), &json!(i128::MAX.to_string())));
        assert_eq!((&typed["none"], &typed["target"]), (&json!("None"), &json!("it::text::log_crate")));
        assert_eq!(line("failed")["err"], json!({ "message": "disk full", "chain": [] }));
        assert_eq!((&line("inside")["inner"], &line("nested")["outer"]), (&json!(1), &json!("logs")));
        assert_eq!((line("nested").get("inner"), line("inside").get("outer")), (None, None));
        assert_eq!(
            line("without").as_object().unwrap().len(),
            4,
            "no key-value of another record: {}",
            line("without")
        );
        let reserved = line("reserved");
        assert_eq!((&reserved["level"], &reserved["target"]), (&json!("INFO"), &json!("it::text::log_crate")));
        assert_eq!(reserved["fields"], json!({ "level": "forged" }));
        assert_eq!((&reserved["kv.log.target"], &reserved[""]), (&json!("forged"), &json!(1)));
        assert_eq!(reserved["kv.message"], "forged");
        let twice = ["count", "count_2", "kv.message", "kv.message_2"].map(|name| &line("twice")[name]);
        assert_eq!(twice, [&json!(2), &json!(1), &json!("b"), &json!("a")]);
        assert_eq!(lines.len(), 7);
    });
}

#[cfg(feature = "log-serde")]
#[test]
fn key_values_that_are_data_are_nested() {
    #[derive(Debug, serde::Serialize)]
    struct Order {
        id: u64,
        items: Vec<&'static str>,
    }

    child(this_test!(), &[], || {
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone())).init().unwrap();
        let order = Order { id: 7, items: vec!["tea"] };
        log::info!(order:serde, numbers:sval = vec![1, 2], none:serde = None::<u8>, name:serde = "a"; "data");
        log::info!(order:?, text:% = "{\"no\":\"data\"}", password:serde = order; "texts");
        guard.close().unwrap();
        let [data, texts] = &parsed(&memory)[..] else { panic!("{:?}", memory.lines()) };
        assert_eq!(data["order"], json!({ "id": 7, "items": ["tea"] }));
        assert_eq!((&data["numbers"], &data["name"]), (&json!([1, 2]), &json!("a")));
        assert_eq!(texts["order"], r#"Order { id: 7, items: ["tea"] }"#);
        assert_eq!((&texts["text"], &texts["password"]), (&json!(r#"{"no":"data"}"#), &json!("<redacted>")));
    });
}

#[test]
fn hostile_key_values_do_no_harm() {
    struct Panics;
    impl std::fmt::Display for Panics {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            crate::support::faults::panic_quietly()
        }
    }
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let builder = spanline::builder().max_line_bytes(4096);
        let guard = builder.output(Output::new(memory.clone())).init().unwrap();
        log::info!(bad:% = Panics, good = 1; "panics");
        let long = "x".repeat(1 << 20);
        log::info!(long:% = long, after = 2; "long");
        log::info!("next");
        guard.close().unwrap();
        let lines = parsed(&memory);
        assert_eq!((&lines[0]["bad"], &lines[0]["good"]), (&json!("<panicked>"), &json!(1)));
        assert_eq!((&lines[1]["truncated"], &lines[1]["message"]), (&json!(true), &json!("long")));
        assert!(lines[1]["original_bytes"].as_u64().unwrap() > 1 << 20);
        assert_eq!(lines[2]["message"], "next");
    });
}

/// A record has fields such as `log.file`, which are not shown.
#[test]
fn a_spans_field_stays_in_the_line_of_a_record_whose_place_has_its_name() {
    let lines = lines_of(fixed(), || {
        let upload = info_span!("upload", log.file = "a.txt", log.target = "b", log.line = 3, log.module_path = "c");
        upload.in_scope(|| {
            record("pool", Level::Info, "one");
            record("pool", Level::Info, "two");
        });
    });
    for line in &lines {
        assert_eq!(
            (&line["log.file"], &line["log.target"], &line["log.line"]),
            (&json!("a.txt"), &json!("b"), &json!(3))
        );
        assert_eq!((&line["target"], &line["log.module_path"]), (&json!("pool"), &json!("c")));
    }
    assert_eq!(lines.len(), 2);
}
