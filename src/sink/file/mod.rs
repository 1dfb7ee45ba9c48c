//! Files that rotate.
//!
//! # Naming
//! The active file keeps its name, `logs/orders.log`, so `tail -F` works. A closed segment is named
//! `orders.2026-11-20-000042.log`: the period that it covers, or the time of its first line where no period is set, and a
//! sequence that only grows, with `.gz` or `.zst` when it is compressed. Names sort in the order in which segments were
//! written, whatever the clock did. No name is used twice or overwritten. Beside them are `.orders.log.lock` and, while a
//! segment is compressed, a hidden `.tmp` file.
//!
//! With [`numbered`](RollingFile::numbered), segments are called `orders.log.1` and so on, as `numbered` describes.
//!
//! Where the path has a date, `logs/%Y/%m/app-%d.log`, each period has a separate file, which keeps its name:
//! `log_writer` begins it, and `dated` finds all of them.
//!
//! # When files roll
//! A file rotates before the line that would exceed [`rotate_bytes`](RollingFile::rotate_bytes), before the first line
//! of a new [`Period`](crate::sink::Period), or on demand, whichever comes first. An empty file never rotates, and a
//! single larger line gets its own segment. The time is that of the lines: without lines, nothing rotates. After a
//! restart, the file is appended to, unless its period is over, judged by its last write. A clock that steps back does
//! not begin a new file; one that jumps forward does.
//!
//! Closed segments are removed, oldest first, as soon as they are beyond any of the limits
//! [`keep_files`](RollingFile::keep_files), [`keep_for`](RollingFile::keep_for) and
//! [`keep_bytes`](RollingFile::keep_bytes): when the file is opened, after each rotation and after each compression. For `keep_for`, the worker calls the file when
//! the next segment expires, and once an hour.
//! Only files whose names are exactly a segment's are ever removed.
//!
//! # Durability
//! Whole lines are passed to the system, many in one write. Nothing is buffered here, so the end of the process loses
//! nothing. [`Output::durability`](crate::Output::durability) and `Handle::sync` make lines survive a power failure:
//! they sync the file's data, and the directory after files were created or renamed. When a file is opened, a torn line
//! that a crash left is ended, so the next line is whole. Compression writes a temporary file, syncs it, renames it,
//! compares it with the original, and then removes the original. After a failed sync, the lines since the last one are
//! written again to a new segment: up to 4 MiB, or 64 KiB before the first sync, are kept in memory for that.
//!
//! # Several processes
//! Several processes may write to one path if all set the same limits. Each appends whole lines and holds a shared lock
//! on the file that it writes. A process that rotates or removes holds the lock file. The others notice before their
//! next batch. A segment is compressed once no process has it open. Lines that other processes write at the same moment
//! may exceed the size limit. A process killed during a write leaves one torn line. If a line of another process ran
//! into it, that line follows once more, whole, a few lines later. A network file system must support locks and
//! appending.
//!
//! # On failure
//! After a failed write, the lines are offered again; the rest of a line that was cut goes first. A failed rotation is
//! reported, lines continue in the old file, and the next attempt follows ten seconds later. A file that another
//! program deleted, renamed or truncated is noticed with the next batch. Missing directories are created again.
//!
//! # Other users
//! `sink::directory` holds the log's directory open, and decides which files may be used. `docs/security.md` is the threat
//! model.
//!
//! # Troubleshooting
//! - *it is a symbolic link*, *a directory*, *not a regular file*, *belongs to another user*, *has 2 hard links*: what is
//!   at the path is left untouched, and nothing is written.
//! - *left alone …*: that file has a segment's name, and is not used.
//! - *another process held it for a second*: the lock file stayed locked; the rotation is tried again.
//! - Segments stay uncompressed: a process that has not logged since still has them open.
//! - Others cannot read the log: files are 0600 and directories 0750 by default. Give the active file another mode or
//!   group, and later files get the same.

mod active_file;
mod codec;
mod compressor;
mod dated;
mod durable;
mod failed;
mod file_writer;
mod kept;
#[cfg(feature = "sqlite")]
mod library_file;
mod log_files;
mod log_writer;
mod newest_link;
mod numbered;
mod path_mistake;
mod periods;
mod problems;
mod prune_time;
mod rolling_file;
mod rotating_writer;
#[cfg(feature = "sealed")]
mod sealed_batches;
#[cfg(feature = "sealed")]
mod sealed_chain;
#[cfg(feature = "sealed")]
mod sealed_writer;
#[cfg(feature = "tracing-appender")]
mod tracing_appender;
mod turn;

#[cfg(feature = "sqlite")]
pub(super) use library_file::LibraryFile;
pub use rolling_file::RollingFile;
