//! The one table of schemas: configuration, tests, fuzz targets and tools read it.
//!
//! Each schema's file has its rows ([`BuiltIn`]). `schemas!` in the folder's `mod.rs` has a line for each file: it
//! declares the module, exports the type, and adds the rows.

use super::{ROWS, Schema};
use crate::advice::unknown;
use crate::error::Error;

/// Declares the schemas: a line each, `file::Type`.
macro_rules! schemas {
    ($($file:ident::$schema:ident),* $(,)?) => {
        $(
            mod $file;
            pub use $file::$schema;
        )*

        /// The rows of each file.
        const ROWS: &[&[BuiltIn]] = &[$($file::ROWS),*];
    };
}
pub(super) use schemas;

/// A schema of this crate, with what a program needs to know to read its lines.
///
/// # Examples
/// ```
/// let ecs = spanline::schema::built_in().find(|schema| schema.name == "ecs").unwrap();
/// assert_eq!(ecs.keys.unwrap().level, "/log.level");
/// let output = spanline::Output::new(spanline::Stdout::new()).schema(ecs.schema());
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BuiltIn {
    /// Its name in configuration.
    pub name: &'static str,
    /// Whether each line is a JSON object.
    pub is_json: bool,
    /// Where the line has what programs look for; `None` for lines that only people read.
    pub keys: Option<Keys>,
    pub(super) new: fn() -> Box<dyn Schema>,
    pub(super) reproducible: fn() -> Box<dyn Schema>,
}

/// Where a line has what programs look for: JSON pointers (RFC 6901).
///
/// Of a line that is not JSON, a pointer is a `/` and the key of a pair.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Keys {
    /// The level.
    pub level: &'static str,
    /// The target.
    pub target: &'static str,
    /// The trace's id.
    pub trace_id: &'static str,
    /// The field `request_id`; `None` when no pointer leads to it, as inside a list of attributes.
    pub request_id: Option<&'static str>,
    /// The object that the event's fields are in; `None` when no pointer leads to them.
    pub fields: Option<&'static str>,
}

impl BuiltIn {
    /// Returns a row for JSON lines.
    pub(super) const fn json(name: &'static str, keys: Keys, new: fn() -> Box<dyn Schema>) -> Self {
        Self { name, is_json: true, keys: Some(keys), new, reproducible: new }
    }

    /// Returns a row for lines that are not JSON.
    pub(super) const fn text(name: &'static str, keys: Option<Keys>, new: fn() -> Box<dyn Schema>) -> Self {
        Self { name, is_json: false, keys, new, reproducible: new }
    }

    /// Returns the schema, with nothing switched on.
    pub fn schema(&self) -> Box<dyn Schema> {
        (self.new)()
    }

    /// Returns the schema set up so that a record gives the same line on every machine: in UTC and without colours.
    ///
    /// For golden files. Process id and hostname stay what they are.
    pub fn reproducible(&self) -> Box<dyn Schema> {
        (self.reproducible)()
    }
}

const COUNT: usize = {
    let (mut count, mut file) = (0, 0);
    while file < ROWS.len() {
        count += ROWS[file].len();
        file += 1;
    }
    count
};

/// The names that [`by_name`] knows.
pub const NAMES: [&str; COUNT] = {
    let mut names = [""; COUNT];
    let (mut count, mut file) = (0, 0);
    while file < ROWS.len() {
        let mut row = 0;
        while row < ROWS[file].len() {
            names[count] = ROWS[file][row].name;
            count += 1;
            row += 1;
        }
        file += 1;
    }
    names
};

/// What people call a schema, and its name.
const ALIASES: &[(&str, &str)] = &[
    ("json", "flat"),
    ("ndjson", "flat"),
    ("elastic", "ecs"),
    ("elasticsearch", "ecs"),
    ("google", "gcp"),
    ("gcloud", "gcp"),
    ("stackdriver", "gcp"),
    ("otlp", "otel"),
    ("opentelemetry", "otel"),
    ("aws", "lambda"),
    ("graylog", "gelf"),
    ("hec", "splunk"),
    ("text", "console"),
    ("plain", "console"),
    ("terminal", "console"),
];

/// Returns all schemas of this crate, in the order of [`NAMES`].
pub fn built_in() -> impl Iterator<Item = &'static BuiltIn> + Clone {
    ROWS.iter().copied().flatten()
}

/// Returns the schema of a name, with nothing switched on: one of [`NAMES`].
///
/// ```
/// use spanline::{Output, Stdout};
///
/// Output::new(Stdout::new()).schema(spanline::schema::by_name("ecs")?);
/// # Ok::<(), spanline::Error>(())
/// ```
///
/// # Errors
/// When there is no schema of that name; the error suggests the nearest one and lists the names.
pub fn by_name(name: &str) -> Result<Box<dyn Schema>, Error> {
    match built_in().find(|schema| schema.name == name) {
        Some(schema) => Ok(schema.schema()),
        None => Err(Error::invalid(unknown("schema", name, NAMES, ALIASES))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_there_once() {
        assert!(NAMES.iter().all(|name| NAMES.iter().filter(|other| *other == name).count() == 1));
        assert!(built_in().map(|schema| schema.name).eq(NAMES));
    }
}
