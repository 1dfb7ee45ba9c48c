//! Descriptors that another library holds.

use std::io;
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

#[cfg(unix)]
use super::Descriptor;

/// Stands for the descriptors of a library, which does not tell their numbers.
///
/// The program may close all descriptors and reuse their numbers, as daemons do. The mark is lost then, and the library
/// must neither use nor close its descriptors: it would reach the program's files. Descriptors that the program closes one
/// by one are not noticed.
#[derive(Debug)]
pub(crate) struct Mark(#[cfg(unix)] Descriptor<UnixDatagram>);

impl Mark {
    /// Opens a socket that nobody uses.
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        #[cfg(unix)]
        let mark = Self(Descriptor::new(UnixDatagram::unbound()?)?);
        #[cfg(not(unix))]
        let mark = Self();
        Ok(Arc::new(mark))
    }

    /// Returns whether the program has closed it.
    pub(crate) fn is_lost(&self) -> bool {
        #[cfg(unix)]
        return self.0.is_lost();
        #[cfg(not(unix))]
        false
    }

    /// Closes it, as the program may.
    #[cfg(all(unix, test))]
    pub(crate) fn lose(&self) {
        drop(self.0.take_number());
    }
}

/// Something of a library that holds descriptors. It is forgotten, not dropped, once their mark is lost.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    /// `None` only while it is dropped.
    held: Option<T>,
    mark: Arc<Mark>,
}

impl<T> Guarded<T> {
    pub(crate) fn new(held: T, mark: &Arc<Mark>) -> Self {
        Self { held: Some(held), mark: Arc::clone(mark) }
    }

    /// Returns whether the program has closed its descriptors.
    pub(crate) fn is_lost(&self) -> bool {
        self.mark.is_lost()
    }

    /// Returns it, unless the program has closed its descriptors.
    pub(crate) fn get(&self) -> Option<&T> {
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
