//! The section of an output's schema: its name, its options, and edits.

use super::schema_options as options;
use crate::advice::unknown;
use crate::record::OwnedValue;
use crate::schema::{Edits, Schema, Template};
use crate::settings::{Key, Kind, Node, Place, Section, Settings, Table, Value, Walk};

/// What a schema section gives.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) schema: Option<Box<dyn Schema>>,
    pub(super) edits: Option<Edits>,
}

type Make = fn(&mut Section<'_>) -> Box<dyn Schema>;

/// The schemas by name, each with the section of its options.
pub(super) const SCHEMAS: [(&str, &str, Make); 15] = [
    ("flat", "schema flat", options::flat),
    ("nested", "schema nested", options::nested),
    ("ecs", "schema ecs", options::ecs),
    ("gcp", "schema gcp", options::gcp),
    ("datadog", "schema datadog", options::datadog),
    ("otel", "schema otel", options::otel),
    ("bunyan", "schema bunyan", options::bunyan),
    ("pino", "schema pino", options::pino),
    ("lambda", "schema lambda", options::lambda),
    ("gelf", "schema gelf", options::gelf),
    ("splunk", "schema splunk", options::splunk),
    ("logfmt", "schema logfmt", options::logfmt),
    ("console", "schema console", options::console),
    ("compact", "schema console", options::compact),
    ("pretty", "schema console", options::pretty),
];

/// What people call a schema, and its name.
const ALIASES: &[(&str, &str)] = &[
    ("json", "flat"),
    ("elastic", "ecs"),
    ("stackdriver", "gcp"),
    ("otlp", "otel"),
    ("aws", "lambda"),
    ("graylog", "gelf"),
    ("text", "console"),
];

/// Reads a schema: its name, or a table.
pub(super) fn read(node: &Node, path: &str, walk: &mut Walk) -> Chosen {
    match &node.value {
        Value::Text(name) => {
            let empty = Table::default();
            let mut section = Section::new(&empty, node.place, path, walk);
            Chosen { schema: by_name(name, node.place, &mut section), edits: None }
        }
        Value::Table(table) => {
            let mut section = Section::new(table, node.place, path, walk);
            let chosen = of_table(&mut section);
            section.finish();
            chosen
        }
        _ => {
            walk.mistake(
                node.place,
                path,
                format!("found {}; expected a schema's name, or a table with `name`", node.kind()),
            );
            Chosen::default()
        }
    }
}

fn of_table(section: &mut Section<'_>) -> Chosen {
    let name = section.text(Key::new("name", Kind::Text, "the sink's, or `flat`", "The schema's name."));
    let template = if name.is_some() { None } else { template(section) };
    let place = section.table().get("name").map_or(section.place(), |node| node.place);
    let schema = name.and_then(|name| by_name(&name, place, section)).or(template);
    let edits = section.inner(Key::new("edits", Kind::Section("edits"), "none", "Changes of keys."), edits);
    Chosen { schema, edits }
}

fn by_name(name: &str, place: Place, section: &mut Section<'_>) -> Option<Box<dyn Schema>> {
    if let Some(make) = section.walk().registered.schema(name).cloned() {
        return match (make.0)(&mut Settings::new(section)) {
            Ok(schema) => Some(schema),
            Err(error) => {
                section.refuse("", &error);
                None
            }
        };
    }
    if let Some((_, _, make)) = SCHEMAS.iter().find(|(known, ..)| *known == name) {
        return Some(make(section));
    }
    let path = section.path_of("name");
    let walk = section.walk();
    let own: Vec<String> = walk.registered.schemas.iter().map(|(name, _)| name.clone()).collect();
    let names = SCHEMAS.iter().map(|(name, ..)| *name).chain(own.iter().map(String::as_str));
    let message = unknown("schema", name, names, ALIASES);
    walk.mistake(place, path.trim_end_matches(".name"), message);
    None
}

/// Reads a template and its options, if there is one.
pub(super) fn template(section: &mut Section<'_>) -> Option<Box<dyn Schema>> {
    let doc = "Lines as this text describes them, in place of a name.";
    let is_set = section.table().get("template").is_some();
    let text = section.text(Key::new("template", Kind::Form("{time} {level} {message}"), "none", doc));
    if !is_set && !section.is_description() {
        return None;
    }
    match Template::new(text.as_deref().unwrap_or_default()) {
        Ok(template) => options::template(section, template),
        Err(error) => {
            if text.is_some() && !section.is_description() {
                section.refuse("template", &error);
            }
            // Its options are checked all the same.
            options::template(section, Template::new("{message}").ok()?)
        }
    }
}

/// Reads edits.
pub(super) fn edits(section: &mut Section<'_>) -> Edits {
    let rename = "Members to rename in their place: the path, and the new name.";
    let remove = "Paths of members to remove.";
    let insert = "Members to insert at the top level of each line, each with its value.";
    section
        .on(Edits::new())
        .text_map("rename", "none", rename, |edits, names| {
            names.into_iter().fold(edits, |edits, (from, to)| edits.rename(from, to))
        })
        .texts("remove", "none", remove, |edits, names| names.into_iter().fold(edits, Edits::remove))
        .with(|edits, section| {
            let values =
                values(section, Key::new("insert", Kind::ValueMap, "none", insert), &|text| Ok(text.to_owned()));
            values.into_iter().fold(edits, |edits, (name, value)| edits.insert(name, value))
        })
        .done()
}

/// Reads a table of values of any type. `text` changes those that are texts.
pub(super) fn values(
    section: &mut Section<'_>,
    key: Key,
    text: &dyn Fn(&str) -> Result<String, String>,
) -> Vec<(String, OwnedValue)> {
    let mut values = Vec::new();
    for (path, member) in section.members(key).unwrap_or_default() {
        let value = match &member.node.value {
            Value::Text(found) => text(found).map(OwnedValue::from),
            Value::Integer(number) => Ok((*number).into()),
            Value::Float(number) => Ok((*number).into()),
            Value::Bool(on) => Ok((*on).into()),
            Value::List(_) | Value::Table(_) => {
                Err(format!("found {}; expected a text, a number, true or false", member.node.kind()))
            }
        };
        match value {
            Ok(value) => values.push((member.name.clone(), value)),
            Err(message) => section.walk().mistake(member.node.place, path, message),
        }
    }
    values
}
