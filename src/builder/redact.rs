//! What the log does not show.

use std::sync::Arc;

use super::Builder;
use crate::record::Statics;
use crate::redact::{Redact, Rules};
use crate::redaction;

impl Builder {
    /// What is secret: [`Redact::new`] unless set, which replaces the values of fields called `password`, `token` and the
    /// like, and leaves texts alone. [`Redact::none`] turns that off; [`Redact::values`] looks into texts, too.
    ///
    /// It holds for all outputs, schemas of one's own among them: they are given records without what is secret. An
    /// [`Appender`](crate::Appender)'s lines are another formatter's, and are left as they are.
    pub fn redact(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }
}

/// The static fields without what is secret in them.
pub(super) fn statics(mut statics: Statics, rules: Option<&Arc<Rules>>) -> Statics {
    if let Some(rules) = rules {
        for (name, value) in &mut statics.fields {
            if let Some(other) = redaction::static_value(rules, name, value) {
                *value = other;
            }
        }
    }
    statics
}
