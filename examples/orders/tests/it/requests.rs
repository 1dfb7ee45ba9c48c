//! What the services log for each request, and the check of a run's lines against it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::strict;

const SERVICES: [&str; 3] = ["orders", "stock", "warehouse"];
/// Sent along with the requests, and not for the log.
const SECRETS: [&str; 2] = ["k3pt-0ut-0f-the-l0g", "4111 1111"];

/// The events of each request, under its method and status: `service LEVEL message: spans below "request"`. The first
/// comes from a task beside the handler, before the handler ends. The others come in this order; DEBUG is held back.
const EVENTS: &str = "\
GET 404
    orders INFO view counted: show count_view
    orders DEBUG selected: show db
    orders WARN no such order: show
    orders WARN request finished:
GET 200
    orders INFO view counted: show count_view
    orders DEBUG selected: show db
    stock DEBUG selected: level db
    stock INFO request finished:
    orders DEBUG answered: show call
    orders INFO order loaded: show
    orders INFO request finished:
POST 201
    orders INFO priced: place price_cents
    orders DEBUG placing: place
    stock DEBUG selected: reserve db
    warehouse DEBUG updated: pick db
    warehouse INFO picked: pick
    warehouse INFO request finished:
    stock DEBUG answered: reserve call
    stock INFO reserved: reserve
    stock INFO request finished:
    orders DEBUG answered: place call
    orders DEBUG inserted: place db
    orders INFO order stored: place
    orders INFO request finished:
POST 409
    orders INFO priced: place price_cents
    orders DEBUG placing: place
    stock DEBUG selected: reserve db
    stock WARN not enough in stock: reserve
    stock WARN request finished:
    orders DEBUG answered: place call
    orders WARN order refused: place
    orders WARN request finished:
POST 503
    orders INFO priced: place price_cents
    orders DEBUG placing: place
    stock DEBUG selected: reserve db
    warehouse WARN connection lost: pick db
    warehouse WARN connection lost: pick db
    warehouse ERROR request failed: pick
    warehouse ERROR request finished:
    stock DEBUG answered: reserve call
    stock ERROR request failed: reserve
    stock ERROR request finished:
    orders DEBUG answered: place call
    orders ERROR request failed: place
    orders ERROR request finished:
";

/// The lines expected of a request. A DEBUG line comes before the first ERROR of its service, or not at all.
fn expected(method: &str, status: u64) -> Vec<String> {
    let (mut held, mut lines) = (BTreeMap::<&str, Vec<&str>>::new(), Vec::new());
    let events = EVENTS.lines().skip_while(|line| *line != format!("{method} {status}")).skip(1);
    for event in events.take_while(|line| line.starts_with(' ')).map(str::trim) {
        let (service, rest) = event.split_once(' ').unwrap();
        if rest.starts_with("DEBUG") {
            held.entry(service).or_default().push(event);
            continue;
        }
        if rest.starts_with("ERROR") {
            lines.extend(held.remove(service).unwrap_or_default());
        }
        lines.push(event);
    }
    lines.into_iter().map(str::to_owned).collect()
}

pub(crate) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// The names of the spans around an event, the outermost first.
pub(crate) fn spans(event: &Value) -> Vec<&str> {
    event["spans"].as_array().unwrap().iter().map(|span| span.as_str().unwrap()).collect()
}

/// Whether `text` has the form: `0` stands for a digit, `h` for a hexadecimal digit, the rest for itself.
fn has_form(text: &str, form: &str) -> bool {
    let fits = |(byte, form): (u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'h' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        form => byte == form,
    };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    has_form(text, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh") && b"47".contains(&bytes[14]) && b"89ab".contains(&bytes[19])
}

pub(crate) fn show_no_secrets(lines: &[String]) {
    let leak = lines.iter().find(|line| SECRETS.iter().any(|secret| line.contains(secret)));
    assert_eq!(leak, None, "a secret");
}

/// Checks the lines of one run of `requests` requests. `parent` is the client's span, if it sent one. Returns the run's id.
#[track_caller]
pub(crate) fn check(lines: &[String], requests: usize, parent: Option<&str>) -> String {
    show_no_secrets(lines);
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len(), "each line is there once");
    let events: Vec<Value> = lines.iter().map(|line| strict::line(line)).collect();
    let (mut by_request, mut outside) = (BTreeMap::<&str, Vec<&Value>>::new(), Vec::new());
    for event in &events {
        assert!(has_form(text(event, "timestamp"), "0000-00-00T00:00:00.000000Z"), "{event}");
        assert!(["ERROR", "WARN", "INFO", "DEBUG"].contains(&text(event, "level")), "{event}");
        assert!(SERVICES.contains(&text(event, "service")), "{event}");
        let module = if event["message"] == "request finished" { "spanline::http" } else { "orders" };
        assert!((text(event, "target").to_owned() + "::").starts_with(&format!("{module}::")), "{event}");
        match event["request_id"].as_str() {
            Some(id) => by_request.entry(id).or_default().push(event),
            None => outside.push((text(event, "message"), text(event, "service"))),
        }
    }
    let started = SERVICES.iter().rev().map(|service| ("listening", *service));
    let stopped = SERVICES.iter().map(|service| ("stopped", *service));
    assert_eq!(outside, started.chain(stopped).collect::<Vec<_>>(), "lines outside requests");
    assert_eq!(by_request.len(), requests, "requests");
    let traces: BTreeSet<_> = by_request.iter().map(|(id, events)| check_request(id, events, parent)).collect();
    assert_eq!(traces.len(), requests, "each request has its own trace");
    let runs: BTreeSet<_> = events.iter().map(|event| text(event, "run")).collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.first().unwrap().to_string()
}

/// Checks the lines of one request in all services. Returns its trace id.
fn check_request<'e>(id: &str, events: &[&'e Value], parent: Option<&str>) -> &'e str {
    assert!(is_uuid(id), "{id}");
    let (trace, end) = (text(events[0], "trace_id"), events[events.len() - 1]);
    assert!(has_form(trace, &"h".repeat(32)) && events.iter().all(|event| event["trace_id"] == trace), "{events:#?}");
    assert_eq!((text(end, "service"), text(end, "message")), ("orders", "request finished"), "{events:#?}");
    let (method, status) = (text(end, "method"), end["status"].as_u64().unwrap());
    let shown = |event: &&Value| {
        let head = ["service", "level", "message"].map(|key| text(event, key)).join(" ");
        assert_eq!(spans(event)[0], "request", "{event}");
        format!("{head}: {}", spans(event)[1..].join(" ")).trim_end().to_owned()
    };
    let (mut lines, mut expected) = (events.iter().map(shown).collect::<Vec<_>>(), expected(method, status));
    let beside = expected.remove(0);
    let at = lines[..lines.len() - 2].iter().position(|line| *line == beside);
    lines.remove(at.unwrap_or_else(|| panic!("no {beside:?} before the handler's last line: {events:#?}")));
    assert_eq!(lines, expected, "{id}");
    check_spans(events, method, parent);
    events.iter().for_each(|event| check_fields(event, status));
    let attempts: Vec<_> = events.iter().filter_map(|event| event["attempt"].as_u64()).collect();
    assert_eq!(attempts, if status == 503 { vec![1, 2] } else { vec![] }, "{events:#?}");
    trace
}

/// Each span has one id, and its parent is the span above it: within a service, and from one service to the next.
fn check_spans(events: &[&Value], method: &str, parent: Option<&str>) {
    let (mut ids, mut parents) = (BTreeMap::<String, Value>::new(), BTreeMap::new());
    let mut has_id = |span: (&str, Vec<&str>), id: &Value| {
        assert!(has_form(id.as_str().unwrap(), &"h".repeat(16)), "{events:#?}");
        assert_eq!(
            ids.entry(format!("{span:?}")).or_insert_with(|| id.clone()),
            id,
            "the id of {span:?} in {events:#?}"
        );
        ids.len() == ids.values().map(Value::to_string).collect::<BTreeSet<_>>().len()
    };
    for event in events {
        let span = || (text(event, "service"), spans(event));
        assert!(has_id(span(), &event["span_id"]), "{events:#?}");
        let above = &event["parent_span_id"];
        assert_eq!(*parents.entry(span()).or_insert(above), above, "the parent of {:?} in {events:#?}", span());
    }
    for ((service, spans), above) in parents {
        let caller = match (service, method) {
            _ if spans.len() > 1 => (service, spans[..spans.len() - 1].to_vec()),
            ("stock", "GET") => ("orders", vec!["request", "show", "call"]),
            ("stock", _) => ("orders", vec!["request", "place", "call"]),
            ("warehouse", _) => ("stock", vec!["request", "reserve", "call"]),
            _ => {
                assert_eq!(above.as_str(), parent, "the client's span in {events:#?}");
                continue;
            }
        };
        assert!(has_id(caller, above), "{events:#?}");
    }
}

fn check_fields(event: &Value, status: u64) {
    assert_eq!(event["held_back"] == true, event["level"] == "DEBUG", "{event}");
    let route = match (text(event, "service"), text(event, "method")) {
        ("orders", "GET") => "/orders/{id}",
        ("orders", _) => "/orders",
        ("stock", "GET") => "/stock/{item}",
        ("stock", _) => "/stock/{item}/reservations",
        _ => "/shelves/{item}/picks",
    };
    assert_eq!(event["route"], route, "{event}");
    match text(event, "message") {
        "request finished" => {
            assert_eq!((&event["status"], &event["outcome"]), (&json!(status), &json!("completed")), "{event}");
            assert!(event["latency_us"].is_u64(), "{event}");
        }
        "answered" => assert_eq!(event["status"], status, "{event}"),
        "request failed" => {
            let causes = if event["service"] == "warehouse" { 2 } else { 1 };
            let error = event["error"].as_object().unwrap();
            assert!(error.keys().eq(["chain", "message", "type"]), "{event}");
            assert_eq!(event["error"]["chain"].as_array().unwrap().len(), causes, "{event}");
        }
        "placing" => {
            let texts = [text(event, "headers"), text(event, "order")];
            assert!(texts.iter().all(|text| text.contains("<redacted>")), "{event}");
        }
        "order stored" => assert!(event["order_id"].is_u64(), "recorded later: {event}"),
        _ => {}
    }
}
