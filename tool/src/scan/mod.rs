//! One pass over the lines of many files, on several threads.
//!
//! ```text
//! files ─► pieces ─► lines ─► Parser ─► Visit (one for each thread) ─► merged by the caller
//! ```
//!
//! A plain file is split into [pieces](pieces), which threads read by position. Compressed and sealed files and stdin are one piece each.
//! What a visitor computes must not depend on the order of lines; a [`Place`] says where each line is.
//!
//! A line counts by its first [`lines::MAX_LINE_BYTES`]; the rest is skipped. So memory is bounded: each thread has one buffer.
//!
//! Files are read with `pread`, not mapped: a mapped file that shrinks kills its reader, and counts as memory of the process.

#[cfg(feature = "clickhouse")]
mod each;
mod lines;
mod opened;
mod pieces;
mod progress;
mod search;
mod threads;

#[cfg(feature = "clickhouse")]
pub(crate) use each::each_line;
pub(crate) use lines::MAX_LINE_BYTES;
#[cfg(all(unix, feature = "follow"))]
pub(crate) use pieces::parser_behind;
pub(crate) use pieces::{Input, Stream, settled};
#[cfg(feature = "clickhouse")]
pub(crate) use progress::Progress;
pub(crate) use search::{FoundLine, Ids, Passed, Question, Search};
#[cfg(all(unix, feature = "follow"))]
pub(crate) use threads::scan_while;
pub(crate) use threads::{Place, Totals, Visit, scan, threads};
