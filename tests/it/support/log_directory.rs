//! A temporary directory with one rolling log, and the steps that a worker takes with its sink.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use spanline::record::Timestamp;
use spanline::sink::{Control, Lines, Sink};
use spanline::{Error, RollingFile};
use tempfile::TempDir;
use tracing::Level;

/// A time of day that is far from every boundary.
pub(crate) const NOON: &str = "2026-11-20T12:00:00Z";

/// A directory with one log in it.
pub(crate) struct Dir(pub(crate) TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.join("orders.log")
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn log(&self) -> RollingFile {
        RollingFile::new(self.path())
    }

    pub(crate) fn active(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        names(self.0.path())
    }

    /// The names of the closed segments, sorted.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| name.starts_with("orders.2")).collect()
    }

    /// What the closed segments hold, in order.
    pub(crate) fn closed(&self) -> Vec<String> {
        self.segments().iter().map(|name| read(&self.join(name))).collect()
    }

    #[cfg(feature = "gzip")]
    /// Whether each closed segment is there in compressed form, and only so.
    pub(crate) fn is_compressed(&self) -> bool {
        self.segments().iter().all(|name| name.ends_with(".log.gz") || name.ends_with(".log.zst"))
    }

    #[cfg(feature = "gzip")]
    /// How many lines a killed process has left: each segment counts once, and there may be no active file.
    pub(crate) fn count(&self) -> usize {
        let names = self.segments();
        let closed: std::collections::BTreeMap<_, _> =
            names.iter().map(|name| (name.trim_end_matches(".gz"), name)).rev().collect();
        let closed = closed.values().map(|name| read(&self.join(name))).collect::<String>();
        (closed + &fs::read_to_string(self.path()).unwrap_or_default()).lines().count()
    }

    /// Every line, closed segments first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = self.closed().concat() + &self.active();
        assert!(text.is_empty() || text.ends_with('\n'), "a torn end");
        text.lines().map(str::to_owned).collect()
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

pub(crate) fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let decoded = match path.extension().and_then(|extension| extension.to_str()) {
        #[cfg(feature = "gzip")]
        Some("gz") => {
            let mut decoded = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&bytes[..]), &mut decoded).unwrap();
            decoded
        }
        Some("zst") => zstd::decode_all(&bytes[..]).unwrap(),
        _ => bytes,
    };
    String::from_utf8(decoded).unwrap()
}

/// A log that compresses, if it can.
pub(crate) fn compressing(log: RollingFile) -> RollingFile {
    #[cfg(feature = "gzip")]
    let log = log.gzip();
    log
}

pub(crate) fn at(time: &str) -> Timestamp {
    time.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into()
}

/// Sets when the file was last written to.
pub(crate) fn set_written(path: &Path, time: &str) {
    let time = std::time::SystemTime::from(at(time).to_datetime());
    File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

pub(crate) fn later(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos() + seconds * 1_000_000_000)
}

pub(crate) fn lines(texts: &[&str], time: Timestamp) -> Lines {
    let mut lines = Lines::default();
    for text in texts {
        lines.push_line(text.as_bytes(), Level::INFO, time);
    }
    lines
}

/// Lines and times as the worker would bring them, and their ways to go wrong.
pub(crate) trait Play {
    fn open(self) -> Self;
    fn put(&mut self, text: &str, time: &str);
    fn try_put(&mut self, text: &str, time: Timestamp) -> Result<(), Error>;
    fn close(&mut self);
    #[cfg(feature = "gzip")]
    fn close_until(&mut self, done: impl FnMut() -> bool);
}

impl Play for RollingFile {
    fn open(mut self) -> Self {
        self.control(Control::Open).unwrap();
        self
    }

    fn put(&mut self, text: &str, time: &str) {
        self.try_put(text, at(time)).unwrap();
    }

    /// The line is written in any case.
    fn try_put(&mut self, text: &str, time: Timestamp) -> Result<(), Error> {
        let mut lines = lines(&[text], time);
        let result = self.control(Control::Tick(time)).and_then(|()| self.write(&mut lines)).map(drop);
        if !lines.is_empty() {
            self.write(&mut lines).unwrap();
        }
        assert!(lines.is_empty());
        result
    }

    fn close(&mut self) {
        self.control(Control::Close).unwrap();
    }

    #[cfg(feature = "gzip")]
    /// A process that another test is about to start may, for an instant, hold copies of the locks of this one.
    fn close_until(&mut self, mut done: impl FnMut() -> bool) {
        let mut time = at(NOON);
        self.close();
        while !done() {
            time = later(time, 31);
            assert!(time < at("2026-12-20T00:00:00Z"), "it is never done");
            self.control(Control::Tick(time)).unwrap();
            self.close();
        }
    }
}

pub(crate) fn refusal(mut log: RollingFile) -> String {
    let error = log.control(Control::Open).unwrap_err();
    format!("{error:?}")
}

#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o7777
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}
