//! An error as the library's lines show it, which the library writes again as it was.

use std::error::Error;
use std::fmt;

use super::text::Json;

/// An error with its sources, of which only the texts are known.
#[derive(Clone, PartialEq)]
pub(crate) struct SentError {
    message: String,
    /// A name without spaces. The library finds it at the beginning of the `Debug` text.
    type_name: Option<String>,
    source: Option<Box<SentError>>,
}

/// More sources are not captured.
const MAX_SOURCES: usize = 64;

/// A longer name is not captured.
const MAX_NAME_BYTES: usize = 96;

impl SentError {
    /// Reads `{"message":…,"chain":[…],"type":…}`. `None` for an object of another form, which stays as it is.
    pub(super) fn of(json: Json<'_>) -> Option<Self> {
        let mut members = json.members();
        let message = members.next().filter(|(key, _)| key == "message")?.1.string()?;
        let chain = members.next().filter(|(key, value)| key == "chain" && value.first() == b'[')?.1;
        let type_name = match members.next() {
            Some((key, value)) => Some(value.string().filter(|name| key == "type" && is_name(name))?.into_owned()),
            None => None,
        };
        let sources = chain.items().map(|source| Some(source.string()?.into_owned()));
        let sources = sources.collect::<Option<Vec<_>>>().filter(|sources| sources.len() <= MAX_SOURCES)?;
        let inner = |source, message| Some(Box::new(Self { message, type_name: None, source }));
        let source = sources.into_iter().rev().fold(None, inner);
        members.next().is_none().then(|| Self { message: message.into_owned(), type_name, source })
    }
}

impl SentError {
    /// Returns how much memory the error takes.
    pub(super) fn memory_bytes(&self) -> usize {
        let texts = self.message.capacity() + self.type_name.as_ref().map_or(0, String::capacity);
        size_of::<Self>() + texts + self.source.as_ref().map_or(0, |source| source.memory_bytes())
    }
}

/// Returns whether the library would find the name.
fn is_name(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|char: char| char.is_alphabetic() || char == '_')
            && part.chars().all(|char| char.is_alphanumeric() || char == '_')
    };
    text.len() <= MAX_NAME_BYTES && text.split("::").all(is_part)
}

impl fmt::Debug for SentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for SentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for SentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
