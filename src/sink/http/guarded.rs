//! What the library for HTTP holds.

use std::sync::Arc;

use crate::process::Mark;

/// Something of a library that holds descriptors. It is forgotten, not dropped, once their mark is lost.
#[derive(Debug)]
pub(super) struct Guarded<T> {
    /// `None` only while it is dropped.
    held: Option<T>,
    mark: Arc<Mark>,
}

impl<T> Guarded<T> {
    pub(super) fn new(held: T, mark: &Arc<Mark>) -> Self {
        Self { held: Some(held), mark: Arc::clone(mark) }
    }

    /// Returns whether the program has closed its descriptors.
    pub(super) fn is_lost(&self) -> bool {
        self.mark.is_lost()
    }

    /// Returns it, unless the program has closed its descriptors.
    pub(super) fn get(&self) -> Option<&T> {
        self.held.as_ref().filter(|_| !self.is_lost())
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let is_lost = self.is_lost();
        if let Some(held) = self.held.take()
            && is_lost
        {
            std::mem::forget(held);
        }
    }
}

#[cfg(all(unix, test))]
mod tests {
    use super::*;

    #[test]
    fn what_a_library_holds_is_dropped_unless_its_descriptors_are_the_programs() {
        let (mark, value) = (Mark::new().unwrap(), Arc::new(()));
        let guarded = || Guarded::new(Arc::clone(&value), &mark);
        let kept = guarded();
        assert!(kept.get().is_some());
        drop(kept);
        assert_eq!(Arc::strong_count(&value), 1);
        let lost = guarded();
        mark.lose();
        assert!(lost.get().is_none() && lost.is_lost());
        drop(lost);
        assert_eq!(Arc::strong_count(&value), 2);
    }
}
