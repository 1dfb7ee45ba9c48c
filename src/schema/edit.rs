//! Renames, removes and inserts keys of lines, whatever the schema.
//!
//! A schema of JSON lines does not know of edits: its line is parsed and written again ([`Edited`]). The other schemas
//! apply the same edits to their fields before they write them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;

use super::Schema;
use super::json::{self, Json, Tree};
use crate::names::Names;
use crate::record::{OwnedValue, Record, Value};

/// Renames, removes and inserts keys in the lines of an output.
///
/// Names are those in the line. A nested key is named by its path with dots, through arrays too: `labels.user_id`,
/// `spans.password`. In [`Otel`](crate::schema::Otel), names are those of attributes; in
/// [`Console`](crate::schema::Console), those of fields.
///
/// Each edit applies to the line as the schema made it, not to the result of another edit. The last of several edits of
/// one name wins. Keys stay unique: an edit that gives a key replaces what has that key, and the last such edit wins.
///
/// ```
/// use spanline::{Output, Stdout};
/// use spanline::schema::Edits;
///
/// Output::new(Stdout::new()).edits(Edits::new().rename("timestamp", "ts").remove("spans").insert("type", "app"));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "edits do nothing until they are given to `Output::edits`"]
pub struct Edits {
    /// By their paths.
    changes: BTreeMap<String, Ranked<Change>>,
    /// The members to insert, in their order.
    inserts: Vec<(String, Ranked<OwnedValue>)>,
    /// The number of the last edit.
    count: usize,
}

/// The edit of a member.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit<'e> {
    Rename(&'e str),
    Remove,
}

/// An edit, and its number from 1: a later one takes precedence.
type Ranked<T> = (usize, T);

#[derive(Clone, Debug)]
enum Change {
    Rename { to: String },
    Remove,
}

impl Edits {
    /// Creates an empty list of edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Renames the member at path `from`, in its place: `rename("labels.user_id", "uid")` gives `labels.uid`.
    pub fn rename(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        let change = Change::Rename { to: to.into() };
        let rank = self.next_rank();
        self.changes.insert(from.into(), (rank, change));
        self
    }

    /// Removes the member at a path.
    pub fn remove(mut self, name: impl Into<String>) -> Self {
        let rank = self.next_rank();
        self.changes.insert(name.into(), (rank, Change::Remove));
        self
    }

    /// Inserts a member at the top level of every line, in place of a member with that name. `None` inserts nothing.
    pub fn insert(mut self, name: impl Into<String>, value: impl Into<OwnedValue>) -> Self {
        let value = value.into();
        if value.as_value().is_some() {
            let rank = self.next_rank();
            self.inserts.push((name.into(), (rank, value)));
        }
        self
    }

    /// Changes the keys that the edits give, for readers that do not accept all.
    pub(super) fn give(mut self, key: fn(&str) -> Cow<'_, str>) -> Self {
        for (_, change) in self.changes.values_mut() {
            if let Change::Rename { to } = change {
                *to = key(to).into_owned();
            }
        }
        self.inserts.iter_mut().for_each(|(name, _)| *name = key(name).into_owned());
        self
    }

    /// Returns a schema with these edits: what [`Output::edits`](crate::Output::edits) does with the output's schema.
    pub fn on(self, schema: impl Schema) -> Box<dyn Schema> {
        let mut inner: Box<dyn Schema> = Box::new(schema);
        if self.is_empty() || inner.edit(&self) {
            return inner;
        }
        Box::new(Edited { inner, editor: Editor::new(self) })
    }

    /// Returns whether there are no edits.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.inserts.is_empty()
    }

    /// Edits a list of names and values, for schemas that do not write JSON objects. `make` turns an inserted value
    /// into an element of the list.
    pub fn apply<'e, T>(&'e self, fields: &mut Vec<(Cow<'e, str>, T)>, make: impl Fn(Value<'e>) -> T) {
        if !self.is_empty() {
            self.apply_at(&mut String::new(), fields, make);
        }
    }

    /// Edits the members of the object at a path, which ends with a dot or is empty.
    fn apply_at<'e, T>(
        &'e self,
        path: &mut String,
        members: &mut Vec<(Cow<'e, str>, T)>,
        make: impl Fn(Value<'e>) -> T,
    ) {
        // For each member, the number of the edit that named it; `None` when it is removed.
        let mut ranks: Vec<Option<usize>> = Vec::with_capacity(members.len());
        let length = path.len();
        for (name, _) in members.iter_mut() {
            path.push_str(name);
            let change = self.changes.get(&**path);
            path.truncate(length);
            ranks.push(match change {
                Some((rank, Change::Rename { to })) => {
                    *name = Cow::Borrowed(to);
                    Some(*rank)
                }
                Some((_, Change::Remove)) => None,
                None => Some(0),
            });
        }
        if path.is_empty() {
            for (name, (rank, value)) in &self.inserts {
                members.extend(value.as_value().map(|value| (Cow::Borrowed(name.as_str()), make(value))));
                ranks.push(Some(*rank));
            }
        }
        let mut highest: Names<&str, usize> = Names::default();
        for ((name, _), rank) in members.iter().zip(&ranks) {
            if let Some(rank @ 1..) = *rank {
                highest.insert(&**name, highest.get(&**name).map_or(rank, |other| other.max(rank)));
            }
        }
        for ((name, _), rank) in members.iter().zip(&mut ranks) {
            *rank = rank.filter(|rank| highest.get(&**name).is_none_or(|highest| *rank == highest));
        }
        drop(highest);
        let mut ranks = ranks.into_iter();
        members.retain(|_| ranks.next().flatten().is_some());
    }

    /// Returns the edit of the member at a path.
    pub(super) fn change(&self, path: &str) -> Option<Edit<'_>> {
        self.changes.get(path).map(|(_, change)| match change {
            Change::Rename { to } => Edit::Rename(to),
            Change::Remove => Edit::Remove,
        })
    }

    /// Returns the keys that edits give.
    pub(super) fn given(&self) -> impl Iterator<Item = &str> {
        let renamed = self.changes.values().filter_map(|(_, change)| match change {
            Change::Rename { to } => Some(to.as_str()),
            Change::Remove => None,
        });
        renamed.chain(self.inserts.iter().map(|(name, _)| name.as_str()))
    }

    /// Returns whether an edit gives the key.
    pub(super) fn gives(&self, key: &str) -> bool {
        self.given().any(|given| given == key)
    }

    /// Returns whether several edits give one key.
    pub(super) fn gives_twice(&self) -> bool {
        let mut keys = Names::default();
        !self.given().all(|key| keys.add(key))
    }

    /// Returns the members to insert, in their order.
    pub(super) fn inserts(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.inserts.iter().filter_map(|(name, (_, value))| Some((name.as_str(), value.as_value()?)))
    }

    /// Returns whether an edit applies inside the member at a path, which ends with a dot.
    pub(super) fn are_inside(&self, path: &str) -> bool {
        let from = (Bound::Included(path), Bound::Unbounded);
        self.changes.range::<str, _>(from).next().is_some_and(|(other, _)| other.starts_with(path))
    }

    fn next_rank(&mut self) -> usize {
        self.count += 1;
        self.count
    }
}

/// A schema whose JSON lines are edited.
struct Edited {
    inner: Box<dyn Schema>,
    editor: Editor,
}

/// Edits the text of JSON lines.
#[derive(Debug)]
pub(super) struct Editor {
    edits: Edits,
    line: Vec<u8>,
    /// The path to what is being edited.
    path: String,
}

/// After a longer line, the buffers are shrunk.
const MAX_KEPT_BYTES: usize = 64 << 10;

/// Deeper values stay as they are: common readers do not read them.
const MAX_DEPTH: usize = 128;

impl Editor {
    pub(super) fn new(edits: Edits) -> Self {
        Self { edits, line: Vec::new(), path: String::new() }
    }

    /// Appends the line that `render` appends, edited. A line that is not JSON stays as it is.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, render: impl FnOnce(&mut Vec<u8>)) {
        self.line.clear();
        render(&mut self.line);
        self.path.clear();
        let text = std::str::from_utf8(&self.line).unwrap_or_default();
        match Tree::of(text) {
            Some(tree) => put_edited(out, tree.root(), &self.edits, &mut self.path, MAX_DEPTH),
            None => out.extend_from_slice(&self.line),
        }
        self.line.shrink_to(MAX_KEPT_BYTES);
        self.path.shrink_to(MAX_KEPT_BYTES);
    }
}

impl Schema for Edited {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.editor.put(out, |line| self.inner.render(record, line));
    }

    fn wants_thread(&self) -> bool {
        self.inner.wants_thread()
    }

    fn forked(&mut self) {
        self.inner.forked();
    }

    fn terminal(&mut self, is_terminal: bool) {
        self.inner.terminal(is_terminal);
    }
}

/// The value of a member.
enum Content<'e> {
    /// A value of the original line, and the name that it has there.
    Original(Json<'e>, &'e str),
    Inserted(Value<'e>),
}

/// Appends a value: an object with edits, an array with edits of the objects in it, or any other value as it is. `path`
/// leads to the value, and ends with a dot unless it is empty.
fn put_edited(out: &mut Vec<u8>, json: Json<'_>, edits: &Edits, path: &mut String, depth: usize) {
    match json.first() {
        b'{' if depth > 0 => {
            let Some(originals) = json.members() else { return out.extend_from_slice(json.text().as_bytes()) };
            let original = |(name, value)| (Cow::Borrowed(name), Content::Original(value, name));
            let mut members: Vec<_> = originals.iter().map(original).collect();
            edits.apply_at(path, &mut members, Content::Inserted);
            let open = out.len();
            out.push(b'{');
            for (name, content) in &members {
                let start = out.len();
                if start > open + 1 {
                    out.push(b',');
                }
                json::put_str(out, name);
                out.push(b':');
                match content {
                    Content::Inserted(value) => json::put_value(out, value),
                    Content::Original(value, name) => {
                        let length = path.len();
                        let has_values = matches!(value.first(), b'{' | b'[');
                        if has_values {
                            path.push_str(name);
                            path.push('.');
                        }
                        if has_values && edits.are_inside(path) {
                            put_edited(out, *value, edits, path, depth - 1);
                            if out.ends_with(b":{}") {
                                // Its edits have removed its members.
                                out.truncate(start);
                            }
                        } else {
                            out.extend_from_slice(value.text().as_bytes());
                        }
                        path.truncate(length);
                    }
                }
            }
            out.push(b'}');
        }
        b'[' if depth > 0 => {
            out.push(b'[');
            for (place, item) in json.items().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                put_edited(out, item, edits, path, depth - 1);
            }
            out.push(b']');
        }
        _ => out.extend_from_slice(json.text().as_bytes()),
    }
}
