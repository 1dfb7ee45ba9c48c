//! The result of a capture.

use std::ops::Deref;

use tracing::Level;

use super::record::Record;

/// What was logged, in order, and what the code returned. It is a slice of [`Record`]s.
#[derive(Clone, Debug)]
#[must_use = "a capture checks nothing by itself: call `assert_no_errors` or look at its records"]
pub struct Captured<T = ()> {
    /// What the code returned.
    pub value: T,
    records: Vec<Record>,
}

impl<T> Captured<T> {
    pub(super) fn new(value: T, records: Vec<Record>) -> Self {
        Self { value, records }
    }

    /// Returns the records.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Returns whether a message contains `text`.
    pub fn contains(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// Returns the first record whose message contains `text`.
    pub fn find(&self, text: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.message.contains(text))
    }

    /// Checks that nothing was logged at ERROR.
    ///
    /// # Panics
    /// An ERROR was logged; the panic's message lists them.
    #[track_caller]
    pub fn assert_no_errors(&self) {
        let errors: Vec<_> = self.records.iter().filter(|record| record.level == Level::ERROR).collect();
        let list =
            || errors.iter().map(|Record { target, message, fields, .. }| format!("{target}: {message} {fields:?}"));
        assert!(errors.is_empty(), "expected no ERROR, found:\n{}", list().collect::<Vec<_>>().join("\n"));
    }
}

impl<T> Deref for Captured<T> {
    type Target = [Record];

    fn deref(&self) -> &[Record] {
        &self.records
    }
}

impl<'a, T> IntoIterator for &'a Captured<T> {
    type Item = &'a Record;
    type IntoIter = std::slice::Iter<'a, Record>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.iter()
    }
}
