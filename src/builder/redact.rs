//! The redaction setting.

use super::builder::Builder;
use crate::redact::Redact;

impl Builder {
    /// Sets which values are secret; [`Redact::new`] by default.
    ///
    /// The default replaces the values of fields named `password`, `token` and the like, and leaves texts alone.
    /// [`Redact::values`] also searches texts. [`Redact::none`] turns redaction off.
    ///
    /// The setting holds for all outputs and schemas, including your own: they never receive the secret values. Lines
    /// of an [`Appender`](crate::Appender) come from another formatter and are not changed.
    pub fn redact(mut self, redact: Redact) -> Self {
        self.secrets.redact = redact;
        self
    }
}
