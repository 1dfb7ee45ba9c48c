//! Keys renamed, dropped and added on any schema.

use serde_json::{Value, json};
use spanline::schema::{BuiltIn, Edits, built_in};
use tracing::{info, info_span};

use super::logfmt::read;
use super::{output_lines, schema};
use crate::support::strict;

fn edited(name: &str, edits: Edits, run: impl FnOnce()) -> Vec<Value> {
    let lines = output_lines(|output| output.schema(schema(name)).edits(edits), run);
    lines.iter().map(|line| strict::line(line)).collect()
}

fn one(name: &str, edits: Edits, run: impl FnOnce()) -> Value {
    edited(name, edits, run).remove(0)
}

#[test]
fn reserved_and_own_names_are_renamed_in_their_place() {
    let edits = Edits::new().rename("timestamp", "ts").rename("user_id", "uid").remove("env").insert("type", "app");
    let lines = output_lines(|output| output.edits(edits), || info!(target: "orders", user_id = 42, "order loaded"));
    assert_eq!(
        lines,
        [
            r#"{"ts":"2026-11-20T10:15:38.123456Z","level":"INFO","target":"orders","message":"order loaded","uid":42,"service":"orders","version":"1.2.3","type":"app"}"#
        ]
    );
}

#[test]
fn a_path_leads_into_objects_and_arrays() {
    let run = || {
        info_span!("request", user = 1, password = "s").in_scope(|| {
            info_span!("db", user = 2, password = "s").in_scope(|| info!(user = 3, password = "s", "text"));
        });
    };
    let edits =
        Edits::new().rename("spans.user", "uid").remove("spans.password").remove("fields.password").remove("span");
    let line = one("nested", edits, run);
    assert_eq!(line["fields"], json!({"message": "text", "user": 3}));
    assert_eq!(line["spans"], json!([{"uid": 1, "name": "request"}, {"uid": 2, "name": "db"}]));
    assert_eq!(line.get("span"), None);

    let edits = Edits::new().rename("log.level", "level").remove("labels.password").rename("labels.user", "uid");
    let line = one("ecs", edits, run);
    assert_eq!((&line["level"], &line["labels"]), (&json!("INFO"), &json!({"uid": "3", "spans": "request:db"})));
}

#[test]
fn keys_stay_unique_and_the_edit_wins() {
    let run = || info!(a = 1, b = 2, ts = 3, "text");
    let line = one("flat", Edits::new().rename("timestamp", "ts"), run);
    assert_eq!((&line["ts"], line.get("timestamp")), (&json!("2026-11-20T10:15:38.123456Z"), None));
    let line = one("flat", Edits::new().rename("a", "b").rename("b", "a"), run);
    assert_eq!((&line["a"], &line["b"]), (&json!(2), &json!(1)), "each looks at the line as it was");
    let line = one("flat", Edits::new().rename("a", "x").rename("b", "x"), run);
    assert_eq!((&line["x"], line.get("a"), line.get("b")), (&json!(2), None, None), "the later one");
    let line = one("flat", Edits::new().rename("b", "x").rename("a", "x"), run);
    assert_eq!(line["x"], 1, "the later one");
    let line = one("flat", Edits::new().insert("a", "added"), run);
    assert_eq!(line["a"], "added");
    let line = one("flat", Edits::new().insert("x", "unless there is an a").rename("a", "x"), run);
    assert_eq!(line["x"], 1);
    let line = one("flat", Edits::new().insert("x", true).rename("absent", "x"), run);
    assert_eq!(line["x"], true);
    let line = one("flat", Edits::new().rename("a", "x").remove("a"), run);
    assert_eq!((line.get("a"), line.get("x")), (None, None), "of two for one name the later");
    let line = one("flat", Edits::new().rename("a", "we\"ird\n\u{202e}").insert("", 0), run);
    assert_eq!((&line["we\"ird\n\u{202e}"], &line[""]), (&json!(1), &json!(0)));
}

#[test]
fn every_schema_takes_edits() {
    let edits =
        || Edits::new().rename("user_id", "uid").remove("secret").insert("type", "app").rename("labels.user_id", "uid");
    let edits = || edits().remove("labels.secret").rename("fields.user_id", "uid").remove("fields.secret");
    let edits = || edits().rename("event.user_id", "uid").remove("event.secret");
    let edits = || edits().rename("_user_id", "uid").remove("_secret");
    for BuiltIn { name, is_json, .. } in built_in() {
        let output = |output: spanline::Output| output.schema(schema(name)).edits(edits());
        let text = output_lines(output, || info!(user_id = 42, secret = "hunter2", "order loaded")).join("\n");
        assert!(text.contains("uid") && text.contains("42") && text.contains("app"), "{name}: {text}");
        assert!(!text.contains("user_id") && !text.contains("hunter2"), "{name}: {text}");
        if *is_json {
            strict::line(&text);
        }
    }
}

#[test]
fn logfmt_has_its_own_names_edited() {
    let edits = Edits::new().rename("ts", "time").rename("msg", "level").remove("spans").insert("a b", 1);
    let lines = output_lines(
        |output| output.schema(schema("logfmt")).edits(edits),
        || info_span!("request").in_scope(|| info!("text")),
    );
    let pairs = read(&lines[0]).unwrap();
    let value = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    assert_eq!(
        (value("time"), value("level"), value("a_b")),
        (Some("2026-11-20T10:15:38.123456Z"), Some("text"), Some("1"))
    );
    assert_eq!((value("ts"), value("msg"), value("spans")), (None, None, None));
}

#[test]
fn the_attribute_fields_of_otel_is_edited_as_any() {
    let run = || info!(a = 1, spans = 2, "text");
    let attributes = |edits| {
        let line = one("otel", edits, run);
        let record = &line["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        let attributes = record["attributes"].as_array().unwrap().iter();
        let named = attributes.filter(|attribute| !attribute["key"].as_str().unwrap().starts_with("code."));
        named.map(|attribute| (attribute["key"].clone(), attribute["value"].clone())).collect::<Vec<_>>()
    };
    let (a, one) = (json!("a"), json!({"intValue": "1"}));
    assert_eq!(attributes(Edits::new().remove("fields")), [(a, one.clone())]);
    assert_eq!(attributes(Edits::new().rename("a", "fields")), [(json!("fields"), one)]);
    let renamed = attributes(Edits::new().rename("fields", "others").remove("a"));
    let values = json!([{"key": "spans", "value": {"intValue": "2"}}]);
    assert_eq!(renamed, [(json!("others"), json!({"kvlistValue": {"values": values}}))]);
}

#[test]
fn a_line_that_is_no_json_is_left_alone() {
    struct Text(&'static [u8]);
    impl spanline::schema::Schema for Text {
        fn render(&mut self, _: &spanline::record::Record<'_>, out: &mut Vec<u8>) {
            out.extend_from_slice(self.0);
        }
    }
    for (line, expected) in [(&b"plain text"[..], "plain text"), (b"not UTF-8: \xff", "not UTF-8: \u{fffd}")] {
        let lines = output_lines(|output| output.schema(Text(line)).edits(Edits::new().remove("a")), || info!("text"));
        assert_eq!(lines, [expected]);
    }
}
