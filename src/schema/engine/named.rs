//! Fields that no call site declares, while a line is written.

use super::layout::Layout;
use super::plan::Plan;
use crate::record::Record;

/// The fields of an event that no call site declares, in their order.
#[derive(Default)]
pub(super) struct Named {
    /// The numbers that were seen, as a set.
    seen: u32,
    /// The number that is expected next.
    next: usize,
}

impl Named {
    /// Returns the number of the next one; `None` when the line has to be written directly.
    #[inline]
    pub(super) fn next(&mut self, name: &[u8], plan: &mut Plan, record: &Record<'_>, layout: &Layout) -> Option<usize> {
        let number = plan.number_of(name, self.next, record, layout)?;
        let bit = 1 << number;
        if self.seen & bit != 0 {
            return None;
        }
        self.seen |= bit;
        self.next = number + 1;
        Some(number)
    }
}
