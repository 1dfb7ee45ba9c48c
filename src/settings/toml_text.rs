//! TOML text into a table, with all mistakes of syntax at once.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::Mistake;
use super::tree::{Member, Node, Place, Table, Value};

/// # Errors
/// All mistakes of syntax.
pub(super) fn parse(text: &str) -> Result<Table, Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<Mistake> = errors
        .iter()
        .map(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            Mistake::new(Place::at(offset), "", format!("no TOML: {}", error.message()))
        })
        .collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let table = members(table.get_ref(), &mut mistakes);
    if mistakes.is_empty() { Ok(table) } else { Err(mistakes) }
}

fn members(table: &DeTable<'_>, mistakes: &mut Vec<Mistake>) -> Table {
    let member = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let text: &std::borrow::Cow<'_, str> = name.get_ref();
        Member { name: text.to_string(), place: Place::at(name.span().start), node: node(value, mistakes) }
    };
    let mut members: Vec<Member> = table.iter().map(member).collect();
    members.sort_by_key(|member| member.place.offset);
    Table(members)
}

fn node(value: &Spanned<DeValue<'_>>, mistakes: &mut Vec<Mistake>) -> Node {
    let place = Place::at(value.span().start);
    let mut no_number = |text: &str| {
        mistakes.push(Mistake::new(
            place,
            "",
            format!("the number {text} is too large; expected at most {}", i64::MAX),
        ));
        Value::Integer(0)
    };
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => no_number(number.as_str()),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => no_number(number.as_str()),
        },
        DeValue::Boolean(on) => Value::Bool(*on),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(nodes) => Value::List(nodes.iter().map(|value| node(value, mistakes)).collect()),
        DeValue::Table(table) => Value::Table(members(table, mistakes)),
    };
    Node { value, place }
}
