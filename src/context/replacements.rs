//! Other values for the spans of a context: what a line may show after redaction and without terminal sequences.
//!
//! [`FieldReplacements`] take the place of what was recorded on the spans. The context keeps its key, so equal keys must
//! give equal replacements.

use std::sync::Arc;
#[cfg(feature = "sealed")]
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Metadata;

use super::context::Context;
use super::node::Node;
use super::recorded::Version;
use crate::values::{FieldBytes, merge};

/// Values for some of the spans in a context.
#[derive(Debug)]
pub(crate) struct FieldReplacements(Vec<(u64, Arc<Version>)>);

impl FieldReplacements {
    /// Returns the memory that they keep alive.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|(_, version)| version.fields.len()).sum()
    }
}

/// The version of the next context with values of one line. No version of recorded fields gets there.
#[cfg(feature = "sealed")]
static OF_LINES: AtomicU64 = AtomicU64::new(1 << 63);

#[cfg(feature = "sealed")]
impl<'a> Context<'a> {
    /// Returns whether `is` holds for the captured fields of a span.
    pub(crate) fn any_fields(&self, mut is: impl FnMut(&[u8], &'static Metadata<'static>) -> bool) -> bool {
        self.nodes().any(|node| is(&node.fields, node.meta) || is(self.view(node).recorded, node.meta))
    }

    /// Applies `change` to the captured fields of each span, for one line; returns `None` when it changes nothing.
    pub(crate) fn replace_for_line(
        &self,
        mut change: impl FnMut(&[u8], &'static Metadata<'static>) -> Option<Vec<u8>>,
    ) -> Option<FieldReplacements> {
        let mut changed = false;
        let mut versions = Vec::new();
        for node in self.nodes() {
            let view = self.view(node);
            let (opened, recorded) = (change(&node.fields, node.meta), change(view.recorded, node.meta));
            changed |= opened.is_some() || recorded.is_some();
            versions.extend(version_of(node, self.version, opened, recorded.as_deref().unwrap_or(view.recorded)));
        }
        changed.then_some(FieldReplacements(versions))
    }

    /// Returns the context with values that no other line has, and with a key that no other context has.
    pub(crate) fn with_line_replacements<'b>(self, replacements: &'b FieldReplacements) -> Context<'b>
    where
        'a: 'b,
    {
        let version = OF_LINES.fetch_add(1, Ordering::Relaxed);
        Context { version, ..self.with_replacements(replacements) }
    }
}

/// Returns what takes the place of a span's recorded fields: those, with all that it was opened with if that has changed.
fn version_of(node: &Node, stamp: u64, opened: Option<Vec<u8>>, recorded: &[u8]) -> Option<(u64, Arc<Version>)> {
    let mut fields = FieldBytes::new();
    match opened {
        // All fields are kept: the last duplicate must remain the last.
        Some(opened) => merge(&opened, recorded, &mut fields),
        None if recorded.is_empty() => return None,
        None => fields.extend_from_slice(recorded),
    }
    Some((node.serial(), Arc::new(Version { stamp, fields })))
}

impl<'a> Context<'a> {
    /// Returns whether a quick check shows that no field needs a change. Each span is checked once for all its contexts,
    /// with and without `strips`.
    pub(crate) fn is_harmless(&self, strips: bool, is_harmless: impl Fn(&[u8]) -> bool) -> bool {
        let check = |node: &Node| {
            let is_known = node.is_harmless(strips);
            let harmless = is_known || is_harmless(&node.fields);
            if harmless && !is_known {
                node.set_harmless(strips);
            }
            harmless
        };
        self.recorded.is_empty() && self.nodes().all(check)
    }

    /// Applies `change` to the captured fields of each span; returns `None` when it changes nothing.
    ///
    /// All callers for the contexts of one log must pass the same `change` with the same `strips`, which tells whether it
    /// removes terminal sequences.
    pub(crate) fn replace_fields(
        &self,
        strips: bool,
        mut change: impl FnMut(&[u8], &'static Metadata<'static>) -> Option<Vec<u8>>,
    ) -> Option<FieldReplacements> {
        let mut changed = false;
        let mut versions = Vec::new();
        for node in self.nodes() {
            let view = self.view(node);
            // Fields known to be harmless were checked for another context.
            let opened = if node.is_harmless(strips) { None } else { change(&node.fields, node.meta) };
            if opened.is_none() {
                node.set_harmless(strips);
            }
            let recorded = if view.recorded.is_empty() { None } else { change(view.recorded, node.meta) };
            changed |= opened.is_some() || recorded.is_some();
            let recorded = recorded.as_deref().unwrap_or(view.recorded);
            versions.extend(version_of(node, self.version, opened, recorded));
        }
        changed.then_some(FieldReplacements(versions))
    }

    /// Returns the context with other values.
    pub(crate) fn with_replacements<'b>(self, replacements: &'b FieldReplacements) -> Context<'b>
    where
        'a: 'b,
    {
        Context { recorded: &replacements.0, ..self }
    }
}
