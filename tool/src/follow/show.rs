//! What the loop passes lines to.

use std::io;
use std::os::fd::BorrowedFd;

use crate::entry::Entry;
use crate::report::Report;

/// Shows lines to the user.
pub(crate) trait Show {
    /// Returns whether an entry is one that is looked for.
    fn wants(&self, entry: &Entry<'_>) -> bool;

    /// Shows an entry if it is looked for.
    fn take(&mut self, entry: &Entry<'_>) -> io::Result<()>;

    /// Returns whether nothing more is shown.
    fn is_done(&self) -> bool;

    /// Writes out what was shown.
    fn flush(&mut self) -> io::Result<()>;

    /// Returns where the user's keys come from.
    fn keys(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Does what the user asks for.
    fn obey(&mut self, _: &mut Report) -> io::Result<()> {
        Ok(())
    }
}
