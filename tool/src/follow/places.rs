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
    directories: Vec<PathBuf>,
    /// Paths at which there is no log yet.
    awaited: Vec<PathBuf>,
    /// The active files of the logs that are followed, and what was there at the last look.
    known: HashMap<PathBuf, Option<Seen>>,
    /// Those that could not be opened, which was reported. They are tried again.
    refused: HashSet<PathBuf>,
    looked: Instant,
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
        let mut places = Self {
            directories: Vec::new(),
            awaited: Vec::new(),
            known: HashMap::new(),
            refused: HashSet::new(),
            looked: Instant::now(),
        };
        let mut sources = Vec::new();
        if paths.iter().any(|path| path == Path::new("-")) {
            sources.extend(report.check(Pipe::stdin()).map(Source::pipe));
        }
        for path in paths.iter().filter(|path| *path != Path::new("-")) {
            let found = if path.is_dir() {
                places.directory(path, report)
            } else {
                places.log(path, report).into_iter().collect()
            };
            for log in found {
                sources.extend(places.follow(log, &mut open, report));
            }
        }
        (places, sources)
    }

    /// Returns the logs that have appeared, from their first lines on.
    pub(super) fn look(&mut self, now: Instant, report: &mut Report) -> Vec<Source> {
        if now.saturating_duration_since(self.looked) < INTERVAL {
            return Vec::new();
        }
        self.looked = now;
        let (directories, awaited) = self.awaited.drain(..).partition(|path| path.is_dir());
        self.directories.extend::<Vec<_>>(directories);
        self.awaited = awaited;
        // A directory that is missing may come back.
        let listed = self.directories.iter().filter_map(|directory| read::logs(directory).ok()).flatten();
        let mut logs: Vec<Log> = listed.collect();
        self.awaited.retain(|path| {
            let log = Log::open(path);
            let is_missing = log.is_err();
            logs.extend(log);
            is_missing
        });
        let open = |log| Ok((Follow::from_start(log)?, Parser::default()));
        let sources = logs.into_iter().filter_map(|log| self.follow(log, open, report)).collect();
        self.known.iter_mut().for_each(|(path, seen)| *seen = Seen::at(path).or(*seen));
        sources
    }

    /// Returns whether logs may appear.
    pub(super) fn is_open(&self) -> bool {
        !self.directories.is_empty() || !self.awaited.is_empty()
    }

    fn directory(&mut self, path: &Path, report: &mut Report) -> Vec<Log> {
        let logs = report.check(read::logs(path));
        if logs.as_ref().is_some_and(Vec::is_empty) {
            report.note(&format!("found no log in {} yet; waiting for one", escaped(path)));
        }
        if logs.is_some() {
            self.directories.push(path.to_owned());
        }
        logs.unwrap_or_default()
    }

    fn log(&mut self, path: &Path, report: &mut Report) -> Option<Log> {
        let opened = Log::open(path);
        let is_missing = || fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        if opened.is_err() && is_missing() {
            report.note(&format!("found no log at {} yet; waiting for it", escaped(path)));
            self.awaited.push(path.to_owned());
            return None;
        }
        let log = report.check(opened)?;
        // One closed file stands for its log, as `logs/*` names all of them.
        let active = log.active_path();
        if active == log.path() { Some(log) } else { report.check(Log::open(active)) }
    }

    /// Follows a log unless it is followed already.
    fn follow(
        &mut self,
        log: Log,
        open: impl FnOnce(Log) -> Result<(Follow, Parser), Error>,
        report: &mut Report,
    ) -> Option<Source> {
        let path = log.path();
        let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let known = fs::canonicalize(parent).ok().zip(path.file_name()).map(|(parent, name)| parent.join(name));
        let path = known.unwrap_or_else(|| path.to_owned());
        if self.known.contains_key(&path) {
            return None;
        }
        let seen = Seen::at(&path);
        let is_renamed = |before: &Seen| seen.is_some_and(|seen| seen.is_later(*before));
        if self.known.values().flatten().any(is_renamed) {
            // The log that had this file reads it to its end.
            self.known.insert(path, None);
            return None;
        }
        match open(log) {
            Ok((follow, parser)) => {
                self.refused.remove(&path);
                self.known.insert(path, seen);
                Some(Source::log(follow, parser))
            }
            Err(error) => {
                if self.refused.insert(path) {
                    report.check::<(), _>(Err(error));
                }
                None
            }
        }
    }
}
