//! Segments of a rolling file: names, order, limits. Pure functions, for the writer and for a reader.
//!
//! A rolling file is one active file, `orders.log`, and closed segments beside it. [`Names`] says what they are
//! called and which names are theirs, [`Schedule`] when the active file has had its time, [`Retention`] how many
//! segments stay. Segments sort by time, then by sequence, and that is the order they were written in: each new
//! one is given a sequence above all others and a time not before any other, whatever the clock does.

mod name;
mod period;
mod retention;
#[cfg(feature = "tracing-appender")]
mod tracing_appender;

pub(crate) use name::{Form, Names, Segment};
pub use period::Period;
pub(crate) use period::{Schedule, Turn, Zone};
pub(crate) use retention::Retention;
