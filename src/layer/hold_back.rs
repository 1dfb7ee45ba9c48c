//! Holding lines back, and releasing them before the error of their request.

use std::sync::Arc;

use super::call_site::CallSite;
use super::core::{Core, log_target};
use crate::context::Node;
use crate::flight_recorder::{HeldLine, HeldLines};
use crate::outputs::Places;
use crate::queue::{Head, Push};

impl Core {
    /// Pushes an event of the slow path: after the lines that it releases, and to the outputs that it is held back from
    /// into memory.
    #[inline(never)]
    pub(super) fn push_or_hold_back(&self, places: &Places, site: CallSite, mask: u64, push: Push<'_>) -> u64 {
        let (Some(held_lines), Some(node)) = (&self.diagnostics.held_lines, push.context) else {
            return places.push(mask, push);
        };
        let released =
            if site.has(CallSite::RELEASES) { release(places, held_lines, node, mask, push.may_wait) } else { 0 };
        let to_deliver = released | places.push(mask, push);
        // Lines of the log's own threads are never held back.
        if site.has(CallSite::HELD_BACK) && push.may_wait {
            self.hold_back(places, held_lines, node, &push, mask);
        }
        to_deliver
    }

    /// Returns whether some detail is held back.
    #[cfg(all(unix, feature = "control"))]
    pub(crate) fn holds_back(&self) -> bool {
        self.diagnostics.held_lines.is_some()
    }

    /// Pushes what all requests have held back. Returns the number of lines.
    #[cfg(all(unix, feature = "control"))]
    pub(crate) fn release_all(&self) -> u64 {
        self.outputs.with(|| (), |places, ()| self.release_all_to(places))
    }

    #[cfg(all(unix, feature = "control"))]
    fn release_all_to(&self, places: &Places) -> u64 {
        let mut released = 0;
        let rings = self.diagnostics.held_lines.iter().flat_map(|held_lines| held_lines.take_all());
        for mut ring in rings {
            let mut to_deliver = 0;
            for (line, bound) in ring.lines() {
                let head = Head::Event { meta: line.meta, is_log: line.is_log };
                let push = Push { head, time: line.time, bytes: line.bytes, context: None, may_wait: false };
                to_deliver |= places.push_by(line.mask, |lane, _| lane.queue.push_held_back(push, bound));
                released += 1;
            }
            places.deliver(to_deliver);
        }
        released
    }

    /// `taken`: the outputs that have the event already.
    fn hold_back(&self, places: &Places, held_lines: &HeldLines, node: &Arc<Node>, push: &Push<'_>, taken: u64) {
        let Head::Event { meta, is_log } = push.head else { return };
        let mask = if is_log {
            self.filters.held_back_mask(log_target(meta, push.bytes), *meta.level())
        } else {
            self.held_back_mask(meta)
        } & !taken;
        if mask == 0 {
            return;
        }
        places.count(mask, |lane, is_first| lane.queue.hold_back(*meta.level(), is_first && taken == 0));
        let line = HeldLine { meta, is_log, time: push.time, bytes: push.bytes, mask };
        held_lines.add(node, &line, &mut |level, mask| {
            places.in_mask(mask).for_each(|lane| lane.queue.evict(level));
        });
    }
}

/// Pushes what the request of `node` has held back from the outputs in `mask`.
fn release(places: &Places, held_lines: &HeldLines, node: &Arc<Node>, mask: u64, may_wait: bool) -> u64 {
    let request = node.request();
    let mut to_deliver = 0;
    if let Some(mut taken) = request.holds_back().then(|| held_lines.take(request, mask)).flatten() {
        for (line, bound) in taken.lines() {
            let head = Head::Event { meta: line.meta, is_log: line.is_log };
            let push = Push { head, time: line.time, bytes: line.bytes, context: None, may_wait };
            to_deliver |= places.push_by(line.mask & mask, |lane, _| lane.queue.push_held_back(push, bound));
        }
    }
    to_deliver
}
