//! The redaction setting, and its use on static fields.

use super::builder::Builder;
use crate::record::Statics;
use crate::redact::{Redact, Rules};

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

/// The static fields with their secret values replaced.
pub(super) fn statics(mut statics: Statics, rules: Option<&Rules>) -> Statics {
    if let Some(rules) = rules {
        for (name, value) in &mut statics.fields {
            if let Some(other) = rules.static_value(name, value) {
                *value = other;
            }
        }
    }
    statics
}
