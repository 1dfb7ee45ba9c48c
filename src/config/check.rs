//! Checks and explains a file without starting a log, for the tool.

use std::path::Path;

use super::apply::read;
use super::source;
use crate::builder::builder;
use crate::error::Error;
use crate::settings::{Place, Text, Walk, environments};

/// A setting, the value in force, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// The key with those around it, such as `output.file.queue_bytes`.
    pub key: String,
    /// The value as TOML, or the default in words.
    pub value: String,
    /// `default`, the place in the file, or the variable. A default may say where an overlay has unset the key.
    pub source: String,
}

/// Checks a configuration file with each of its environments.
///
/// Sinks and schemas that a program registers are unknown here. Nothing is opened.
///
/// # Errors
/// The file cannot be read, or has mistakes: the error lists all of them.
pub fn check(path: impl AsRef<Path>) -> Result<(), Error> {
    let text = source::read(path.as_ref(), true)?;
    let table = text.parse()?;
    let mut all = Vec::new();
    for environment in std::iter::once(None).chain(environments(&table).into_iter().map(Some)) {
        let read = read(&text, environment.as_deref(), only_check(), builder())?;
        for mistake in read.walk.mistakes {
            if !all.contains(&mistake) {
                all.push(mistake);
            }
        }
    }
    if all.is_empty() { Ok(()) } else { Err(text.error(all)) }
}

/// Returns each setting that a program with this file has, with its value and its source.
///
/// `path`: the file; `None` for the one that `SPANLINE_CONFIG` names, or none. `environment`: the selected one; `None` for
/// that of `SPANLINE_ENV`. What the program's code sets is not known here, and shown as a default.
///
/// # Errors
/// As [`check`], for the selected environment.
pub fn explain(path: Option<&Path>, environment: Option<&str>) -> Result<Vec<Explained>, Error> {
    let variable = source::variable(source::ENVIRONMENT)?;
    let environment = environment.or(variable.as_deref());
    let text = match path {
        Some(path) => source::read(path, true)?,
        None => match source::variable(source::CONFIG)? {
            Some(path) => source::read(&source::path(&path, environment)?, true)?,
            None => Text { name: "none".to_owned(), text: String::new(), is_json: false },
        },
    };
    let read = read(&text, environment, only_check(), builder())?;
    if !read.walk.mistakes.is_empty() {
        return Err(text.error(read.walk.mistakes));
    }
    let overlay = read.selected.name.map_or(String::new(), |name| format!(" [env.{name}]"));
    let unset = &read.selected.unset;
    let place_of = |(_, place): &(String, Place)| {
        let (line, _) = text.line_and_column(place.offset);
        format!("default, unset by {}:{line}{overlay}", text.name)
    };
    let unset_at = |path: &str| {
        let has = |(key, _): &&(String, Place)| path.strip_prefix(key.as_str()).is_some_and(is_below);
        unset.iter().find(has).map(place_of)
    };
    let mut rust_log = Some("RUST_LOG".to_owned());
    let mut explained: Vec<Explained> = Vec::new();
    for row in read.walk.rows {
        let is_set = row.value.is_some();
        let (value, source) = match row.value {
            Some((value, place)) => {
                let (line, _) = text.line_and_column(place.offset);
                let overlay = if place.is_overlay { overlay.as_str() } else { "" };
                (value, format!("{}:{line}{overlay}", text.name))
            }
            None => (row.key.default.to_owned(), unset_at(&row.path).unwrap_or_else(|| "default".to_owned())),
        };
        if row.path == "filter_variable" && is_set {
            rust_log = value.strip_prefix('"').and_then(|name| name.strip_suffix('"')).map(str::to_owned);
        }
        explained.push(Explained { key: row.path, value, source });
    }
    // What is gone as a whole, such as an output, has no row.
    for one @ (key, _) in unset {
        let has = |setting: &Explained| setting.key.strip_prefix(key.as_str()).is_some_and(is_below);
        if !explained.iter().any(has) {
            explained.push(Explained { key: key.clone(), value: "none".to_owned(), source: place_of(one) });
        }
    }
    if let Some(name) = rust_log
        && let Some(value) = source::variable(&name)?
        && let Some(filter) = explained.iter_mut().find(|setting| setting.key == "filter")
    {
        (filter.value, filter.source) = (format!("{value:?}"), format!("the variable {name}"));
    }
    Ok(explained)
}

/// Returns whether a key goes on like this below another one, or ends.
fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('.')
}

fn only_check() -> Walk {
    Walk { is_check: true, ..Walk::default() }
}
