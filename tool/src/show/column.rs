//! What a name stands for, as the text that it has in an entry.

use std::borrow::Cow;

use super::json::time_text;
use crate::entry::{Entry, Part, Path};
use crate::query::{self, Mistake};

/// A part of the view, or a field.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    name: String,
    path: Path,
}

impl Column {
    pub(super) fn new(name: String) -> Self {
        Self { path: Path::new(&name), name }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the text in an entry; `None` if it lacks it.
    pub(super) fn text<'e>(&self, entry: &Entry<'e>) -> Option<Cow<'e, str>> {
        let viewed = match self.path.part() {
            Some(part) => entry.text(part),
            None if self.path.is("time") => entry.time().map(|time| Cow::Owned(time_text(time))),
            None if self.path.is("level") => entry.level().map(|level| Cow::Borrowed(level.as_str())),
            None => None,
        };
        viewed.or_else(|| self.path.value(entry).map(|value| value.shown()))
    }
}

/// The columns of a table.
#[derive(Clone, Debug)]
pub(crate) struct Columns(pub(super) Vec<Column>);

impl Columns {
    /// Reads names with commas between them.
    pub(crate) fn parse(text: &str) -> Result<Self, Mistake> {
        Ok(Self(query::names(text)?.into_iter().map(Column::new).collect()))
    }
}

impl Default for Columns {
    /// Returns the parts of the view.
    fn default() -> Self {
        let names = ["time", "level"].into_iter().chain(Part::ALL.map(Part::name));
        Self(names.map(|name| Column::new(name.to_owned())).collect())
    }
}
