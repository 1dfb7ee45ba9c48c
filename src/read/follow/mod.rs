//! Follows a log: its new lines, whatever happens to its files.
//!
//! ```text
//! Follow ─► Tail: one plain file, also while it grows ─► lines
//!    │  └─► SegmentLines: one compressed segment ──────► lines
//!    └────► Known: which listed segments come after the file at hand
//! ```
//!
//! 1. The file at hand is read to its end. Nothing more is done until its path leads to another file.
//! 2. Then the log is listed, the file is read to its end once more, and what came after it is queued: closed segments that
//!    no poll has seen, and the active file.
//! 3. A file that was left stays open for a moment, for writers that have not noticed the rotation.
//!
//! Invariants: a line is returned once. Files are told apart by device and inode, and the file at hand is open, so no other
//! file has its inode. Memory is bounded by the longest line.

mod at_hand;
mod copies;
mod follower;
mod found;
mod known;
mod lingering;
mod looked;
mod tail;

pub use follower::Follow;
pub use found::Followed;
