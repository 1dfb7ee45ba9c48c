//! Files that roll.
//!
//! # Naming
//! The active file keeps its name, `logs/orders.log`, so `tail -F` works. A closed segment is called
//! `orders.20261120T101538Z-000042.log` after the UTC time of its closing and a sequence that only grows, with `.gz`
//! or `.zst` when it is compressed. Names sort as the segments were written, whatever the clock did, and none is ever
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

mod active;
mod codec;
mod compress;
mod open;
mod store;
mod writer;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use self::open::{Modes, failed};
use self::store::Store;
use self::writer::Writer;
use super::{Control, Lines, Next, Profile, Sink};
use crate::error::Error;
use crate::rotation::{Form, Names, Period, Retention, Schedule, Zone};

/// How long the end of the log waits for compression; what is left is done at the next start.
const FINISH: Duration = Duration::from_secs(3);

/// Writes lines to a file that is rotated, and its old segments kept, compressed and removed, by set limits.
///
/// All limits are optional and hold together: the first one reached counts. Without any, it is a file that grows. What
/// is kept has a meaning only where the file rotates: without a size or a period, a `keep_…` is an error. Where
/// [`Handle::rotate`](crate::Handle::rotate) alone shall rotate it, `rotate_bytes(u64::MAX)` says so.
///
/// # Errors
/// When the log is built: an impossible setting, or a path that cannot be written to, with its cause.
///
/// # Examples
/// ```
/// # use spanline::RollingFile;
/// // Python's RotatingFileHandler(maxBytes=1 MiB, backupCount=5)
/// RollingFile::new("logs/orders.log").rotate_bytes(1 << 20).keep_files(5);
/// // Python's TimedRotatingFileHandler(when='midnight', backupCount=7)
/// RollingFile::new("logs/orders.log").daily().local_time().keep_files(7);
/// ```
#[derive(Debug)]
pub struct RollingFile {
    path: PathBuf,
    rotate_bytes: Option<u64>,
    period: Option<Period>,
    zone: Zone,
    retention: Retention,
    form: Form,
    modes: Modes,
    writer: Option<Writer>,
}

impl RollingFile {
    /// The mode of new files: what is logged is nobody else's business.
    pub const DEFAULT_FILE_MODE: u32 = 0o600;
    /// The mode of new directories: the group may look in, at what it is given the right to read.
    pub const DEFAULT_DIRECTORY_MODE: u32 = 0o750;

    /// A file that never rotates, until limits are set. Opens nothing yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            rotate_bytes: None,
            period: None,
            zone: Zone::Utc,
            retention: Retention::default(),
            form: Form::Plain,
            modes: Modes { file: Self::DEFAULT_FILE_MODE, directory: Self::DEFAULT_DIRECTORY_MODE },
            writer: None,
        }
    }

    /// Rotates before the line with which the file would pass this size.
    ///
    /// There is no smallest size: a line that alone is larger gets a segment of its own. 0 is an error of the builder's
    /// last step.
    pub fn rotate_bytes(mut self, bytes: u64) -> Self {
        self.rotate_bytes = Some(bytes);
        self
    }

    /// Rotates with the first line of a new minute.
    pub fn minutely(self) -> Self {
        self.period(Period::Minutely)
    }

    /// Rotates with the first line of a new hour.
    pub fn hourly(self) -> Self {
        self.period(Period::Hourly)
    }

    /// Rotates with the first line after midnight.
    pub fn daily(self) -> Self {
        self.period(Period::Daily)
    }

    /// Rotates with the first line of a new week, which begins on Sunday.
    pub fn weekly(self) -> Self {
        self.period(Period::Weekly)
    }

    /// Rotates with the first line after this time of day.
    pub fn daily_at(self, hour: u32, minute: u32) -> Self {
        self.period(Period::DailyAt { hour, minute })
    }

    /// Rotates with the first line of a new period. There is one period: the last call counts.
    ///
    /// Takes a [`Period`], or what [`Period::from_rotation`] makes of `tracing-appender`'s setting.
    pub fn period(mut self, period: impl Into<Option<Period>>) -> Self {
        self.period = period.into();
        self
    }

    /// Begins periods by the clock on the wall, as the system's time zone has it. UTC unless called.
    pub fn local_time(mut self) -> Self {
        self.zone = Zone::Local;
        self
    }

    /// Keeps so many closed segments, the active file not counted; with 0, each goes as soon as it is closed.
    pub fn keep_files(mut self, files: usize) -> Self {
        self.retention.files = Some(files);
        self
    }

    /// Keeps segments that were closed no longer ago than this.
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.retention.age = Some(age);
        self
    }

    /// Keeps so many bytes of closed segments, as they lie on the disk: one still to be compressed counts in full.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.retention.bytes = Some(bytes);
        self
    }

    /// Compresses closed segments with gzip, on a thread of its own.
    #[cfg(feature = "gzip")]
    pub fn gzip(mut self) -> Self {
        self.form = Form::Gzip;
        self
    }

    /// Compresses closed segments with zstd, on a thread of its own.
    #[cfg(feature = "zstd")]
    pub fn zstd(mut self) -> Self {
        self.form = Form::Zstd;
        self
    }

    /// The mode of files made here, whatever the umask; [`Self::DEFAULT_FILE_MODE`] unless set.
    #[cfg(unix)]
    pub fn file_mode(mut self, mode: u32) -> Self {
        self.modes.file = mode;
        self
    }

    /// The mode of directories made here, whatever the umask; [`Self::DEFAULT_DIRECTORY_MODE`] unless set.
    #[cfg(unix)]
    pub fn directory_mode(mut self, mode: u32) -> Self {
        self.modes.directory = mode;
        self
    }

    /// Opens the file.
    fn open(&self) -> Result<Writer, Error> {
        let invalid = |why: &str| Err(Error::invalid(format!("open {}: {why}", self.path.display())));
        if self.rotate_bytes == Some(0) {
            return invalid("a size limit of zero bytes");
        }
        if self.period.is_some_and(|period| !period.is_valid()) {
            return invalid("there is no such time of day");
        }
        if !self.retention.is_unlimited() && self.rotate_bytes.is_none() && self.period.is_none() {
            return invalid("it says what is kept, but not when the file rotates");
        }
        let path = std::path::absolute(&self.path).map_err(failed("open", &self.path))?;
        let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) else {
            return invalid("the path has no file name in UTF-8");
        };
        let store = Store {
            directory: directory.to_owned(),
            names: Names::new(name),
            modes: self.modes,
            retention: self.retention,
            form: self.form,
            path,
        };
        Writer::open(store, Schedule::new(self.period, self.zone), self.rotate_bytes)
    }

    fn opened(&mut self) -> Result<&mut Writer, Error> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open()?,
        };
        Ok(self.writer.insert(writer))
    }
}

impl Sink for RollingFile {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        // Whatever is wrong with the path by now may be put right: no line is given up for it.
        let passing = |error: Error| if error.is_retryable() { error } else { Error::retry(error.to_string()) };
        self.opened().and_then(|writer| writer.write(lines)).map(|()| Next::Done).map_err(passing)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        if control == Control::Open {
            self.writer = None;
            // A log whose file cannot be opened does not start.
            return self.opened().map(drop).map_err(Error::into_invalid);
        }
        if control == Control::Forked {
            // Closing the file leaves the parent its lock on it; the compression thread did not come along.
            self.writer = None;
            return Ok(());
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        match control {
            Control::Sync => writer.sync(),
            Control::Reopen => writer.reopen(),
            Control::Rotate => writer.rotate_now(),
            Control::Tick(now) => writer.tick(now),
            Control::Close => writer.finish(FINISH),
            _ => Ok(()),
        }
    }

    fn profile(&self) -> Profile {
        Profile::new("rollingfile").path(&self.path).plain()
    }
}
