//! Seals fields of records: applies `seal_fields` to captured fields and contexts, before any schema sees them.
//!
//! As in [`redaction`](crate::redaction), the captured bytes are rewritten: a value becomes the text of its token. So all
//! schemas, filters and sinks see tokens. A value from [`sealed`](crate::sealed()) is marked in the captured bytes, and all
//! who do not look for this mark see the text `sealed`.
//!
//! Tokens differ from line to line, also of the fields of spans. So a context with such fields gets a key that no other has,
//! and schemas do not reuse what they rendered.
//!
//! Before: `redaction`, so a value that is both redacted and sealed is redacted. After: `schema` renders.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use serde::de::IgnoredAny;
use tracing::Metadata;

use crate::addresses::AddressKeys;
use crate::context::{Context, ContextKey, FieldReplacements};
use crate::direct_mapped::BoxedDirectMapped;
use crate::error::Error;
use crate::record::{Fields, Key, Raw, Record, Timestamp, UNSEALED, Value, any_to_seal, plain_name, put_raw};
use crate::redact::{self, SecretNames};
use crate::schema::json::put_value;
use crate::sealed::{FAILED, FieldSealer, PREFIX, Recipients};

/// How many contexts are remembered.
const PLACES: usize = 256;

/// The key of no span.
const NO_KEY: ContextKey = ContextKey { span: 0, version: 0 };

/// At most this many call sites are remembered. A program has fewer; this bounds the memory in any case.
const MAX_SITES: usize = 16 * 1024;

/// Which fields of a log are sealed, and for whom.
#[derive(Debug, Default)]
pub(crate) struct SealedFields {
    pub(crate) names: SecretNames,
    /// `None`: a value that is to be sealed is redacted.
    pub(crate) recipients: Option<Recipients>,
    /// What stands for a redacted value.
    pub(crate) replacement: String,
}

/// Seals fields, for one output.
#[derive(Debug)]
pub(crate) struct Sealing {
    fields: Arc<SealedFields>,
    how: How,
    sites: HashMap<usize, Listed, AddressKeys>,
    /// Whether contexts have something to seal. Made when it is first used.
    contexts: Option<BoxedDirectMapped<(ContextKey, bool), PLACES>>,
    /// The rewritten fields of the current record.
    rewritten: Vec<u8>,
    /// Those of its spans.
    replaced: Option<FieldReplacements>,
    /// The JSON of a longer value is cut, so that its token has room in a line.
    max_json_bytes: usize,
    /// The number of the next event with a sealed value.
    sequence: u64,
    problem: Option<Problem>,
}

/// What becomes of the values.
#[derive(Debug)]
enum How {
    Seal(FieldSealer),
    /// They are shown.
    Clear,
    Redact,
}

/// The declared fields of a call site whose names are listed, as a set.
type Listed = [u64; 4];

/// Why a value is not sealed.
#[derive(Debug)]
pub(crate) enum Problem {
    NoRecipients,
    Failed(Error),
}

/// What is to be sealed of a field.
enum Part {
    Nothing,
    Whole,
    /// Values in nested data, each with its path.
    Nested(Vec<(String, Range<usize>)>),
}

impl Sealing {
    /// `clear`: the output shows the values.
    pub(crate) fn new(fields: &Arc<SealedFields>, clear: bool, max_line_bytes: usize) -> Self {
        let how = match &fields.recipients {
            _ if clear => How::Clear,
            Some(recipients) => How::Seal(FieldSealer::new(recipients.clone())),
            None => How::Redact,
        };
        Self {
            fields: Arc::clone(fields),
            how,
            sites: HashMap::default(),
            contexts: None,
            rewritten: Vec::new(),
            replaced: None,
            max_json_bytes: max_line_bytes / 2,
            sequence: 0,
            problem: None,
        }
    }

    /// Seals the fields of a record.
    #[inline]
    pub(crate) fn pass<'a>(&'a mut self, record: &mut Record<'a>) {
        if self.lists_names() || any_to_seal() {
            self.pass_all(record);
        }
    }

    #[inline(never)]
    fn pass_all<'a>(&'a mut self, record: &mut Record<'a>) {
        let mut line = Line { time: record.time, is_log: record.is_log, sealed: 0 };
        let mut rewritten = std::mem::take(&mut self.rewritten);
        let is_changed = self.rewrite(record.fields, record.meta, &mut line, &mut rewritten);
        self.rewritten = rewritten;
        let in_spans = record.context.filter(|context| self.is_to_change(context));
        line.is_log = false;
        self.replaced = in_spans.and_then(|context| {
            context.replace_for_line(|form, meta| {
                let mut rewritten = Vec::new();
                self.rewrite(form, meta, &mut line, &mut rewritten).then_some(rewritten)
            })
        });
        self.sequence += u64::from(line.sealed > 0);
        if is_changed {
            record.fields = &self.rewritten;
        }
        if let (Some(context), Some(replaced)) = (in_spans, &self.replaced) {
            record.context = Some(context.with_line_replacements(replaced));
        }
    }

    /// Wipes the secret if its time is over.
    pub(crate) fn expire(&mut self) {
        if let How::Seal(sealer) = &mut self.how {
            sealer.expire();
        }
    }

    /// Returns when there is a secret to wipe.
    pub(crate) fn due(&self) -> Option<Instant> {
        if let How::Seal(sealer) = &self.how { sealer.due() } else { None }
    }

    /// In a forked child: becomes another writer.
    pub(crate) fn forked(&mut self) {
        self.sequence = 0;
        if let How::Seal(sealer) = &mut self.how {
            sealer.forked();
        }
    }

    /// Returns why a value was not sealed since the last call.
    pub(crate) fn take_problem(&mut self) -> Option<Problem> {
        self.problem.take()
    }

    /// Returns whether names decide what is sealed in this output.
    #[inline]
    fn lists_names(&self) -> bool {
        !self.fields.names.is_empty() && !matches!(self.how, How::Clear)
    }

    /// Returns whether the spans have something to seal. Each state of a context is looked at once.
    fn is_to_change(&mut self, context: &Context<'_>) -> bool {
        let key = context.key();
        let known = self.contexts.as_ref().map(|contexts| *contexts.place(key.span));
        if let Some((known, is_to_change)) = known
            && known == key
        {
            return is_to_change;
        }
        let is_to_change = context.any_fields(|form, meta| self.has_part(form, meta));
        let contexts = self.contexts.get_or_insert_with(|| BoxedDirectMapped::boxed(|| (NO_KEY, false)));
        *contexts.place_mut(key.span) = (key, is_to_change);
        is_to_change
    }

    fn has_part(&mut self, form: &[u8], meta: &'static Metadata<'static>) -> bool {
        let listed = self.listed(meta, false);
        let mut fields = behind_plain(form, &listed);
        std::iter::from_fn(|| fields.next_raw())
            .any(|(key, raw)| !matches!(self.part(key, raw, (meta, &listed, false)), Part::Nothing))
    }

    /// Writes the fields with sealed values to `out`. Returns false when there is nothing to seal; `out` is then undefined.
    fn rewrite(&mut self, form: &[u8], meta: &'static Metadata<'static>, line: &mut Line, out: &mut Vec<u8>) -> bool {
        let listed = self.listed(meta, line.is_log);
        let mut fields = behind_plain(form, &listed);
        let mut copied = 0;
        while let Some((key, raw)) = fields.next_raw() {
            let part = self.part(key, raw, (meta, &listed, line.is_log));
            if matches!(part, Part::Nothing) {
                continue;
            }
            if copied == 0 {
                out.clear();
                out.shrink_to(redact::MAX_KEPT_BYTES);
            }
            let end = form.len() - fields.rest().len();
            out.extend_from_slice(form.get(copied..end - raw.encoded_bytes()).unwrap_or_default());
            copied = end;
            let name = key.name(meta).unwrap_or_default();
            match part {
                Part::Nested(values) => self.put_nested(raw, &values, line, out),
                _ => self.put_whole(name, raw, line, out),
            }
        }
        if copied > 0 {
            out.extend_from_slice(form.get(copied..).unwrap_or_default());
        }
        copied > 0
    }

    /// Returns what is to be sealed of a field. `of`: its call site, the listed fields of that, and whether the record is one
    /// of the `log` crate.
    fn part(&self, key: Key<'_>, raw: Raw<'_>, of: (&'static Metadata<'static>, &Listed, bool)) -> Part {
        let (meta, listed, is_log) = of;
        if !matches!(key, Key::Index(_) | Key::Name(_)) {
            return Part::Nothing;
        }
        if matches!(raw, Raw::Sealed(_)) {
            return Part::Whole;
        }
        if !self.lists_names() {
            return Part::Nothing;
        }
        let is_listed = match key {
            Key::Index(index) => listed[usize::from(index) / 64] >> (index % 64) & 1 == 1,
            Key::Name(name) => !is_of_log(name, is_log) && self.fields.names.is_secret(name),
            _ => false,
        };
        if is_listed {
            return if self.is_redacted(raw) { Part::Nothing } else { Part::Whole };
        }
        let Some(text) = nested_text(raw) else { return Part::Nothing };
        let (mut values, name) = (Vec::new(), key.name(meta).unwrap_or_default());
        let is_redacted = |place: &Range<usize>| {
            let inner = text.get(place.start + 1..place.end.saturating_sub(1)).unwrap_or_default();
            text.get(place.start) == Some(&b'"') && inner == self.fields.replacement.as_bytes()
        };
        let found = |path: &str, place: Range<usize>| {
            if !is_redacted(&place) {
                values.push((path.to_owned(), place));
            }
        };
        match redact::find_values(&self.fields.names, text, name, found) {
            false => Part::Whole,
            true if values.is_empty() => Part::Nothing,
            true => Part::Nested(values),
        }
    }

    /// Returns whether a value was redacted: there is nothing left to seal.
    fn is_redacted(&self, raw: Raw<'_>) -> bool {
        matches!(raw, Raw::Text(text) if text == self.fields.replacement.as_bytes())
    }

    /// Returns which declared fields of a call site are listed.
    fn listed(&mut self, meta: &'static Metadata<'static>, is_log: bool) -> Listed {
        if !self.lists_names() {
            return Listed::default();
        }
        if self.sites.len() >= MAX_SITES {
            self.sites.clear();
        }
        let names = &self.fields.names;
        *self.sites.entry(std::ptr::from_ref(meta) as usize).or_insert_with(|| {
            let mut listed = Listed::default();
            for field in meta.fields() {
                let name = plain_name(field.name()).as_bytes();
                if !is_of_log(name, is_log)
                    && names.is_secret(name)
                    && let Some(bits) = listed.get_mut(field.index() / 64)
                {
                    *bits |= 1 << (field.index() % 64);
                }
            }
            listed
        })
    }

    fn put_whole(&mut self, name: &str, raw: Raw<'_>, line: &mut Line, out: &mut Vec<u8>) {
        match (&self.how, raw) {
            (How::Clear, Raw::Sealed(text)) => put_clear(out, text),
            (How::Clear, raw) => put_raw(out, raw),
            (How::Redact, _) => {
                self.problem = Some(Problem::NoRecipients);
                put_raw(out, Raw::Text(self.fields.replacement.as_bytes()));
            }
            (How::Seal(_), _) => {
                let mut json = Vec::new();
                match raw {
                    Raw::Sealed(text) => put_json(&mut json, text),
                    raw => put_value(&mut json, &raw.value()),
                }
                let token = self.token(name, &json, line);
                put_raw(out, Raw::Text(token.as_bytes()));
            }
        }
    }

    /// Writes nested data with tokens in place of values.
    fn put_nested(&mut self, raw: Raw<'_>, values: &[(String, Range<usize>)], line: &mut Line, out: &mut Vec<u8>) {
        let text = nested_text(raw).unwrap_or_default();
        let mut nested = Vec::with_capacity(text.len() + 512 * values.len());
        let mut copied = 0;
        for (path, place) in values {
            nested.extend_from_slice(text.get(copied..place.start).unwrap_or_default());
            let mut json = Vec::new();
            put_json(&mut json, text.get(place.clone()).unwrap_or_default());
            nested.push(b'"');
            nested.extend_from_slice(self.token(path, &json, line).as_bytes());
            nested.push(b'"');
            copied = place.end;
        }
        nested.extend_from_slice(text.get(copied..).unwrap_or_default());
        match (raw, std::str::from_utf8(&nested)) {
            (Raw::Value(_), Ok(text)) if is_json(&nested) => put_raw(out, Raw::Value(Value::Json(text))),
            (_, Ok(_)) => put_raw(out, Raw::Text(&nested)),
            // No text gets here: places are those of whole values.
            (_, Err(_)) => put_raw(out, Raw::Text(UNSEALED.as_bytes())),
        }
    }

    /// Returns the token of a value, or what stands for it. Never the value.
    fn token(&mut self, name: &str, json: &[u8], line: &mut Line) -> String {
        let How::Seal(sealer) = &mut self.how else { return UNSEALED.to_owned() };
        let mut cut = Vec::new();
        if let Some(text) = json.get(..self.max_json_bytes) {
            put_value(&mut cut, &Value::Str(&String::from_utf8_lossy(text)));
        }
        let json = if cut.is_empty() { json } else { &cut };
        match sealer.seal(name, line.time, self.sequence, json) {
            Ok(token) => {
                line.sealed += 1;
                token
            }
            Err(error) => {
                self.problem = Some(Problem::Failed(error));
                FAILED.to_owned()
            }
        }
    }
}

/// Returns whether a value is a token, or stands for one: a text that must not be taken for the value.
pub(crate) fn is_sealed(value: &Value<'_>) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(PREFIX) || text == FAILED || text == UNSEALED)
}

/// The line that is being made.
struct Line {
    time: Timestamp,
    is_log: bool,
    /// Its sealed values.
    sealed: usize,
}

/// Skips the leading fields that have nothing to seal for certain.
fn behind_plain<'a>(form: &'a [u8], listed: &Listed) -> Fields<'a> {
    let fields = Fields::new(form);
    match listed.iter().all(|bits| *bits == 0) {
        true => fields.skip_plain(Fields::KEYS, u64::MAX, |text| !matches!(text, [b'{' | b'[', ..])),
        false => fields,
    }
}

/// Returns the text of nested data.
fn nested_text(raw: Raw<'_>) -> Option<&[u8]> {
    let text = match raw {
        Raw::Text(text) => text,
        Raw::Value(Value::Json(text)) => text.as_bytes(),
        _ => return None,
    };
    matches!(text.first(), Some(b'{' | b'[')).then_some(text)
}

/// Returns whether a field tells where a record of the `log` crate comes from.
fn is_of_log(name: &[u8], is_log: bool) -> bool {
    is_log && name.starts_with(b"log.")
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Appends JSON as lines have it; a text that was cut becomes a string.
fn put_json(out: &mut Vec<u8>, text: &[u8]) {
    match std::str::from_utf8(text) {
        Ok(json) if is_json(text) => put_value(out, &Value::Json(json)),
        _ => put_value(out, &Value::Str(&String::from_utf8_lossy(text))),
    }
}

/// Appends the captured form of a value that is shown.
fn put_clear(out: &mut Vec<u8>, text: &[u8]) {
    match (serde_json::from_slice::<String>(text), std::str::from_utf8(text)) {
        (Ok(string), _) => put_raw(out, Raw::Text(string.as_bytes())),
        (_, Ok(json)) if is_json(text) => put_raw(out, Raw::Value(Value::Json(json))),
        _ => put_raw(out, Raw::Text(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Statics, notice_metadata, put_named};
    use crate::sealed::Key;

    /// More recipients than a token has room for stand for a system without random numbers.
    #[test]
    fn a_value_that_cannot_be_sealed_is_not_shown() {
        let recipients: Vec<_> = (0..700).map(|_| Key::generate().1).collect();
        let recipients = Recipients::parse(recipients.join("\n")).expect("recipients");
        let names = SecretNames::new(&["card".to_owned()], &[]);
        let fields = SealedFields { names, recipients: Some(recipients), replacement: String::new() };
        let mut sealing = Sealing::new(&Arc::new(fields), false, 1 << 20);
        let mut form = Vec::new();
        put_named(&mut form, "card", &Value::Str("4929"));
        put_named(&mut form, "nested", &Value::Json(r#"{"card":"4929"}"#));
        let mut record = Record {
            meta: notice_metadata(),
            time: Timestamp::default(),
            fields: &form,
            context: None,
            statics: &Statics::default(),
            is_log: false,
            max_value_bytes: usize::MAX,
            original_bytes: None,
        };
        sealing.pass(&mut record);
        let shown: Vec<_> = record.fields().collect();
        let nested = r#"{"card":"sealed:failed"}"#;
        assert_eq!(shown, [("card", Value::Str(FAILED)), ("nested", Value::Json(nested))]);
        assert!(matches!(sealing.take_problem(), Some(Problem::Failed(_))));
        assert!(sealing.take_problem().is_none());
    }
}
