//! The value that a dotted path leads to.

use super::entry::{Entry, Part};
use super::member::is_key;
use super::value::Value;

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
        objects.find_map(|object| resolve(path, &|name| nested(entry.member(object.key)?, name)))
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
        resolve(rest, &|name| nested(object, name))
    })
}

/// Returns the member of an object. The last of equal keys wins.
pub(super) fn nested<'e>(object: Value<'e>, name: &str) -> Option<Value<'e>> {
    object.members().filter(|(key, _)| is_key(key, name)).last().map(|(_, value)| value)
}
