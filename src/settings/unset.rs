//! What an overlay takes away: `unset = ["filter", "output.file.schema"]`.
//!
//! Each text is a key with those around it, spelled as in TOML and in errors. It must be set in the rest of the text. All of
//! them are taken away before the overlay sets anything.

use std::collections::HashSet;

use super::mistakes::Mistake;
use super::section::wrong;
use super::toml_text;
use super::tree::{Node, Place, Table, Value, key};
use crate::advice::{nearest, quoted};

/// After more mistakes, no nearest key is looked for.
const MAX_MISTAKES: usize = 100;

/// What an item of the list is.
const EXPECTED: &str = "a key with those around it, such as `output.file.schema`";

/// Takes the keys of `list` out of `table`. Returns them as errors spell them, each with its place in the list.
///
/// `path`: the key of the list.
pub(super) fn unset(table: &mut Table, list: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Vec<(String, Place)> {
    let Value::List(items) = &list.value else {
        mistakes.push(Mistake::new(list.place, path, wrong(list, "a list of keys, such as `[\"filter\"]`")));
        return Vec::new();
    };
    let known = paths(table);
    let mut found = Vec::new();
    for item in items {
        let key = spelled(item).and_then(|key| if known.contains(&key) { Ok(key) } else { Err(not_set(&key, &known)) });
        match key {
            Ok(key) => found.push((key, item.place)),
            Err(message) => mistakes.push(Mistake::new(item.place, path, message)),
        }
        if mistakes.len() > MAX_MISTAKES {
            return Vec::new();
        }
    }
    let keys: HashSet<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    take_away(table, "", &keys);
    found
}

fn not_set(key: &str, known: &HashSet<String>) -> String {
    let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
    known.sort_unstable();
    let meant = nearest(key, 2, known.into_iter().map(|path| (path, path)));
    let meant = meant.map_or(String::new(), |meant| format!("; did you mean {}?", quoted(meant)));
    format!("{} is not set outside the environments, so it cannot be unset{meant}", quoted(key))
}

/// Returns a key as errors spell it.
///
/// # Errors
/// The value is no key.
fn spelled(item: &Node) -> Result<String, String> {
    let text = item.text().ok_or_else(|| wrong(item, EXPECTED))?;
    let no_key = || format!("{} is no key; expected {EXPECTED}", quoted(text));
    // As TOML reads it in front of a value.
    let line = format!("{text} = 0");
    let mut table = if text.contains('\n') { None } else { toml_text::parse(&line).ok() }.ok_or_else(no_key)?;
    let mut names = Vec::new();
    loop {
        let member = table.0.pop().filter(|_| table.0.is_empty()).ok_or_else(no_key)?;
        names.push(key(&member.name).into_owned());
        match member.node.value {
            Value::Table(inner) => table = inner,
            _ => return Ok(names.join(".")),
        }
    }
}

/// Returns all keys that are set, each with those around it.
fn paths(table: &Table) -> HashSet<String> {
    let mut paths = HashSet::new();
    let mut tables = vec![(String::new(), table)];
    while let Some((before, table)) = tables.pop() {
        for member in &table.0 {
            let path = format!("{before}{}", key(&member.name));
            if let Some(inner) = member.node.table() {
                tables.push((format!("{path}."), inner));
            }
            paths.insert(path);
        }
    }
    paths
}

fn take_away(table: &mut Table, before: &str, keys: &HashSet<&str>) {
    table.0.retain_mut(|member| {
        let path = format!("{before}{}", key(&member.name));
        let stays = !keys.contains(path.as_str());
        if let Value::Table(inner) = &mut member.node.value
            && stays
        {
            take_away(inner, &format!("{path}."), keys);
        }
        stays
    });
}
