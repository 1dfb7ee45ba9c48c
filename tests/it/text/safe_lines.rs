//! Any text and any value in any place gives one strict, harmless line in which nothing is forged.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use spanline::schema::{Console, Flat};
use spanline::sink::Memory;
use spanline::{Output, Redact, SpanExt};
use tracing::subscriber::with_default;
use tracing::{Level, info};
use tracing_subscriber::prelude::*;

use crate::support::any::{Any, names, with_given};
use crate::support::stage::{Given, MAX_FIELDS, Site, fixed, lines};
use crate::support::strict;

/// Characters that have broken a log before.
const HOSTILE: [&str; 28] = [
    "\n",
    "\r\n",
    "\0",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{9b}31m",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{2066}",
    "\u{200f}",
    "\u{61c}",
    "\u{feff}",
    "\"",
    "\\",
    "\\u0000",
    "\",\"level\":\"FORGED",
    "}\n{",
    "${jndi:ldap://x/a}",
    "{}",
    "%n",
    "<script>",
    "é",
    "🦀",
    "\u{fffd}",
    "\u{10ffff}",
    "\u{d7ff}",
];

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        proptest::collection::vec(proptest::sample::select(&HOSTILE[..]), 0..6).prop_map(|parts| parts.concat()),
        "[a-z]{0,12}",
    ]
}

const RESERVED: [&str; 11] = [
    "timestamp",
    "level",
    "target",
    "message",
    "service",
    "trace_id",
    "span_id",
    "parent_span_id",
    "spans",
    "fields",
    "error",
];

/// What other schemas write, and names that meet one of these in some way.
const RESERVED_ELSEWHERE: [&str; 39] = [
    "@timestamp",
    "log.level",
    "log",
    "log.level.x",
    "ecs.version",
    "labels",
    "labels.a",
    "trace",
    "trace.id",
    "a.b",
    "a*b",
    "a_b",
    "a b",
    "severity",
    "time",
    "logging.googleapis.com/trace",
    "logging.googleapis.com/x",
    "logging",
    "@type",
    "serviceContext",
    "httpRequest",
    "status",
    "dd",
    "dd.trace_id",
    "dd.trace_id.x",
    "error.message",
    "logger",
    "ddtags",
    "v",
    "msg",
    "pid",
    "err",
    "req",
    "requestId",
    "span",
    "name",
    "ts",
    "fields.level",
    "exception.message",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => text(),
        2 => proptest::sample::select(&RESERVED_ELSEWHERE[..]).prop_map(str::to_owned),
        2 => proptest::sample::select(&RESERVED[..]).prop_map(str::to_owned),
        3 => proptest::sample::select(vec!["a", "b", "c", "r#a", "r#type", "request_id", "env", "traceparent"])
            .prop_map(str::to_owned),
    ]
}

/// JSON that another writer made.
const RAW: [&str; 5] =
    ["{\"a\":1,\"a\":2}", "[ 1 ,\n2 ]", "\"\u{2028}\u{202e}\"", "{\"a\":{\"\\u0062\":1,\"b\":[]}}", "\"\\u001b\""];

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((text(), inner), 0..4).prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    })
}

fn value() -> impl Strategy<Value = Any> {
    prop_oneof![
        Just(Any::Empty),
        any::<bool>().prop_map(Any::Bool),
        any::<i64>().prop_map(Any::I64),
        any::<u64>().prop_map(Any::U64),
        any::<i128>().prop_map(Any::I128),
        any::<u128>().prop_map(Any::U128),
        // Those that serde_json reads exactly.
        proptest::sample::select(vec![1.5, -0.25, 1e3, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]).prop_map(Any::F64),
        text().prop_map(Any::Str),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Any::Bytes),
        text().prop_map(Any::Debug),
        text().prop_map(Any::Error),
        json_value().prop_map(Any::Json),
        proptest::sample::select(&RAW[..]).prop_map(|text| Any::Raw(serde_json::from_str(text).unwrap())),
    ]
}

pub(crate) fn fields() -> impl Strategy<Value = Vec<(String, Any)>> {
    proptest::collection::vec((name(), value()), 0..6)
}

/// The rule, said once more: of equal names the last, the inner before the outer. Reserved names and the trace's, which
/// the ids come from, are not looked at.
pub(crate) fn expected(inside_out: &[&[(String, Any)]]) -> Map<String, Value> {
    let mut merged = Map::new();
    for fields in inside_out {
        let mut own = Map::new();
        for (name, value) in *fields {
            let name = name.strip_prefix("r#").unwrap_or(name);
            if let Some(value) = value.expected() {
                own.insert(name.to_owned(), value);
            }
        }
        for (name, value) in own {
            if !RESERVED.contains(&name.as_str()) && name != "traceparent" {
                merged.entry(name).or_insert(value);
            }
        }
    }
    merged
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promise_31_promise_32_any_names_and_values_give_one_strict_line_with_nothing_forged(
        target in text(),
        span_names in (text(), text()),
        own in fields(),
        inner in fields(),
        outer in fields(),
        variable in (name(), text()),
        service in proptest::option::of(text()),
    ) {
        let memory = Memory::new();
        let console = Memory::new();
        let mut builder = fixed().redact(Redact::none()).static_field("env", "test");
        if let Some(service) = &service {
            builder = builder.service(service);
        }
        let (layer, guard) = builder
            .output(Output::new(memory.clone()).queue_bytes(1 << 16))
            .output(Output::new(console.clone()).schema(Console::new()).queue_bytes(1 << 16))
            .build()
            .unwrap();
        let event = Site::event(&target, Level::WARN, &names(&own));
        let outer_site = Site::span(&span_names.0, "orders", &names(&outer));
        let inner_site = Site::span(&span_names.1, "orders", &names(&inner));
        with_default(tracing_subscriber::registry().with(layer), || {
            with_given(&own, |given| event.log(given));
            let outer = with_given(&outer, |given| outer_site.open(given));
            outer.in_scope(|| {
                let inner = with_given(&inner, |given| inner_site.open(given));
                // Twice: the second time everything that is kept is there already.
                inner.in_scope(|| (0..2).for_each(|_| with_given(&own, |given| event.log(given))));
                inner.set_variable(&variable.0, &variable.1);
                inner.in_scope(|| with_given(&own, |given| event.log(given)));
            });
        });
        guard.close().unwrap();
        prop_assert_eq!(console.lines().len(), 4);
        prop_assert!(!console.text().chars().any(|char| char != '\n' && strict::is_unsafe(char)));
        let texts = memory.lines();
        prop_assert_eq!(texts.len(), 4);
        prop_assert_eq!(&texts[1], &texts[2]);
        let mut inner_then = inner.clone();
        let mut variable_name = variable.0.as_str();
        // A variable's name is a name as it is, but a declared field of that name is meant as well.
        if variable_name.starts_with("r#") {
            variable_name = "";
        }
        inner_then.push((variable_name.to_owned(), Any::Str(variable.1.clone())));
        let merged = [
            expected(&[&own]),
            expected(&[&own, &inner, &outer]),
            expected(&[&own, &inner, &outer]),
            expected(&[&own, &inner_then, &outer]),
        ];
        for (at, (text, expected)) in texts.iter().zip(merged).enumerate() {
            let line = strict::line(text);
            prop_assert_eq!(&line["timestamp"], "2026-11-20T10:15:38.123456Z");
            prop_assert_eq!(&line["level"], "WARN");
            prop_assert_eq!(&line["target"], &json!(target));
            if let Some(service) = &service {
                prop_assert_eq!(&line["service"], &json!(service));
            }
            if at == 0 {
                prop_assert_eq!(line.get("spans"), None);
            } else {
                prop_assert_eq!(&line["spans"], &json!([span_names.0, span_names.1]));
                prop_assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
                prop_assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
                prop_assert_eq!(line["parent_span_id"].as_str().unwrap().len(), 16);
            }
            if let Some(error) = line.get("error") {
                prop_assert!(error["message"].is_string(), "{error}");
            }
            for (name, value) in &expected {
                if at == 3 && variable.0.starts_with("r#") {
                    continue;
                }
                prop_assert_eq!(line.get(name), Some(value), "{} in {}", name, text);
            }
            for name in line.as_object().unwrap().keys() {
                let known = RESERVED.contains(&name.as_str()) || name == "env" || expected.contains_key(name);
                let other = name == "traceparent" || at == 3 && *name == variable.0;
                let other = other || name.rsplit_once('_').is_some_and(|(name, number)| {
                    let of_name = own.iter().filter(|(other, _)| other.strip_prefix("r#").unwrap_or(other) == name);
                    number.parse().is_ok_and(|number| (2..=of_name.count()).contains(&number))
                });
                prop_assert!(known || other, "{} is not explained: {}", name, text);
            }
        }
    }

    #[test]
    fn promise_33_any_message_reads_back_as_it_went_in(message in text()) {
        let lines = lines(|| {
            info!("{message}");
            info!(message, "text");
            info!(value = message, display = %message, "values");
        });
        // The target stands for a message that says nothing.
        let shown = if message.is_empty() { module_path!() } else { &message };
        prop_assert_eq!(&lines[0]["message"], &json!(shown));
        prop_assert_eq!([&lines[1]["message"], &lines[1]["message_2"]], [&json!("text"), &json!(message)]);
        prop_assert_eq!(&lines[2]["value"], &json!(message));
        prop_assert_eq!(&lines[2]["display"], &json!(message));
    }

    #[test]
    fn promise_34_any_number_reads_back_exactly(signed: i64, unsigned: u64, bits: u64) {
        let float = f64::from_bits(bits);
        let lines = lines(|| info!(signed, unsigned, float, "numbers"));
        prop_assert_eq!(lines[0]["signed"].as_i64(), Some(signed));
        prop_assert_eq!(lines[0]["unsigned"].as_u64(), Some(unsigned));
        match float {
            float if float.is_finite() => {
                let text = crate::support::stage::text_of(fixed(), || info!(float, "number"));
                let number = text[0].split("\"float\":").nth(1).unwrap().trim_end_matches('}');
                prop_assert_eq!(number.parse::<f64>().unwrap().to_bits(), bits);
            }
            float if float.is_nan() => prop_assert_eq!(&lines[0]["float"], "NaN"),
            float if float > 0.0 => prop_assert_eq!(&lines[0]["float"], "Infinity"),
            _ => prop_assert_eq!(&lines[0]["float"], "-Infinity"),
        }
    }
}

#[test]
fn promise_36_text_that_looks_like_a_pattern_is_unchanged() {
    for text in
        ["${jndi:ldap://evil/a}", "{}", "{0} {name} {:?}", "%n %s %d %%", "$(id) `id` $HOME", "<b>&amp;</b>", "\\n"]
    {
        let lines = lines(|| {
            info!("{text}");
            let span = tracing::info_span!("s", text);
            span.in_scope(|| info!(own = text, "fields"));
        });
        assert_eq!(lines[0]["message"], text);
        assert_eq!((&lines[1]["text"], &lines[1]["own"]), (&json!(text), &json!(text)));
    }
}

#[test]
fn promise_31_hundreds_of_fields_at_one_call_site() {
    let names: Vec<_> = (0..MAX_FIELDS).map(|at| format!("field_{}", at % (MAX_FIELDS - 2))).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let values: Vec<_> = (0..MAX_FIELDS as u64).collect();
    let given: Vec<Given<'_>> = values.iter().map(|value| Some(value as &dyn tracing::Value)).collect();
    let lines = lines(|| {
        Site::event("orders", Level::INFO, &names).log(&given);
        Site::span("span", "orders", &names).open(&given).in_scope(|| {
            info!("in a span");
            Site::event("orders", Level::INFO, &names).log(&given);
        });
    });
    for line in lines {
        assert_eq!((&line["field_0"], &line["field_1"]), (&json!(MAX_FIELDS - 2), &json!(MAX_FIELDS - 1)), "the last");
        for at in 2..MAX_FIELDS - 2 {
            assert_eq!(line[format!("field_{at}")], at);
        }
    }
}

#[test]
fn promise_31_names_and_targets_of_a_megabyte() {
    let long = "n".repeat(100_000);
    let lines = lines(|| {
        Site::event(&long, Level::INFO, &["message", &long]).log(&[Some(&"text"), Some(&1)]);
        let mut many: Vec<&str> = vec!["x"; MAX_FIELDS - 1];
        many.push(&long);
        let given: Vec<Given<'_>> =
            many.iter().map(|name| (*name != "x").then_some(&7 as &dyn tracing::Value)).collect();
        Site::event("orders", Level::INFO, &many).log(&given);
        let span = tracing::info_span!("s");
        span.set_variable(&long, "value");
        span.in_scope(|| info!("in a span"));
    });
    assert_eq!(lines[0]["target"], long.as_str());
    assert_eq!(lines[0][long.as_str()], 1);
    assert!(lines[1].as_object().unwrap().values().any(|value| *value == json!(7)), "the name may be cut");
    assert!(lines[2].as_object().unwrap().values().any(|value| *value == json!("value")), "the name may be cut");
}

#[test]
fn every_switch_of_flat_adds_its_key() {
    let all = Flat::new().pid().hostname().thread_id().thread_name().file().line().module();
    let memory = Memory::new();
    let (layer, guard) = fixed().output(Output::new(memory.clone()).schema(all)).build().unwrap();
    let subscriber = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    let thread = std::thread::Builder::new().name("named\n".to_owned());
    let line = thread
        .spawn(move || tracing::dispatcher::with_default(&subscriber, || (line!(), info!(pid = 1, "all")).0))
        .unwrap()
        .join()
        .unwrap();
    guard.close().unwrap();
    let lines = crate::support::stage::parsed(&memory);
    let keys = [
        "timestamp",
        "level",
        "target",
        "message",
        "file",
        "line",
        "module",
        "thread_id",
        "thread_name",
        "pid",
        "hostname",
        "fields",
    ];
    let text = memory.text();
    let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\"{key}\":")).expect(key)).collect();
    assert!(places.is_sorted(), "in this order: {text}");
    let object = lines[0].as_object().unwrap();
    assert_eq!(object.len(), keys.len());
    assert_eq!((&object["file"], &object["line"]), (&json!(file!()), &json!(line)));
    assert_eq!((&object["module"], &object["thread_name"]), (&json!(module_path!()), &json!("named\n")));
    assert_eq!(object["pid"], std::process::id());
    assert!(object["thread_id"].is_u64() && object["hostname"].is_string());
    assert_eq!(object["fields"], json!({"pid": 1}));
}

/// A reader that holds numbers in 64 bits would refuse the whole line.
#[test]
fn promise_31_a_number_too_large_for_readers_in_raw_json_becomes_text() {
    let raw: Box<serde_json::value::RawValue> = serde_json::from_str("[1e400,{\"a\":-1E+309},1e-400,1e308]").unwrap();
    let lines = lines(|| info!(raw = spanline::json(&raw), "numbers"));
    assert_eq!(lines[0]["raw"], json!(["1e400", { "a": "-1E+309" }, 0.0, 1e308]));
}

#[test]
fn promise_30_static_fields_that_leave_no_room_in_a_line_are_an_error() {
    let build = |builder: spanline::Builder| {
        let built =
            builder.max_line_bytes(1000).output(Output::new(Memory::new())).build::<tracing_subscriber::Registry>();
        built.map(drop).map_err(|error| error.to_string())
    };
    let error = build(fixed().service("s".repeat(100)).static_field("motd", "x".repeat(500))).unwrap_err();
    assert!(error.contains("static fields") && error.contains("610 bytes"), "{error}");
    // What counts is their length in the line.
    let error = build(fixed().service("\x1b".repeat(100))).unwrap_err();
    assert!(error.contains("602 bytes"), "{error}");
    build(fixed().service("orders").static_field("motd", "x".repeat(400))).unwrap();
}
