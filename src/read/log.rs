//! Finds the files of a log.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dated;
use super::lines::Lines;
use super::numbered::{self, Numbered};
use super::open::{failed, is_same, open, unexpected};
use super::segment::{Segment, Stored};
use crate::error::Error;
use crate::rotation::{Compression, PathPattern, Segment as Position, SegmentNames};

/// A listing that a rotation disturbs is repeated this often.
const ATTEMPTS: u32 = 16;

/// A log on disk: one active file and its closed segments.
///
/// # Examples
/// ```no_run
/// let mut lines = spanline::read::Log::open("logs/orders.log")?.lines()?;
/// while let Some(line) = lines.next_line()? {
///     println!("{}", String::from_utf8_lossy(line));
/// }
/// # Ok::<(), spanline::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Log {
    path: PathBuf,
    files: Files,
}

/// Which files belong to the log.
#[derive(Clone, Debug)]
enum Files {
    /// The active file and its segments.
    All(Arc<SegmentNames>),
    /// The files of all periods.
    Dated(Arc<PathPattern>),
    /// Only this closed segment.
    Closed(Arc<SegmentNames>, Position, Compression),
    /// Only this compressed file, which is no segment by its name.
    Single(Compression),
}

/// The files of the closed segments, in the order they were written. The plain file sorts first among equals.
type Closed = BTreeMap<Position, BTreeMap<Compression, Stored>>;

impl Log {
    /// Opens the log at `path`, the path that the program writes to, for example `logs/orders.log`.
    ///
    /// The active file may be missing while closed segments exist. The path of one closed segment, or of any file that
    /// ends in `.gz` or `.zst`, opens this file alone. A path with a date, such as `logs/%Y/%m/app-%d.log`, opens the files
    /// of all periods. Symbolic links are followed.
    ///
    /// # Errors
    /// There is no such log, the path leads to a directory or a FIFO, or the directory cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let given = path.as_ref();
        let found = match fs::symlink_metadata(given) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            found => Some(found.map_err(failed("open", given))?),
        };
        let is_link = found.as_ref().is_some_and(Metadata::is_symlink);
        let path = if is_link { fs::canonicalize(given).map_err(failed("open", given))? } else { given.to_owned() };
        let invalid = |why: &str| Error::invalid(format!("open {}: {why}", given.display()));
        let file_type = fs::symlink_metadata(&path).map(|metadata| metadata.file_type());
        if let Some(what) = file_type.ok().and_then(unexpected) {
            let advice = if path.is_dir() { "pass the path of one log in it" } else { "pass the path of a log" };
            return Err(invalid(&format!("expected a log's active file, found {what}; {advice}")));
        }
        let Some(name) = path.file_name().and_then(OsStr::to_str) else {
            return Err(invalid("expected a path with a file name in UTF-8"));
        };
        let pattern = PathPattern::parse(&path).ok().flatten().filter(|_| found.is_none());
        let files = match SegmentNames::of_segment(name) {
            _ if pattern.is_some() => {
                pattern.map_or_else(|| Files::Single(Compression::Plain), |it| Files::Dated(it.into()))
            }
            Some((names, position, compression)) if found.is_some() => {
                Files::Closed(Arc::new(names), position, compression)
            }
            _ if found.is_some() && Compression::of_name(name) != Compression::Plain => {
                Files::Single(Compression::of_name(name))
            }
            _ => Files::All(Arc::new(SegmentNames::new(name))),
        };
        let log = Self { path, files };
        if found.is_none() && log.segments()?.is_empty() {
            return Err(invalid(
                "found neither this file nor a closed segment of it; pass the path that the program logs to",
            ));
        }
        Ok(log)
    }

    /// Returns the log whose active file is at `path`.
    pub(super) fn of_file(path: PathBuf) -> Self {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let files = Files::All(Arc::new(SegmentNames::new(name)));
        Self { path, files }
    }

    /// Returns the active file's path, or the path of the one file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the active file of the log that it belongs to, also for one closed segment.
    pub fn active_path(&self) -> PathBuf {
        let names = match &self.files {
            Files::Closed(names, ..) => Some(names.active().to_owned()),
            Files::All(_) => self.active_of_child(),
            Files::Dated(_) | Files::Single(_) => None,
        };
        names.map_or_else(|| self.path.clone(), |name| self.path.with_file_name(name))
    }

    /// Returns the name of the active file that a forked process writes beside.
    #[cfg(feature = "sealed")]
    fn active_of_child(&self) -> Option<String> {
        let names = SegmentNames::of_writer(self.path.file_name().and_then(OsStr::to_str)?)?;
        Some(names.active().to_owned())
    }

    /// Only processes that seal write beside each other.
    #[cfg(not(feature = "sealed"))]
    fn active_of_child(&self) -> Option<String> {
        None
    }

    /// Lists the segments in the order they were written: the closed ones, then the active file.
    ///
    /// Each call lists anew. The result is empty if all files have been removed. Where a segment exists both plain and
    /// compressed, because its compression is not finished, the plain file is listed.
    ///
    /// # Errors
    /// The directory cannot be read, or the log rotates faster than it can be listed.
    pub fn segments(&self) -> Result<Vec<Segment>, Error> {
        let names = match &self.files {
            Files::All(names) => names,
            Files::Dated(pattern) => return dated::segments(pattern),
            files => {
                let stored = fs::symlink_metadata(&self.path).map(|metadata| Stored::of(&metadata)).unwrap_or_default();
                let path = self.path.clone();
                return Ok(vec![match files {
                    Files::Single(compression) => Segment::single(path, *compression, stored),
                    Files::Closed(names, position, compression) => {
                        Segment::closed(path, Arc::clone(names), *position, *compression, stored)
                    }
                    Files::All(_) | Files::Dated(_) => return Ok(Vec::new()),
                }]);
            }
        };
        for _ in 0..ATTEMPTS {
            let before = self.active()?;
            // A segment that is compressed during one pass can be missed in both files, but not in two passes.
            let list_numbered =
                || numbered::collect(&self.directory(), names).map_err(failed("list", &self.directory()));
            let numbered = list_numbered()?;
            // Before the closed ones: a child's file that is closed meanwhile is found in one way or the other.
            #[cfg(feature = "sealed")]
            let children = self.of_children(names).map_err(failed("list", &self.directory()))?;
            let list = || collect(&self.directory(), names).map_err(failed("list", &self.directory()));
            let (mut closed, second) = (list()?, list()?);
            let after = self.active()?;
            let (before, file) = before.unzip();
            let is_unchanged = numbered::are_same(&numbered, &list_numbered()?)
                && match (&before, &after) {
                    // The file is open, so no later one has its identity.
                    (Some(before), Some((after, _))) => is_same(before, after),
                    // A rotation is under way, or was under way twice. What two passes found was there between them.
                    (None, None) => closed.keys().eq(second.keys()),
                    _ => false,
                };
            if !is_unchanged {
                continue;
            }
            for (position, files) in second {
                closed.entry(position).or_default().extend(files);
            }
            let first = |(position, files): (Position, BTreeMap<Compression, Stored>)| {
                let (compression, stored) = files.into_iter().next()?;
                let path = self.path.with_file_name(names.segment(position, compression));
                Some(Segment::closed(path, Arc::clone(names), position, compression, stored))
            };
            let mut segments: Vec<_> = closed.into_iter().filter_map(first).collect();
            // A log that has both was once called the other way: the last write tells which way came first.
            let newest = segments.last().and_then(Segment::written_at);
            let are_older = numbered.last().is_some_and(|last| last.stored().written_at() < newest);
            let at = if are_older { 0 } else { segments.len() };
            segments.splice(at..at, numbered.into_iter().map(Numbered::into_segment));
            #[cfg(feature = "sealed")]
            {
                let is_closed = |child: &Segment| segments.iter().any(|segment| segment.is_same_file(child));
                let open: Vec<_> = children.into_iter().filter(|child| !is_closed(child)).collect();
                segments.extend(open);
            }
            segments.extend(
                before.zip(file).map(|(metadata, file)| {
                    Segment::active(self.path.clone(), file.map(Arc::new), Stored::of(&metadata))
                }),
            );
            return Ok(segments);
        }
        let path = self.path.display();
        Err(Error::retry(format!("list {path}: it was rotated during each of {ATTEMPTS} listings; try again")))
    }

    /// Returns the lines of all segments, in the order they were written.
    ///
    /// # Errors
    /// As for [`segments`](Self::segments).
    pub fn lines(&self) -> Result<Lines, Error> {
        Ok(Lines::new(self.segments()?))
    }

    /// Returns whether each period has a file with a separate path.
    pub(super) fn is_dated(&self) -> bool {
        matches!(self.files, Files::Dated(_))
    }

    /// Returns whether it is one closed file, which nothing follows.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.files, Files::Closed(..) | Files::Single(_))
    }

    fn directory(&self) -> PathBuf {
        match self.path.parent() {
            Some(directory) if directory != Path::new("") => directory.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// Returns the files that forked processes write to, or have left.
    #[cfg(feature = "sealed")]
    fn of_children(&self, names: &SegmentNames) -> io::Result<Vec<Segment>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(self.directory()).into_iter().flatten() {
            let path = entry?.path();
            let is_of_child = path.file_name().and_then(OsStr::to_str).is_some_and(|name| names.is_writer(name));
            if let Some(file) = is_of_child.then(|| open(&path).ok()).flatten() {
                let stored = Stored::of(&file.metadata()?);
                segments.push(Segment::active(path, Some(Arc::new(file)), stored));
            }
        }
        segments.sort_by_key(Segment::written_at);
        Ok(segments)
    }

    /// Opens the active file, if there is one. An unreadable one is listed, too: reading it reports the error.
    fn active(&self) -> Result<Option<(Metadata, Option<fs::File>)>, Error> {
        let opened = match open(&self.path) {
            Ok(file) => file.metadata().map(|metadata| (metadata, Some(file))),
            // A file that comes now would not be open, and so could be replaced unseen.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(_) => fs::symlink_metadata(&self.path).map(|metadata| (metadata, None)),
        };
        match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(failed("open", &self.path)),
        }
    }
}

/// Lists the segments of the log at `path`; short for [`Log::open`] and [`Log::segments`].
///
/// # Errors
/// As for those two.
pub fn segments(path: impl AsRef<Path>) -> Result<Vec<Segment>, Error> {
    Log::open(path)?.segments()
}

/// Finds the logs in `directory`, sorted by name.
///
/// A log has closed segments, or its active file has a lock file or a name that ends in `.log`. Closed segments with numbers,
/// such as `app.log.1`, stand for a log if its name ends in `.log`. Subdirectories are not searched.
///
/// # Errors
/// The directory cannot be read.
pub fn logs(directory: impl AsRef<Path>) -> Result<Vec<Log>, Error> {
    let directory = directory.as_ref();
    let mut actives = BTreeSet::new();
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let entry = entry.map_err(failed("list", directory))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        if let Some((names, ..)) = SegmentNames::of_segment(name) {
            actives.insert(names.active().to_owned());
        } else if let Some(active) = SegmentNames::of_lock(name) {
            if directory.join(active).is_file() {
                actives.insert(active.to_owned());
            }
        } else if name.ends_with(".log") && !is_of_child(name) {
            actives.insert(name.to_owned());
        } else if let Some(active) = of_numbered(name) {
            actives.insert(active.to_owned());
        }
    }
    let log =
        |active: String| Log { path: directory.join(&active), files: Files::All(Arc::new(SegmentNames::new(&active))) };
    Ok(actives.into_iter().map(log).collect())
}

/// Returns the name of the active file that a closed one with a number had: `app.log` for `app.log.2.gz`.
fn of_numbered(name: &str) -> Option<&str> {
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
    let (active, number) = plain.rsplit_once('.')?;
    let is_number = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
    (active.ends_with(".log") && is_number && number.parse::<u32>().is_ok()).then_some(active)
}

/// Returns whether a file is one that a forked process writes to: it belongs to the log of its parent.
fn is_of_child(name: &str) -> bool {
    #[cfg(feature = "sealed")]
    return SegmentNames::of_writer(name).is_some();
    #[cfg(not(feature = "sealed"))]
    return name.is_empty();
}

/// Returns the closed segments in `directory`.
fn collect(directory: &Path, names: &SegmentNames) -> io::Result<Closed> {
    let mut closed = Closed::new();
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(closed),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some((position, compression)) = name.to_str().and_then(|name| names.parse(name)) else { continue };
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => {
                closed.entry(position).or_default().insert(compression, Stored::of(&metadata));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(closed)
}
