//! What a sink or schema of the program reads from a configuration.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::kind::{Key, Kind};
use super::section::Section;
use crate::byte_size::ByteSize;
use crate::error::Error;
use crate::schema::Schema;
#[cfg(any(feature = "http", feature = "postgres", all(feature = "config", feature = "sealed")))]
use crate::sink::Secret;
use crate::sink::Sink;

/// The settings of one sink or schema of the program, in a configuration.
///
/// Each method reads one key. It returns `None` if the key is missing. If the value has another type, it also returns
/// `None`, and the configuration is refused with the value's line and column. A key of the table that is never asked for is
/// refused as unknown.
///
/// Used with [`Builder::register_sink`](crate::Builder::register_sink) and
/// [`Builder::register_schema`](crate::Builder::register_schema).
pub struct Settings<'a, 'w>(&'w mut Section<'a>);

/// Makes a sink from its settings.
#[derive(Clone)]
pub(crate) struct MakeSink(pub(crate) Arc<Make<dyn Sink>>);

/// Makes a schema from its settings.
#[derive(Clone)]
pub(crate) struct MakeSchema(pub(crate) Arc<Make<dyn Schema>>);

type Make<T> = dyn Fn(&mut Settings<'_, '_>) -> Result<Box<T>, Error> + Send + Sync;

impl<'a, 'w> Settings<'a, 'w> {
    pub(crate) fn new(section: &'w mut Section<'a>) -> Self {
        Self(section)
    }

    /// Reads a text.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        self.0.text(described(key, Kind::Text))
    }

    /// Reads a whole number, 0 or more.
    pub fn count(&mut self, key: &'static str) -> Option<u64> {
        self.0.count(described(key, Kind::Count))
    }

    /// Reads `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.0.bool(described(key, Kind::Bool))
    }

    /// Reads a size, such as `"100 MiB"`.
    pub fn bytes(&mut self, key: &'static str) -> Option<ByteSize> {
        self.0.bytes(described(key, Kind::Bytes))
    }

    /// Reads a duration, such as `"100 ms"`.
    pub fn duration(&mut self, key: &'static str) -> Option<Duration> {
        self.0.duration(described(key, Kind::Duration))
    }

    /// Reads a list of texts.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.0.texts(described(key, Kind::Texts))
    }

    /// Reads where a secret is: `{ env = "NAME" }` or `{ file = "path" }`.
    #[cfg(any(feature = "http", feature = "postgres", all(feature = "config", feature = "sealed")))]
    pub fn secret(&mut self, key: &'static str) -> Option<Secret> {
        self.0.secret(described(key, Kind::Secret))
    }
}

fn described(key: &'static str, kind: Kind) -> Key {
    Key::new(key, kind, "none", "")
}

impl fmt::Debug for Settings<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl fmt::Debug for MakeSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeSink")
    }
}

impl fmt::Debug for MakeSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeSchema")
    }
}
