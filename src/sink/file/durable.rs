//! Makes durable what was written: the file, closed segments and the directory.

use std::fs::File;

use super::failed::failed;
use super::kept::Kept;
use super::rotating_writer::RotatingWriter;
use crate::error::Error;
use crate::rotation::{Compression, Segment};
use crate::sink::directory::Links;

/// What was last made durable.
#[derive(Debug)]
pub(super) struct Durable {
    /// The newest segment at that time.
    pub(super) newest: Option<Segment>,
    /// Files were created or renamed since then.
    pub(super) moved: bool,
    /// What was written since then.
    pub(super) kept: Kept,
}

impl RotatingWriter {
    /// Makes everything durable that was written.
    ///
    /// # Errors
    /// After a sync of data that failed, the lines since the last one are written again to a new segment. If they are no
    /// longer in memory, or that fails too, the error is [`Error::not_durable`].
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        if self.is_lost() {
            self.reopen()?;
        }
        let Err(error) = self.sync_data()? else {
            self.durable.kept.settle();
            self.durable.kept.is_hopeless = false;
            return Ok(());
        };
        let again = self.durable.kept.take().map(|bytes| self.write_again(&bytes));
        self.durable.kept.settle();
        self.durable.kept.is_hopeless |= matches!(again, Some(Err(_)));
        match again {
            Some(Ok(())) => {
                let what = "the lines that it covered were written again to a new segment";
                self.problems.failed(Error::retry(format!("{error:#}; {what}")));
                Ok(())
            }
            Some(Err(second)) => Err(Error::not_durable(format!(
                "{error:#}; lines may not survive a power cut: writing them again failed: {second:#}"
            ))),
            None => Err(Error::not_durable(format!(
                "{error:#}; lines may not survive a power cut: they are no longer in memory"
            ))),
        }
    }

    /// Syncs the files, and the directory if names have changed. The inner error is that of a file's data.
    pub(super) fn sync_data(&mut self) -> Result<Result<(), Error>, Error> {
        if let Err(error) = self.active.sync() {
            return Ok(Err(failed("sync", &self.files.active_path)(error)));
        }
        if self.durable.moved {
            let listing = self.files.list()?;
            let is_new = |segment: &Segment| segment.is_numbered() || Some(*segment) > self.durable.newest;
            for (segment, _) in listing.closed.iter().filter(|(segment, _)| is_new(segment)) {
                // A compressed segment was made durable before it got its name.
                let name = self.files.names.segment(*segment, Compression::Plain);
                if let Ok(file) = self.files.directory.open_file(&name, Links::Any)
                    && let Err(error) = file.get().and_then(File::sync_data)
                {
                    return Ok(Err(failed("sync", &self.files.path(&name))(error)));
                }
            }
            self.sync_directory(listing.newest)?;
        }
        Ok(Ok(()))
    }

    fn sync_directory(&mut self, newest: Option<Segment>) -> Result<(), Error> {
        self.files.directory.sync().map_err(failed("sync", self.files.directory.path()))?;
        (self.durable.newest, self.durable.moved) = (newest, false);
        Ok(())
    }

    /// Begins a new segment with lines that could not be made durable where they are.
    fn write_again(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.active.len().map_err(failed("inspect", &self.files.active_path))? > 0 {
            self.rotate(self.now.or(self.active.modified()).unwrap_or_default())?;
        }
        self.active.write_again(bytes).map_err(failed("write to", &self.files.active_path))?;
        self.sync_directory(self.newest)
    }
}
