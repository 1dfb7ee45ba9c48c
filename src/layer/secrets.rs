//! Fields that are not captured because their names are secret, and fields that no call site declares.
//!
//! Which fields are secret is decided once for each call site: one bit for each. Another bit is for this crate's call sites
//! with a field that carries other fields. All other call sites pay one test of these bits. The `Debug` of a secret value is
//! not run.

use std::error::Error;
use std::fmt;

use tracing::Metadata;
use tracing::field::{Field, Visit};

use super::call_site::CallSite;
use super::core::Core;
use crate::context::VARIABLES;
use crate::record::{ADDED, Capture, FieldValue, OTEL_FIELDS, Value, plain_name};
#[cfg(feature = "log")]
use crate::record::{Fields, Key, Scratch, text};
use crate::redact::Rules;
use crate::values::{CarriedFields, Source};

/// The number of fields that have their own bit. One more bit stands for all fields after them.
const BITS: usize = (u64::BITS - 1 - CallSite::SECRET_FIELDS) as usize;

impl Core {
    /// Returns the bits of a call site's secret fields.
    pub(super) fn secret_fields(&self, meta: &'static Metadata<'static>, is_log: bool) -> u64 {
        const SHIFT: u32 = CallSite::SECRET_FIELDS;
        let Some(rules) = &self.redact else { return 0 };
        let is_secret = |field: &Field| {
            let name = plain_name(field.name());
            // These fields tell where a `log` record comes from.
            !(is_log && name.starts_with("log.")) && rules.is_secret(name)
        };
        let secret = meta.fields().iter().filter(is_secret);
        secret.fold(0, |bits, field| bits | 1 << field.index().min(BITS) << SHIFT)
    }

    /// Captures fields, with replacements for secret values.
    #[inline(always)]
    pub(super) fn capture(
        &self,
        site: CallSite,
        mask: u64,
        capture: &mut Capture<'_>,
        record: impl FnOnce(&mut dyn Visit),
    ) {
        if site.flags < CallSite::CARRIES_FIELDS {
            record(capture);
        } else {
            self.capture_special(site, mask, capture, record);
        }
    }

    #[cold]
    fn capture_special(
        &self,
        site: CallSite,
        mask: u64,
        capture: &mut Capture<'_>,
        record: impl FnOnce(&mut dyn Visit),
    ) {
        let rules = self.redact.as_deref();
        let (secret, carries) = (site.flags >> CallSite::SECRET_FIELDS, site.has(CallSite::CARRIES_FIELDS));
        let mut special = SpecialCapture { capture, rules, secret, carries, replaced: 0 };
        record(&mut special);
        self.count_redacted(mask, special.replaced);
    }

    #[cold]
    fn count_redacted(&self, mask: u64, values: u64) {
        if values == 0 {
            return;
        }
        self.outputs
            .with(|| mask, |places, mask| places.in_mask(mask).for_each(|lane| lane.queue.count_redacted(values)));
    }

    /// Captures a context variable, or the replacement of a secret one.
    pub(super) fn capture_variable(&self, capture: &mut Capture<'_>, name: &str, value: &FieldValue<'_>) {
        let replacement = |rules| match &value.0 {
            Source::None => None,
            Source::Value(value) => replacement(rules, name, value),
            _ => replacement(rules, name, &Value::Str("")),
        };
        match self.redact.as_deref().and_then(replacement) {
            Some(replacement) => {
                self.count_redacted(u64::MAX, 1);
                capture.named(name, &Value::Str(replacement));
            }
            None => capture.named_value(name, value),
        }
    }

    /// Adds fields that were captured before there was an event, with replacements for secret values.
    #[cfg(feature = "log")]
    pub(super) fn add_captured(&self, site: CallSite, fields: &Scratch, capture: &mut Capture<'_>) {
        let Some(rules) = &self.redact else { return capture.captured(fields) };
        let mut replaced = 0;
        for (key, value) in Fields::new(fields.bytes()) {
            match (key, value) {
                (Key::Name(name), value) => {
                    let name = text(name);
                    let replacement = replacement(rules, name, &value);
                    replaced += u64::from(replacement.is_some());
                    capture.named(name, &replacement.map_or(value, Value::Str));
                }
                (Key::Truncated, Value::U64(bytes)) => capture.truncated(bytes),
                _ => {}
            }
        }
        self.count_redacted(site.outputs, replaced);
    }
}

/// Returns the replacement of a secret value. A boolean is never secret: whether there is a secret is none. Nor is a
/// count.
fn replacement<'r>(rules: &'r Rules, name: &str, value: &Value<'_>) -> Option<&'r str> {
    let is_secret = !matches!(value, Value::Bool(_))
        && rules.is_secret(name)
        // Last, because few names are secret.
        && !(value.is_number() && rules.is_count(name));
    is_secret.then(|| rules.replacement())
}

/// Captures values that are not secret, replacements for the others, and fields that a value carries.
struct SpecialCapture<'a, 'b> {
    capture: &'a mut Capture<'b>,
    /// Without rules, no field is secret.
    rules: Option<&'a Rules>,
    secret: u64,
    /// Whether a field of the call site carries others.
    carries: bool,
    replaced: u64,
}

impl SpecialCapture<'_, '_> {
    fn is_secret(&self, field: &Field) -> bool {
        let index = field.index();
        let bit = self.secret >> index.min(BITS) & 1 == 1;
        bit && (index < BITS || self.rules.is_some_and(|rules| rules.is_secret(plain_name(field.name()))))
    }

    fn is_secret_number(&self, field: &Field) -> bool {
        self.is_secret(field) && !self.rules.is_some_and(|rules| rules.is_count(plain_name(field.name())))
    }

    /// Returns whether a field of this crate's own call sites is only for another layer.
    fn is_for_others(&self, field: &Field) -> bool {
        self.carries && OTEL_FIELDS.contains(&field.name())
    }

    fn replace(&mut self, field: &Field) {
        self.replaced += 1;
        self.capture.record_str(field, self.rules.map_or("", Rules::replacement));
    }

    /// Captures the fields that a value carries.
    fn carried(&mut self, value: &dyn fmt::Debug) {
        for (name, value) in CarriedFields::of(value).iter() {
            let replacement = self.rules.and_then(|rules| replacement(rules, name, &value));
            self.replaced += u64::from(replacement.is_some());
            self.capture.named(name, &replacement.map_or(value, Value::Str));
        }
    }
}

macro_rules! redacting {
    ($is_secret:ident: $($record:ident: $value:ty),* $(,)?) => {
        $(fn $record(&mut self, field: &Field, value: $value) {
            if self.$is_secret(field) {
                self.replace(field);
            } else {
                self.capture.$record(field, value);
            }
        })*
    };
}

impl Visit for SpecialCapture<'_, '_> {
    redacting! {
        is_secret_number: record_f64: f64,
        record_i64: i64,
        record_u64: u64,
        record_i128: i128,
        record_u128: u128,
    }

    redacting! {
        is_secret: record_bytes: &[u8],
        record_error: &(dyn Error + 'static),
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if self.is_secret(field) {
            self.replace(field);
        } else if !self.is_for_others(field) {
            self.capture.record_str(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.carries && [VARIABLES, ADDED].contains(&field.name()) {
            self.carried(value);
        } else if self.is_for_others(field) {
            // Its text is not formatted.
        } else if self.is_secret(field) {
            self.replace(field);
        } else {
            self.capture.record_debug(field, value);
        }
    }

    #[cfg(all(feature = "valuable", tracing_unstable))]
    fn record_value(&mut self, field: &Field, value: valuable::Value<'_>) {
        match self.is_secret(field) {
            true => self.replace(field),
            false => self.capture.record_value(field, value),
        }
    }

    /// A boolean is never secret.
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.capture.record_bool(field, value);
    }
}
