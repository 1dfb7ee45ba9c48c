//! Keys of lines renamed, dropped and added, whatever the schema.
//!
//! A schema of JSON lines knows nothing of it: its line is taken apart and put together again ([`Edited`]). The schemas
//! whose lines are something else apply the same edits to their fields before they write them.

use std::borrow::Cow;

use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::Schema;
use super::json::{self, Pairs};
use crate::record::{Record, Value};

/// What is to be renamed, dropped or added in the lines of an output.
///
/// Names are those that stand in the line. One inside of others is called by its path with dots, through arrays, too:
/// `labels.user_id`, `spans.password`. In [`Otel`](crate::schema::Otel) they are names of attributes, and in
/// [`Console`](crate::schema::Console) those of fields.
///
/// Each edit looks at the line as the schema made it, not at what another edit made of it; of two edits of one name the
/// later counts. Keys stay unique: where an edit gives a key that is there already, what the edit gives wins, and of two
/// edits the later.
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
    Drop { from: String },
    Add { name: String, value: Added },
}

/// A value that lives as long as the edits.
#[derive(Clone, Debug)]
enum Added {
    Text(String),
    Json(String),
}

impl Added {
    fn value(&self) -> Value<'_> {
        match self {
            Added::Text(text) => Value::Str(text),
            Added::Json(json) => Value::Json(json),
        }
    }
}

impl Edits {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls the member at path `from` `to`, in the same place: `rename("labels.user_id", "uid")` gives `labels.uid`.
    pub fn rename(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.0.push(Edit::Rename { from: from.into(), to: to.into() });
        self
    }

    /// Leaves out the member at a path.
    pub fn remove(mut self, name: impl Into<String>) -> Self {
        self.0.push(Edit::Drop { from: name.into() });
        self
    }

    /// Adds a member at the top level of every line, in place of what has that name.
    pub fn insert<'v>(mut self, name: impl Into<String>, value: impl Into<Value<'v>>) -> Self {
        let value = match value.into() {
            Value::Str(text) => Added::Text(text.to_owned()),
            value => {
                let mut json = Vec::new();
                json::put_value(&mut json, &value);
                Added::Json(String::from_utf8_lossy(&json).into_owned())
            }
        };
        self.0.push(Edit::Add { name: name.into(), value });
        self
    }

    /// A schema with these edits: what [`Output::edits`](crate::Output::edits) does with the output's schema.
    pub fn on(self, schema: impl Schema) -> Box<dyn Schema> {
        let mut inner: Box<dyn Schema> = Box::new(schema);
        if self.is_empty() || inner.edit(&self) {
            return inner;
        }
        Box::new(Edited { inner, edits: self, line: Vec::new() })
    }

    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Edits a list of names and values, for schemas that write something else than JSON objects. `make` makes a value
    /// of what an edit adds.
    pub fn apply<'e, T>(&'e self, fields: &mut Vec<(Cow<'e, str>, T)>, make: impl Fn(Value<'e>) -> T) {
        if !self.is_empty() {
            apply(&self.steps(), fields, make);
        }
    }

    fn steps(&self) -> Steps<'_> {
        self.0.iter().map(|edit| (edit.path(), edit)).collect()
    }
}

/// Edits of one object: the path from there, and what is to be done.
type Steps<'e> = SmallVec<[(&'e str, &'e Edit); 8]>;

fn apply<'e, T>(steps: &[(&'e str, &'e Edit)], members: &mut Vec<(Cow<'e, str>, T)>, make: impl Fn(Value<'e>) -> T) {
    // For each member the number of the edit that gave it its name, from 1; `None` for what goes.
    let mut ranks: Vec<Option<usize>> = Vec::with_capacity(members.len());
    for (name, _) in members.iter_mut() {
        let last = steps.iter().enumerate().rev().find(|(_, (path, edit))| *path == *name && !edit.is_add());
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
        if let Edit::Add { value, .. } = edit {
            members.push((Cow::Borrowed(name), make(value.value())));
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
            Edit::Rename { from, .. } | Edit::Drop { from } => from,
            Edit::Add { name, .. } => name,
        }
    }

    fn is_add(&self) -> bool {
        matches!(self, Edit::Add { .. })
    }
}

/// A schema whose JSON lines are edited.
struct Edited {
    inner: Box<dyn Schema>,
    edits: Edits,
    line: Vec<u8>,
}

/// A line that was longer than this gives its buffer back.
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

/// What stands behind a key.
enum Content<'e> {
    /// As it was, but for edits further inside.
    Raw(&'e str, Steps<'e>),
    Added(Value<'e>),
}

/// Appends an object, or the objects of an array, edited; `None` for what is neither.
fn put_edited(out: &mut Vec<u8>, text: &str, steps: &[(&str, &Edit)]) -> Option<()> {
    match text.as_bytes().first()? {
        b'{' => {
            let Pairs(pairs) = serde_json::from_str(text).ok()?;
            let mut members = Vec::with_capacity(pairs.len() + steps.len());
            for (name, value) in pairs {
                let inside = steps.iter().filter(|(_, edit)| !edit.is_add());
                let inside =
                    inside.filter_map(|(path, edit)| Some((path.strip_prefix(&*name)?.strip_prefix('.')?, *edit)));
                let inside = inside.collect();
                members.push((name, Content::Raw(value.get(), inside)));
            }
            apply(steps, &mut members, Content::Added);
            out.push(b'{');
            for (place, (name, content)) in members.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                json::put_str(out, name);
                out.push(b':');
                match content {
                    Content::Added(value) => json::put_value(out, value),
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
