//! One table of a configuration, read key by key.

use std::path::PathBuf;
use std::time::Duration;

use tracing::Level;

use super::kind::{Key, Kind};
use super::setters::On;
use super::tree::{Member, Node, Place, Table, Value, key as spelled};
use super::walk::{Row, Walk};
use super::words;
#[cfg(any(feature = "http", feature = "postgres", all(feature = "config", feature = "sealed")))]
use crate::advice::quoted;
use crate::advice::unknown;
use crate::byte_size::ByteSize;
use crate::error::Error;
#[cfg(any(feature = "http", feature = "postgres", all(feature = "config", feature = "sealed")))]
use crate::sink::Secret;

/// One table. Each method reads one key, and adds a mistake if its value is wrong.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    table: &'a Table,
    /// Where the table is.
    place: Place,
    /// The keys around it, with a dot at the end.
    path: String,
    known: Vec<&'static str>,
    /// How many mistakes there were before it.
    mistakes_before: usize,
    walk: &'a mut Walk,
}

impl<'a> Section<'a> {
    pub(crate) fn new(table: &'a Table, place: Place, path: &str, walk: &'a mut Walk) -> Self {
        let path = if path.is_empty() { String::new() } else { format!("{path}.") };
        Self { table, place, path, known: Vec::new(), mistakes_before: walk.mistakes.len(), walk }
    }

    /// Returns whether nothing is read.
    pub(crate) fn is_description(&self) -> bool {
        self.walk.is_description
    }

    pub(crate) fn table(&self) -> &'a Table {
        self.table
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    pub(crate) fn walk(&mut self) -> &mut Walk {
        self.walk
    }

    /// Returns the keys to a name.
    pub(crate) fn path_of(&self, name: &str) -> String {
        format!("{}{}", self.path, spelled(name))
    }

    /// Returns a setter of each key of `target`.
    pub(crate) fn on<T>(&mut self, target: T) -> On<'_, 'a, T> {
        On::new(self, target)
    }

    /// Adds a mistake about a key, at its value, or at the table if it is missing.
    pub(crate) fn mistake(&mut self, name: &str, message: impl Into<String>) {
        let place = self.table.get(name).map_or(self.place, |node| node.place);
        let path = if name.is_empty() { self.path.trim_end_matches('.').to_owned() } else { self.path_of(name) };
        self.walk.mistake(place, path, message);
    }

    /// Adds a mistake that the setter of a key has found.
    pub(crate) fn refuse(&mut self, name: &str, error: &Error) {
        self.mistake(name, format!("{error:#}"));
    }

    /// Returns whether the section is read, and has no mistake so far.
    pub(crate) fn is_right(&self) -> bool {
        !self.walk.is_description && self.walk.mistakes.len() == self.mistakes_before
    }

    /// Adds a mistake if settings do not fit together. After another mistake, they are not checked.
    pub(crate) fn check(&mut self, result: impl FnOnce() -> Result<(), Error>) {
        if self.is_right()
            && let Err(error) = result()
        {
            self.refuse("", &error);
        }
    }

    /// Reads the value of a key.
    pub(crate) fn value<V>(&mut self, key: Key, parse: impl FnOnce(&'a Node) -> Result<V, String>) -> Option<V> {
        let (name, is_required) = (key.name, key.default.is_empty());
        let what = key.kind.expected();
        let node = self.ask(key);
        let Some(node) = node else {
            if is_required && !self.walk.is_description {
                self.mistake(name, format!("`{name}` is missing; expected {what}"));
            }
            return None;
        };
        match parse(node) {
            Ok(value) => Some(value),
            Err(message) => {
                self.mistake(name, message);
                None
            }
        }
    }

    /// Notes that a key is known, and returns its value.
    pub(crate) fn ask(&mut self, key: Key) -> Option<&'a Node> {
        self.known.push(key.name);
        let node = self.table.get(key.name);
        let is_leaf = !matches!(key.kind, Kind::Section(_) | Kind::Sections(_) | Kind::Named(_))
            || node.is_none_or(|node| node.table().is_none());
        if is_leaf || self.walk.is_description {
            let value = node.map(|node| (shown(&key, node), node.place));
            self.walk.rows.push(Row { path: self.path_of(key.name), key, value });
        }
        node
    }

    /// Reads a value of the type that `take` accepts.
    fn typed<V>(&mut self, key: Key, take: impl FnOnce(&'a Value) -> Option<V>) -> Option<V> {
        let expected = key.kind.expected();
        self.value(key, |node| take(&node.value).ok_or_else(|| wrong(node, &expected)))
    }

    pub(crate) fn text(&mut self, key: Key) -> Option<String> {
        self.typed(key, |value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    pub(crate) fn bool(&mut self, key: Key) -> Option<bool> {
        self.typed(key, |value| match value {
            Value::Bool(on) => Some(*on),
            _ => None,
        })
    }

    /// Reads a whole number that fits into `N`.
    pub(crate) fn count<N: TryFrom<i64>>(&mut self, key: Key) -> Option<N> {
        let expected = key.kind.expected();
        self.value(key, |node| match &node.value {
            Value::Integer(number) => {
                N::try_from(*number).map_err(|_| format!("{number} is out of range; expected {expected}"))
            }
            _ => Err(wrong(node, &expected)),
        })
    }

    pub(crate) fn bytes(&mut self, key: Key) -> Option<ByteSize> {
        let expected = key.kind.expected();
        self.value(key, |node| match &node.value {
            Value::Integer(number) => u64::try_from(*number)
                .map(ByteSize::new)
                .map_err(|_| format!("{number} is negative; expected {expected}")),
            Value::Text(text) => text.parse::<ByteSize>().map_err(|error| error.to_string()),
            _ => Err(wrong(node, &expected)),
        })
    }

    pub(crate) fn duration(&mut self, key: Key) -> Option<Duration> {
        let expected = key.kind.expected();
        self.value(key, |node| match &node.value {
            Value::Text(text) => words::duration(text),
            Value::Integer(number) => Err(format!("{number} has no unit; expected {}", words::DURATION)),
            _ => Err(wrong(node, &expected)),
        })
    }

    pub(crate) fn level(&mut self, key: Key) -> Option<Level> {
        self.word(key, &LEVELS)
    }

    /// Reads one of some words.
    pub(crate) fn word<V: Copy>(&mut self, key: Key, words: &[(&'static str, V)]) -> Option<V> {
        let (name, expected) = (key.name, key.kind.expected());
        self.value(key, |node| {
            let text = node.text().ok_or_else(|| wrong(node, &expected))?;
            let names = words.iter().map(|(word, _)| *word);
            let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            found.map(|(_, value)| *value).ok_or_else(|| unknown(name, text, names, &[("warning", "warn")]))
        })
    }

    pub(crate) fn path(&mut self, key: Key) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    pub(crate) fn texts(&mut self, key: Key) -> Option<Vec<String>> {
        let expected = key.kind.expected();
        self.value(key, |node| match &node.value {
            Value::List(nodes) => nodes.iter().map(text_of).collect(),
            _ => Err(wrong(node, &expected)),
        })
    }

    /// Reads a table of texts.
    pub(crate) fn text_map(&mut self, key: Key) -> Option<Vec<(String, String)>> {
        let members = self.members(key)?;
        let mut texts = Vec::new();
        for (path, member) in members {
            match text_of(&member.node) {
                Ok(text) => texts.push((member.name.clone(), text)),
                Err(message) => self.walk.mistake(member.node.place, path, message),
            }
        }
        Some(texts)
    }

    /// Reads a table: its members, each with its path.
    pub(crate) fn members(&mut self, key: Key) -> Option<Vec<(String, &'a Member)>> {
        let (path, expected) = (self.path_of(key.name), key.kind.expected());
        self.value(key, |node| match &node.value {
            Value::Table(table) => {
                Ok(table.0.iter().map(|member| (format!("{path}.{}", spelled(&member.name)), member)).collect())
            }
            _ => Err(wrong(node, &expected)),
        })
    }

    /// Reads where a secret is.
    #[cfg(any(feature = "http", feature = "postgres", all(feature = "config", feature = "sealed")))]
    pub(crate) fn secret(&mut self, key: Key) -> Option<Secret> {
        self.value(key, secret_of)
    }

    /// Reads a table of secrets.
    #[cfg(feature = "http")]
    pub(crate) fn secret_map(&mut self, key: Key) -> Option<Vec<(String, Secret)>> {
        let members = self.members(key)?;
        let mut secrets = Vec::new();
        for (path, member) in members {
            match secret_of(&member.node) {
                Ok(secret) => secrets.push((member.name.clone(), secret)),
                Err(message) => self.walk.mistake(member.node.place, path, message),
            }
        }
        Some(secrets)
    }

    /// Reads a table with `read`, which is not called if there is none.
    pub(crate) fn inner<V>(&mut self, key: Key, read: impl FnOnce(&mut Section<'_>) -> V) -> Option<V> {
        let (path, expected) = (self.path_of(key.name), key.kind.expected());
        let node = self.value(key, Ok)?;
        let Some(table) = node.table() else {
            self.walk.mistake(node.place, path, wrong(node, &expected));
            return None;
        };
        Some(within(table, node.place, &path, self.walk, read))
    }

    /// Reads each table of a list, or of a table of tables, with `read`.
    pub(crate) fn each(&mut self, key: Key, mut read: impl FnMut(&str, &mut Section<'_>)) {
        let (path, expected) = (self.path_of(key.name), key.kind.expected());
        let is_list = matches!(key.kind, Kind::Sections(_));
        let Some(node) = self.value(key, Ok) else { return };
        let items: Vec<(String, &str, &Node)> = match &node.value {
            Value::List(nodes) if is_list => {
                nodes.iter().enumerate().map(|(at, node)| (format!("{path}[{at}]"), "", node)).collect()
            }
            Value::Table(Table(members)) if !is_list => {
                let item =
                    |member: &'a Member| (format!("{path}.{}", spelled(&member.name)), &*member.name, &member.node);
                members.iter().map(item).collect()
            }
            _ => return self.walk.mistake(node.place, path, wrong(node, &expected)),
        };
        for (path, name, node) in items {
            if self.walk.is_full() {
                return;
            }
            match node.table() {
                Some(table) => within(table, node.place, &path, self.walk, |section| read(name, section)),
                None => self.walk.mistake(node.place, path, wrong(node, "a table")),
            }
        }
    }

    /// Adds a mistake for each key that was not asked for.
    pub(crate) fn finish(self) {
        let Self { table, path, known, walk, .. } = self;
        if walk.is_description {
            return;
        }
        for member in table.0.iter().filter(|member| !known.contains(&member.name.as_str())) {
            if walk.is_full() {
                return;
            }
            let message = unknown("key", &member.name, known.iter().copied(), &[]);
            walk.mistake(member.place, format!("{path}{}", spelled(&member.name)), message);
        }
    }
}

/// Reads a table, and reports its unknown keys.
pub(crate) fn within<V>(
    table: &Table,
    place: Place,
    path: &str,
    walk: &mut Walk,
    read: impl FnOnce(&mut Section<'_>) -> V,
) -> V {
    let mut section = Section::new(table, place, path, walk);
    let value = read(&mut section);
    section.finish();
    value
}

pub(crate) const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

/// Returns what a value is and what it should be.
pub(crate) fn wrong(node: &Node, expected: &str) -> String {
    format!("found {}; expected {expected}", node.kind())
}

fn text_of(node: &Node) -> Result<String, String> {
    node.text().map(str::to_owned).ok_or_else(|| wrong(node, "a text"))
}

/// # Errors
/// The secret itself is there, which the error does not repeat, or something else.
#[cfg(any(feature = "http", feature = "postgres", all(feature = "config", feature = "sealed")))]
fn secret_of(node: &Node) -> Result<Secret, String> {
    let expected = Kind::Secret.expected();
    if node.text().is_some() {
        return Err(format!("a secret does not belong in this file; expected where it is: {expected}"));
    }
    let members = node.table().map(|table| table.0.as_slice());
    let Some([member]) = members else { return Err(format!("expected {expected}")) };
    match (member.name.as_str(), member.node.text()) {
        ("env", Some(name)) => Ok(Secret::variable(name)),
        ("file", Some(path)) => Ok(Secret::file(path)),
        (name, _) => Err(format!("found {}; expected {expected}", quoted(name))),
    }
}

/// Returns a value as it is shown: without the secrets that headers and URLs may have.
fn shown(key: &Key, node: &Node) -> String {
    match (&key.kind, &node.value) {
        (Kind::Secret, Value::Text(_)) => "(a secret)".to_owned(),
        (Kind::TextMap, Value::Table(table)) if key.name == "headers" => {
            let names: Vec<_> = table.0.iter().map(|member| format!("{} = …", spelled(&member.name))).collect();
            format!("{{ {} }}", names.join(", "))
        }
        (_, Value::Text(text)) if text.contains("://") && text.contains(['@', '?']) => "\"…\"".to_owned(),
        _ => node.shown().into_owned(),
    }
}
