//! Schemas that a user describes.

use std::io;

use spanline::Output;
use spanline::record::OwnedValue;
use spanline::schema::{Custom, Edits, LevelFormat, Members, TimeFormat};
use spanline::sink::Memory;
use tracing::subscriber::with_default;
use tracing::{error, info, info_span};
use tracing_subscriber::prelude::*;

use super::golden::story;
use super::{lines_by, output_lines, read};
use crate::support::stage::fixed;

/// The line of one event in a span.
fn line_of(schema: Custom) -> String {
    let log = || {
        let request = info_span!("request", request_id = "r-1", tenant = "acme");
        request.in_scope(|| info!(user_id = 42, level = "mine", "order loaded"));
    };
    lines_by(schema, log).remove(0)
}

#[test]
fn the_members_are_in_the_order_of_the_description() {
    let schema = Custom::new("ts", |line| {
        line.level_as("severity", LevelFormat::Lower)
            .message("msg")
            .constant("dataset", "shop")
            .constant("absent", None::<u64>)
            .value("fields_count", |record| record.fields().count().into())
            .object("labels", Members::fields)
            .object("request", |request| request.request_id("id").service("service"))
    });
    let line = line_of(schema.time(TimeFormat::EpochSeconds));
    let (time, rest) = line.split_once(",\"severity\"").unwrap();
    assert!(time.starts_with("{\"ts\":") && !time.contains(",\""), "{line}");
    assert_eq!(
        rest,
        ":\"info\",\"msg\":\"order loaded\",\"dataset\":\"shop\",\"fields_count\":3,\"labels\":{\"user_id\":42,\
         \"level\":\"mine\",\"tenant\":\"acme\",\"version\":\"1.2.3\",\"env\":\"test\"},\"request\":{\"id\":\"r-1\",\
         \"service\":\"orders\"}}"
    );
}

#[test]
fn what_a_description_leaves_out_is_at_the_end_of_the_line() {
    let lines = lines_by(Custom::new("message", |line| line.level("level")), || {
        let cause: &(dyn std::error::Error + 'static) = &io::Error::other("no route");
        error!(error = cause, request_id = "r-1", level = 7, "payment failed");
    });
    let line = read(&lines).remove(0);
    assert_eq!((&line["log.message"], &line["level"]), (&"payment failed".into(), &"ERROR".into()), "{line}");
    assert_eq!((&line["request_id"], &line["fields.level"]), (&"r-1".into(), &7.into()));
    assert_eq!(line["error"]["message"], "no route");
}

#[test]
fn each_key_is_in_a_line_once() {
    // `read` refuses a line with a key that is there twice.
    let line = read(&[line_of(Custom::new("time", |line| {
        line.message("tenant").level("level").target("level").level("time").fields().fields().object(
            "user_id",
            |user| {
                user.pid("pid")
                    .pid("pid")
                    .object("inside", |inside| inside.hostname("pid").object("empty", |empty| empty.stack("stack")))
            },
        )
    }))]);
    let line = &line[0];
    assert_eq!((&line["tenant"], &line["fields.tenant"]), (&"order loaded".into(), &"acme".into()), "{line}");
    assert_eq!((&line["fields.user_id"], &line["fields.level"]), (&42.into(), &"mine".into()));
    assert_eq!(line["level"], "it::schemas::custom");
    assert_eq!(line["user_id"]["pid"], std::process::id());
    assert!(line["user_id"]["inside"].get("empty").is_none());
}

#[test]
fn edits_change_a_described_line_like_any_other() {
    let describe = |line: Members| {
        line.message("msg").object("a", |a| a.object("b", |b| b.level("level").target("target"))).fields()
    };
    let edits = Edits::new().rename("a.b.level", "severity").rename("user_id", "uid").remove("tenant").insert("k", 1);
    let lines = output_lines(
        |output| output.schema(Custom::new("ts", describe)).edits(edits),
        || info!(user_id = 42, tenant = "acme", "order loaded"),
    );
    let line = read(&lines).remove(0);
    assert!(line.get("tenant").is_none() && line["uid"] == 42, "{line}");
    assert_eq!(line["a"]["b"], serde_json::json!({"severity": "INFO", "target": "it::schemas::custom"}));
    assert_eq!(line["k"], 1);
}

/// New Relic takes no array, and no text for the time. The description is that of the page on schemas.
#[test]
fn a_description_fits_new_relic() {
    let schema = Custom::new("timestamp", |line| {
        line.message("message")
            .level("log.level")
            .error_message("error.message")
            .error_type("error.class")
            .stack("error.stack")
            .trace_id("trace.id")
            .service("service.name")
            .fields()
    });
    for line in read(&lines_by(schema.time(TimeFormat::EpochMillis), story)) {
        assert!(line["timestamp"].is_u64() && line["log.level"].is_string(), "{line}");
        assert!(line["service.name"] == "orders" && !line["message"].as_str().unwrap().is_empty(), "{line}");
        let arrays = line.as_object().unwrap().iter().filter(|(name, value)| value.is_array() && *name != "json");
        assert_eq!(arrays.count(), 0, "{line}");
        assert!(
            ["error.message", "error.class", "error.stack"]
                .iter()
                .all(|key| line[key].is_null() || line[key].is_string())
        );
        assert!(line.get("error").is_none(), "{line}");
    }
}

/// A line that is too long, with a value whose code panics.
#[test]
fn a_described_line_keeps_the_promises_of_the_others() {
    let schema = Custom::new("ts", |line| {
        line.value("code", |record| match record.target() {
            "bad" => panic!("a schema's own code"),
            _ => OwnedValue::from(1),
        })
    });
    let memory = Memory::new();
    let output = Output::new(memory.clone()).schema(schema);
    let (layer, guard) = fixed().max_line_bytes(4096).output(output).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        info!(text = "x".repeat(100_000), "long");
        info!(target: "bad", "panics");
        info!("after");
    });
    guard.close().unwrap();
    let lines = read(&memory.lines());
    assert!(lines[0]["truncated"] == true && lines[0]["original_bytes"].as_u64() > Some(100_000), "{}", lines[0]);
    assert_eq!(lines[1]["message"], "after", "the line whose schema panicked is dropped");
    assert_eq!(lines[2]["dropped"], 1, "and reported: {}", lines[2]);
}

#[test]
fn a_message_that_is_shown_twice_takes_no_other_field() {
    let schema = Custom::new("ts", |line| line.message("msg").message("text").fields());
    let line = read(&lines_by(schema, || info!(user_id = 42, "order loaded"))).remove(0);
    assert_eq!((&line["msg"], &line["text"]), (&"order loaded".into(), &"order loaded".into()), "{line}");
    assert_eq!(line["user_id"], 42);
}

#[test]
fn a_field_that_no_member_shows_stays_a_field() {
    let log = || {
        info!(trace_id = "4bf92f3577b34da6a3ce929d0e0e4736", level_name = "notice", "m");
        info!(span_id = "00f067aa0ba902b7", level_name = "notice", "m");
        error!(error = "failed", "m");
    };
    let lines = read(&lines_by(Custom::new("ts", |line| line.span_id("span").stack("stack").fields()), log));
    assert_eq!(lines[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{}", lines[0]);
    assert_eq!((&lines[1]["span"], &lines[1]["level_name"]), (&"00f067aa0ba902b7".into(), &"notice".into()));
    assert_eq!(lines[2]["error"]["message"], "failed", "a stack without sources has no text: {}", lines[2]);
    let lines = read(&lines_by(Custom::new("ts", |line| line.level("level").trace_id("trace")), log));
    assert_eq!(
        (&lines[0]["trace"], &lines[0]["level"]),
        (&"4bf92f3577b34da6a3ce929d0e0e4736".into(), &"NOTICE".into())
    );
    assert_eq!(lines[1]["span_id"], "00f067aa0ba902b7", "{}", lines[1]);
}

/// `read` refuses a line with a key that is there twice.
#[test]
fn keys_like_those_that_spanline_makes_stay_unique() {
    let log = || error!(a = 1, fields.a = 2, { "" } = 3, error = "failed", "m");
    let lines_of = |schema| read(&lines_by(schema, log)).remove(0);

    let line = lines_of(Custom::new("ts", |line| line.level("a").constant("fields.a", 7).constant("", 8)));
    assert_eq!((&line["fields.a"], &line[""], &line["log.fields.a"]), (&7.into(), &8.into(), &1.into()), "{line}");
    assert_eq!((&line["log.fields.fields.a"], &line["log.fields."]), (&2.into(), &3.into()), "{line}");

    let line = lines_of(Custom::new("log.error", |line| line.constant("error", 7).constant("message", 8)));
    assert_eq!((&line["error"], &line["log.log.error"]["message"]), (&7.into(), &"failed".into()), "{line}");
    assert_eq!(line["log.message"], "m");

    let line = lines_of(Custom::new("ts", |line| line.constant("message", 7).constant("log.message", 8)));
    assert_eq!((&line["message"], &line["log.message"], &line["log.log.message"]), (&7.into(), &8.into(), &"m".into()));
}

#[test]
fn edits_name_a_time_key_as_it_is_in_the_line() {
    for key in ["a\"b", "a,b", "ä\n", "", ","] {
        for (edits, expected) in [(Edits::new().rename(key, "when"), "when"), (Edits::new().remove("target"), key)] {
            let schema = Custom::new(key, |line| line.target("target"));
            let line = read(&output_lines(|output| output.schema(schema).edits(edits), || info!("m"))).remove(0);
            assert!(
                line[expected].is_string() && line.as_object().unwrap().len() == if expected == "when" { 5 } else { 4 }
            );
        }
    }
}

#[test]
fn edits_reach_members_with_an_empty_key() {
    let schema = Custom::new("ts", |line| line.object("", |inside| inside.level("level").target("")));
    let edits = Edits::new().rename(".level", "severity").remove(".");
    let line = read(&output_lines(|output| output.schema(schema).edits(edits), || info!("m"))).remove(0);
    assert_eq!(line[""], serde_json::json!({"severity": "INFO"}), "{line}");
}

/// The message alone would lose what the error led to.
#[test]
fn an_error_is_in_the_line_with_its_sources_or_as_its_stack() {
    let failed = io::Error::other(Box::<dyn std::error::Error + Send + Sync>::from("no route"));
    let error: &(dyn std::error::Error + 'static) = &failed;
    let log = || error!(error, "payment failed");
    let line = read(&lines_by(Custom::new("time", |line| line.error_message("error.message")), log)).remove(0);
    assert_eq!((&line["error.message"], &line["error"]["message"]), (&"no route".into(), &"no route".into()), "{line}");
    let both = Custom::new("time", |line| line.error_message("error.message").stack("error.stack"));
    assert!(read(&lines_by(both, log)).remove(0).get("error").is_none());
}
