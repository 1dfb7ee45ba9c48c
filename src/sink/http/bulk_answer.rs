//! The answer of a bulk request, read without its tree: a server that lies about it costs no memory.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What is read of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BulkAnswer {
    pub(super) errors: Option<bool>,
    /// The result of each action.
    pub(super) items: Option<Vec<BulkItem>>,
}

/// What became of one action.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BulkItem {
    pub(super) status: Option<u16>,
    pub(super) kind: String,
    pub(super) reason: String,
}

/// The most that is kept of a text.
const MOST_CHARS: usize = 300;

impl BulkAnswer {
    /// Reads an answer of at most `most` items. `None`: it is no JSON, or has more.
    pub(super) fn parse(text: &[u8], most: usize) -> Option<Self> {
        let mut json = serde_json::Deserializer::from_slice(text);
        let answer = Value(most, PhantomData::<Self>).deserialize(&mut json).ok()?;
        json.end().ok().map(|()| answer)
    }
}

/// A value of JSON that is read as `T`, or as its default if it is of another type. With the most items of an array.
struct Value<T>(usize, PhantomData<T>);

/// What is read of the values of JSON. All others give the default.
trait Read: Default {
    fn key<'de, A: MapAccess<'de>>(&mut self, _: &str, most: usize, map: &mut A) -> Result<(), A::Error> {
        let _ = most;
        map.next_value::<IgnoredAny>().map(drop)
    }

    fn item<'de, A: SeqAccess<'de>>(&mut self, most: usize, items: &mut A) -> Result<bool, A::Error> {
        let _ = most;
        Ok(items.next_element::<IgnoredAny>()?.is_some())
    }

    fn text(&mut self, _: &str) {}

    fn number(&mut self, _: u64) {}

    fn truth(&mut self, _: bool) {}
}

/// Reads the value of a key.
fn value<'de, T: Read, A: MapAccess<'de>>(most: usize, map: &mut A) -> Result<T, A::Error> {
    map.next_value_seed(Value(most, PhantomData))
}

impl Read for BulkAnswer {
    fn key<'de, A: MapAccess<'de>>(&mut self, key: &str, most: usize, map: &mut A) -> Result<(), A::Error> {
        match key {
            "errors" => self.errors = value::<Truth, _>(most, map)?.0,
            "items" => self.items = Some(value::<Items, _>(most, map)?.0),
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

#[derive(Default)]
struct Truth(Option<bool>);

impl Read for Truth {
    fn truth(&mut self, truth: bool) {
        self.0 = Some(truth);
    }
}

#[derive(Default)]
struct Items(Vec<BulkItem>);

impl Read for Items {
    fn item<'de, A: SeqAccess<'de>>(&mut self, most: usize, items: &mut A) -> Result<bool, A::Error> {
        let Some(Action(item)) = items.next_element_seed(Value(most, PhantomData))? else { return Ok(false) };
        if self.0.len() == most {
            return Err(A::Error::custom("more items than actions"));
        }
        self.0.push(item);
        Ok(true)
    }
}

/// The only key of an item is its action.
#[derive(Default)]
struct Action(BulkItem);

impl Read for Action {
    fn key<'de, A: MapAccess<'de>>(&mut self, key: &str, most: usize, map: &mut A) -> Result<(), A::Error> {
        match key {
            "create" => self.0 = value(most, map)?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl Read for BulkItem {
    fn key<'de, A: MapAccess<'de>>(&mut self, key: &str, most: usize, map: &mut A) -> Result<(), A::Error> {
        match key {
            "status" => self.status = value::<Number, _>(most, map)?.0,
            "error" => (self.kind, self.reason) = value::<Cause, _>(most, map).map(|cause| (cause.0.0, cause.1.0))?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

#[derive(Default)]
struct Number(Option<u16>);

impl Read for Number {
    fn number(&mut self, number: u64) {
        self.0 = u16::try_from(number).ok();
    }
}

/// The type and the reason of an error.
#[derive(Default)]
struct Cause(Text, Text);

impl Read for Cause {
    fn key<'de, A: MapAccess<'de>>(&mut self, key: &str, most: usize, map: &mut A) -> Result<(), A::Error> {
        match key {
            "type" => self.0 = value(most, map)?,
            "reason" => self.1 = value(most, map)?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.1.text(text);
    }
}

#[derive(Default)]
struct Text(String);

impl Read for Text {
    fn text(&mut self, text: &str) {
        self.0 = text.chars().take(MOST_CHARS).collect();
    }
}

impl<'de, T: Read> DeserializeSeed<'de> for Value<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<T, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, T: Read> Visitor<'de> for Value<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut read = T::default();
        while let Some(key) = map.next_key::<String>()? {
            read.key(&key, self.0, &mut map)?;
        }
        Ok(read)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        let mut read = T::default();
        while read.item(self.0, &mut items)? {}
        Ok(read)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        let mut read = T::default();
        read.text(text);
        Ok(read)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        let mut read = T::default();
        read.number(number);
        Ok(read)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<T, E> {
        let mut read = T::default();
        read.truth(truth);
        Ok(read)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whatever_else_it_has() {
        let text = r#"{"took": 5, "errors": true, "x": [[{}], null], "items": [
            {"create": {"_id": "a", "status": 201}},
            {"create": {"status": 400, "error": {"type": "t", "reason": "r", "caused_by": {"type": "no"}}}},
            {"create": {"status": 99999, "error": "text"}}, {"index": {"status": 201}}, 7, {}]}"#;
        let item = |status, kind: &str, reason: &str| BulkItem { status, kind: kind.into(), reason: reason.into() };
        let items = vec![
            item(Some(201), "", ""),
            item(Some(400), "t", "r"),
            item(None, "", "text"),
            item(None, "", ""),
            item(None, "", ""),
            item(None, "", ""),
        ];
        assert_eq!(BulkAnswer::parse(text.as_bytes(), 6), Some(BulkAnswer { errors: Some(true), items: Some(items) }));
        assert_eq!(BulkAnswer::parse(text.as_bytes(), 5), None, "more items than asked for");
        for none in ["", "{", "<html>", "{} x", &"[".repeat(100_000)] {
            assert_eq!(BulkAnswer::parse(none.as_bytes(), 5), None, "{none:.20}");
        }
        assert_eq!(BulkAnswer::parse(b"[]", 5), Some(BulkAnswer::default()));
        assert_eq!(BulkAnswer::parse(br#"{"errors":0,"items":{}}"#, 5).unwrap().items, Some(Vec::new()));
    }
}
