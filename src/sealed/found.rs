//! A segment as a writer finds it.

use std::io::Read;

use super::finding::is_of_a_crash;
use super::opener::{Item, Opener};
use super::sealer::Head;
use crate::record::Timestamp;

/// What a writer finds in a file, without a key.
pub(crate) struct Found {
    pub(crate) head: Head,
    /// There is no block, and no damage.
    pub(crate) is_empty: bool,
    /// When it was begun, if its writer has signed that.
    pub(crate) begun: Option<Timestamp>,
}

/// Reads a file to its end; `None` if it is no sealed file.
pub(crate) fn inspect(source: impl Read, name: &str) -> Option<Found> {
    let mut opener = Opener::new(source, None, name).ok()?;
    let mut is_damaged = false;
    while let Some(item) = opener.next_item().ok()? {
        is_damaged |= matches!(item, Item::Finding(finding) if !is_of_a_crash(&finding));
    }
    let header = &opener.header.header;
    Some(Found {
        head: Head(opener.last()),
        is_empty: opener.progress.seen.is_empty() && !is_damaged,
        begun: opener.header.is_signed.then(|| Timestamp::from_nanos(header.begun)),
    })
}
