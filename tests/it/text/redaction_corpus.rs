//! Redaction over the corpora `tests/corpus/always_secret.txt` and `always_harmless.txt`: no secret shows in any place of a line.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use log::RecordBuilder;
use serde_json::json;
use spanline::record::Record;
use spanline::schema::{Console, Flat, Schema};
use spanline::sink::Memory;
use spanline::{Builder, Output, Redact, SpanExt};
use tracing::field::{debug, display};
use tracing::subscriber::with_default;
use tracing::{Level, error, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::failed::Failed;
use crate::support::sample::step;
use crate::support::stage::{Site, fixed, lines_of, text_of};
use crate::support::wait::PATIENCE;

struct Corpus {
    /// Name and value.
    named: Vec<(String, String)>,
    /// Text and what of it is secret.
    shaped: Vec<(String, String)>,
}

fn corpus() -> Corpus {
    let mut corpus = Corpus { named: Vec::new(), shaped: Vec::new() };
    for line in include_str!("../../corpus/always_secret.txt").lines().filter(|line| !line.starts_with('#')) {
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
fn a_field_with_a_secret_name_shows_nowhere() {
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
fn a_secret_in_nested_json_hides_only_itself() {
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
fn a_named_secret_in_a_text_shows_nowhere() {
    let redact = Redact::new().values();
    for (name, value) in corpus().named.into_iter().step_by(step(3)) {
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
fn a_secret_with_a_known_shape_shows_nowhere() {
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

/// Lines are cut during capture or on the worker. The cut is tried at each position of the secret.
#[test]
fn a_text_cut_in_the_middle_of_a_secret_shows_nothing_of_it() {
    let corpus = corpus();
    let named = corpus.named.iter().map(|(name, value)| (format!("{name}: {value:?}"), value.clone(), name.clone()));
    let shaped = corpus.shaped.iter().map(|(text, secret)| (text.clone(), secret.clone(), String::new()));
    for (text, secret, name) in named.chain(shaped).step_by(step(17)) {
        for before in (0..400).step_by(step(7)) {
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
fn harmless_text_stays_byte_for_byte() {
    for text in include_str!("../../corpus/always_harmless.txt").lines() {
        let lines = lines_of(fixed().redact(Redact::new().values()), || {
            info!(text, json = spanline::json(&json!({ "a": text })), "{text}");
            info_span!("request", inherited = text).in_scope(|| info!("inside"));
        });
        let (event, inside) = (&lines[0], &lines[1]);
        let found = [&event["message"], &event["text"], &event["json"]["a"], &inside["inherited"]];
        assert_eq!(found, [text; 4]);
    }
}
