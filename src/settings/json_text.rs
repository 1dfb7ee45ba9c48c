//! JSON text into a table. serde_json parses it level by level, so that each value's place is known.

use std::collections::HashSet;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::mistakes::{Mistake, offset_of};
use super::tree::{Member, Node, Place, Table, Value};

/// No setting is deeper. Each level is parsed once for itself and once in each level around it.
const MAX_DEPTH: usize = 16;

/// # Errors
/// The first mistake of syntax, a name that occurs twice, or no object.
pub(super) fn parse(text: &str) -> Result<Table, Vec<Mistake>> {
    let wrong = |mistake| vec![mistake];
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let behind = text.get(start..).unwrap_or_default();
    let raw: &RawValue = serde_json::from_str(behind).map_err(|error| wrong(syntax(text, start, &error)))?;
    let node = Reader { text }.node(raw, 0).map_err(wrong)?;
    match node.value {
        Value::Table(table) => Ok(table),
        _ => Err(wrong(Mistake::new(node.place, "", format!("found {}; expected an object", node.kind())))),
    }
}

fn syntax(text: &str, start: usize, error: &serde_json::Error) -> Mistake {
    let inner = text.get(start..).unwrap_or_default();
    let offset = start + offset_of(inner, error.line(), error.column());
    let whole = error.to_string();
    let message = whole.split(" at line ").next().unwrap_or_default();
    Mistake::new(Place::at(offset), "", format!("no JSON: {message}"))
}

struct Reader<'t> {
    text: &'t str,
}

impl<'t> Reader<'t> {
    fn node(&self, raw: &'t RawValue, depth: usize) -> Result<Node, Mistake> {
        let inner = raw.get();
        let offset = (inner.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let place = Place::at(offset);
        let wrong = |error: serde_json::Error| syntax(self.text, offset, &error);
        if depth > MAX_DEPTH {
            return Err(Mistake::new(place, "", format!("nested too deeply; expected at most {MAX_DEPTH} levels")));
        }
        let value = match inner.bytes().next() {
            Some(b'{') => {
                let Members(raws) = serde_json::from_str(inner).map_err(wrong)?;
                let mut members: Vec<Member> = Vec::with_capacity(raws.len());
                let mut names = HashSet::new();
                for (name, raw) in raws {
                    let node = self.node(raw, depth + 1)?;
                    if !names.insert(name.clone()) {
                        return Err(Mistake::new(node.place, &name, "occurs twice; remove one of them"));
                    }
                    members.push(Member { name, place: node.place, node });
                }
                Value::Table(Table(members))
            }
            Some(b'[') => {
                let raws: Vec<&RawValue> = serde_json::from_str(inner).map_err(wrong)?;
                Value::List(raws.into_iter().map(|raw| self.node(raw, depth + 1)).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Value::Text(serde_json::from_str(inner).map_err(wrong)?),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => return Err(Mistake::new(place, "", "found null; remove the key instead")),
            _ => match inner.parse() {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Float(serde_json::from_str(inner).map_err(wrong)?),
            },
        };
        Ok(Node { value, place })
    }
}

/// The members of an object, in their order.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Each)
    }
}

struct Each;

impl<'t> Visitor<'t> for Each {
    type Value = Members<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            members.push((name, value));
        }
        Ok(Members(members))
    }
}
