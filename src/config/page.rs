//! The page `docs/configuration.md`: what stands before the tables, and the tables.

use std::fmt::Write;

use super::log::{AT_RUN_TIME, ONLY_IN_CODE};
use super::sections::{self, Described};
use super::sinks;
use crate::settings::{Kind, Row};

/// What the page says before its tables.
const HEAD: &str = include_str!("page_head.md");

/// Returns the page on configuration, as Markdown: `docs/configuration.md`.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    let all = sections::all();
    for section in &all {
        put_section(section, &all, &mut page);
    }
    page += "\n## Only in code\n\nThese settings have no key:\n\n| setting | why |\n|---|---|\n";
    for (setting, why) in ONLY_IN_CODE {
        let _ = writeln!(page, "| `{setting}` | {why} |");
    }
    page += "\n[configuration_in_code]: configuration-in-code.md\n[control]: control.md\n[filters]: filters.md\n[schemas]: schemas.md\n[sinks]: sinks.md\n";
    page
}

/// Sinks whose keys other sinks have too, and those sinks.
const BASES: [(&str, &[&str]); 2] = [
    ("file", &["route"]),
    ("http", &["loki", "elastic", "splunk_hec", "datadog", "clickhouse", "clickhouse_before_22_2", "otlp"]),
];

/// Returns the sink whose keys the sink of a section has too; empty if there is none.
fn base(section: &str) -> &'static str {
    let name = section.strip_prefix("sink ").unwrap_or_default();
    BASES.iter().find(|(_, others)| others.contains(&name)).map_or("", |(base, _)| base)
}

/// Returns whether the page describes a key with another sink.
fn is_shared(section: &Described, row: &Row, all: &[Described]) -> bool {
    let base = format!("sink {}", base(&section.name));
    let rows = all.iter().filter(|other| other.name == base).flat_map(|other| &other.rows);
    rows.map(|other| &other.key).any(|key| (key.name, key.doc) == (row.key.name, row.key.doc))
}

fn put_section(section: &Described, all: &[Described], page: &mut String) {
    let feature =
        sinks::all().find(|kind| section.name.strip_prefix("sink ") == Some(kind.name)).map_or("", |kind| kind.feature);
    let heading = match section.name.as_str() {
        "" => "The whole log".to_owned(),
        "output" => "An output: `[output.NAME]`".to_owned(),
        name => match name.split_once(' ') {
            Some(("sink", name)) => format!("The sink `{name}`"),
            Some(("schema", "template")) => "Lines from a template".to_owned(),
            Some(("schema", "console")) => "The schemas `console`, `compact` and `pretty`".to_owned(),
            Some(("schema", name)) => format!("The schema `{name}`"),
            _ => format!("The table `{name}`"),
        },
    };
    let _ = writeln!(page, "\n## {heading}\n");
    if !feature.is_empty() {
        let _ = writeln!(page, "Needs the feature `{feature}`.\n");
    }
    if section.name.starts_with("sink ") {
        let _ = writeln!(page, "In `sink = {{ … }}`.\n");
    }
    let (rows, shared): (Vec<&Row>, Vec<&Row>) = section.rows.iter().partition(|row| !is_shared(section, row, all));
    let is_top = section.name.is_empty();
    *page += if is_top {
        "| key | value | default | at run time | effect |\n|---|---|---|---|---|\n"
    } else {
        "| key | value | default | effect |\n|---|---|---|---|\n"
    };
    for row in rows {
        let key = &row.key;
        let default = if key.default.is_empty() { "must be set" } else { key.default };
        let run_time = match (is_top, AT_RUN_TIME.contains(&key.name)) {
            (true, true) => " yes |",
            (true, false) => " |",
            (false, _) => "",
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |{run_time} {} |",
            key.name,
            cell(&value(&key.kind)),
            cell(default),
            cell(key.doc)
        );
    }
    if !shared.is_empty() {
        let (base, keys) = (base(&section.name), shared.iter().map(|row| format!("`{}`", row.key.name)));
        let _ = writeln!(page, "\nIt also has these keys of `{base}`: {}.", keys.collect::<Vec<_>>().join(", "));
    }
}

/// Returns what a value is, with a link to its section.
fn value(kind: &Kind) -> String {
    match kind {
        Kind::Section("sink") => "a sink".to_owned(),
        Kind::Section("schema") => "a schema".to_owned(),
        Kind::Section(name) => format!("the table `{name}`"),
        Kind::Sections(name) => format!("a list of tables `{name}`"),
        Kind::Named(name) => format!("tables `{name}`"),
        Kind::OneOf(kinds) => kinds.iter().map(value).collect::<Vec<_>>().join(", or "),
        kind => kind.expected(),
    }
}

/// Returns a text for a cell: `<` and `|` have a meaning in Markdown.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
