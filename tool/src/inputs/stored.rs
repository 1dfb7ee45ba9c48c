//! Lines that an engine keeps and returns, instead of files.

use crate::entry::Form;

/// The lines that an engine returns, in the order in which they are printed.
pub(crate) trait Stored {
    /// Reads the next line without its newline; `None` at the end, also behind an error.
    ///
    /// # Errors
    /// The engine has failed. The lines before are not all.
    fn read(&mut self, line: &mut Vec<u8>) -> Result<Option<StoredLine>, String>;
}

/// What the engine knows of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredLine {
    /// Whether only its first bytes are here.
    pub(crate) is_cut: bool,
    /// The form that decides how it is read if it is ambiguous.
    pub(crate) settled: Form,
    /// Its time, or that of the line before it in its log, in nanoseconds since 1970.
    pub(crate) time: Option<i64>,
}
