//! What every line has, whatever the event: set in the builder, and by a handle while the log runs.

use tracing::level_filters::LevelFilter;

use crate::values::OwnedValue;

/// The service's name, the static fields, and what records may contain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statics {
    pub(crate) service: Option<String>,
    pub(crate) fields: Vec<(String, OwnedValue)>,
    /// Events up to this level have a backtrace, and so have panics; `None`: no record has one.
    pub(crate) backtraces: Option<LevelFilter>,
    /// Whether records may have been held back.
    pub(crate) holds_back: bool,
}

impl Statics {
    /// Sets a field, in place of all of that name; an absent value only removes them.
    pub(crate) fn set(&mut self, name: &str, value: OwnedValue) {
        self.fields.retain(|(other, _)| other != name);
        if value.as_value().is_some() {
            self.fields.push((name.to_owned(), value));
        }
    }
}
