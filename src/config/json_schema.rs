//! The JSON Schema of a configuration, for editors: `docs/configuration.schema.json`.

use serde_json::{Map, Value, json};

use super::schemas::SCHEMAS;
use super::sections::{self, Described};
use super::sinks;
use crate::settings::{Kind, LEVELS, Row, UNSET};

const UNSET_DOC: &str = "Keys of the rest of the file that do not apply, each with those around it, such as \
                         `output.file.schema` or `output.debug`. They are unset before the overlay sets anything.";

/// Returns the JSON Schema of a configuration, as this build of spanline reads it.
///
/// Sinks and schemas that a program registers are not in it.
pub fn json_schema() -> String {
    let mut definitions = Map::new();
    let mut root = Map::new();
    for section in sections::all() {
        let schema = table(&section);
        if section.name.is_empty() {
            root = schema;
        } else {
            definitions.insert(section.name, Value::Object(schema));
        }
    }
    definitions.insert("sink".to_owned(), sink());
    let schema = schema(&definitions);
    definitions.insert("schema".to_owned(), schema);
    definitions.insert("secret".to_owned(), secret());
    if let Some(Value::Object(properties)) = root.get_mut("properties") {
        // An overlay has the keys of the whole, except `env`.
        let mut overlay = properties.clone();
        let unset = json!({ "type": "array", "items": { "type": "string" }, "description": UNSET_DOC });
        overlay.insert(UNSET.to_owned(), unset);
        let overlay = json!({ "type": "object", "properties": overlay, "additionalProperties": false });
        definitions.insert("overlay".to_owned(), overlay);
        let env = json!({
            "description": "Overlays for environments: the one that `SPANLINE_ENV` names, or `default`, applies.",
            "type": "object",
            "additionalProperties": { "$ref": "#/$defs/overlay" },
        });
        properties.insert("env".to_owned(), env);
        properties.insert("$schema".to_owned(), json!({ "type": "string" }));
    }
    root.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".to_owned(), "Configuration of spanline".into());
    root.insert("$defs".to_owned(), Value::Object(definitions));
    let mut text = serde_json::to_string_pretty(&root).unwrap_or_default();
    text.push('\n');
    text
}

/// Returns the schema of a section's table.
fn table(section: &Described) -> Map<String, Value> {
    let property = |row: &Row| (row.key.name.to_owned(), property(row));
    let properties: Map<String, Value> = section.rows.iter().map(property).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), Value::Object(properties));
    // An overlay may set only a part of an output.
    let is_required = |row: &&Row| row.key.default.is_empty() && section.name != "output";
    let required: Vec<_> = section.rows.iter().filter(is_required).map(|row| row.key.name).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), false.into());
    schema
}

fn property(row: &Row) -> Value {
    let mut schema = of_kind(&row.key.kind);
    if let Value::Object(schema) = &mut schema {
        let default =
            if row.key.default.is_empty() { String::new() } else { format!(" Default: {}.", row.key.default) };
        schema.insert("description".to_owned(), format!("{}{default}", row.key.doc).into());
    }
    schema
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{}", name.replace(' ', "%20")) })
}

fn of_kind(kind: &Kind) -> Value {
    let text = || json!({ "type": "string" });
    let list = |item: Value| json!({ "type": "array", "items": item });
    let map = |item: Value| json!({ "type": "object", "additionalProperties": item });
    match kind {
        Kind::Text | Kind::Path => text(),
        Kind::Duration => json!({ "type": "string", "examples": ["100 ms", "7 days"] }),
        Kind::Filter => json!({ "type": "string", "examples": ["info,orders::db=debug"] }),
        Kind::Form(example) => json!({ "type": "string", "examples": [example] }),
        Kind::Bytes => json!({ "type": ["string", "integer"], "examples": ["100 MiB"] }),
        Kind::Count => json!({ "type": "integer", "minimum": 0 }),
        Kind::Integer => json!({ "type": "integer" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Level => json!({ "enum": LEVELS.map(|(name, _)| name) }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Secret => reference("secret"),
        Kind::Texts => list(text()),
        Kind::TextMap => map(text()),
        Kind::SecretMap => map(reference("secret")),
        Kind::ValueMap => map(json!({ "type": ["string", "number", "boolean"] })),
        Kind::Section(name) => reference(name),
        Kind::Sections(name) => list(reference(name)),
        Kind::Named(name) => map(reference(name)),
        Kind::OneOf(kinds) => json!({ "anyOf": kinds.iter().map(of_kind).collect::<Vec<_>>() }),
    }
}

/// A sink: a name, or a table that names one. A table without a known name is a sink of the program, or changes a part of
/// a sink in an overlay.
fn sink() -> Value {
    let built = || sinks::all().filter(|kind| kind.open.is_some());
    let names: Vec<_> = built().filter(|kind| kind.stands_alone).map(|kind| kind.name).collect();
    let tables = built().map(|kind| reference(&format!("sink {}", kind.name)));
    let named: Vec<Value> = built().map(|kind| json!({ "required": [kind.name] })).collect();
    let other = json!({ "type": "object", "not": { "anyOf": named } });
    let all: Vec<Value> = std::iter::once(json!({ "enum": names })).chain(tables).chain([other]).collect();
    json!({ "anyOf": all })
}

/// A schema: a name, or a table with the name, its options and edits. A table without a known name is a schema of the
/// program, or changes a part of a schema in an overlay.
fn schema(definitions: &Map<String, Value>) -> Value {
    let names = SCHEMAS.map(|(name, ..)| name);
    let with = |section: &str, key: &str, value: Value| {
        let mut table = definitions.get(section).cloned().unwrap_or_default();
        if let Some(Value::Object(properties)) = table.get_mut("properties") {
            properties.insert(key.to_owned(), value);
            properties.insert("edits".to_owned(), reference("edits"));
        }
        if let Some(table) = table.as_object_mut() {
            table.insert("required".to_owned(), json!([key]));
        }
        table
    };
    let tables = SCHEMAS.iter().map(|(name, section, _)| with(section, "name", json!({ "const": name })));
    let template = with("schema template", "template", json!({ "type": "string" }));
    let other = json!({
        "type": "object",
        "properties": { "name": { "type": "string", "not": { "enum": names } } },
        "not": { "required": ["template"] },
    });
    let all: Vec<Value> = std::iter::once(json!({ "type": "string" })).chain(tables).chain([template, other]).collect();
    json!({ "anyOf": all, "examples": names })
}

fn secret() -> Value {
    let one = |key: &str| json!({ "type": "object", "properties": { key: { "type": "string" } }, "required": [key], "additionalProperties": false });
    json!({ "anyOf": [one("env"), one("file")] })
}
