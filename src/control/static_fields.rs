//! The static fields of a running log: checked and redacted when they are set, and shared with the workers.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::error::Error;
use crate::record::{OwnedValue, Statics};
use crate::redact::Rules;
use crate::redaction;
use crate::schema::{self, json};
#[cfg(feature = "sealed")]
use crate::sealing::SealedFields;

/// The static fields of one log. Clones are the same fields.
#[derive(Clone, Debug)]
pub(crate) struct StaticFields {
    /// Each worker looks at it before a batch.
    shared: Arc<ArcSwap<Statics>>,
    rules: Option<Arc<Rules>>,
    max_line_bytes: usize,
    #[cfg(feature = "sealed")]
    sealed: Arc<SealedFields>,
}

impl StaticFields {
    /// `rules`: tell which values are secret.
    ///
    /// # Errors
    /// A field has an impossible name, or the static part of a line is too long.
    pub(crate) fn new(mut statics: Statics, rules: Option<&Arc<Rules>>, max_line_bytes: usize) -> Result<Self, Error> {
        statics.fields.iter().try_for_each(|(name, _)| check_name(name))?;
        check_length(&statics, max_line_bytes)?;
        statics.fields.iter_mut().for_each(|(name, value)| redact(rules, name, value));
        Ok(Self {
            shared: Arc::new(ArcSwap::from_pointee(statics)),
            rules: rules.cloned(),
            max_line_bytes,
            #[cfg(feature = "sealed")]
            sealed: Arc::default(),
        })
    }

    /// Sets which fields are sealed.
    ///
    /// # Errors
    /// A static field is.
    #[cfg(feature = "sealed")]
    pub(crate) fn sealing(self, sealed: &Arc<SealedFields>) -> Result<Self, Error> {
        let this = Self { sealed: Arc::clone(sealed), ..self };
        this.shared.load().fields.iter().try_for_each(|(name, _)| this.check_unsealed(name))?;
        Ok(this)
    }

    /// # Errors
    /// Fields of that name are sealed.
    #[cfg(feature = "sealed")]
    fn check_unsealed(&self, name: &str) -> Result<(), Error> {
        let is_redacted = self.rules.as_ref().is_some_and(|rules| rules.is_secret(name));
        if self.sealed.names.is_secret(name.as_bytes()) && !is_redacted {
            return Err(Error::invalid(format!(
                "`{name}` is a static field, and seal_fields seals fields of that name; a static field cannot be sealed; \
                 remove one of them"
            )));
        }
        Ok(())
    }

    /// Returns what the workers read.
    pub(crate) fn shared(&self) -> &Arc<ArcSwap<Statics>> {
        &self.shared
    }

    /// Returns the service's name; empty if there is none.
    pub(super) fn service(&self) -> String {
        self.shared.load().service.clone().unwrap_or_default()
    }

    /// Returns a field that is a text.
    #[cfg(all(unix, feature = "control"))]
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let shared = self.shared.load();
        let (_, value) = shared.fields.iter().find(|(own, _)| own == name)?;
        value.as_value()?.as_str().map(str::to_owned)
    }

    /// Sets a field, or removes it if the value is absent.
    ///
    /// # Errors
    /// The name is impossible, or the static part of a line would be too long. Nothing has changed then.
    pub(super) fn set(&self, name: &str, mut value: OwnedValue) -> Result<(), Error> {
        check_name(name)?;
        #[cfg(feature = "sealed")]
        self.check_unsealed(name)?;
        redact(self.rules.as_ref(), name, &mut value);
        let mut fits = Ok(());
        self.shared.rcu(|current| {
            let mut changed = Statics::clone(current);
            changed.set(name, value.clone());
            fits = check_length(&changed, self.max_line_bytes);
            if fits.is_ok() { Arc::new(changed) } else { Arc::clone(current) }
        });
        fits
    }
}

fn redact(rules: Option<&Arc<Rules>>, name: &str, value: &mut OwnedValue) {
    if let Some(other) = rules.and_then(|rules| redaction::static_value(rules, name, value)) {
        *value = other;
    }
}

/// # Errors
/// No static field can be called so.
fn check_name(name: &str) -> Result<(), Error> {
    let wrong = if name.is_empty() { "empty" } else { "reserved" };
    if name.is_empty() || schema::is_reserved(name) {
        return Err(Error::invalid(format!(
            "no static field can be called `{name}`: the name is {wrong}; choose another one"
        )));
    }
    Ok(())
}

/// # Errors
/// The static part of a line takes too much of it.
fn check_length(statics: &Statics, max_line_bytes: usize) -> Result<(), Error> {
    let fixed = bytes_of(statics);
    if fixed > max_line_bytes / 2 {
        return Err(Error::invalid(format!(
            "the service and the static fields have {fixed} bytes as JSON, more than half of max_line_bytes ({max_line_bytes}); \
             shorten them or raise the limit"
        )));
    }
    Ok(())
}

/// Returns the bytes that each line spends on them as JSON, without the key of the service.
fn bytes_of(statics: &Statics) -> usize {
    let mut text = Vec::new();
    json::put_str(&mut text, statics.service.as_deref().unwrap_or_default());
    for (name, value) in &statics.fields {
        json::put_str(&mut text, name);
        if let Some(value) = value.as_value() {
            json::put_value(&mut text, &value);
        }
    }
    text.len()
}
