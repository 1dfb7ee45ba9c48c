//! Directives that follow the context: `[request{request_id="r-42"}]=debug`.
//!
//! They let events pass that are inside a matching span. What other directives let pass, they leave as it is.

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};

use super::pattern::Pattern;
use crate::context::Node;
use crate::values::Value;

/// A level for the events inside some spans.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct InContext {
    /// The target of the span: a path, or a beginning followed by `*`.
    pub(super) target: Option<String>,
    /// The name of the span.
    pub(super) span: Option<String>,
    /// All of them hold for the span's fields.
    pub(super) fields: Vec<FieldTest>,
    pub(super) level: LevelFilter,
}

/// What must hold for a field of the span.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FieldTest {
    pub(super) name: String,
    pub(super) value: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// The field has a value.
    Present,
    /// A number, a truth value or a text without quotes: the value reads so, or is an equal number.
    Word { text: String, number: Option<f64> },
    /// Exactly this text.
    Text(String),
    /// A text that begins so.
    Prefix(String),
    /// A text with a part that matches.
    Pattern(Pattern),
}

impl InContext {
    /// Returns whether events of this level pass in a matching span.
    pub(super) fn enables(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Returns whether spans of this call site can match. Only if the directive has a name for them: one for the fields
    /// of any span shows no further span.
    pub(super) fn names(&self, meta: &Metadata<'_>) -> bool {
        self.span.is_some() && self.is_of(meta)
    }

    /// Returns whether a span matches.
    pub(super) fn matches(&self, node: &Node) -> bool {
        let is_field =
            |test: &FieldTest| node.with_value(&test.name, |value| value.is_some_and(|value| test.value.holds(value)));
        self.is_of(node.meta()) && self.fields.iter().all(is_field)
    }

    fn is_of(&self, meta: &Metadata<'_>) -> bool {
        self.span.as_deref().is_none_or(|name| name == meta.name())
            && self.target.as_deref().is_none_or(|target| match target.strip_suffix('*') {
                Some(beginning) => meta.target().starts_with(beginning),
                None => super::filter_set::covers(target, meta.target()),
            })
    }
}

impl Test {
    fn holds(&self, value: Value<'_>) -> bool {
        match self {
            Self::Present => true,
            Self::Word { text, number } => {
                is_text(value, |own| own == text) || number.is_some_and(|number| is_number(value, number))
            }
            Self::Text(text) => is_text(value, |own| own == text),
            Self::Prefix(beginning) => is_text(value, |own| own.starts_with(beginning.as_str())),
            Self::Pattern(pattern) => is_text(value, |own| pattern.is_in(own)),
        }
    }
}

fn is_text(value: Value<'_>, test: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Error(chain) => test(chain.message()),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).is_ok_and(test),
        value => value.to_text().is_some_and(|text| test(&text)),
    }
}

#[expect(clippy::float_cmp, reason = "a number is asked for as it is written")]
fn is_number(value: Value<'_>, number: f64) -> bool {
    match value {
        Value::F64(own) => own == number,
        Value::I64(own) => own as f64 == number,
        Value::U64(own) => own as f64 == number,
        _ => false,
    }
}
