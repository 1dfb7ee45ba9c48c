//! Spans that are none: they hand down fields and ids like a span, and are not shown as one.
//!
//! Context variables and contexts from elsewhere are such spans, so that tracing itself keeps them where they belong,
//! over `.await`s and threads. They have a call site of their own. What they hand down comes with one declared field: an
//! error to tracing's other layers, which show its text, and [`Dynamic`] to the capture, which takes the fields out of it.

use std::error::Error;
use std::fmt;

use tracing::callsite::{DefaultCallsite, Identifier};
use tracing::dispatcher;
use tracing::field::{FieldSet, Value as FieldValue};
use tracing::metadata::Kind;
use tracing::{Level, Metadata, Span};

use crate::record::{Fields, Key, Value, put_named};

static CALL_SITE: DefaultCallsite = DefaultCallsite::new(&METADATA);

/// An ERROR, so that no filter by level hides it.
static METADATA: Metadata<'static> = Metadata::new(
    "context",
    "spanline::propagate::context",
    Level::ERROR,
    None,
    None,
    None,
    FieldSet::new(&["variables"], Identifier(&CALL_SITE)),
    Kind::SPAN,
);

/// Whether a call site is that of the hidden spans.
#[inline]
pub(crate) fn is_hidden(meta: &Metadata<'_>) -> bool {
    std::ptr::addr_eq(meta, &METADATA)
}

/// Opens a hidden span in the current one; a disabled one when there is nothing to hand down, or nobody to hand it to.
pub(crate) fn open_hidden(fields: &Dynamic) -> Span {
    let interest = CALL_SITE.interest();
    let is_on = || interest.is_always() || dispatcher::get_default(|dispatch| dispatch.enabled(&METADATA));
    if fields.form.is_empty() || interest.is_never() || !is_on() {
        return Span::none();
    }
    let error: &(dyn Error + 'static) = fields;
    let set = METADATA.fields();
    match set.field("variables") {
        Some(field) => Span::new(&METADATA, &set.value_set(&[(&field, Some(&error as &dyn FieldValue))])),
        None => Span::none(),
    }
}

/// No line is as long as that; the capture cuts further.
const MAX_BYTES: usize = 1 << 30;

/// Fields that no call site declares, on their way through tracing.
#[derive(Clone, Default)]
pub(crate) struct Dynamic {
    form: Vec<u8>,
}

impl Dynamic {
    pub(crate) fn put(&mut self, name: &str, value: &Value<'_>) {
        put_named(&mut self.form, name, &value.cut_to(MAX_BYTES));
    }

    /// For a field of a span or an event, whatever its name; `None` when there is nothing.
    #[cfg(feature = "tower")]
    pub(crate) fn as_error(&self) -> Option<&(dyn Error + 'static)> {
        (!self.form.is_empty()).then_some(self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        Fields::new(&self.form).filter_map(|(key, value)| match key {
            Key::Name(name) => Some((name, value)),
            _ => None,
        })
    }
}

impl Error for Dynamic {}

impl fmt::Debug for Dynamic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Display for Dynamic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.iter().enumerate() {
            let gap = if place == 0 { "" } else { " " };
            match value.to_text() {
                Some(text) => write!(f, "{gap}{name}={text}")?,
                None => write!(f, "{gap}{name}={value:?}")?,
            }
        }
        Ok(())
    }
}
