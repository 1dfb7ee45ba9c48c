//! Other values for the spans of a context: what a line may show after redaction and without terminal sequences.
//!
//! [`FieldReplacements`] take the place of what was recorded on the spans. The context keeps its key, so equal keys must
//! give equal replacements.

use std::sync::Arc;

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
            let mut fields = FieldBytes::new();
            match opened {
                // All fields are kept: the last duplicate must remain the last.
                Some(opened) => merge(&opened, recorded, &mut fields),
                None if recorded.is_empty() => continue,
                None => fields.extend_from_slice(recorded),
            }
            versions.push((node.serial(), Arc::new(Version { stamp: self.version, fields })));
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
