//! What writes a log's files: plain lines or sealed ones.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::sink::directory::Directory;
use crate::sink::{Control, Lines, Next};

/// Writes a log's files.
pub(super) trait FileWriter: fmt::Debug + Send {
    fn write(&mut self, lines: &mut Lines) -> Result<(), Error>;

    /// Returns when the writer has to be called although no line comes.
    fn next(&self) -> Next;

    fn control(&mut self, control: Control) -> Result<(), Error>;

    /// Removes an empty file that is to be created with its first line. That line opens the path again.
    fn await_line(&mut self);

    /// Returns the directory that it holds open.
    fn directory(&self) -> &Arc<Directory>;
}
