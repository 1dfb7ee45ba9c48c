//! Fields that are not captured, as their names say that they are secret.
//!
//! Which ones, is found out once for each call site: a bit for each of its fields. A call site without any pays the test
//! whether there is a bit. The `Debug` of a secret value is not run.

use std::error::Error;
use std::fmt;

use tracing::Metadata;
use tracing::field::{Field, Visit};

use super::{Core, Known, SECRET_FIELDS};
use crate::context::{Dynamic, is_hidden};
use crate::record::{Capture, Value, plain_name};
#[cfg(feature = "log")]
use crate::record::{Fields, Key, Scratch};
use crate::redact::Rules;

/// Fields with a bit of their own. One more says that there is a secret one behind them.
const BITS: usize = 54;

/// The target of the spans and lines of HTTP requests.
const REQUESTS: &str = "spanline::http";

impl Core {
    /// The bits of the secret fields of a call site.
    pub(super) fn secret_fields(&self, meta: &'static Metadata<'static>, is_log: bool) -> u64 {
        let Some(rules) = &self.redact else { return 0 };
        if is_hidden(meta) {
            // What its one field consists of is known only when it is captured.
            return 1 << SECRET_FIELDS;
        }
        let is_secret = |field: &Field| {
            let name = plain_name(field.name());
            // Of a record of `log`, they are where it comes from.
            !(is_log && name.starts_with("log.")) && rules.is_secret(name)
        };
        // The same goes for what the hooks of `tower` add to a request.
        let added = if cfg!(feature = "tower") && meta.target() == REQUESTS { 1 << BITS << SECRET_FIELDS } else { 0 };
        let secret = meta.fields().iter().filter(is_secret);
        secret.fold(added, |bits, field| bits | 1 << field.index().min(BITS) << SECRET_FIELDS)
    }

    /// Captures with what is secret left out.
    #[inline(always)]
    pub(super) fn capture(
        &self,
        site: Known,
        mask: u64,
        capture: &mut Capture<'_>,
        record: impl FnOnce(&mut dyn Visit),
    ) {
        let secret = site.kind >> SECRET_FIELDS;
        match &self.redact {
            Some(rules) if secret != 0 => self.capture_rest(rules, secret, mask, capture, record),
            _ => record(capture),
        }
    }

    #[cold]
    fn capture_rest(
        &self,
        rules: &Rules,
        secret: u64,
        mask: u64,
        capture: &mut Capture<'_>,
        record: impl FnOnce(&mut dyn Visit),
    ) {
        let mut guarded = Guarded { capture, rules, secret, left_out: 0 };
        record(&mut guarded);
        self.count_redacted(mask, guarded.left_out);
    }

    #[cold]
    fn count_redacted(&self, mask: u64, values: u64) {
        self.lanes_in(mask).for_each(|lane| lane.queue.count_redacted(values));
    }

    /// The value of a context variable, or what stands for it.
    pub(super) fn variable<'v>(&'v self, name: &str, value: Value<'v>) -> Value<'v> {
        match self.redact.as_ref().and_then(|rules| stand_in(rules, name, &value)) {
            Some(replacement) => {
                self.count_redacted(u64::MAX, 1);
                Value::Str(replacement)
            }
            None => value,
        }
    }

    /// Adds fields that were captured before there was an event, with what is secret left out.
    #[cfg(feature = "log")]
    pub(super) fn add_captured(&self, site: Known, fields: &Scratch, capture: &mut Capture<'_>) {
        let Some(rules) = &self.redact else { return capture.captured(fields) };
        let mut left_out = 0;
        for (key, value) in Fields::new(fields.bytes()) {
            match (key, value) {
                (Key::Name(name), value) => {
                    let replacement = stand_in(rules, name, &value);
                    left_out += u64::from(replacement.is_some());
                    capture.named(name, &replacement.map_or(value, Value::Str));
                }
                (Key::Cut, Value::U64(refused)) => capture.cut(refused),
                _ => {}
            }
        }
        self.count_redacted(site.mask, left_out);
    }
}

/// What stands for a value whose name says that it is secret. Whether there is a secret is none.
fn stand_in<'r>(rules: &'r Rules, name: &str, value: &Value<'_>) -> Option<&'r str> {
    (!matches!(value, Value::Bool(_)) && rules.is_secret(name)).then(|| rules.replacement())
}

/// Captures what is not secret, and for the rest what stands for it.
struct Guarded<'a, 'b> {
    capture: &'a mut Capture<'b>,
    rules: &'a Rules,
    secret: u64,
    left_out: u64,
}

impl Guarded<'_, '_> {
    fn is_secret(&self, field: &Field) -> bool {
        let index = field.index();
        let bit = self.secret >> index.min(BITS) & 1 == 1;
        bit && (index < BITS || self.rules.is_secret(plain_name(field.name())))
    }
}

macro_rules! guarded {
    ($($record:ident: $value:ty),* $(,)?) => {
        $(fn $record(&mut self, field: &Field, value: $value) {
            if self.is_secret(field) {
                self.left_out += 1;
                self.capture.record_str(field, self.rules.replacement());
            } else {
                self.capture.$record(field, value);
            }
        })*
    };
}

impl Visit for Guarded<'_, '_> {
    guarded! {
        record_f64: f64,
        record_i64: i64,
        record_u64: u64,
        record_i128: i128,
        record_u128: u128,
        record_str: &str,
        record_bytes: &[u8],
        record_debug: &dyn fmt::Debug,
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if let Some(variables) = value.downcast_ref::<Dynamic>() {
            for (name, value) in variables.iter() {
                let replacement = stand_in(self.rules, name, &value);
                self.left_out += u64::from(replacement.is_some());
                self.capture.named(name, &replacement.map_or(value, Value::Str));
            }
        } else if self.is_secret(field) {
            self.left_out += 1;
            self.capture.record_str(field, self.rules.replacement());
        } else {
            self.capture.record_error(field, value);
        }
    }

    /// Whether there is a secret is none.
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.capture.record_bool(field, value);
    }
}
