//! What the last listing of a log has found.

use std::fs;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::super::log::Log;
use super::super::open::{failed, identity};
use super::super::segment::Segment;
use super::at_hand::AtHand;
use super::tail::Tail;
use crate::error::Error;

/// How often the files of a log with a date in its path are listed, and a file that cannot be opened is tried again. The file at
/// hand is open, so its lines come without delay.
const LISTING_INTERVAL: Duration = Duration::from_secs(1);

/// What comes after the file at hand.
pub(super) enum Next {
    /// A segment, from the line that begins at or behind an offset. Only plain segments are begun elsewhere than at 0.
    Segment(Segment, u64),
    Tail(Box<Tail>),
}

/// When the log was listed, and what is known without.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) at: Option<Instant>,
    /// A new file that was empty, and had no other before it. It is open, so no other file has its inode.
    pub(super) empty: Option<Segment>,
    pub(super) disturbed: u32,
    /// Whether what is at the path could not be opened, which was reported.
    pub(super) is_refused: bool,
}

impl Looked {
    /// Returns whether the path leads to another file than that at hand.
    pub(super) fn is_due(&mut self, log: &Log, at_hand: Option<&AtHand>) -> Result<bool, Error> {
        if log.is_closed() {
            return Ok(false);
        }
        let is_late = self.at.is_none_or(|at| at.elapsed() >= LISTING_INTERVAL);
        if log.is_dated() {
            return Ok(is_late);
        }
        // A link was followed when the log was opened.
        let found = match fs::symlink_metadata(log.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.is_refused = false;
                return Ok(false);
            }
            found => found.map_err(failed("follow", log.path()))?,
        };
        let found_identity = identity(&found);
        // What is compressed is from a listing that had no file at the path.
        let is_open = matches!(at_hand, Some(AtHand::Plain(_) | AtHand::Refused(..)));
        let is_at_hand = is_open && at_hand.and_then(AtHand::identity) == found_identity;
        let is_empty = found.len() == 0 && self.empty.as_ref().is_some_and(|empty| empty.identity() == found_identity);
        self.is_refused &= !is_at_hand;
        Ok(!is_at_hand && !is_empty && (is_late || !self.is_refused))
    }
}
