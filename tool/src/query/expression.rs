//! An expression, and whether an entry meets it.

use super::compare::Comparison;
use crate::entry::{Entry, Path};

/// A condition on an entry.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    Or(Vec<Self>),
    And(Vec<Self>),
    Not(Box<Self>),
    Has(Path),
    Compare(Comparison),
}

impl Expression {
    /// Returns whether an entry meets it.
    pub(crate) fn is_met(&self, entry: &Entry<'_>) -> bool {
        match self {
            Self::Or(any) => any.iter().any(|one| one.is_met(entry)),
            Self::And(all) => all.iter().all(|one| one.is_met(entry)),
            Self::Not(one) => !one.is_met(entry),
            Self::Has(path) => path.is_in(entry),
            Self::Compare(comparison) => comparison.is_met(entry),
        }
    }

    /// Returns whether it asks for anything but the message, which is all that a line without a record has.
    pub(crate) fn needs_fields(&self) -> bool {
        match self {
            Self::Or(all) | Self::And(all) => all.iter().any(Self::needs_fields),
            Self::Not(one) => one.needs_fields(),
            Self::Has(path) => !path.is_message(),
            Self::Compare(comparison) => !comparison.is_of_message(),
        }
    }
}
