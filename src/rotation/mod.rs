//! Segments of a rolling file: names, order and limits. Pure functions, shared by the writer and the reader.
//!
//! A rolling file is one active file, `orders.log`, and the closed segments beside it. [`SegmentNames`] formats and
//! parses their names. A name has a [`Label`], the period that the segment covers, and a sequence. [`Schedule`] decides
//! when the active file's time is over, and [`Retention`] how many segments stay. Segments sort by label, then by
//! sequence, which is the order in which they were written. Each new segment gets a sequence above all others and a
//! label not before any other, even if the clock steps back.

mod boundaries;
mod label;
mod name;
mod path_pattern;
mod period;
mod retention;
mod schedule;
#[cfg(feature = "tracing-appender")]
mod tracing_appender;

pub(crate) use label::Label;
pub use name::Compression;
pub(crate) use name::{Segment, SegmentNames};
pub(crate) use path_pattern::{Found, PathPattern};
pub use period::Period;
pub(crate) use retention::Retention;
pub(crate) use schedule::{Calendar, PeriodState, Schedule, Zone};
