//! Where lines come from: logs, directories of logs, and stdin, merged by time.
//!
//! A [`Source`](source::Source) is one log: its segments in order, or stdin. [`Merged`] returns the lines of all sources.
//! A source keeps its one buffer, and its lines stay in their order. So a line without a time stays behind the line before it.

mod merged;
mod paths;
mod source;
mod stdin;
mod stored;

pub(crate) use merged::{Merged, report_cut_lines};
#[cfg(all(unix, feature = "follow"))]
pub(crate) use paths::is_passed;
#[cfg(feature = "clickhouse")]
pub(crate) use paths::{LogSegments, logs};
pub(crate) use paths::{inputs, or_default, reads_stdin, searchable, segments, sources};
pub(crate) use stored::Stored;
