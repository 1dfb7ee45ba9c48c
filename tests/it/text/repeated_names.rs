//! A name that an event uses again costs no value.

use serde_json::json;
use spanline::schema::built_in;
use spanline::sink::Memory;
use spanline::{Builder, Output};
use tracing::subscriber::with_default;
use tracing::{Level, error, event, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{Site, fixed, lines, lines_of};

#[test]
fn the_macros_text_is_the_message_and_other_messages_are_fields() {
    let lines = lines(|| {
        info!(message = "forged", "real");
        info!(a = 1, message = %"forged", b = 2, "real {}", "text");
        event!(name: "named", target: "orders", Level::INFO, message = "forged", "real");
        event!(target: "orders", Level::INFO, { message = "forged", message = 7 }, "real");
        event!(name: "named", target: "orders", parent: None, Level::INFO, { message = "forged" }, "real");
        info!(message_2 = "mine", message = "forged", "real");
        info_span!("request", message = "inherited").in_scope(|| info!(message = "forged", "real"));
    });
    assert_eq!(lines.len(), 7);
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["message"], if at == 1 { "real text" } else { "real" }, "{line}");
        assert_eq!(line[if at == 5 { "message_3" } else { "message_2" }], "forged", "{line}");
    }
    assert_eq!((&lines[1]["a"], &lines[1]["b"]), (&json!(1), &json!(2)));
    assert_eq!((&lines[3]["message_3"], &lines[5]["message_2"]), (&json!(7), &json!("mine")));
    assert_eq!(lines[6]["fields"], json!({"message": "inherited"}));
}

#[test]
fn the_last_field_keeps_the_name_and_the_others_have_numbers() {
    let (first, second) = (std::io::Error::other("first"), std::io::Error::other("second"));
    let lines = lines(|| {
        error!(
            error = &first as &dyn std::error::Error,
            error = 404,
            error = &second as &dyn std::error::Error,
            "failed"
        );
        info!(a = 1, a = "two", a = true, a_2 = 2);
        info!(r#type = 1, "type" = 2, level = "forged", level = 3);
        Site::event("orders", Level::INFO, &["a", "a", "b"]).log(&[Some(&2), None, Some(&3)]);
    });
    let first = json!({"message": "first", "chain": []});
    let second = json!({"message": "second", "type": "Custom", "chain": []});
    assert_eq!([&lines[0]["error"], &lines[0]["error_2"], &lines[0]["error_3"]], [&second, &first, &json!(404)]);
    let values = ["a", "a_2", "a_3", "a_4"].map(|name| &lines[1][name]);
    assert_eq!(values, [&json!(true), &json!(2), &json!(1), &json!("two")]);
    assert_eq!((&lines[2]["type"], &lines[2]["type_2"]), (&json!(2), &json!(1)));
    assert_eq!((&lines[2]["level"], &lines[2]["fields"]), (&json!("INFO"), &json!({"level": 3})));
    assert_eq!(lines[2]["level_2"], "forged");
    assert_eq!((&lines[3]["a"], &lines[3]["b"], lines[3].get("a_2")), (&json!(2), &json!(3), None));
}

#[test]
fn each_schema_shows_both_messages() {
    for schema in built_in() {
        let memory = Memory::new();
        let output = Output::new(memory.clone()).schema(schema.schema());
        let (layer, guard) = fixed().output(output).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || info!(message = "forged", "real"));
        guard.close().unwrap();
        let text = memory.text();
        let (real, forged) = (text.matches("real").count(), text.matches("forged").count());
        assert_eq!((real, forged, text.contains("message_2")), (1, 1, true), "{}: {text}", schema.name);
        assert!(text.find("real") < text.find("forged") || !text.contains("\"message_2\":\"real"), "{}", schema.name);
    }
}

#[test]
fn repeated_secrets_stay_secret_and_cut_values_stay_marked() {
    let builder: fn() -> Builder = || fixed().max_line_bytes(4096);
    let long = "x".repeat(10_000);
    let lines = lines_of(builder().redact(spanline::Redact::new()), || {
        info!(password = "first", password = "second", "text");
        info!(message = long, "real");
    });
    let text = format!("{}", lines[0]);
    assert!(!text.contains("first") && !text.contains("second") && text.contains("password_2"), "{text}");
    assert_eq!((&lines[1]["message"], &lines[1]["truncated"]), (&json!("real"), &json!(true)));
    assert!(lines[1]["message_2"].as_str().unwrap().len() > 1000);
}

#[test]
fn repeated_names_are_limited_held_back_and_released_as_others_are() {
    let builder = fixed().filter("info").flight_recorder(spanline::FlightRecorder::new("debug"));
    let lines = lines_of(builder, || {
        info_span!("request", request_id = "r-1").in_scope(|| {
            event!(Level::DEBUG, message = "forged", "held back");
            error!(message = "forged", "released");
        });
    });
    let messages: Vec<_> = lines.iter().map(|line| (&line["message"], &line["message_2"])).collect();
    assert_eq!(messages, [(&json!("held back"), &json!("forged")), (&json!("released"), &json!("forged"))]);
}
