//! Redacts records: applies the rules of `redact` to captured fields and contexts, before any schema sees them.
//!
//! Names and paths are looked for in structured data: JSON values, and texts that begin like JSON. With
//! [`Redact::values`](crate::Redact::values), all texts are scanned as well.
//!
//! A record without secrets stays as it is. A context is shared by all events of its spans, so it is scanned once for
//! each of its states. A table of constant size remembers the result by the context's key: nothing found, or the spans'
//! redacted fields, which schemas then see in place of the captured ones. The key stays the same, so schemas can reuse
//! what they rendered.
//!
//! With [`Output::strip_ansi`](crate::Output::strip_ansi), terminal sequences are removed from texts in the same pass, before
//! anything is looked for in them.
//!
//! Before: `layer` captures, and leaves out fields that are secret by name. After: `schema` renders.

use std::sync::Arc;

use serde::de::IgnoredAny;
use tracing::Metadata;

use crate::context::{Context, ContextKey, FieldReplacements};
use crate::direct_mapped::BoxedDirectMapped;
use crate::record::{ErrorChain, Fields, Key, OwnedValue, Raw, Record, Value, notice_metadata, put_named, put_raw};
use crate::redact::{self, Rules, Scan};

/// How many contexts are remembered.
const PLACES: usize = 256;

/// The key of no span.
const NO_KEY: ContextKey = ContextKey { span: 0, version: 0 };

/// Keys below this are no letters, so that the texts beside them are told apart.
const LETTERLESS_KEYS: u8 = b' ';

/// A context with more redacted bytes is scanned anew for each line.
const MAX_KEPT_BYTES: usize = 4096;

/// Redacts records, for one output.
#[derive(Debug)]
pub(crate) struct Redactor {
    forms: Forms,
    /// The redacted fields of the current record, if something was found.
    fields: Vec<u8>,
    contexts: Contexts,
}

/// What is known of contexts.
#[derive(Debug, Default)]
struct Contexts {
    /// Made when it is first used.
    seen: Option<BoxedDirectMapped<Seen, PLACES>>,
    /// The redacted fields of a context that is too large to be remembered.
    large: Option<FieldReplacements>,
}

/// What is known of a context.
#[derive(Debug)]
struct Seen {
    key: ContextKey,
    /// Its spans' redacted fields, if something was found.
    overlay: Option<FieldReplacements>,
}

impl Redactor {
    /// Returns what `rules` and the removal of terminal sequences need; `None` when there is nothing to do.
    pub(crate) fn new(rules: Option<&Arc<Rules>>, strips_ansi: bool) -> Option<Self> {
        let rules = match rules {
            Some(rules) => Arc::clone(rules),
            None if strips_ansi => Arc::new(Rules::none()),
            None => return None,
        };
        let forms = Forms { strips_ansi, ..Forms::new(&rules) };
        Some(Self { forms, fields: Vec::new(), contexts: Contexts::default() })
    }

    /// Redacts a record. Texts of `cut_at` bytes or more count as cut.
    #[inline]
    pub(crate) fn pass<'a>(&'a mut self, record: &mut Record<'a>, cut_at: usize) {
        let rest = self.forms.behind_harmless(Fields::new(record.fields), cut_at).rest();
        if !rest.is_empty() && self.forms.rewrite(record.fields, rest, record.meta, cut_at, &mut self.fields) {
            record.fields = &self.fields;
        }
        let Some(context) = record.context else { return };
        let key = context.key();
        match self.contexts.seen.as_ref().map(|seen| seen.place(key.span)) {
            Some(Seen { key: known, overlay: None }) if *known == key => {}
            _ => record.context = Some(self.contexts.cleared(&mut self.forms, key, context)),
        }
    }

    /// Returns how many secrets were found since the last call.
    pub(crate) fn take_found(&mut self) -> u64 {
        std::mem::take(&mut self.forms.scan.found)
    }
}

impl Contexts {
    /// Returns the context without its secrets. Scans it unless its state is known, and remembers the result unless it
    /// is large.
    #[inline(never)]
    fn cleared<'a>(&'a mut self, forms: &mut Forms, key: ContextKey, context: Context<'a>) -> Context<'a> {
        let empty = || Seen { key: NO_KEY, overlay: None };
        let seen = self.seen.get_or_insert_with(|| BoxedDirectMapped::boxed(empty)).place_mut(key.span);
        self.large = None;
        if seen.key != key {
            let overlay = if context.is_harmless(forms.strips_ansi, |form| forms.is_harmless(form)) {
                None
            } else {
                forms.overlay(&context)
            };
            if overlay.as_ref().is_some_and(|overlay| overlay.bytes() > MAX_KEPT_BYTES) {
                *seen = Seen { key: NO_KEY, overlay: None };
                self.large = overlay;
            } else {
                *seen = Seen { key, overlay };
            }
        }
        match self.large.as_ref().or(seen.overlay.as_ref()) {
            Some(overlay) => context.with_replacements(overlay),
            None => context,
        }
    }
}

/// Returns the replacement of a static field's value; `None` when nothing in it is secret.
pub(crate) fn static_value(rules: &Arc<Rules>, name: &str, value: &OwnedValue) -> Option<OwnedValue> {
    let value = value.as_value()?;
    let is_shown = matches!(value, Value::Bool(_)) || (value.is_number() && rules.is_count(name));
    if !is_shown && rules.is_secret(name) {
        return Some(rules.replacement().into());
    }
    let (mut form, mut redacted) = (Vec::new(), Vec::new());
    put_named(&mut form, name, &value);
    let found = Forms::new(rules).rewrite(&form, &form, notice_metadata(), usize::MAX, &mut redacted);
    let value = Fields::new(&redacted).next().map(|(_, value)| value.into());
    value.filter(|_| found)
}

/// Redacts captured fields in their binary form.
#[derive(Debug)]
struct Forms {
    rules: Arc<Rules>,
    scan: Scan,
    /// An error chain under construction.
    chain: Vec<u8>,
    /// Whether terminal sequences are removed.
    strips_ansi: bool,
    /// A text without its terminal sequences.
    stripped: Vec<u8>,
}

impl Forms {
    fn new(rules: &Arc<Rules>) -> Self {
        Self {
            rules: Arc::clone(rules),
            scan: Scan::default(),
            chain: Vec::new(),
            strips_ansi: false,
            stripped: Vec::new(),
        }
    }

    /// Skips the leading fields that stay as they are for certain.
    #[inline(always)]
    fn behind_harmless<'a>(&self, fields: Fields<'a>, cut_at: usize) -> Fields<'a> {
        let stays = |text: &[u8]| !matches!(text, [b'{' | b'[', ..]) && !self.has_sequence(text);
        if !self.rules.scans_texts() {
            return fields.skip_plain(Fields::KEYS, u64::MAX, stays);
        }
        let least = self.rules.least_card_number();
        let is_whole = |text: &[u8]| text.len() < cut_at && stays(text);
        let rest = fields.clone().skip_untruncated(LETTERLESS_KEYS, least, is_whole);
        // One look at all their texts costs less than one at each.
        let (plain, _) = fields.rest().split_at(fields.rest().len() - rest.rest().len());
        match self.rules.first_secret(plain, |place| fields.clone().text_around(place)) {
            Some(place) => fields.skip_to(place),
            None => rest,
        }
    }

    /// Returns whether all fields stay as they are for certain.
    #[inline]
    fn is_harmless(&self, form: &[u8]) -> bool {
        self.behind_harmless(Fields::new(form), usize::MAX).rest().is_empty()
    }

    /// Returns whether a text has terminal sequences to remove.
    #[inline]
    fn has_sequence(&self, text: &[u8]) -> bool {
        self.strips_ansi && redact::has_sequence(text)
    }

    /// Returns the redacted fields of a context's spans; `None` when nothing was found.
    #[inline(never)]
    fn overlay(&mut self, context: &Context<'_>) -> Option<FieldReplacements> {
        let mut changed = Vec::new();
        context.replace_fields(self.strips_ansi, |form, meta| {
            let found = self.rewrite(form, form, meta, usize::MAX, &mut changed);
            found.then(|| std::mem::take(&mut changed))
        })
    }

    /// Writes the redacted form to `out`; returns false when nothing was found, and `out` is then undefined. Only the
    /// `rest` of the form can hold secrets.
    #[inline(never)]
    fn rewrite(
        &mut self,
        form: &[u8],
        rest: &[u8],
        meta: &'static Metadata<'static>,
        cut_at: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut fields = Fields::new(rest);
        let mut copied = 0;
        let mut stripped = std::mem::take(&mut self.stripped);
        while let Some((key, raw)) = fields.next_raw() {
            let is_stripped = matches!(raw, Raw::Text(text) if self.has_sequence(text));
            let shown = match raw {
                Raw::Text(text) if is_stripped => {
                    redact::strip_ansi(text, &mut stripped);
                    Raw::Text(&stripped)
                }
                raw => raw,
            };
            let found = match shown {
                Raw::Text(text) => {
                    let is_json = matches!(text.first(), Some(b'{' | b'['));
                    let cut = fields.was_truncated() || text.len() >= cut_at;
                    if is_json { self.nested(text, key, meta, cut) } else { self.scan.text(&self.rules, text, cut) }
                }
                // It stays JSON, unless it was cut.
                Raw::Sealed(text) if fields.was_truncated() => self.nested(text, key, meta, true),
                Raw::Sealed(text) => self.scan.whole_json(&self.rules, text, key.name(meta).unwrap_or_default()),
                Raw::Value(Value::Bool(_) | Value::F64(_)) => false,
                Raw::Value(Value::U64(number)) => self.rules.is_card_number(number) && key != Key::Truncated,
                Raw::Value(value) => self.other(key, &value, meta, fields.was_truncated()),
            };
            if found || is_stripped {
                if copied == 0 {
                    out.clear();
                    out.shrink_to(redact::MAX_KEPT_BYTES);
                }
                let end = form.len() - fields.rest().len();
                out.extend_from_slice(form.get(copied..end - raw.encoded_bytes()).unwrap_or_default());
                copied = end;
                if found { self.put(raw, out) } else { put_raw(out, shown) }
            }
            fields = self.behind_harmless(fields, cut_at);
        }
        stripped.shrink_to(redact::MAX_KEPT_BYTES);
        self.stripped = stripped;
        if copied > 0 {
            out.extend_from_slice(form.get(copied..).unwrap_or_default());
        }
        copied > 0
    }

    fn nested(&mut self, text: &[u8], key: Key<'_>, meta: &'static Metadata<'static>, cut: bool) -> bool {
        self.scan.json(&self.rules, text, cut, key.name(meta).unwrap_or_default())
    }

    #[inline(never)]
    fn other(&mut self, key: Key<'_>, value: &Value<'_>, meta: &'static Metadata<'static>, cut: bool) -> bool {
        match *value {
            Value::I64(number) => u64::try_from(number).is_ok_and(|number| self.rules.is_card_number(number)),
            Value::I128(number) => u64::try_from(number).is_ok_and(|number| self.rules.is_card_number(number)),
            Value::U128(number) => u64::try_from(number).is_ok_and(|number| self.rules.is_card_number(number)),
            Value::Json(text) => self.scan.whole_json(&self.rules, text.as_bytes(), key.name(meta).unwrap_or_default()),
            Value::Bytes(bytes) if key != Key::Thread => self.scan.text(&self.rules, bytes, cut),
            Value::Error(chain) => self.error(chain, cut),
            _ => false,
        }
    }

    fn error(&mut self, chain: ErrorChain<'_>, cut: bool) -> bool {
        self.chain.clear();
        self.chain.shrink_to(redact::MAX_KEPT_BYTES);
        let mut stripped = Vec::new();
        let mut is_changed = false;
        for text in chain.texts() {
            let is_stripped = self.has_sequence(text.as_bytes());
            let mut text = text.as_bytes();
            if is_stripped {
                redact::strip_ansi(text, &mut stripped);
                text = &stripped;
            }
            let found = self.scan.text(&self.rules, text, cut);
            ErrorChain::put(&mut self.chain, if found { &self.scan.out } else { text });
            is_changed |= found || is_stripped;
        }
        is_changed
    }

    /// Writes the replacement of a value in which something was found.
    #[cold]
    fn put(&mut self, raw: Raw<'_>, out: &mut Vec<u8>) {
        let text = &self.scan.out;
        match raw {
            Raw::Text(_) => put_raw(out, Raw::Text(text)),
            Raw::Sealed(_) => put_raw(out, Raw::Sealed(text)),
            Raw::Value(Value::Bytes(_)) => put_raw(out, Raw::Value(Value::Bytes(text))),
            Raw::Value(Value::Error(_)) => put_raw(out, Raw::Value(Value::Error(ErrorChain::of(&self.chain)))),
            Raw::Value(Value::Json(_)) => match std::str::from_utf8(text) {
                Ok(json) if serde_json::from_str::<IgnoredAny>(json).is_ok() => {
                    put_raw(out, Raw::Value(Value::Json(json)));
                }
                _ => put_raw(out, Raw::Text(text)),
            },
            Raw::Value(number) => {
                self.scan.found += 1;
                let digits = match number {
                    Value::U64(number) => number.to_string(),
                    Value::I64(number) => number.to_string(),
                    Value::I128(number) => number.to_string(),
                    Value::U128(number) => number.to_string(),
                    _ => String::new(),
                };
                put_raw(out, Raw::Text(self.rules.card_replacement(&digits).as_bytes()));
            }
        }
    }
}
