//! Other values for the spans of a context: what a line may show of them.
//!
//! An [`Overlay`] takes the place of what was recorded on the spans. The key of the context stays the same: whoever makes
//! an overlay makes the same one for the same key.

use std::fmt;
use std::sync::Arc;

use tracing::Metadata;

use super::{Context, Node, SpanView, Version};
use crate::record::merge;

/// Values for some of the spans in a context.
#[derive(Debug)]
pub(crate) struct Overlay(Vec<(u64, Arc<Version>)>);

impl Overlay {
    /// Memory that it keeps alive.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|(_, version)| version.fields.len()).sum()
    }
}

impl<'a> Context<'a> {
    /// Whether it is seen at once that nothing in it is to be changed: each span is asked for once, for all contexts that
    /// it is in.
    pub(crate) fn is_plain(&self, harmless: impl Fn(&[u8]) -> bool) -> bool {
        let is_plain = |node: &Node| {
            let known = node.is_plain();
            let plain = known || harmless(&node.fields);
            if plain && !known {
                node.set_plain();
            }
            plain
        };
        self.recorded.is_empty() && self.nodes().all(is_plain)
    }

    /// The overlay that `change` makes of the captured fields of each span, where it changes them; `None` when it
    /// changes nothing. All who ask it of one log's contexts have the same `change`.
    pub(crate) fn overlay(
        &self,
        mut change: impl FnMut(&[u8], &'static Metadata<'static>) -> Option<Vec<u8>>,
    ) -> Option<Overlay> {
        let mut changed = false;
        let mut versions = Vec::new();
        for node in self.nodes() {
            let view = self.view(node);
            // Looked through once, for all contexts that it is in.
            let opened = if node.is_plain() { None } else { change(&node.fields, node.meta) };
            if opened.is_none() {
                node.set_plain();
            }
            let recorded = if view.recorded.is_empty() { None } else { change(view.recorded, node.meta) };
            changed |= opened.is_some() || recorded.is_some();
            let recorded = recorded.as_deref().unwrap_or(view.recorded);
            let fields = match opened {
                // All of them: the last of two fields of one name is to stay the last.
                Some(opened) => merge(&opened, recorded),
                None if recorded.is_empty() => continue,
                None => recorded.to_vec(),
            };
            versions.push((node.serial, Arc::new(Version { stamp: self.version, fields })));
        }
        changed.then_some(Overlay(versions))
    }

    /// The context with other values.
    pub(crate) fn under<'b>(self, overlay: &'b Overlay) -> Context<'b>
    where
        'a: 'b,
    {
        Context { recorded: &overlay.0, ..self }
    }
}

/// Shows what the context hands down as it does, which may be less than what was captured.
impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("key", &self.key()).field("spans", &self.spans().collect::<Vec<_>>()).finish()
    }
}

impl fmt::Debug for SpanView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.fields().collect();
        f.debug_struct("SpanView").field("name", &self.name()).field("id", &self.id()).field("fields", &fields).finish()
    }
}
