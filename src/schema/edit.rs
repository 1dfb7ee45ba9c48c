//! Renames, removes and inserts keys of lines, whatever the schema.
//!
//! A schema of JSON lines does not know of edits: its line is parsed and written again ([`Edited`]). The other schemas
//! apply the same edits to their fields before they write them.

use std::borrow::Cow;

use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::Schema;
use super::json::{self, Pairs};
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
pub struct Edits(Vec<Edit>);

#[derive(Clone, Debug)]
enum Edit {
    Rename { from: String, to: String },
    Remove { from: String },
    Insert { name: String, value: OwnedValue },
}

impl Edits {
    /// Creates an empty list of edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Renames the member at path `from`, in its place: `rename("labels.user_id", "uid")` gives `labels.uid`.
    pub fn rename(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.0.push(Edit::Rename { from: from.into(), to: to.into() });
        self
    }

    /// Removes the member at a path.
    pub fn remove(mut self, name: impl Into<String>) -> Self {
        self.0.push(Edit::Remove { from: name.into() });
        self
    }

    /// Inserts a member at the top level of every line, in place of a member with that name. `None` inserts nothing.
    pub fn insert(mut self, name: impl Into<String>, value: impl Into<OwnedValue>) -> Self {
        let value = value.into();
        if value.as_value().is_some() {
            self.0.push(Edit::Insert { name: name.into(), value });
        }
        self
    }

    /// Returns a schema with these edits: what [`Output::edits`](crate::Output::edits) does with the output's schema.
    pub fn on(self, schema: impl Schema) -> Box<dyn Schema> {
        let mut inner: Box<dyn Schema> = Box::new(schema);
        if self.is_empty() || inner.edit(&self) {
            return inner;
        }
        Box::new(Edited { inner, edits: self, line: Vec::new() })
    }

    /// Returns whether there are no edits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Edits a list of names and values, for schemas that do not write JSON objects. `make` turns an inserted value
    /// into an element of the list.
    pub fn apply<'e, T>(&'e self, fields: &mut Vec<(Cow<'e, str>, T)>, make: impl Fn(Value<'e>) -> T) {
        if !self.is_empty() {
            apply(&self.steps(), fields, make);
        }
    }

    fn steps(&self) -> Steps<'_> {
        self.0.iter().map(|edit| (edit.path(), edit)).collect()
    }
}

/// Edits of one object, each with its path from there.
type Steps<'e> = SmallVec<[(&'e str, &'e Edit); 8]>;

fn apply<'e, T>(steps: &[(&'e str, &'e Edit)], members: &mut Vec<(Cow<'e, str>, T)>, make: impl Fn(Value<'e>) -> T) {
    // For each member, the number of the edit that named it, from 1; `None` when it is removed.
    let mut ranks: Vec<Option<usize>> = Vec::with_capacity(members.len());
    for (name, _) in members.iter_mut() {
        let last = steps.iter().enumerate().rev().find(|(_, (path, edit))| *path == *name && !edit.is_insert());
        ranks.push(match last {
            Some((number, (_, Edit::Rename { to, .. }))) => {
                *name = Cow::Borrowed(to);
                Some(number + 1)
            }
            Some(_) => None,
            None => Some(0),
        });
    }
    for (number, (name, edit)) in steps.iter().enumerate() {
        if let Edit::Insert { value, .. } = edit
            && let Some(value) = value.as_value()
        {
            members.push((Cow::Borrowed(name), make(value)));
            ranks.push(Some(number + 1));
        }
    }
    for winner in 0..members.len() {
        let Some(rank @ 1..) = ranks[winner] else { continue };
        for loser in 0..members.len() {
            if ranks[loser].is_some_and(|other| other < rank) && members[loser].0 == members[winner].0 {
                ranks[loser] = None;
            }
        }
    }
    let mut ranks = ranks.into_iter();
    members.retain(|_| ranks.next().flatten().is_some());
}

impl Edit {
    fn path(&self) -> &str {
        match self {
            Edit::Rename { from, .. } | Edit::Remove { from } => from,
            Edit::Insert { name, .. } => name,
        }
    }

    fn is_insert(&self) -> bool {
        matches!(self, Edit::Insert { .. })
    }
}

/// A schema whose JSON lines are edited.
struct Edited {
    inner: Box<dyn Schema>,
    edits: Edits,
    line: Vec<u8>,
}

/// After a longer line, the buffer is shrunk.
const MAX_KEPT_BYTES: usize = 64 << 10;

impl Schema for Edited {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.line.clear();
        self.inner.render(record, &mut self.line);
        let start = out.len();
        let text = std::str::from_utf8(&self.line).unwrap_or_default();
        if put_edited(out, text, &self.edits.steps()).is_none() {
            out.truncate(start);
            out.extend_from_slice(&self.line);
        }
        self.line.shrink_to(MAX_KEPT_BYTES);
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
    /// The original text, with edits that apply further inside.
    Raw(&'e str, Steps<'e>),
    Inserted(Value<'e>),
}

/// Appends an edited object, or the objects of an array; returns `None` for other text.
fn put_edited(out: &mut Vec<u8>, text: &str, steps: &[(&str, &Edit)]) -> Option<()> {
    match text.as_bytes().first()? {
        b'{' => {
            let Pairs(pairs) = serde_json::from_str(text).ok()?;
            let mut members = Vec::with_capacity(pairs.len() + steps.len());
            for (name, value) in pairs {
                let inside = steps.iter().filter(|(_, edit)| !edit.is_insert());
                let inside =
                    inside.filter_map(|(path, edit)| Some((path.strip_prefix(&*name)?.strip_prefix('.')?, *edit)));
                let inside = inside.collect();
                members.push((name, Content::Raw(value.get(), inside)));
            }
            apply(steps, &mut members, Content::Inserted);
            out.push(b'{');
            for (place, (name, content)) in members.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                json::put_str(out, name);
                out.push(b':');
                match content {
                    Content::Inserted(value) => json::put_value(out, value),
                    Content::Raw(text, inside) => put_inside(out, text, inside),
                }
            }
            out.push(b'}');
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                put_inside(out, item.get(), steps);
            }
            out.push(b']');
        }
        _ => return None,
    }
    Some(())
}

fn put_inside(out: &mut Vec<u8>, text: &str, steps: &[(&str, &Edit)]) {
    let start = out.len();
    if steps.is_empty() || put_edited(out, text, steps).is_none() {
        out.truncate(start);
        out.extend_from_slice(text.as_bytes());
    }
}
