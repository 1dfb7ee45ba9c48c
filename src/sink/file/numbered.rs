//! Segments called `.1`, `.2` and so on, as logrotate names them: 1 is the newest.
//!
//! A rotation moves each segment up by one, the oldest first, and the active file becomes number 1. All of it happens
//! under the lock file. A crash in between leaves a gap, which the next rotation fills: segments above a gap stay where
//! they are. So no name is overwritten, and the order is kept at any moment.

use std::io;

use super::failed::failed;
use super::log_files::{DirectoryListing, DirectoryLock, LogFiles, SegmentFile};
use crate::error::Error;
use crate::rotation::{Label, Segment};
use crate::sink::directory::Identity;

impl LogFiles {
    /// Returns the place of the segment that is closed next, which follows `newest` and covers what `label` says.
    pub(super) fn next_place(
        &self,
        listing: &mut DirectoryListing,
        newest: Option<Segment>,
        label: Label,
        lock: &DirectoryLock,
    ) -> Result<Segment, Error> {
        if !self.names.is_numbered() {
            return Ok(Self::next_segment(listing, newest, label));
        }
        let place = self.make_room(listing, lock)?;
        *listing = self.list()?;
        Ok(place)
    }

    /// Frees the place of the newest segment, and returns it. Numbers that something else has are skipped.
    fn make_room(&self, listing: &DirectoryListing, _: &DirectoryLock) -> Result<Segment, Error> {
        let is_free = |place: &Segment| !listing.taken.contains(place);
        let mut places = (1..).map(Segment::numbered).filter(is_free);
        let Some(newest) = places.next() else {
            return Err(Error::retry(format!("rotate {}: no number is free", self.active_path.display())));
        };
        let mut run = vec![newest];
        while let Some(place) =
            run.last().filter(|place| listing.closed.contains_key(place)).and_then(|_| places.next())
        {
            run.push(place);
        }
        for places in run.windows(2).rev() {
            let [from, to] = places else { continue };
            let mut stored = listing.closed.get(from).cloned().unwrap_or_default();
            // The plain file is the one that counts while both are there, so it moves last.
            stored.sort_by_key(|file| std::cmp::Reverse(file.compression));
            for file in stored {
                let name = self.names.segment(*from, file.compression);
                let renamed = self.directory.rename_new(&name, &self.names.segment(*to, file.compression));
                renamed.map_err(failed("rename", &self.path(&name)))?;
            }
        }
        Ok(newest)
    }

    /// Returns where the plain file of a segment is by now, and all its files. The caller holds the lock file.
    pub(super) fn find(&self, identity: Identity) -> io::Result<Option<(Segment, Vec<SegmentFile>)>> {
        let listing = self.list().map_err(io::Error::other)?;
        let is_it = |files: &Vec<SegmentFile>| files.iter().any(|file| file.entry.identity == identity);
        Ok(listing.closed.into_iter().find(|(_, files)| is_it(files)))
    }

    /// Takes the lock file; `None` if that is not possible now.
    pub(super) fn try_hold(&self) -> Option<DirectoryLock> {
        self.lock().ok().filter(|lock| lock.is_held)
    }
}
