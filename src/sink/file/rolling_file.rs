//! The sink [`RollingFile`]: its settings, and the sink's protocol.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::failed::failed;
use super::file_writer::FileWriter;
use super::log_files::LogFiles;
use super::log_writer::LogWriter;
use super::newest_link::NewestLink;
use super::path_mistake::path_mistake;
use super::rotating_writer::RotatingWriter;
#[cfg(feature = "sealed")]
use super::sealed_batches::GROUP_BYTES;
#[cfg(feature = "sealed")]
use super::sealed_chain::Sealing;
#[cfg(feature = "sealed")]
use super::sealed_writer::{HEAD_TARGET, SealedWriter};
use crate::byte_size::ByteSize;
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{Calendar, Compression, PathPattern, Period, Retention, SegmentNames, Zone};
use crate::sink::directory::{Attributes, Directory, NewFiles};
use crate::sink::{Control, Lines, Next, Profile, Sink};

/// Writes lines to a file that rotates. Keeps, compresses and removes its old segments within limits.
///
/// All limits are optional and apply together: the first one reached counts. Without any, the file only grows.
/// Retention needs rotation: a `keep_…` without a size or a period is an error. If only
/// [`Handle::rotate`](crate::Handle::rotate) is to rotate the file, set `rotate_bytes(u64::MAX)`.
///
/// # Errors
/// Building the log fails for an impossible setting, or a path that cannot be written to; the error names the cause.
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
#[must_use = "a file does nothing until it is given to an output"]
pub struct RollingFile {
    path: PathBuf,
    rotate_bytes: Option<u64>,
    calendar: Calendar,
    /// The zone that was set last does not exist.
    #[cfg(feature = "time-zones")]
    zone_mistake: Option<String>,
    retention: Retention,
    storage: Storage,
    new_files: NewFiles,
    is_numbered: bool,
    is_lazy: bool,
    link: Option<PathBuf>,
    is_strict: bool,
    /// In a forked child: the directory that the parent holds.
    place: Option<Arc<Directory>>,
    writer: Option<Box<dyn FileWriter>>,
}

/// How files are stored.
#[derive(Debug)]
struct Storage {
    /// That of closed segments.
    compression: Compression,
    #[cfg(feature = "sealed")]
    sealing: Option<Sealing>,
    #[cfg(feature = "sealed")]
    signer: Option<crate::sealed::Signer>,
}

impl RollingFile {
    /// The mode of new files if there is no active file yet: only their owner may read them.
    pub const DEFAULT_FILE_MODE: u32 = 0o600;
    /// The mode of new directories: the group may list them.
    pub const DEFAULT_DIRECTORY_MODE: u32 = 0o750;

    /// The most segments that a [`numbered`](Self::numbered) log keeps: each rotation renames all of them.
    pub const MAX_NUMBERED_FILES: usize = 1000;

    /// Creates a file without limits, which never rotates. Does not open it yet.
    ///
    /// The path may have a date, in the parts `%Y`, `%m`, `%d`, `%H` and `%M`: `logs/%Y/%m/app-%d.log`, with `daily()`. Then
    /// each period has a separate file, and nothing is renamed. The parts must tell the periods apart. `%%` stands for one
    /// `%` there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            rotate_bytes: None,
            calendar: Calendar::default(),
            #[cfg(feature = "time-zones")]
            zone_mistake: None,
            retention: Retention::default(),
            storage: Storage {
                compression: Compression::Plain,
                #[cfg(feature = "sealed")]
                sealing: None,
                #[cfg(feature = "sealed")]
                signer: None,
            },
            new_files: NewFiles {
                mode: None,
                group: None,
                default_mode: Self::DEFAULT_FILE_MODE,
                directory_mode: Self::DEFAULT_DIRECTORY_MODE,
            },
            is_numbered: false,
            is_lazy: false,
            link: None,
            is_strict: false,
            place: None,
            writer: None,
        }
    }

    /// Rotates before the line that would make the file larger than `bytes`.
    ///
    /// A single larger line gets its own segment. 0 is an error when the log is built.
    pub fn rotate_bytes(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.rotate_bytes = Some(bytes.into().as_u64());
        self
    }

    /// Rotates with the first line of a new period, in UTC unless [`local_time`](Self::local_time) is set; the last call
    /// counts.
    ///
    /// Takes a [`Period`], an `Option` of it, or what `Period::from_rotation` makes of `tracing-appender`'s setting.
    pub fn period(mut self, period: impl Into<Option<Period>>) -> Self {
        self.calendar.period = period.into();
        self
    }

    /// Begins periods by local time, and names segments by it; the default is UTC.
    pub fn local_time(mut self) -> Self {
        self.calendar.zone = Zone::Local;
        self
    }

    /// Begins periods by the clock of the zone with this name, and names segments by it, whatever `TZ` is.
    ///
    /// # Examples
    /// ```
    /// # use spanline::RollingFile;
    /// RollingFile::new("logs/orders.log").daily_at(3, 0).time_zone("Europe/Berlin");
    /// ```
    #[cfg(feature = "time-zones")]
    pub fn time_zone(mut self, name: &str) -> Self {
        match crate::time_zone::named(name) {
            Ok(zone) => (self.calendar.zone, self.zone_mistake) = (Zone::Named(zone), None),
            Err(mistake) => self.zone_mistake = Some(mistake),
        }
        self
    }

    /// Names closed segments `orders.log.1`, `orders.log.2` and so on, as logrotate does: 1 is the newest.
    ///
    /// Each rotation renames all of them, so [`keep_files`](Self::keep_files) is needed, from 1 to
    /// [`Self::MAX_NUMBERED_FILES`]. By default, segments are named after the period that they cover, and keep their name.
    pub fn numbered(mut self) -> Self {
        self.is_numbered = true;
        self
    }

    /// Keeps at most this many closed segments. With 0, each is removed as soon as it is closed.
    pub fn keep_files(mut self, files: usize) -> Self {
        self.retention.files = Some(files);
        self
    }

    /// Keeps segments that were last written to at most this long ago.
    ///
    /// A log without lines removes them too, within an hour. The active file is no segment: without lines, it stays.
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.retention.age = Some(age);
        self
    }

    /// Keeps at most this many bytes of closed segments, as stored. One that is still to be compressed counts in full.
    pub fn keep_bytes(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.retention.bytes = Some(bytes.into().as_u64());
        self
    }

    /// Compresses closed segments with gzip, on a separate thread: `orders.2026-11-20-000042.log.gz`.
    #[cfg(feature = "gzip")]
    pub fn gzip(mut self) -> Self {
        self.storage.compression = Compression::Gzip;
        self
    }

    /// Compresses closed segments with zstd, on a separate thread.
    #[cfg(feature = "zstd")]
    pub fn zstd(mut self) -> Self {
        self.storage.compression = Compression::Zstd;
        self
    }

    /// Seals the file: only `recipients` can read it, and each change shows. See [*Sealed logs*](crate::docs::sealed).
    ///
    /// Lines are written in batches of at most 64 KiB, after 100 ms at the latest: a crash loses at most these. A process
    /// has the file for itself. Compression, [`numbered`](Self::numbered) and a date in the path are errors with it.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), spanline::Error> {
    /// use spanline::RollingFile;
    /// use spanline::sealed::Recipients;
    ///
    /// // The public half of a key that `spanline keygen` has made.
    /// let auditors = Recipients::parse("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")?;
    /// let file = RollingFile::new("logs/audit.log").daily().seal_to(auditors);
    /// # let _ = file;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sealed")]
    pub fn seal_to(mut self, recipients: crate::sealed::Recipients) -> Self {
        self.storage.sealing = Some(Sealing { recipients, signer: None, head: Arc::default() });
        self
    }

    /// Certifies each segment of a sealed log, so that `spanline verify --verifier` tells it from one that somebody else has
    /// written.
    #[cfg(feature = "sealed")]
    pub fn sign_with(mut self, signer: crate::sealed::Signer) -> Self {
        self.storage.signer = Some(signer);
        self
    }

    /// Creates the file with its first line. By default, an empty file is there from the start.
    ///
    /// The start still fails for a path that cannot be written to: it creates the file, and removes it at once.
    pub fn lazy(mut self) -> Self {
        self.is_lazy = true;
        self
    }

    /// Keeps a symbolic link at `path` that leads to the file that is being written.
    ///
    /// It is placed when the file is opened, and replaced at once where it leads elsewhere. It leads to no file while there
    /// is none: before the first line of a [`lazy`](Self::lazy) log, and after a log without lines. Anything at `path` that is no
    /// symbolic link of the process's own user is left alone, and an error when the log is built.
    #[cfg(unix)]
    pub fn link(mut self, path: impl Into<PathBuf>) -> Self {
        self.link = Some(path.into());
        self
    }

    /// Sets the mode of new and compressed files, whatever the umask.
    ///
    /// By default, they get the mode of the active file that they follow, without execution and without write access for
    /// others. Without an active file, they get [`Self::DEFAULT_FILE_MODE`]. Bits beyond 0664 are an error when the log
    /// is built. An existing active file keeps its mode.
    #[cfg(unix)]
    pub fn file_mode(mut self, mode: u32) -> Self {
        self.new_files.mode = Some(mode);
        self
    }

    /// Sets the group of new and compressed files, by its number.
    ///
    /// By default, they get the group of the active file that they follow. A process may give its files to the groups
    /// that it is a member of. If it may not, one complaint reports it, and the file's group gets no access.
    ///
    /// # Examples
    /// ```
    /// # use spanline::RollingFile;
    /// // A log shipper in the group adm, which has the number 4 on Debian, reads the files.
    /// RollingFile::new("logs/orders.log").file_mode(0o640).file_group(4);
    /// ```
    #[cfg(unix)]
    pub fn file_group(mut self, group: u32) -> Self {
        self.new_files.group = Some(group);
        self
    }

    /// Sets the mode of new directories, whatever the umask; the default is [`Self::DEFAULT_DIRECTORY_MODE`].
    #[cfg(unix)]
    pub fn directory_mode(mut self, mode: u32) -> Self {
        self.new_files.directory_mode = mode;
        self
    }

    /// Refuses a directory in which other users may rename or remove files.
    ///
    /// By default, one complaint reports such a directory. It is one that others may write to and that is not sticky, or
    /// one that belongs neither to root nor to the process's own user.
    pub fn strict_directory(mut self) -> Self {
        self.is_strict = true;
        self
    }

    fn rotates(&self) -> bool {
        self.rotate_bytes.is_some() || self.calendar.period.is_some()
    }

    /// Checks what can be known without a look at the directory.
    ///
    /// # Errors
    /// Settings that do not fit together, or that no file can have.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |why: &str| Err(Error::invalid(format!("open {}: {why}", self.path.display())));
        if self.rotate_bytes == Some(0) {
            return invalid("rotate_bytes is 0 B; expected at least 1 B");
        }
        if let Some(mistake) = self.calendar.period.and_then(Period::mistake) {
            return invalid(&mistake);
        }
        if let Some(setting) = self.retention.name().filter(|_| !self.rotates()) {
            return invalid(&format!("{setting} is set but rotation is not; add `daily()` or `rotate_bytes(…)`"));
        }
        #[cfg(feature = "time-zones")]
        if let Some(mistake) = &self.zone_mistake {
            return invalid(&format!("time_zone: {mistake}"));
        }
        if let Some(setting) = self.calendar.zone.setting().filter(|_| !self.rotates()) {
            let why = "is set but rotation is not; add `daily()` or `rotate_bytes(…)`, or remove it";
            return invalid(&format!("{setting} {why}"));
        }
        let numbers = 1..=Self::MAX_NUMBERED_FILES;
        if self.is_numbered && !self.retention.files.is_some_and(|files| numbers.contains(&files)) {
            let found = self.retention.files.map_or("not set".to_owned(), |files| files.to_string());
            let most = Self::MAX_NUMBERED_FILES;
            return invalid(&format!("numbered needs keep_files, which is {found}; expected 1 to {most} files"));
        }
        let no_period = self.is_numbered && self.calendar.period.is_none();
        if let Some(setting) = self.calendar.zone.setting().filter(|_| no_period) {
            return invalid(&format!("{setting} is set, but numbered segments have no time in their name; remove it"));
        }
        #[cfg(feature = "sealed")]
        if self.storage.signer.is_some() && self.storage.sealing.is_none() {
            return invalid("sign_with is set but seal_to is not; add the recipients, or remove sign_with");
        }
        #[cfg(feature = "sealed")]
        if self.storage.sealing.is_some() && (self.is_numbered || self.storage.compression != Compression::Plain) {
            let setting = if self.is_numbered { "numbered" } else { "compression" };
            return invalid(&format!(
                "{setting} is set, but sealed files are compressed and keep their names; remove it"
            ));
        }
        if let Some(mistake) = path_mistake(&self.path) {
            return invalid(&mistake);
        }
        if let Some(mode) = self.new_files.mode.filter(|mode| mode & !Attributes::MODE_MASK != 0) {
            return invalid(&format!("file_mode is {mode:04o}; expected bits of {:04o} only", Attributes::MODE_MASK));
        }
        Ok(())
    }

    /// Opens the file.
    fn open(&self) -> Result<Box<dyn FileWriter>, Error> {
        self.check()?;
        let invalid = |why: &str| Err(Error::invalid(format!("open {}: {why}", self.path.display())));
        let path = std::path::absolute(&self.path).map_err(failed("open", &self.path))?;
        let pattern = match PathPattern::parse(&path) {
            Err(mistake) => return invalid(&mistake),
            Ok(pattern) => pattern,
        };
        #[cfg(feature = "sealed")]
        if let Some(sealing) = &self.storage.sealing {
            if pattern.is_some() {
                return invalid(
                    "seal_to is set, but the path has a date; expected a file that keeps its name, with `daily()`",
                );
            }
            let is_child = self.place.is_some();
            let sealing = Sealing { signer: self.storage.signer.clone(), ..sealing.clone() };
            let writer = SealedWriter::open(self.files(&path)?, sealing, self.rotate_bytes, is_child)?;
            return Ok(Box::new(writer));
        }
        let Some(pattern) = pattern else {
            let writer = RotatingWriter::open(self.files(&path)?, self.rotate_bytes)?;
            return Ok(Box::new(LogWriter::new(writer)));
        };
        if let Some(mistake) = pattern.mistake(self.calendar.period) {
            return invalid(&mistake);
        }
        if self.is_numbered {
            return invalid("numbered is set, but files with a date in their path keep their names; remove it");
        }
        if self.storage.compression != Compression::Plain {
            let form = self.storage.compression;
            return invalid(&format!(
                "{form} is set, but files with a date in their path are not compressed; remove it"
            ));
        }
        if self.place.as_ref().is_some_and(|place| place.has_other_root()) {
            let why = "the process has changed its root since it was forked; expected the same root";
            return Err(Error::retry(format!("open {}: {why}", self.path.display())));
        }
        let now = Timestamp::now();
        let files = self.files(&pattern.path(self.calendar.label(now)))?;
        Ok(Box::new(LogWriter::open_dated(files, pattern, self.rotate_bytes, now)?))
    }

    /// Returns the files of the log at `path`, which is absolute. Opens the directory.
    fn files(&self, path: &Path) -> Result<LogFiles, Error> {
        let invalid = |why: &str| Err(Error::invalid(format!("open {}: {why}", self.path.display())));
        let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) else {
            return invalid("the path has no file name in UTF-8; expected a file, such as `logs/orders.log`");
        };
        let directory = match &self.place {
            // The path, and the current directory, may lead elsewhere by now.
            Some(place) if place.has_other_root() => Arc::clone(place),
            place => {
                let path = place.as_ref().map_or(directory, |place| place.path());
                let opened = Directory::open(path, self.new_files.directory_mode);
                Arc::new(opened.map_err(failed("open", &self.path))?)
            }
        };
        // Elsewhere, the path of the link leads to another place.
        let link = match &self.link {
            Some(link) if !directory.has_other_root() => {
                let link = std::path::absolute(link).map_err(failed("link", link))?;
                Some(NewestLink::new(&link, &directory.path().join(name), self.new_files.directory_mode)?)
            }
            _ => None,
        };
        let names = SegmentNames::new(name);
        let names = if self.is_numbered { names.numbered() } else { names };
        Ok(LogFiles {
            active_path: directory.path().join(name),
            directory,
            names,
            calendar: self.calendar,
            new_files: self.new_files,
            attributes: self.new_files.attributes(),
            period_of: None,
            is_lazy: self.is_lazy,
            link,
            is_strict: self.is_strict,
            retention: self.retention,
            compression: self.storage.compression,
        })
    }

    fn opened(&mut self) -> Result<&mut Box<dyn FileWriter>, Error> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open()?,
        };
        Ok(self.writer.insert(writer))
    }
}

impl Sink for RollingFile {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        // What is wrong with the path now may be repaired later: no line is given up for it, unless no file can hold it.
        let next = self.opened().and_then(|log| log.write(lines).map(|()| log.next()));
        next.map_err(Error::into_retry)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        if control == Control::Open {
            self.writer = None;
            // A log whose file cannot be opened does not start.
            return self.opened().map(|log| log.await_line()).map_err(Error::into_invalid);
        }
        if control == Control::Forked {
            // Closing the file does not release the parent's lock on it. The child has no compression thread.
            self.place = self.writer.take().map(|log| Arc::clone(log.directory())).or(self.place.take());
            return Ok(());
        }
        let Some(log) = &mut self.writer else { return Ok(()) };
        let result = log.control(control);
        if matches!(control, Control::Reopen | Control::Rotate) {
            log.await_line();
        }
        result
    }

    fn profile(&self) -> Profile {
        let is_local = self.calendar.zone == Zone::Local && self.rotates();
        let profile = Profile::new("rollingfile").path(&self.path).local_time(is_local);
        let profile = profile.by_clock(self.retention.age.is_some());
        #[cfg(feature = "sealed")]
        if let Some(sealing) = &self.storage.sealing {
            let profile = profile.batch(usize::MAX, GROUP_BYTES, Duration::from_millis(100)).sealed(&sealing.head);
            // The lines with its heads are for other outputs.
            return profile.own_targets([HEAD_TARGET]);
        }
        profile.plain()
    }
}
