//! Redaction: which fields are secret, what stands for them, and what stays as it was.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use log::RecordBuilder;
use proptest::prelude::*;
use serde_json::json;
use spanline::sink::Memory;
use spanline::{Output, Redact, SpanExt};
use tracing::field::debug;
use tracing::subscriber::with_default;
use tracing::{Level, error, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{Gate, Site, fixed, lines_of, parsed, text_of};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn texts_without_a_sign_of_a_secret_are_the_same_bytes(texts in prop::collection::vec("[^:=0-9(\\[{bB_JA>-]{0,60}|\\PC{0,8}", 1..8)) {
        let log = || {
            for text in &texts {
                info!(text, "{text}");
                info_span!("request", inherited = text).in_scope(|| info!("inside"));
            }
        };
        let plain = text_of(fixed().redact(Redact::none()), log);
        prop_assert_eq!(text_of(fixed().redact(Redact::new().values()), log), plain);
    }

    #[test]
    fn nested_json_stays_json(name in "password|token|x", value in "\\PC{0,20}", number: u64) {
        let lines = lines_of(fixed().redact(Redact::new().values()), || {
            let nested = json!({ "a": { &name: &value }, "b": [{ &name: number }, &value], "c": { &name: { "d": &value } } });
            info!(payload = spanline::json(&nested), "nested");
        });
        if name == "x" {
            prop_assert!(lines[0]["payload"].is_object());
        } else {
            prop_assert_eq!(&lines[0]["payload"]["b"][0][&name], "<redacted>");
        }
    }
}

/// Counts how often it is formatted.
struct Counted(Arc<AtomicU64>);

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fetch_add(1, Ordering::SeqCst);
        f.write_str("formatted")
    }
}

#[test]
fn a_secret_value_is_not_even_formatted() {
    let count = Arc::new(AtomicU64::new(0));
    let value = Counted(Arc::clone(&count));
    let lines = lines_of(fixed(), || {
        let span = info_span!("request", password = ?value, token = tracing::field::Empty, open = ?value);
        span.record("token", debug(&value));
        span.in_scope(|| info!(secret = ?value, "text"));
    });
    assert_eq!(count.load(Ordering::SeqCst), 1, "of the field `open`");
    let line = &lines[0];
    assert_eq!([&line["password"], &line["token"], &line["secret"]], ["<redacted>"; 3]);
    assert_eq!(line["open"], "formatted");
}

#[test]
fn booleans_are_not_secret() {
    let lines = lines_of(fixed(), || {
        info_span!("s", has_token = true).in_scope(|| info!(has_password = false, password = 5, "text"));
    });
    assert_eq!((&lines[0]["has_token"], &lines[0]["has_password"]), (&json!(true), &json!(false)));
    assert_eq!(lines[0]["password"], "<redacted>");
}

#[test]
fn a_field_is_secret_at_any_place_among_many() {
    for place in [0, 31, 54, 55, 56, 119, 200, 249, 250, 299] {
        let names: Vec<String> =
            (0..300).map(|at| if at == place { "password".to_owned() } else { format!("f{at}") }).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let values = vec![Some(&"hunter2" as &dyn tracing::field::Value); names.len()];
        let lines = lines_of(fixed(), || {
            Site::event("orders", Level::INFO, &names).log(&values);
            Site::span("request", "orders", &names).open(&values).in_scope(|| info!("inside"));
        });
        for line in &lines {
            assert_eq!(line["password"], "<redacted>", "{place}");
            assert_eq!(line.as_object().unwrap().values().filter(|value| **value == "hunter2").count(), 299);
        }
    }
}

#[test]
fn users_change_the_list_of_secret_names() {
    let log =
        || info!(password = "a", iban = "b", page_token = "c", access_token = "d", http.request.header.host = "e", "f");
    let fields = |redact: Redact| {
        let line = lines_of(fixed().redact(redact), log).remove(0);
        ["password", "iban", "page_token", "access_token", "http.request.header.host"]
            .map(|name| line[name].as_str().unwrap().replace("<redacted>", "-"))
            .concat()
    };
    assert_eq!(fields(Redact::new()), "-b--e");
    assert_eq!(fields(Redact::none()), "abcde");
    assert_eq!(fields(Redact::none().values()), "abcde");
    assert_eq!(fields(Redact::none().name("iban")), "a-cde");
    assert_eq!(fields(Redact::none().name("http.request.header.*")), "abcd-");
    assert_eq!(fields(Redact::new().keep("page_token").names(["iban"])), "--c-e");
    assert_eq!(fields(Redact::new().keep("token")), "-b--e", "not the names that end with it");
    assert_eq!(fields(Redact::none().name("*_token").replacement("\"#\\\n")), "ab##e");
}

#[test]
fn a_path_names_a_member_of_nested_json() {
    let redact = Redact::none().values().name("payload.card.holder").name("inner.pin");
    let lines = lines_of(fixed().redact(redact), || {
        let nested = json!({ "card": { "holder": "Ann", "type": "x" }, "holder": "Bob", "list": [{ "inner": { "pin": 1 } }], "pin": 2 });
        info!(payload = spanline::json(&nested), other = spanline::json(&nested), text = nested.to_string(), "text");
    });
    let [payload, other] = [&lines[0]["payload"], &lines[0]["other"]];
    assert_eq!((&payload["card"]["holder"], &other["card"]["holder"]), (&json!("<redacted>"), &json!("Ann")));
    for nested in [payload, other] {
        assert_eq!((&nested["holder"], &nested["list"][0]["inner"]["pin"]), (&json!("Bob"), &json!("<redacted>")));
        assert_eq!((&nested["card"]["type"], &nested["pin"]), (&json!("x"), &json!(2)));
    }
    let text: serde_json::Value = serde_json::from_str(lines[0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text["list"][0]["inner"]["pin"], "<redacted>");
}

#[test]
fn card_numbers_are_found_as_integers_too() {
    let lines = lines_of(fixed().redact(Redact::new().values().last_four()), || {
        let card = 4_111_111_111_111_111u64;
        info!(card, signed = card as i64, wide = u128::from(card), order = card + 1, "card {card}");
        info!(payload = spanline::json(&json!({ "n": card, "order": card + 1 })), "nested");
    });
    for field in ["card", "signed", "wide"] {
        assert_eq!(lines[0][field], "…1111");
    }
    assert_eq!((&lines[0]["message"], &lines[0]["order"]), (&json!("card …1111"), &json!(4_111_111_111_111_112u64)));
    assert_eq!(lines[1]["payload"]["order"], 4_111_111_111_111_112u64);
    assert_ne!(lines[1]["payload"]["n"], 4_111_111_111_111_111u64);
}

/// What a span had when a line was logged is hidden in that line, also when the span has changed since; and the line
/// shows what the span has besides.
#[test]
fn a_context_with_a_secret_keeps_everything_else() {
    let gate = Gate::default();
    let builder = fixed().redact(Redact::new().values()).output(Output::new(gate.clone()));
    let (layer, guard) = builder.build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        let outer = info_span!(
            "outer",
            request_id = "r-1",
            url = "redis://:hunter2@cache",
            a = 1,
            later = tracing::field::Empty
        );
        let _outer = outer.clone().entered();
        let inner = info_span!("inner", b = 2);
        let _inner = inner.clone().entered();
        info!("one");
        outer.record("a", "pwd=hunter2");
        info!("two");
        outer.record("a", 3);
        outer.record("later", "clean");
        inner.record("b", 4);
        info!("three");
        info!("four");
    });
    gate.open();
    guard.close().unwrap();
    assert!(!gate.memory.text().contains("hunter2"));
    let lines = parsed(&gate.memory);
    let shown = |line: usize| ["a", "b", "later", "url"].map(|name| lines[line][name].clone());
    let url = json!("redis://:<redacted>@cache");
    assert_eq!(shown(0), [json!(1), json!(2), json!(null), url.clone()]);
    assert_eq!(shown(1), [json!("pwd=<redacted>"), json!(2), json!(null), url.clone()]);
    assert_eq!(shown(2), [json!(3), json!(4), json!("clean"), url]);
    assert_eq!(shown(3), shown(2));
    assert!(lines.iter().all(|line| line["request_id"] == "r-1" && line["trace_id"] == lines[0]["trace_id"]));
}

#[test]
fn redactions_are_counted_for_each_output() {
    let outputs = [Memory::new(), Memory::new()];
    let builder = fixed()
        .redact(Redact::new().values())
        .output(Output::new(outputs[0].clone()).name("all"))
        .output(Output::new(outputs[1].clone()).name("errors").output_filter("error"));
    let (layer, guard) = builder.build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        info!(password = "a", token = "b", "text");
        error!(password = "c", "pwd=d and redis://:e@f");
    });
    let handle = guard.handle();
    guard.close().unwrap();
    let metrics = handle.metrics();
    let redacted = metrics.outputs.iter().map(|output| output.redacted).collect::<Vec<_>>();
    assert_eq!(redacted, [5, 3]);
    #[cfg(feature = "prometheus")]
    assert!(metrics.to_prometheus().contains("spanline_redacted_total{output=\"all\"} 5\n"));
}

#[test]
fn records_of_log_keep_their_target_although_it_is_listed() {
    let redact = Redact::none().names(["target", "file", "message"]);
    let lines = lines_of(fixed().redact(redact).filter("off,pool=info"), || {
        let mut record = RecordBuilder::new();
        let record = record.level(log::Level::Info).target("pool").file(Some("src/pool.rs"));
        tracing_log::format_trace(&record.args(format_args!("text")).build()).unwrap();
    });
    assert_eq!((&lines[0]["target"], &lines[0]["message"]), (&json!("pool"), &json!("<redacted>")));
}

#[cfg(feature = "log")]
#[test]
fn names_apply_to_scoped_variables_and_key_values_of_log() {
    crate::support::child::child(this_test!(), &[], || {
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone())).init().unwrap();
        spanline::with("api_key", "hunter2").and("has_token", true).and("tenant", "acme").in_scope(|| {
            tracing::info!("one");
        });
        log::info!(password = "hunter2", token:% = 12345, user = "ada", secret = true; "two");
        let metrics = guard.handle().metrics();
        guard.close().unwrap();
        let lines: Vec<serde_json::Value> =
            memory.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["api_key"], &lines[0]["has_token"]), (&"<redacted>".into(), &true.into()));
        assert_eq!(lines[0]["tenant"], "acme");
        assert_eq!((&lines[1]["password"], &lines[1]["token"]), (&"<redacted>".into(), &"<redacted>".into()));
        assert_eq!((&lines[1]["user"], &lines[1]["secret"]), (&"ada".into(), &true.into()));
        assert!(!memory.text().contains("hunter2"));
        assert!(metrics.outputs[0].redacted >= 2, "{metrics:?}");
    });
}

/// Names and paths apply to structured data wherever it is logged, without `values()`.
#[test]
fn names_and_paths_apply_to_structured_data_by_default() {
    let redact = Redact::new().name("payload.card.number");
    let secret = json!({ "user": "ada", "password": "hunter2", "list": [{ "api_key": "hunter2" }], "ok": 1 });
    let lines = lines_of(fixed().redact(redact).static_field("fixed", secret.to_string()), || {
        let span = info_span!("request", inherited = spanline::json(&secret));
        span.set_variable("variable", spanline::json(&secret).to_string());
        let card = json!({ "card": { "number": "hunter2", "type": "visa" } });
        let failed = std::io::Error::other(secret.to_string());
        span.in_scope(|| {
            info!(payload = spanline::json(&card), json = spanline::json(&secret), text = %secret, "{secret}");
            error!(error = &failed as &(dyn std::error::Error + 'static), "failed");
        });
    });
    for line in &lines {
        let text = line.to_string();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("<redacted>") && text.contains("ada"), "{text}");
    }
    assert_eq!(lines[0]["payload"], json!({ "card": { "number": "<redacted>", "type": "visa" } }));
    assert_eq!((&lines[0]["json"]["user"], &lines[0]["json"]["ok"]), (&json!("ada"), &json!(1)));
}

#[test]
fn a_secret_is_found_in_any_text_of_a_record_and_texts_are_judged_apart() {
    let secret = "use token=hunter2 now";
    for length in 0..150 {
        let filler = ".".repeat(length);
        let lines = lines_of(fixed().redact(Redact::new().values()), || {
            info!(a = filler, b = secret, c = 4.5, d = "wrong password", e = "=hunter2", "text");
            info!(a = secret, b = filler, c = -1, d = filler, e = "AKIAIOSFODNN7EXAMPLE", "text");
        });
        assert_eq!(lines[0]["b"], "use token=<redacted> now", "{length}");
        assert_eq!([&lines[0]["d"], &lines[0]["e"]], ["wrong password", "=hunter2"], "{length}");
        assert_eq!([&lines[1]["a"], &lines[1]["e"]], ["use token=<redacted> now", "<redacted>"], "{length}");
        assert_eq!([&lines[1]["b"], &lines[1]["d"]], [&*filler; 2], "{length}");
    }
}

#[test]
fn texts_are_not_scanned_by_default() {
    let lines = lines_of(fixed().redact(Redact::new()), || info!(text = "password=hunter2", "4111111111111111"));
    assert_eq!((&lines[0]["text"], &lines[0]["message"]), (&json!("password=hunter2"), &json!("4111111111111111")));
}

#[test]
fn a_number_under_a_plural_is_a_count() {
    let lines = lines_of(fixed().redact(Redact::new().name("account_numbers")), || {
        let usage = json!({ "prompt_tokens": 12, "pass": 2, "pin": 1234 });
        info!(tokens = 1841, pass = 2, pin = 1234, account_numbers = 7, usage = spanline::json(&usage), "counted");
        info!(tokens = "a-b-c", "text");
    });
    let line = &lines[0];
    assert_eq!([&line["tokens"], &line["pass"]], [1841, 2]);
    assert_eq!([&line["pin"], &line["account_numbers"], &lines[1]["tokens"]], ["<redacted>"; 3]);
    assert_eq!(line["usage"], json!({ "prompt_tokens": 12, "pass": 2, "pin": "<redacted>" }));
}
