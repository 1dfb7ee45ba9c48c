//! A strict reader of log lines.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one log line: one RFC 8259 object on one line, no key twice at any depth, nothing raw that could disturb a
/// terminal or a viewer.
#[track_caller]
pub(crate) fn line(text: &str) -> Value {
    read(text).unwrap_or_else(|why| panic!("{why} in {text:?}"))
}

/// The same, for logs in which a torn line is expected.
pub(crate) fn read(text: &str) -> Result<Value, String> {
    if !(text.starts_with('{') && text.ends_with('}')) {
        return Err("not an object".to_owned());
    }
    if let Some(char) = text.chars().find(|char| is_unsafe(*char)) {
        return Err(format!("{char:?} stands raw"));
    }
    match serde_json::from_str::<Unique>(text) {
        Ok(Unique(value)) => Ok(value),
        Err(error) => Err(error.to_string()),
    }
}

/// C0, DEL, C1, line separators, bidirectional controls, BOM.
pub(crate) fn is_unsafe(char: char) -> bool {
    const BIDI: [char; 12] = [
        '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}',
        '\u{2067}', '\u{2068}', '\u{2069}',
    ];
    char.is_control() || BIDI.contains(&char) || ['\u{2028}', '\u{2029}', '\u{feff}'].contains(&char)
}

/// Any JSON value whose objects have no key twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any).map(Self)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Unique(value))) = members.next_entry::<String, Unique>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} twice")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[test]
fn the_reader_refuses_what_it_should() {
    let refused = [
        r#"{"a":1,"a":2}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a":[{"b":1,"\u0062":2}]}"#,
        r#"{"a":NaN}"#,
        r#"{"a":01}"#,
        r#"{"a":1} {"b":2}"#,
        r#"[1]"#,
        r#"{"a":"\ud800"}"#,
        "{\"a\":\"\u{1b}\"}",
        "{\"a\":\"\u{85}\"}",
        "{\"a\":\"\u{202e}\"}",
        "{\"a\":\"\u{feff}\"}",
    ];
    for text in refused {
        assert!(std::panic::catch_unwind(|| line(text)).is_err(), "{text}");
    }
    assert_eq!(line(r#"{"a":[1,{"b":null}],"c":"é\u202e"}"#)["a"][1]["b"], Value::Null);
}
