//! Lines that an engine returns, or a search, instead of files.

use crate::scan::{FoundLine, Passed, Search};

/// Lines that are returned in the order in which they are printed.
pub(crate) trait Stored {
    /// Reads the next line without its newline; `None` at the end, also behind an error.
    ///
    /// # Errors
    /// Lines are missing. Others may follow.
    fn read(&mut self, line: &mut Vec<u8>) -> Result<Option<FoundLine>, String>;

    /// Returns whether the next line can be read at once.
    fn is_ready(&self) -> bool {
        true
    }

    /// Returns how many lines were read that are not returned, as far as that is known.
    fn passed(&self) -> Passed {
        Passed::default()
    }

    /// Returns how many lines were counted, instead of being returned.
    fn counted(&self) -> u64 {
        0
    }
}

impl Stored for Search {
    fn read(&mut self, line: &mut Vec<u8>) -> Result<Option<FoundLine>, String> {
        self.next_line(line)
    }

    fn is_ready(&self) -> bool {
        Self::is_ready(self)
    }

    fn passed(&self) -> Passed {
        Self::passed(self)
    }

    fn counted(&self) -> u64 {
        Self::counted(self)
    }
}
