//! Nested JSON that users logged: written again, with unique keys and the same escapes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::escape::put_str;

/// Deeper values are written as text: common readers stop at 128 levels, including those of the line itself.
pub(super) const MAX_DEPTH: usize = 120;

/// Appends JSON text, escaped again, with the last of several equal keys; text that is not JSON becomes a string.
pub(super) fn put_json(out: &mut Vec<u8>, text: &str, depth: usize) {
    let start = out.len();
    if try_put_json(out, text, depth).is_none() {
        out.truncate(start);
        put_str(out, text);
    }
}

fn try_put_json(out: &mut Vec<u8>, text: &str, depth: usize) -> Option<()> {
    let text = text.trim_ascii();
    match text.as_bytes().first()? {
        b'{' => {
            let Pairs(pairs) = serde_json::from_str(text).ok().filter(|_| depth > 0)?;
            out.push(b'{');
            for (place, (key, value)) in last_of_equal(&pairs).enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                put_str(out, key);
                out.push(b':');
                put_json(out, value, depth - 1);
            }
            out.push(b'}');
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok().filter(|_| depth > 0)?;
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                put_json(out, item.get(), depth - 1);
            }
            out.push(b']');
        }
        b'"' => put_str(out, &serde_json::from_str::<String>(text).ok()?),
        _ => {
            serde_json::from_str::<&RawValue>(text).ok()?;
            // Readers that hold numbers in 64 bits refuse the whole line for a number beyond their range.
            if text.parse::<f64>().is_ok_and(f64::is_infinite) {
                return None;
            }
            out.extend_from_slice(text.as_bytes());
        }
    }
    Some(())
}

/// The members of an object in their order, including equal keys.
pub(in crate::schema) struct Pairs<'a>(pub(in crate::schema) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Key(key), value)) = map.next_entry()? {
                    pairs.push((key, value));
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Returns the last of several members with equal keys, each with its value's text.
pub(in crate::schema) fn last_of_equal<'p>(
    pairs: &'p [(Cow<'p, str>, &'p RawValue)],
) -> impl Iterator<Item = (&'p str, &'p str)> {
    let last: HashMap<&str, usize> = pairs.iter().enumerate().map(|(place, (key, _))| (&**key, place)).collect();
    let pairs = pairs.iter().enumerate();
    pairs
        .filter(move |(place, (key, _))| last.get(&**key) == Some(place))
        .map(|(_, (key, value))| (&**key, value.get()))
}

/// A key, copied only when it has escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}
