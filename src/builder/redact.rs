//! The redaction setting, and its use on static fields.

use std::sync::Arc;

use super::builder::Builder;
use crate::record::Statics;
use crate::redact::{Redact, Rules};
use crate::redaction;

impl Builder {
    /// Sets which values are secret; [`Redact::new`] by default.
    ///
    /// The default replaces the values of fields named `password`, `token` and the like, and leaves texts alone.
    /// [`Redact::values`] also searches texts. [`Redact::none`] turns redaction off.
    ///
    /// The setting holds for all outputs and schemas, including your own: they never receive the secret values. Lines
    /// of an [`Appender`](crate::Appender) come from another formatter and are not changed.
    pub fn redact(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }
}

/// Returns the static fields with their secret values replaced.
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
