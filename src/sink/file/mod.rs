//! Files that roll.
//!
//! # Naming
//! The active file keeps its name, `logs/orders.log`, so `tail -F` works. A closed segment is called
//! `orders.20261120T101538Z-000042.log` after the UTC time of its closing and a sequence that only grows, with `.gz`
//! or `.zst` when it is compressed. SegmentNames sort as the segments were written, whatever the clock did, and none is ever
//! given twice or overwritten. Beside them lie `.orders.log.lock` and, while a segment is compressed, a hidden `.tmp`.
//!
//! # When files roll
//! Before the line that would pass [`rotate_bytes`](RollingFile::rotate_bytes), before the first line of a new
//! [`Period`], or on demand, whichever comes first; an empty file never. A single larger line gets a segment of its
//! own. Time is that of the lines: without lines nothing rolls. After a restart the file is appended to, unless its
//! period, judged by when it was last written, is over. A clock that steps back begins no new file, one that jumps
//! forward begins one. Closed segments go, oldest first, as soon as they are beyond any of the limits
//! [`keep_files`](RollingFile::keep_files), [`keep_for`](RollingFile::keep_for) and
//! [`keep_bytes`](RollingFile::keep_bytes): when the file is opened, after each rotation and after each compression.
//! Only files whose names are exactly a segment's are ever removed.
//!
//! # Durability
//! Whole lines are handed to the system, many in one write; nothing is buffered here, so the end of the process loses
//! nothing. [`Output::durability`](crate::Output::durability) and `Handle::sync` make them survive a power cut: the
//! file's data, and the directory once files were made or renamed. A torn line that a crash left is ended when the file
//! is opened, so the next one is whole. Compression writes aside, syncs, renames, then removes the original.
//!
//! # Several processes
//! may write to one path, if all give the same limits: each appends whole lines and holds a share of the lock on the
//! file it writes; who rotates or removes holds the lock file; the others notice before their next batch. A segment
//! is compressed once nobody has it open. A size limit may be passed by what others write in the same instant. A process
//! killed in the middle of a write leaves one torn line; a line of another that ran into it follows once more, whole, a
//! few lines later.
//! A network file system must support locks and appending for this.
//!
//! # On failure
//! A failed write keeps the lines, to be offered again; the rest of a line that was cut goes first. A failed rotation
//! is reported, lines go on into the old file, and the next attempt follows ten seconds later. A file that was
//! deleted, renamed or truncated by somebody else is noticed with the next batch; missing directories are made again.
//!
//! # Troubleshooting
//! - *it is a symbolic link, a directory, no regular file, another user's file*: what lies at the path is left
//!   untouched, and nothing is written.
//! - *another process has it*: the lock file stayed locked for a second; the rotation is tried again.
//! - Segments stay uncompressed: a process that has not logged since still has them open.
//! - Others cannot read the log: files are 0600, directories 0750, unless set.

mod active_file;
mod codec;
mod compressor;
mod log_files;
mod open;
mod rolling_file;
mod rotating_writer;
#[cfg(feature = "tracing-appender")]
mod tracing_appender;

pub use rolling_file::RollingFile;
