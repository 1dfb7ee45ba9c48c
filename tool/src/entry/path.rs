//! The value that a dotted path leads to.

use super::value::Value;
use super::view::{Entry, Part};

/// The name of a field, `labels.user_id` or `log.level`.
///
/// A key with dots in it comes first, then the longest part of the path that is the key of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(String);

impl Path {
    /// More parts would only cost time: each is looked for at each level.
    pub(crate) const MAX_PARTS: usize = 16;

    pub(crate) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Returns the part of the view that has this name.
    pub(crate) fn part(&self) -> Option<Part> {
        Part::ALL.into_iter().find(|part| part.name() == self.0)
    }

    /// Returns whether this is a name of the view.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.0 == name
    }

    /// Returns whether this is the message, which every line has.
    pub(crate) fn is_message(&self) -> bool {
        self.is(Part::Message.name())
    }

    /// Returns whether an entry has it.
    pub(crate) fn is_in(&self, entry: &Entry<'_>) -> bool {
        let is_viewed = self.is("level") && entry.level().is_some() || self.is("time") && entry.time().is_some();
        is_viewed || self.value(entry).is_some()
    }

    /// Returns the value in an entry: that of the view, a member of the line, or one of an object whose members are fields.
    pub(crate) fn value<'e>(&self, entry: &Entry<'e>) -> Option<Value<'e>> {
        let part = self.part().and_then(|part| entry.part(part));
        part.or_else(|| in_entry(entry, &self.0)).or_else(|| in_entry(entry, self.0.strip_prefix("fields.")?))
    }
}

fn in_entry<'e>(entry: &Entry<'e>, path: &str) -> Option<Value<'e>> {
    let top = |name: &str| entry.member(name);
    let in_objects = || {
        let mut objects = entry.dialect().objects.iter().filter(|object| !object.is_named);
        objects.find_map(|object| resolve(path, &|name| entry.member(object.key)?.member(name)))
    };
    let prefix = entry.dialect().prefix;
    let with_prefix = || (!prefix.is_empty()).then(|| entry.member(&format!("{prefix}{path}")))?;
    resolve(path, &top).or_else(in_objects).or_else(with_prefix)
}

/// Follows a path from an object whose members `member` finds.
fn resolve<'e>(path: &str, member: &dyn Fn(&str) -> Option<Value<'e>>) -> Option<Value<'e>> {
    if let Some(value) = member(path) {
        return Some(value);
    }
    path.rmatch_indices('.').find_map(|(dot, _)| {
        let (object, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
        let object = member(object).filter(|value| value.is_object())?;
        resolve(rest, &|name| object.member(name))
    })
}
