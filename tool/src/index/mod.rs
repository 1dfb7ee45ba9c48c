//! Sidecar indexes: what the parts of a file can have, so that a search leaves out those that have nothing that is meant.
//!
//! ```text
//! lines ─► Builder (one for each block) ─► Block ─► Index ─► Store: a file for each log file, in the cache of the user
//!                                                     │
//!                     search: Bounds of the question ─┴─► blocks that need not be read
//! ```
//!
//! A [`Block`] tells of the lines that begin in a part of a file: their times, how many are no records, and in a
//! [`Filter`](filter::Filter) the ids of traces, requests and spans. A compressed file is one block.
//!
//! An index never changes an answer. It belongs to one file, as device and inode say, and to its size and times of change. Of a file
//! that has only grown, the blocks before the last line count whose [samples](identity::samples) are still the same bytes. What
//! is doubtful is read: a block whose times depend on a zone, or with a line that is too long. An index that is damaged, of another
//! user or of another version of this tool is ignored.
//!
//! Other designs were compared: one file beside each segment changes the directories of others, and is lost for logs that are only
//! readable; one database for all files needs a lock.

mod block;
mod builder;
#[cfg(unix)]
mod encoding;
mod filter;
mod identity;
mod sidecar;
mod store;

pub(crate) use block::{Block, Bounds};
pub(crate) use builder::{Budget, Builder};
pub(crate) use sidecar::{Index, Layout, Stretch, Unread};
pub(crate) use store::Store;
