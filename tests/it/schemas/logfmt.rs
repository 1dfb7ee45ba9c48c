//! `Logfmt`, read by the rules of go-logfmt.

use tracing::{Level, info};

use super::{lines_by, schema};
use crate::support::stage::Site;
use crate::support::strict::is_unsafe;

/// Reads a line strictly: pairs with one space between them, keys of allowed characters, each once, values quoted where
/// they have to be, with JSON's escapes.
pub(super) fn read(line: &str) -> Result<Vec<(String, String)>, String> {
    let special = |char: char| char <= ' ' || matches!(char, '=' | '"' | '\u{fffd}') || is_unsafe(char);
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut rest = line;
    loop {
        let (key, behind) = rest.split_once('=').ok_or_else(|| format!("no `=` in {rest:?} of {line:?}"))?;
        if key.is_empty() || key.contains(special) || pairs.iter().any(|(other, _)| other == key) {
            return Err(format!("the key {key:?} in {line:?}"));
        }
        let value;
        if behind.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(behind).into_iter::<String>();
            value = values.next().and_then(Result::ok).ok_or_else(|| format!("the quotes of {behind:?}"))?;
            let (quoted, left) = behind.split_at(values.byte_offset());
            if quoted.contains(is_unsafe) {
                return Err(format!("raw in {quoted:?}"));
            }
            rest = left;
        } else {
            let end = behind.find(' ').unwrap_or(behind.len());
            value = behind[..end].to_owned();
            if value.contains(special) {
                return Err(format!("{value:?} without quotes"));
            }
            rest = &behind[end..];
        }
        pairs.push((key.to_owned(), value));
        match rest.strip_prefix(' ') {
            Some(left) => rest = left,
            None if rest.is_empty() => return Ok(pairs),
            None => return Err(format!("{rest:?} behind a value")),
        }
    }
}

#[test]
fn the_reader_refuses_what_it_should() {
    for line in
        ["", "a", "=1", "a=1 ", "a=1  b=2", "a=\"1", "a=\"1\"b", "a=1 a=2", "a=b=c", "a=b\"c", "a b=1", "a=\"\u{1b}\""]
    {
        assert!(read(line).is_err(), "{line}");
    }
    assert_eq!(read("a= b=\"\\n \" c=é").unwrap()[1].1, "\n ");
}

#[test]
fn pairs_are_read_back_as_they_were() {
    let lines = lines_by(schema("logfmt"), || {
        info!(target: "orders", empty = "", null = "null", path = "C:\\x", quote = "\"", both = "a b", equals = "a=b", "order\nloaded");
        Site::event("orders", Level::INFO, &["a b", "a=b", "a_b", "", "level", "r#type", "é"]).log(&[
            Some(&1),
            Some(&2),
            Some(&3),
            Some(&4),
            Some(&5),
            Some(&6),
            Some(&7),
        ]);
    });
    let pairs = read(&lines[0]).unwrap();
    let value = |key: &str| &*pairs.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("{key}")).1;
    assert_eq!(value("msg"), "order\nloaded");
    for (key, text) in
        [("empty", ""), ("null", "null"), ("path", "C:\\x"), ("quote", "\""), ("both", "a b"), ("equals", "a=b")]
    {
        assert_eq!(value(key), text);
    }
    assert!(lines[0].contains("null=\"null\"") && lines[0].contains("path=C:\\x"), "{}", lines[0]);
    let keys: Vec<_> = read(&lines[1]).unwrap().into_iter().map(|(key, value)| key + "=" + &value).collect();
    for pair in ["a_b_2=1", "a_b_3=2", "a_b=3", "_=4", "fields.level=5", "type=6", "é=7"] {
        assert!(keys.iter().any(|key| key == pair), "{pair} in {keys:?}");
    }
}
