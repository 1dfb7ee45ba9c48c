//! What a line says of the spans that it is in.

use std::borrow::Cow;

use super::path::Path;
use super::value::Value;
use super::view::Entry;

/// Where loggers have the id of the span's parent. Shorter names, such as `parent_id`, are programs' fields.
const PARENTS: [&str; 2] = ["parent_span_id", "parentSpanId"];

/// Where loggers have the id of the span, if the dialect does not say it.
const SPANS: [&str; 3] = ["span_id", "spanId", "span.id"];

impl<'e> Entry<'e> {
    /// Returns the id of the innermost span, in the digits that the library writes. One of zeros is none.
    pub(crate) fn span_id(&self) -> Option<Cow<'e, str>> {
        let keys = self.dialect().keys.span;
        let known = keys.iter().find_map(|key| self.nested(key));
        let id = known.or_else(|| SPANS.iter().find_map(|key| self.field(key)));
        let id = id.filter(|value| !value.is_object())?.shown();
        if self.dialect().has_decimal_ids
            && let Ok(number) = id.parse::<u64>()
        {
            return Some(Cow::Owned(format!("{number:016x}")));
        }
        valid(id)
    }

    /// Returns the id of the parent of the innermost span.
    pub(crate) fn parent_span_id(&self) -> Option<Cow<'e, str>> {
        PARENTS.iter().find_map(|key| valid(self.field(key).filter(|value| !value.is_object())?.shown()))
    }

    /// Returns the names of the spans, the outermost first, at most `limit`.
    pub(crate) fn span_names(&self, limit: usize) -> Vec<Cow<'e, str>> {
        let mut names = Vec::new();
        if let Some(spans) = self.field("spans") {
            match spans.text() {
                // As `Ecs`, `Gelf` and `Logfmt` have them.
                Some(path) => {
                    names.extend(path.split(':').take(limit).filter(|name| !name.is_empty()).map(owned));
                }
                None => {
                    // OTLP's `{"values":[{"stringValue":"request"}]}` is an array too.
                    let list = spans.member("values").or_else(|| spans.member("arrayValue")?.member("values"));
                    names.extend(list.unwrap_or(spans).items().take(limit).filter_map(name));
                }
            }
        }
        if names.is_empty() {
            names.extend(self.field("span").and_then(name));
        }
        names
    }

    /// Returns a field of the innermost span that has it, for lines that have a list of spans with their fields.
    pub(crate) fn span_field(&self, field: &str) -> Option<Value<'e>> {
        self.field("spans")?.items().filter_map(|span| span.member(field)).last()
    }

    /// Returns the value of a field, by its name or its dotted path.
    pub(crate) fn field(&self, path: &str) -> Option<Value<'e>> {
        Path::new(path).value(self)
    }

    /// Returns the value under a key of a dialect.
    fn nested(&self, key: &str) -> Option<Value<'e>> {
        match key.split_once('>') {
            Some((outer, inner)) => self.member(outer)?.member(inner),
            None => self.member(key),
        }
    }
}

/// Returns the name of a span: a text, or an object with one.
fn name(span: Value<'_>) -> Option<Cow<'_, str>> {
    span.text().or_else(|| span.member("name")?.text()).or_else(|| span.member("stringValue")?.text())
}

fn owned<'e>(text: &str) -> Cow<'e, str> {
    Cow::Owned(text.to_owned())
}

/// Returns an id unless it is empty or has only zeros, which stand for none.
fn valid(id: Cow<'_, str>) -> Option<Cow<'_, str>> {
    (id != "null" && id.bytes().any(|byte| byte != b'0')).then_some(id)
}
