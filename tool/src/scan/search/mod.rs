//! The lines of logs that meet conditions, merged by time, found on several threads.
//!
//! ```text
//! logs ─► parts, in their order ─► threads: needle, Parser, Filter ─► Hits of each part ─► Search: by time
//! ```
//!
//! Threads read parts ahead: of the log whose next line is wanted, and of all others in turn, while what they have found fits
//! into [`work::BUDGET_BYTES`]. A part that has more waits until that was taken. So memory is bounded, whatever is found.
//!
//! An [index](crate::index) says which blocks of a file have no line that is meant; they are not read.
//!
//! If lines must have a [`Needle`](crate::query::Needle), plain files are searched for it, and only lines that have it are read,
//! unless the logs are small.

mod backwards;
mod hits;
mod indexed;
#[cfg(test)]
mod indexed_tests;
mod logs;
mod part;
mod question;
mod stream;
mod work;

pub(crate) use hits::{FoundLine, Passed};
pub(crate) use question::{Ids, Question};
pub(crate) use stream::Search;
