//! Names that are told apart, of which there may be too many.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// How much of a name counts, in bytes.
const MAX_NAME_BYTES: usize = 200;

/// What stands for all names that are too many.
pub(crate) const OTHERS: &str = "…";

/// The first names that any thread meets. All threads tell the same ones apart, so that their counts can be added.
#[derive(Debug)]
pub(crate) struct Names {
    most: usize,
    names: Mutex<HashSet<String>>,
}

impl Names {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, names: Mutex::default() }
    }

    /// Returns whether a name is told apart. Names that are new are until there are too many.
    #[expect(clippy::disallowed_methods, reason = "the one lock of the threads that count, which ignores poisoning")]
    pub(crate) fn admits(&self, name: &str) -> bool {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.contains(name) || names.len() < self.most && names.insert(name.to_owned())
    }
}

/// Returns what counts of a name.
pub(crate) fn short_name(name: &str) -> &str {
    start(name, MAX_NAME_BYTES)
}

/// Returns the beginning of a text, at most this many bytes.
pub(crate) fn start(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_threads_tell_the_first_names_apart() {
        let names = Names::new(2);
        assert!(names.admits("a") && names.admits("b") && names.admits("a"));
        assert!(!names.admits("c") && names.admits("b"));
        assert_eq!(start("größe", 3), "gr");
        assert_eq!(short_name("orders"), "orders");
    }
}
