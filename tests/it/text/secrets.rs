//! Secrets: no byte of one is in any byte that any output writes, wherever it was logged; and what is none stays as it is.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use log::RecordBuilder;
use proptest::prelude::*;
use serde_json::json;
use spanline::record::Record;
use spanline::schema::{Console, Flat, Schema};
use spanline::sink::Memory;
use spanline::{Builder, Output, Redact, SpanExt};
use tracing::field::{debug, display};
use tracing::subscriber::with_default;
use tracing::{Level, error, info, info_span};
use tracing_subscriber::prelude::*;

use crate::loss::faults::PATIENCE;
use crate::support::stage::{Gate, Site, fixed, lines_of, parsed, text_of};

struct Corpus {
    /// Name and value.
    named: Vec<(String, String)>,
    /// Text and what of it is secret.
    shaped: Vec<(String, String)>,
}

fn corpus() -> Corpus {
    let mut corpus = Corpus { named: Vec::new(), shaped: Vec::new() };
    for line in include_str!("../../corpus/secrets.txt").lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<_> = line.split('\t').map(|part| part.replace('~', "").replace("\\n", "\n")).collect();
        let [kind, one, other] = <[String; 3]>::try_from(parts).unwrap();
        if kind == "named" { corpus.named.push((one, other)) } else { corpus.shaped.push((one, other)) }
    }
    assert!(corpus.named.len() + corpus.shaped.len() >= 60);
    corpus
}

/// Shows all that a schema can get hold of.
struct Everything;

impl Schema for Everything {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let mut text = format!("{record:?} {:?} {}", record.message(), record.target());
        record.fields().for_each(|field| text += &format!(" {field:?}"));
        record.static_fields().for_each(|field| text += &format!(" {field:?}"));
        for span in record.context().iter().flat_map(|context| context.spans()) {
            text += &format!(" {span:?} {}", span.name());
            span.fields().for_each(|field| text += &format!(" {field:?}"));
        }
        out.extend_from_slice(text.replace('\n', " ").as_bytes());
    }
}

/// An error with a source.
#[derive(Debug)]
struct Failed(String, Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

/// Everything that was written, by outputs of every kind, once with lines of any length and once with short ones.
fn written(redact: &Redact, set_up: impl Fn(Builder) -> Builder, run: impl Fn()) -> String {
    let mut all = String::new();
    for max_line_bytes in [1 << 20, 300] {
        let outputs: [Memory; 5] = Default::default();
        let output = |place: usize| Output::new(outputs[place].clone());
        let builder = set_up(fixed().redact(redact.clone()).max_line_bytes(max_line_bytes).on_complaint(|_| {}))
            .output(output(0))
            .output(output(1).schema(Flat::new().file().thread_name()).output_filter("info").synchronous(PATIENCE))
            .output(output(2).schema(Console::new().utc()))
            .output(output(3).schema(Everything))
            .output(output(4).output_filter("error"));
        let (layer, guard) = builder.build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), &run);
        guard.close().unwrap();
        assert!(outputs[..4].iter().all(|memory| !memory.text().is_empty()));
        outputs.iter().for_each(|memory| all += &memory.text());
    }
    all
}

/// Asks that no five characters of a secret were written, nor its bytes as numbers.
#[track_caller]
fn hidden(secret: &str, name: &str, written: &str) {
    let chars: Vec<char> = secret.chars().collect();
    // What the lines say anyway.
    let usual = format!("{name} 2026-11-20T10:15:38.123456Z {}", std::thread::current().name().unwrap_or_default());
    for window in chars.windows(chars.len().min(5)) {
        let piece: String = window.iter().collect();
        if usual.contains(&piece) {
            continue;
        }
        let numbers = format!("{:?}", piece.as_bytes());
        let numbers = numbers.trim_matches(['[', ']']);
        for (what, at) in [(&piece[..], written.find(&piece)), (numbers, written.find(numbers))] {
            let around = at.map(|at| {
                let line = written[..at].rfind('\n').map_or(0, |line| line + 1);
                written[line..].lines().next().unwrap_or_default().chars().take(2_000).collect::<String>()
            });
            assert_eq!(around, None, "{what} of {secret}, called {name}");
        }
    }
}

#[test]
fn a_secret_field_shows_nowhere_by_its_name_alone() {
    let redact = Redact::new();
    for (name, value) in corpus().named {
        let event = Site::event("orders", Level::ERROR, &["message", &name, "x"]);
        let span = Site::span("request", "orders", &[&name, "x"]);
        let set_up = |builder: Builder| builder.static_field(name.clone(), value.clone());
        let text = written(&redact, set_up, || {
            let chain = Failed("outer".to_owned(), Some(Box::new(Failed(value.clone(), None))));
            let chain: &(dyn Error + 'static) = &chain;
            let bytes: &[u8] = value.as_bytes();
            let values: [&dyn tracing::field::Value; 6] =
                [&&value[..], &debug(&value), &display(&value), &spanline::json(&value), &chain, &bytes];
            for value in values {
                event.log(&[Some(&"text"), Some(value), Some(&1)]);
                let span = span.open(&[Some(value), Some(&1)]);
                span.in_scope(|| error!("inside"));
                let late = Site::span("late", "orders", &[&name, "x"]).open(&[None, Some(&1)]);
                late.record(&name[..], value);
                late.in_scope(|| error!("inside"));
            }
            let span = info_span!("variables");
            span.set_variable(&name, &value);
            span.in_scope(|| error!("inside"));
        });
        hidden(&value, &name, &text);
        assert!(text.contains("<redacted>"));
    }
}

/// Texts in which a name and its value are found.
fn texts_with(name: &str, value: &str) -> Vec<String> {
    let map = BTreeMap::from([(name, value)]);
    let nested = json!({ "a": 1, "deep": [{ "deeper": { name: value } }] }).to_string();
    let mut texts = vec![
        format!("{name}: {value:?}"),
        format!("{name}={value:?}"),
        format!("user: 7, {name}: Some({value:?}), other: 1"),
        format!("Login {{ user: 7, {name}: {value:?}, other: 1 }}"),
        format!("Login {{ user: 7, {name}: Secret {{ inner: {value:?} }}, other: 1 }}"),
        format!("{map:?}"),
        format!("{map:#?}"),
        format!("{:?}", [(name, value)]),
        format!("sent {:?} and {}", [(name, value)], json!({ name: value })),
        format!("{:?}", json!({ name: value })),
        format!("{:?}", json!({ name: value }).to_string()),
        json!({ "body": json!({ "body": nested }).to_string() }).to_string(),
        format!("Authorization: Digest {name}=\"x\", response=\"{}\"", value.replace('"', "")),
        format!("{name}: &{value:?}"),
        format!("{name}: Secret<alloc::string::String>({value:?})"),
        format!("**{name}**: {value:?}, **{name}:** {value:?}"),
        format!("\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value:?} \x1b[1;31m{name}\x1b[m: {value:?}"),
        format!("user[\"{name}\"] = {value:?}"),
        format!("Variable {{ name: {name:?}, value: {value:?} }}"),
        json!({ "env": [{ "name": name, "value": value }, { "key": name, "value": [value] }] }).to_string(),
        format!("<add key={name:?} value={value:?}/>"),
        format!("--b\r\nContent-Disposition: form-data; name={name:?}\r\n\r\n{value}\r\n--b--"),
        format!("Prompt {{ text: \"enter {name}: \", {name}: {value:?} }}"),
        json!({ "text": format!("enter {name}: "), name: value }).to_string(),
        json!({ "body": format!("Cookie: a=\"\"; b={:?}; c=d", value.replace(['"', '\\'], "")) }).to_string(),
        nested,
    ];
    let is_plain = !value.contains(['"', ',', '\\', '&']);
    if is_plain && !name.contains(['[', '.']) {
        texts.push(format!("curl https://host/path?{name}={value}&x=1"));
        texts.push(format!("GET / HTTP/1.1\r\nHost: host\r\n{name}: {value}\r\nAccept: */*"));
        texts.push(format!("started with --{name} {value} --verbose"));
        texts.push(format!("<wsse:{name} Type=\"text\">{value}</wsse:{name}>"));
        texts.push(format!("{name}='a''{value}' and {name}=\"a\"\"{value}\""));
        texts.push(format!("{name}=<{value}"));
        texts.push(format!("<{name}><![CDATA[{value}]]></{name}>"));
        texts.push(format!("{name} = \"\"\"\n{value} \"{value}\"\n\"\"\"\nport = 1"));
        texts.push(format!("db:\n  {name}: |-\n    {value}\n\n    {value}\n  port: 1"));
        texts.push(format!("{:?}", ["psql", &format!("--{name}"), value]));
    }
    texts
}

#[test]
fn a_text_in_nested_json_hides_nothing_beyond_itself() {
    for text in [
        "password='x",
        "password: {",
        "token=\\",
        "secret=(\"",
        "cookie: a=\"b",
        "-----BEGIN PRIVATE KEY-----",
        "'password\": x",
        "Bearer abcdefgh\"",
    ] {
        let lines = lines_of(fixed().redact(Redact::new().values()), || {
            let json = json!({ "a": text, "b": { "c": text, "kept": 1 }, "z": "token=hunter2" });
            info!(json = spanline::json(&json), "nested");
        });
        let json = &lines[0]["json"];
        assert_eq!((&json["b"]["kept"], &json["z"]), (&json!(1), &json!("token=<redacted>")), "{text}: {json}");
    }
}

/// Logs a text in all places that take one.
fn log_everywhere(text: &str) {
    let padding = "padding ".repeat(40);
    info!("{text}");
    error!("{padding}{text}");
    info!(text, "a field");
    info!(text = ?text, "a field");
    info!(text = %text, "a field");
    info!(bytes = text.as_bytes(), "a field");
    info!(text = spanline::json(text), nested = spanline::json(&json!({ "a": [text] })), "nested");
    let chain = Failed("outer".to_owned(), Some(Box::new(Failed(text.to_owned(), None))));
    info!(error = &chain as &(dyn Error + 'static), "failed");
    let chain = Failed(text.to_owned(), None);
    error!(%padding, error = &chain as &(dyn Error + 'static), "failed");
    let span = info_span!("request", text, late = tracing::field::Empty);
    span.in_scope(|| {
        info!("inside");
        info_span!("inner", x = 1).in_scope(|| error!("inside"));
    });
    span.record("late", text);
    span.in_scope(|| info!("inside"));
    span.set_variable("variable", text);
    span.in_scope(|| error!("inside"));
    let panicked = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(text.to_owned())));
    let payload = panicked.unwrap_err();
    error!(panic = payload.downcast_ref::<String>(), "panicked");
    tracing_log::format_trace(&RecordBuilder::new().args(format_args!("{text}")).target("pool").build()).unwrap();
}

#[test]
fn a_secret_in_a_text_shows_nowhere_by_its_name() {
    let redact = Redact::new().values();
    for (name, value) in corpus().named {
        let texts = texts_with(&name, &value);
        let set_up = |builder: Builder| builder.static_field("text", texts[0].clone());
        let text = written(&redact, set_up, || texts.iter().for_each(|text| log_everywhere(text)));
        let shown = text.replace(&format!("{name:?}"), "");
        hidden(&value, &name, &shown);
        let value = &value;
        let json = written(
            &redact,
            |builder| builder,
            || {
                let nested =
                    json!({ "a": [1, { &name: value, "x": true }], "b": { "c": { &name: [value, { "d": value }] } } });
                info!(payload = spanline::json(&nested), "nested");
            },
        );
        hidden(value, &name, &json);
    }
}

#[test]
fn a_secret_in_a_text_shows_nowhere_by_its_shape() {
    let redact = Redact::new().values();
    for (text, secret) in corpus().shaped {
        let set_up = |builder: Builder| builder.static_field("text", text.clone());
        let shown = written(&redact, set_up, || {
            log_everywhere(&text);
            log_everywhere(&format!("{{\"body\":{text:?}}}"));
            log_everywhere(&format!("Request {{ line: Some({text:?}), size: 7 }}"));
        });
        hidden(&secret, "", &shown);
        assert!(shown.contains("<redacted>"), "{text}");
    }
}

#[test]
fn the_line_of_a_rate_limit_shows_no_secret() {
    for (name, value) in corpus().named {
        for text in [format!("{name}: {value:?}"), format!("{} {name}: {value:?}", "x".repeat(256 - 8 - name.len()))] {
            let redact = Redact::new().values();
            let set_up = |builder: Builder| {
                builder.rate_limit(1, Duration::from_secs(60)).rate_limit_errors(1, Duration::from_secs(60))
            };
            let shown = written(&redact, set_up, || (0..3).for_each(|_| error!("{text}")));
            assert!(shown.contains("suppressed"));
            hidden(&value, &name, &shown);
        }
    }
}

/// What is cut is cut where it is captured, or on the worker: at each place of the secret.
#[test]
fn a_text_cut_in_the_middle_of_a_secret_shows_nothing_of_it() {
    let corpus = corpus();
    let named = corpus.named.iter().map(|(name, value)| (format!("{name}: {value:?}"), value.clone(), name.clone()));
    let shaped = corpus.shaped.iter().map(|(text, secret)| (text.clone(), secret.clone(), String::new()));
    for (text, secret, name) in named.chain(shaped).step_by(5) {
        for before in (0..400).step_by(7) {
            let text = format!("{} {text}", " x".repeat(before));
            let lines = text_of(fixed().redact(Redact::new().values()).max_line_bytes(600), || {
                info!("{text}");
                info!(text = ?text, "a field");
                info_span!("request", text).in_scope(|| info!("inside"));
            });
            hidden(&secret, &name, &lines.join("\n"));
        }
    }
}

#[test]
fn what_is_no_secret_stays_byte_for_byte() {
    for text in include_str!("../../corpus/harmless.txt").lines() {
        let lines = lines_of(fixed().redact(Redact::new().values()), || {
            info!(text, json = spanline::json(&json!({ "a": text })), "{text}");
            info_span!("request", inherited = text).in_scope(|| info!("inside"));
        });
        let (event, inside) = (&lines[0], &lines[1]);
        let found = [&event["message"], &event["text"], &event["json"]["a"], &inside["inherited"]];
        assert_eq!(found, [text; 4]);
    }
}

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
fn truth_values_are_no_secret() {
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
fn the_list_is_the_users() {
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
fn a_path_leads_into_nested_json() {
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
fn what_was_redacted_is_counted_for_each_output() {
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
fn records_of_log_keep_their_place_whatever_is_listed() {
    let redact = Redact::none().names(["target", "file", "message"]);
    let lines = lines_of(fixed().redact(redact).filter("off,pool=info"), || {
        let mut record = RecordBuilder::new();
        let record = record.level(log::Level::Info).target("pool").file(Some("src/pool.rs"));
        tracing_log::format_trace(&record.args(format_args!("text")).build()).unwrap();
    });
    assert_eq!((&lines[0]["target"], &lines[0]["message"]), (&json!("pool"), &json!("<redacted>")));
}

#[test]
fn names_hold_for_scoped_variables_and_key_values_of_log_too() {
    crate::support::child::child(
        "text::secrets::names_hold_for_scoped_variables_and_key_values_of_log_too",
        &[],
        || {
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
        },
    );
}
