//! Which logs are followed, also those that appear later.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spanline::Error;
use spanline::read::{self, Follow, Log};

use super::pipe::Pipe;
use super::source::Source;
use crate::entry::Parser;
use crate::escape::escaped;
use crate::report::Report;

/// How often directories are listed, and logs that do not exist looked for.
const INTERVAL: Duration = Duration::from_secs(1);

/// How far back in each log the last lines are looked for.
const LOOK_BACK_BYTES: u64 = 16 << 20;

/// Which lines come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// All that are there.
    Start,
    /// So far from the end that this is the number of lines.
    Last(usize),
}

/// Where logs are looked for.
pub(super) struct Places {
    given: Vec<Given>,
    /// The active files of the logs that are followed, and what was there at the last look.
    known: HashMap<PathBuf, Option<Seen>>,
    /// What could not be opened, which was reported. It is tried again.
    refused: HashSet<PathBuf>,
    looked: Instant,
}

/// A path that the user has given.
struct Given {
    path: PathBuf,
    /// Whether it is looked at no more: the log there is followed, or never can be.
    is_settled: bool,
}

/// A file that is written to.
#[derive(Clone, Copy, Debug)]
struct Seen {
    device: u64,
    inode: u64,
    bytes: u64,
}

impl Seen {
    fn at(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self { device: found.dev(), inode: found.ino(), bytes: found.len() })
    }

    /// Returns whether this is the same file later. A new one may have the number of one that was removed, but is shorter.
    fn is_later(self, before: Self) -> bool {
        (self.device, self.inode) == (before.device, before.inode) && self.bytes >= before.bytes
    }
}

impl Places {
    /// Opens the logs at the paths, those in directories there, and stdin for `-`.
    pub(super) fn open(paths: &[PathBuf], begin: Begin, report: &mut Report) -> (Self, Vec<Source>) {
        let open = |log: Log| {
            let follow = match begin {
                Begin::Start => Follow::from_start(log),
                Begin::Last(0) => Follow::from_end(log),
                Begin::Last(_) => Follow::from_last_bytes(log, LOOK_BACK_BYTES),
            };
            Ok((follow?, Parser::default()))
        };
        Self::open_each(paths, open, report)
    }

    /// Opens the same. `open`: begins to follow a log, and returns what reads its first line.
    pub(super) fn open_each(
        paths: &[PathBuf],
        mut open: impl FnMut(Log) -> Result<(Follow, Parser), Error>,
        report: &mut Report,
    ) -> (Self, Vec<Source>) {
        let mut places =
            Self { given: Vec::new(), known: HashMap::new(), refused: HashSet::new(), looked: Instant::now() };
        let mut sources = Vec::new();
        if paths.iter().any(|path| path == Path::new("-")) {
            sources.extend(report.check(Pipe::stdin()).map(Source::pipe));
        }
        for path in paths.iter().filter(|path| *path != Path::new("-")) {
            let mut given = Given { path: path.clone(), is_settled: false };
            match logs(path) {
                Ok(logs) if logs.is_empty() => {
                    report.note(&format!("found no log in {} yet; waiting for one", escaped(path)));
                }
                Err(_) if is_missing(path) => {
                    report.note(&format!("found no log at {} yet; waiting for it", escaped(path)));
                }
                found => sources.extend(places.follow_each(&mut given, found, &mut open, report)),
            }
            places.given.push(given);
        }
        (places, sources)
    }

    /// Returns the logs that have appeared, from their first lines on.
    pub(super) fn look(&mut self, now: Instant, report: &mut Report) -> Vec<Source> {
        if now.saturating_duration_since(self.looked) < INTERVAL {
            return Vec::new();
        }
        self.looked = now;
        let mut open = |log| Ok((Follow::from_start(log)?, Parser::default()));
        let mut sources = Vec::new();
        let mut all = std::mem::take(&mut self.given);
        for given in all.iter_mut().filter(|given| !given.is_settled) {
            // A log or a directory that is missing may come back.
            if !is_missing(&given.path) {
                let found = logs(&given.path);
                sources.extend(self.follow_each(given, found, &mut open, report));
            }
        }
        self.given = all;
        self.known.iter_mut().for_each(|(path, seen)| *seen = Seen::at(path).or(*seen));
        sources
    }

    /// Returns whether logs may appear.
    pub(super) fn is_open(&self) -> bool {
        self.given.iter().any(|given| !given.is_settled)
    }

    /// Follows what was found at a path. What cannot be opened is reported once, and tried again.
    fn follow_each(
        &mut self,
        given: &mut Given,
        found: Result<Vec<Log>, Error>,
        open: &mut impl FnMut(Log) -> Result<(Follow, Parser), Error>,
        report: &mut Report,
    ) -> Vec<Source> {
        let is_directory = given.path.is_dir();
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.refuse(&given.path, error, report);
                // There is no name that another file could have.
                given.is_settled = given.path.to_str().is_none();
                return Vec::new();
            }
        };
        if is_directory {
            self.refused.remove(&given.path);
        }
        let mut sources = Vec::new();
        for log in found {
            let path = log.path().to_owned();
            match self.follow(log, &mut *open) {
                Ok(source) => {
                    self.refused.remove(&path);
                    given.is_settled = !is_directory;
                    sources.extend(source);
                }
                Err(error) => {
                    // Such as a sealed log: its file stays as it is.
                    given.is_settled = error.is_invalid() && !is_directory;
                    self.refuse(&path, error, report);
                }
            }
        }
        sources
    }

    fn refuse(&mut self, path: &Path, error: Error, report: &mut Report) {
        if self.refused.insert(path.to_owned()) {
            report.check::<(), _>(Err(error));
        }
    }

    /// Follows a log. Returns nothing if it is followed already.
    ///
    /// # Errors
    /// It cannot be opened.
    fn follow(
        &mut self,
        log: Log,
        open: impl FnOnce(Log) -> Result<(Follow, Parser), Error>,
    ) -> Result<Option<Source>, Error> {
        let path = log.path();
        let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let known = fs::canonicalize(parent).ok().zip(path.file_name()).map(|(parent, name)| parent.join(name));
        let path = known.unwrap_or_else(|| path.to_owned());
        if self.known.contains_key(&path) {
            return Ok(None);
        }
        let seen = Seen::at(&path);
        let is_renamed = |before: &Seen| seen.is_some_and(|seen| seen.is_later(*before));
        if self.known.values().flatten().any(is_renamed) {
            // The log that had this file reads it to its end.
            self.known.insert(path, None);
            return Ok(None);
        }
        let (follow, parser) = open(log)?;
        self.known.insert(path, seen);
        Ok(Some(Source::log(follow, parser)))
    }
}

/// Returns the logs in a directory, or the one at a path.
fn logs(path: &Path) -> Result<Vec<Log>, Error> {
    if path.is_dir() {
        return read::logs(path);
    }
    let log = Log::open(path)?;
    // One closed file stands for its log, as `logs/*` names all of them.
    let active = log.active_path();
    Ok(vec![if active == log.path() { log } else { Log::open(active)? }])
}

/// Returns whether there is neither a file nor a closed segment of a log.
fn is_missing(path: &Path) -> bool {
    let is_absent = fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    is_absent && Log::open(path).is_err()
}
