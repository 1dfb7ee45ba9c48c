//! Segments of a rolling file: names, order and limits. Pure functions, shared by the writer and the reader.
//!
//! A rolling file is one active file, `orders.log`, and the closed segments beside it. [`SegmentNames`] formats and
//! parses their names. [`Schedule`] decides when the active file's time is over, and [`Retention`] how many segments
//! stay. Segments sort by time, then by sequence, which is the order in which they were written. Each new segment gets
//! a sequence above all others and a time not before any other, even if the clock steps back.

mod name;
mod period;
mod retention;
#[cfg(feature = "tracing-appender")]
mod tracing_appender;

pub use name::Compression;
pub(crate) use name::{Segment, SegmentNames};
pub use period::Period;
pub(crate) use period::{PeriodState, Schedule, Zone};
pub(crate) use retention::Retention;
