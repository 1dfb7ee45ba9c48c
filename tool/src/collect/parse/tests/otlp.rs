//! OTLP, in requests made with the protocol's own types.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;
use spanline::record::Timestamp;

use super::super::{Incoming, Refused, otlp_json, otlp_protobuf};
use super::{NOW, golden};

fn of(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn text(text: &str) -> Option<AnyValue> {
    of(Value::StringValue(text.to_owned()))
}

fn attribute(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn request(records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let resource = Resource {
        attributes: vec![attribute("service.name", text("orders")), attribute("k8s.pod", text("p"))],
        dropped_attributes_count: 2,
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        name: "orders::db".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![attribute("a", text("b"))],
        ..InstrumentationScope::default()
    };
    let logs = ScopeLogs { scope: Some(scope), log_records: records, schema_url: "u".to_owned() };
    let logs = ResourceLogs { resource: Some(resource), scope_logs: vec![logs], schema_url: String::new() };
    ExportLogsServiceRequest { resource_logs: vec![logs] }
}

/// Reads a request in both encodings, which say the same.
fn both(request: &ExportLogsServiceRequest) -> Vec<Incoming> {
    let protobuf = otlp_protobuf(&request.encode_to_vec(), NOW).unwrap();
    let json = otlp_json(&serde_json::to_vec(request).unwrap(), NOW).unwrap();
    assert_eq!(protobuf, json);
    protobuf
}

#[test]
fn all_of_a_record_is_read() {
    let nested = KeyValueList {
        values: vec![
            attribute("i", of(Value::IntValue(i64::MIN))),
            attribute("d", of(Value::DoubleValue(0.1))),
            attribute("b", of(Value::BytesValue(vec![0, 255]))),
            attribute("n", None),
            attribute(
                "a",
                of(Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: None }, text("\n").unwrap()] })),
            ),
            attribute("e", of(Value::KvlistValue(KeyValueList::default()))),
        ],
    };
    let record = LogRecord {
        time_unix_nano: 1_795_169_738_123_456_789,
        observed_time_unix_nano: 1_795_169_738_123_456_790,
        severity_number: 14,
        severity_text: "WARN2".to_owned(),
        body: text("hi"),
        attributes: vec![
            attribute("s", text("")),
            attribute("t", of(Value::BoolValue(true))),
            attribute("i", of(Value::IntValue(-1))),
            attribute("d", of(Value::DoubleValue(-0.5))),
            attribute("b", of(Value::BytesValue(vec![1]))),
            attribute("n", of(Value::KvlistValue(nested))),
            attribute("none", Some(AnyValue { value: None })),
        ],
        dropped_attributes_count: 3,
        flags: 1,
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        event_name: "paid".to_owned(),
    };
    let all = both(&request(vec![record, LogRecord::default()]));
    assert_eq!(all[0].time, Timestamp::from_nanos(1_795_169_738_123_456_789));
    assert_eq!(all[0].head(), "WARN orders::db hi orders abababababababababababababababab cdcdcdcdcdcdcdcd");
    assert_eq!(
        all[0].shown(),
        "s= t=true i=-1 d=-0.5 b=[1] n={\"i\":-9223372036854775808,\"d\":0.1,\"b\":\"AP8=\",\"n\":null,\"a\":[null,\"\\n\"],\"e\":{}} \
         none=null event_name=paid observed_time_unix_nano=1795169738123456790 severity_number=14 severity_text=WARN2 \
         trace_flags=1 dropped_attributes_count=3 otel.scope.version=1.2 otel.scope.a=b otel.scope.schema_url=u k8s.pod=p \
         otel.resource.dropped_attributes_count=2"
    );
    assert_eq!((all[1].time, all[1].head().as_str()), (NOW, "INFO orders::db - orders - -"));
}

#[test]
fn severities_are_levels() {
    let level = |severity_number: i32, severity_text: &str| {
        let record = LogRecord { severity_number, severity_text: severity_text.to_owned(), ..LogRecord::default() };
        let mut all = both(&ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                scope_logs: vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }],
                ..ResourceLogs::default()
            }],
        });
        let incoming = all.remove(0);
        format!("{} {}", incoming.level, incoming.shown())
    };
    assert_eq!(level(9, "INFO"), "INFO ");
    assert_eq!(level(9, "Information"), "INFO ");
    assert_eq!(level(9, ""), "INFO ");
    assert_eq!(level(18, "CRITICAL"), "ERROR level_name=CRITICAL");
    assert_eq!(level(21, "EMERGENCY"), "ERROR level_name=EMERGENCY");
    assert_eq!(level(21, "FATAL"), "ERROR level_name=FATAL");
    assert_eq!(level(0, "Warning"), "WARN ");
    assert_eq!(level(0, ""), "INFO ");
    assert_eq!(level(0, "loud"), "INFO severity_text=loud");
    assert_eq!(level(17, "WARN"), "ERROR severity_text=WARN");
    assert_eq!(level(99, "WARN"), "WARN severity_number=99");
}

#[test]
fn lines_of_the_schema_are_records() {
    for line in golden("otel.jsonl") {
        let request: ExportLogsServiceRequest = serde_json::from_str(&line).unwrap();
        let all = both(&request);
        assert_eq!(all, [super::read(&line)]);
        assert_eq!(all[0].service.as_deref(), Some("orders"));
        assert!(all[0].all("fields").iter().all(|value| **value == "FORGED".into()), "{line}");
    }
}

#[test]
fn odd_json_of_other_senders_is_read() {
    let body = br#"{"resourceLogs":[{"resource":null,"scopeLogs":[{"scope":{},"logRecords":[
        {"timeUnixNano":1795169738123456789,"severityNumber":"SEVERITY_NUMBER_WARN2","body":{"intValue":"7"},"new":[1],
         "attributes":[{"key":"a","value":{"doubleValue":"NaN"}},{"key":"b"},{"key":"c","value":{"bytesValue":"?"}}]}]}]}]}"#;
    let all = otlp_json(body, NOW).unwrap();
    assert_eq!(all[0].head(), "WARN  - - - -");
    assert_eq!(all[0].shown(), "new=[1] a=NaN b=null c=? body=7 severity_number=14");
    // A bare record, as a line.
    let line = r#"{"timeUnixNano":"1795169738123456789","severityNumber":9,"body":{"stringValue":"hi"},"attributes":[{"key":"service.name","value":{"stringValue":"s"}},{"key":"target","value":{"stringValue":"t"}}]}"#;
    assert_eq!(super::read(line).head(), "INFO t hi s - -");
    // Several records are no line.
    let line = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{}]}]}]}"#;
    assert_eq!(super::read(line).shown(), r#"resourceLogs=[{"scopeLogs":[{"logRecords":[{},{}]}]}]"#);
}

#[test]
fn what_is_no_request_is_refused() {
    assert_eq!(otlp_protobuf(b"", NOW), Ok(Vec::new()));
    for body in [&b"{}"[..], b"hello", b"\x80\x04", b"\x0a\x05\x0a"] {
        assert_eq!(otlp_protobuf(body, NOW), Err(Refused::NotOtlp), "{body:?}");
    }
    assert_eq!(otlp_json(b"{\"resourceLogs\":7}", NOW), Err(Refused::NotOtlp));
    assert_eq!(otlp_json(b"[]", NOW), Err(Refused::NotAnObject));
    let mut not_utf8 = request(vec![LogRecord { body: text("xxxx"), ..LogRecord::default() }]).encode_to_vec();
    let at = not_utf8.windows(4).position(|bytes| bytes == b"xxxx").unwrap();
    not_utf8[at] = 0xff;
    assert_eq!(otlp_protobuf(&not_utf8, NOW), Err(Refused::NotUtf8));
}

#[test]
fn bombs_are_refused() {
    let deep = |levels: usize| {
        let value = (0..levels)
            .fold(text("x"), |inside, _| of(Value::ArrayValue(ArrayValue { values: inside.into_iter().collect() })));
        request(vec![LogRecord { body: value, ..LogRecord::default() }])
    };
    assert_eq!(both(&deep(24)).len(), 1);
    assert_eq!(otlp_protobuf(&deep(90).encode_to_vec(), NOW), Err(Refused::TooDeep));
    assert_eq!(otlp_json(&serde_json::to_vec(&deep(90)).unwrap(), NOW), Err(Refused::TooDeep));

    // Small records with a large resource.
    let mut small = request(vec![LogRecord::default(); 2_000]);
    assert_eq!(both(&small).len(), 2_000);
    small.resource_logs[0].resource.as_mut().unwrap().attributes.push(attribute("a", text(&"x".repeat(100_000))));
    assert_eq!(otlp_protobuf(&small.encode_to_vec(), NOW), Err(Refused::TooLarge));
    let many = request(vec![LogRecord::default(); 100_001]);
    assert_eq!(otlp_protobuf(&many.encode_to_vec(), NOW), Err(Refused::TooLarge));
    assert_eq!(otlp_json(&serde_json::to_vec(&many).unwrap(), NOW), Err(Refused::TooLarge));
}

/// Any value, nested.
fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        (-1e300..1e300).prop_map(Value::DoubleValue),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(Value::BytesValue),
    ];
    let leaf = proptest::option::of(leaf).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 20, 4, |inner| {
        let list = proptest::collection::vec((any::<String>(), inner.clone()), 0..4).prop_map(|values| {
            let values = values.into_iter().map(|(key, value)| attribute(&key, Some(value))).collect();
            Value::KvlistValue(KeyValueList { values })
        });
        let array = proptest::collection::vec(inner, 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values }));
        prop_oneof![list, array].prop_map(|value| AnyValue { value: Some(value) })
    })
}

proptest! {
    #[test]
    fn both_encodings_of_any_record_say_the_same(
        body in proptest::option::of(any_value()),
        attributes in proptest::collection::vec(("[a-f.]{0,9}", any_value()), 0..5),
        severity in 0..30_i32,
        times in any::<(u64, u64)>(),
        ids in (proptest::collection::vec(any::<u8>(), 0..20), proptest::collection::vec(any::<u8>(), 8)),
    ) {
        let attributes = attributes.into_iter().map(|(key, value)| attribute(&key, Some(value))).collect();
        let record = LogRecord {
            time_unix_nano: times.0,
            observed_time_unix_nano: times.1,
            severity_number: severity,
            body,
            attributes,
            trace_id: ids.0,
            span_id: ids.1,
            ..LogRecord::default()
        };
        prop_assert_eq!(both(&request(vec![record])).len(), 1);
    }

    #[test]
    fn any_damage_is_read_without_a_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let value = of(Value::KvlistValue(KeyValueList { values: vec![attribute("k", text("v")), attribute("l", None)] }));
        let record = LogRecord { body: value, severity_number: 9, trace_id: vec![1; 16], ..LogRecord::default() };
        let mut bytes = request(vec![record]).encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = otlp_protobuf(&bytes, NOW);
        let _ = otlp_protobuf(&bytes[..cut.index(bytes.len())], NOW);
    }
}
