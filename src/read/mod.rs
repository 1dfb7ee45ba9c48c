//! Reads the log that a [`RollingFile`](crate::RollingFile) wrote: its segments in order and the lines of all of them.
//!
//! [`Log::open`] takes the active file's path. [`Log::segments`] returns the closed segments in the order they were
//! written, with the active file last. [`Log::lines`] streams the lines of all segments, decompressed. Other files in
//! the directory are ignored, and nothing is written.
//!
//! # A log that is being written to
//! A listing is a snapshot: it holds each segment once, while the writer rotates, compresses and removes files. The
//! active file is opened when it is listed, so a later rotation does not hide it. A segment that is compressed later is
//! found compressed. A segment that retention removed later is an error, and the next call returns what follows it.
//! Lines that are written to the active file after the listing are read, until it is rotated.
//!
//! # Lines
//! A line is any bytes up to a newline. It need not be JSON or UTF-8. A last line without a newline is returned as it
//! is: it was torn by a crash, or its write is under way. Memory is bounded by [`Lines::max_line_bytes`].
//!
//! # Following
//! [`Follow`] returns new lines as they are written. It continues through rotation, compression, removal and truncation.
//!
//! # Sealed logs
//! With the feature `sealed`, `Lines::key` sets the key that opens the segments of a sealed log, and `verify` checks them.
//! Damage is an error, and the next call returns what follows it. What several processes have written at the same time, such as
//! a parent and its forked children, is merged by time.
//!
//! # Examples
//! ```
//! # fn main() -> Result<(), spanline::Error> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("orders.log");
//! # std::fs::write(&path, "{\"message\":\"order loaded\"}\n").unwrap();
//! let mut lines = spanline::read::Log::open(&path)?.lines()?;
//! while let Some(line) = lines.next_line()? {
//!     assert!(line.starts_with(b"{"));
//! }
//! # Ok(())
//! # }
//! ```

mod dated;
mod decode;
mod follow;
mod lines;
mod log;
mod numbered;
mod open;
#[cfg(feature = "sealed")]
mod parallel;
#[cfg(feature = "sealed")]
mod sealed;
mod segment;
mod segment_lines;

pub use self::follow::{Follow, Followed};
pub use self::lines::Lines;
pub use self::log::{Log, logs, segments};
#[cfg(feature = "sealed")]
pub use self::sealed::verify;
pub use self::segment::{PlainFile, Reader, Segment};
pub use crate::rotation::Compression;
#[cfg(feature = "sealed")]
pub use crate::sealed::open_field;
