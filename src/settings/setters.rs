//! Reads keys of a section and gives their values to setters.

use std::path::PathBuf;
use std::time::Duration;

use tracing::Level;

use super::kind::{Key, Kind};
use super::section::Section;
use crate::byte_size::ByteSize;
#[cfg(any(feature = "http", feature = "postgres"))]
use crate::sink::Secret;

/// A value whose setters get the values of keys.
///
/// Each method takes the key's name, its default as the page shows it, its description, and its setter.
#[must_use = "`done` returns the value"]
pub(crate) struct On<'s, 'a, T> {
    section: &'s mut Section<'a>,
    target: T,
}

/// Defines methods that read one kind of value.
macro_rules! kinds {
    ($($(#[$system:meta])? $name:ident: $value:ty, $kind:expr, $read:ident;)*) => {
        $($(#[$system])?
        pub(crate) fn $name(
            self,
            name: &'static str,
            default: &'static str,
            doc: &'static str,
            set: impl FnOnce(T, $value) -> T,
        ) -> Self {
            let Self { section, target } = self;
            match section.$read(Key::new(name, $kind, default, doc)) {
                Some(value) => Self { target: set(target, value), section },
                None => Self { section, target },
            }
        })*
    };
}

impl<'s, 'a, T> On<'s, 'a, T> {
    pub(super) fn new(section: &'s mut Section<'a>, target: T) -> Self {
        Self { section, target }
    }

    kinds! {
        text: String, Kind::Text, text;
        path: PathBuf, Kind::Path, path;
        bytes: ByteSize, Kind::Bytes, bytes;
        duration: Duration, Kind::Duration, duration;
        usize: usize, Kind::Count, count;
        #[cfg(unix)] u32: u32, Kind::Count, count;
        bool: bool, Kind::Bool, bool;
        level: Level, Kind::Level, level;
        texts: Vec<String>, Kind::Texts, texts;
        text_map: Vec<(String, String)>, Kind::TextMap, text_map;
    }

    #[cfg(any(feature = "http", feature = "postgres"))]
    kinds! {
        secret: Secret, Kind::Secret, secret;
    }

    #[cfg(feature = "http")]
    kinds! {
        secret_map: Vec<(String, Secret)>, Kind::SecretMap, secret_map;
    }

    /// Reads whether to call a setter that has no argument. Off by default.
    pub(crate) fn flag(self, name: &'static str, doc: &'static str, set: impl FnOnce(T) -> T) -> Self {
        self.bool(name, "false", doc, |target, on| if on { set(target) } else { target })
    }

    /// Reads one of some words.
    pub(crate) fn word<V: Copy>(
        self,
        name: &'static str,
        default: &'static str,
        words: &[(&'static str, V)],
        doc: &'static str,
        set: impl FnOnce(T, V) -> T,
    ) -> Self {
        let kind = Kind::Word(words.iter().map(|(word, _)| *word).collect());
        let Self { section, target } = self;
        match section.word(Key::new(name, kind, default, doc), words) {
            Some(value) => Self { target: set(target, value), section },
            None => Self { section, target },
        }
    }

    /// Reads keys in another way.
    pub(crate) fn with(self, read: impl FnOnce(T, &mut Section<'a>) -> T) -> Self {
        let Self { section, target } = self;
        let target = read(target, section);
        Self { section, target }
    }

    pub(crate) fn done(self) -> T {
        self.target
    }
}
