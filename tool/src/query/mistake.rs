//! What is wrong with an expression.

use std::error::Error;
use std::fmt;

/// A mistake, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The first character that is wrong, counted from 1.
    pub(crate) column: usize,
    /// What was expected, what was found, and what to do.
    pub(crate) text: String,
}

impl Mistake {
    pub(crate) fn new(column: usize, text: impl Into<String>) -> Self {
        Self { column, text: text.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.text)
    }
}

impl Error for Mistake {}
