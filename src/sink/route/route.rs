//! The sink that opens a file for each value of a field.
//!
//! Lines are delivered in runs: consecutive lines of the same value go to their file in one call. The cursor of the lines
//! stays where that file's writer leaves it, so nothing is copied, and a line that was cut goes on where it stopped.
//!
//! # On failure
//! Lines of a file that fails are kept in flight, and are offered again a moment later. Those of other files go on. Only
//! when a line was written in part does its file come first. The memory of kept lines is that of the queue. While other
//! files are written, only some may be kept: one value, which anybody may have sent, must not fill the queue of all.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::names;
use crate::error::Error;
use crate::record::Timestamp;
use crate::sink::{Control, Line, Lines, Next, Profile, RollingFile, Sink, resolved};
use crate::sync::after;

/// A file that failed is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Failures are reported this often.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// The descriptors that an open file may take: of the file, its directory and its lock.
const DESCRIPTORS: u64 = 3;

/// Lines that wait for files that fail have at most this many bytes while other files are written. More are rejected.
const MAX_KEPT_BYTES: usize = 1 << 20;

/// A limit of open files beyond this would be that of the process.
const MAX_OPEN_FILES: usize = 16 * 1024;

/// Writes the lines of each value of a field to a separate file, such as one file for each tenant.
///
/// The value is that of the event, else that of the innermost span with the field, else that of a static field. Lines
/// without the field, and the log's notices, go to the file of the [default name](Self::default_name).
///
/// Values may come from anywhere. The function gets a safe name for each: the value itself if it has only `a` to `z`,
/// digits, `-` and `_`; in others, `~` and two hex digits stand for a byte, and a hash for the end of a long one. Two values
/// never have the same name, also where the file system ignores case. Use the whole name in the file's name or directory.
///
/// Each file is a [`RollingFile`] with its own rotation, retention and compression. At most [`open_files`](Self::open_files)
/// are open. The one that was used longest ago makes room for another, and idle ones are closed; both are synced before.
/// When a file cannot be written, its lines wait, and those of other files do not. A line is written when its file has it.
///
/// # Examples
/// ```
/// use spanline::sink::Route;
/// use spanline::{Output, RollingFile};
///
/// let route = Route::by_field("tenant", |tenant| {
///     RollingFile::new(format!("logs/{tenant}/orders.log")).daily().keep_files(7)
/// });
/// spanline::builder().output(Output::new(route));
/// ```
#[must_use = "a route does nothing until it is given to `Output::new`"]
pub struct Route {
    field: String,
    make: Box<dyn Fn(&str) -> RollingFile + Send>,
    limits: Limits,
    /// The file of lines without a value.
    default: Option<OpenFile>,
    files: HashMap<Box<str>, OpenFile>,
    failures: Failures,
    /// The files of other outputs.
    others: Arc<OnceLock<Vec<PathBuf>>>,
    /// The time of the last batch.
    now: Option<Timestamp>,
}

struct Limits {
    default_name: String,
    open_files: usize,
    idle: Duration,
}

struct OpenFile {
    file: RollingFile,
    used: Instant,
    /// It wants to be called then, even without lines.
    call_at: Option<Instant>,
}

/// What cannot be written now.
#[derive(Default)]
struct Failures {
    /// The values whose lines are in flight.
    values: HashSet<Option<Box<str>>>,
    /// The bytes of those lines.
    kept_bytes: usize,
    /// Whether another file was written since.
    others_go_on: bool,
    retry_at: Option<Instant>,
    reported: Option<Instant>,
    /// To be reported.
    error: Option<Error>,
}

/// Returns the number of descriptors that the process may have, if it is limited.
fn descriptor_limit() -> Option<u64> {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    None
}

/// Returns whether an error says that the process, or the system, has no more descriptors.
fn is_out_of_descriptors(error: &Error) -> bool {
    #[cfg(unix)]
    {
        use std::error::Error as _;

        use rustix::io::Errno;

        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(code) = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error) {
                return [Errno::MFILE, Errno::NFILE].contains(&Errno::from_raw_os_error(code));
            }
            cause = inner.source();
        }
        false
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

/// Consecutive lines for one file.
struct Run {
    /// The safe name for the value.
    value: Option<Box<str>>,
    bytes: usize,
    /// The first line.
    begin: u64,
    /// The first line behind it.
    end: u64,
}

impl Run {
    /// Returns the lines at the cursor that have the same value.
    fn first(lines: &Lines, default_name: &str) -> Option<Self> {
        fn value<'a>(line: &Line<'a>) -> Option<&'a str> {
            line.columns.and_then(|columns| columns.field.as_deref())
        }
        let mut all = lines.iter();
        let first = all.next()?;
        let (of_run, mut bytes) = (value(&first), first.bytes.len());
        let end = loop {
            match all.next() {
                Some(line) if value(&line) == of_run => bytes += line.bytes.len(),
                Some(line) => break line.id,
                None => break u64::MAX,
            }
        };
        let value = of_run.map(|value| names::file_name(value, default_name).into());
        Some(Self { value, bytes, begin: first.id, end })
    }
}

impl OpenFile {
    /// Takes over when the file wants to be called.
    fn wants(&mut self, next: Next) {
        self.call_at = if let Next::Later(at) = next { Some(at) } else { None };
    }
}

impl Failures {
    fn add(&mut self, value: Option<Box<str>>, error: Error, now: Instant) {
        self.values.insert(value);
        self.retry_at.get_or_insert(after(now, RETRY_AFTER));
        self.report(error, now);
    }

    fn report(&mut self, error: Error, now: Instant) {
        if self.reported.is_none_or(|reported| now.duration_since(reported) >= REPORT_EVERY) {
            self.reported = Some(now);
            self.error = Some(error);
        }
    }

    /// Makes all files be tried again.
    fn retry(&mut self, now: Instant) {
        self.retry_at = self.retry_at.map(|_| now);
        self.reported = None;
    }
}

impl Route {
    /// The default number of open files: few enough for the usual limit of 1,024 descriptors.
    pub const DEFAULT_OPEN_FILES: usize = 64;

    /// The default time after which an unused file is closed.
    pub const DEFAULT_IDLE: Duration = Duration::from_secs(300);

    /// The default name for lines without the field.
    pub const DEFAULT_NAME: &'static str = "default";

    /// Creates a sink with a file for each value of `field`. `file` makes it, from a safe name for the value.
    ///
    /// If `file` uses only a part of the name, two values may have the same path. Such lines are rejected and reported.
    pub fn by_field(field: impl Into<String>, file: impl Fn(&str) -> RollingFile + Send + 'static) -> Self {
        Self {
            field: field.into(),
            make: Box::new(file),
            limits: Limits {
                default_name: Self::DEFAULT_NAME.to_owned(),
                open_files: Self::DEFAULT_OPEN_FILES,
                idle: Self::DEFAULT_IDLE,
            },
            default: None,
            files: HashMap::new(),
            failures: Failures::default(),
            others: Arc::default(),
            now: None,
        }
    }

    /// Sets the name for lines without the field; [`Self::DEFAULT_NAME`] by default. No value has it.
    ///
    /// A name that is not safe is an error of `init` and `build`.
    pub fn default_name(mut self, name: impl Into<String>) -> Self {
        self.limits.default_name = name.into();
        self
    }

    /// Sets how many files are open at most, besides the default one: 1 to 16,384, [`Self::DEFAULT_OPEN_FILES`] by default.
    ///
    /// Closing and opening costs a sync and some calls, so choose it larger than the number of values that are busy at
    /// once. Each open file takes up to three descriptors. More files than the process may have descriptors for are an error
    /// of `init` and `build`. If the process runs out of them later, fewer files are open from then on.
    pub fn open_files(mut self, files: usize) -> Self {
        self.limits.open_files = files;
        self
    }

    /// Sets after how much time an unused file is closed; [`Self::DEFAULT_IDLE`] by default. Zero is an error.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.limits.idle = idle;
        self
    }

    /// Returns the path of the file that a value's lines go to; `None` stands for lines without the field.
    ///
    /// # Examples
    /// ```
    /// use spanline::RollingFile;
    /// use spanline::sink::Route;
    ///
    /// let route = Route::by_field("tenant", |tenant| RollingFile::new(format!("logs/{tenant}.log")));
    /// assert_eq!(route.path(Some("Acme")), Some("logs/~41cme.log".into()));
    /// assert_eq!(route.path(None), Some("logs/default.log".into()));
    /// ```
    pub fn path(&self, value: Option<&str>) -> Option<PathBuf> {
        let default = &self.limits.default_name;
        let name = value.map_or_else(|| default.clone(), |value| names::file_name(value, default));
        (self.make)(&name).profile().path
    }

    /// # Errors
    /// A limit is out of bounds, or the default name is not safe.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Limits { default_name, open_files, idle } = &self.limits;
        if self.field.is_empty() {
            return Err(Error::invalid("the field of a route has no name; expected one such as `tenant`"));
        }
        if !names::is_plain(default_name) {
            return Err(Error::invalid(format!(
                "default_name is `{}`; expected `a` to `z`, digits, `-` and `_`, at most 100 bytes, and no device",
                default_name.escape_debug()
            )));
        }
        if !(1..=MAX_OPEN_FILES).contains(open_files) {
            return Err(Error::invalid(format!("open_files is {open_files}; expected 1 to {MAX_OPEN_FILES}")));
        }
        if let Some(limit) = descriptor_limit().filter(|limit| (*open_files as u64) * DESCRIPTORS > *limit)
            && *open_files != Self::DEFAULT_OPEN_FILES
        {
            let needed = (*open_files as u64) * DESCRIPTORS;
            return Err(Error::invalid(format!(
                "open_files is {open_files}, which may take {needed} descriptors, and this process may have {limit}; use \
                 fewer, or raise the limit (`ulimit -n`, `LimitNOFILE=`)"
            )));
        }
        if idle.is_zero() {
            return Err(Error::invalid("idle is zero; expected a time such as five minutes"));
        }
        Ok(())
    }

    /// Writes a run to its file, which is opened if it is not open.
    fn write_run(&mut self, run: &Run, lines: &mut Lines, now: Instant) -> Result<(), Error> {
        self.open(run.value.as_deref(), now)?;
        let open = match &run.value {
            Some(value) => self.files.get_mut(value),
            None => self.default.as_mut(),
        };
        let Some(open) = open else { return Err(Error::retry("the file is not open")) };
        open.used = now;
        let place = |lines: &Lines| lines.first().map(|line| (line.id, line.bytes.len()));
        let before = place(lines);
        let next = lines.until(run.end, |lines| open.file.write(lines))?;
        open.wants(next);
        if place(lines) == before { Err(Error::retry("the file took nothing")) } else { Ok(()) }
    }

    /// # Errors
    /// The file cannot be opened, or an open file has its path.
    fn open(&mut self, value: Option<&str>, now: Instant) -> Result<(), Error> {
        let is_open = value.map_or(self.default.is_some(), |value| self.files.contains_key(value));
        if is_open {
            return Ok(());
        }
        let mut file = (self.make)(value.unwrap_or(&self.limits.default_name));
        let path = file.profile().path;
        let is_others = |path: &PathBuf| self.others.get().is_some_and(|others| others.contains(&resolved(path)));
        if let Some(path) = path.as_ref().filter(|path| value.is_some() && is_others(path)) {
            return Err(Error::rejected(format!(
                "a value of `{}` has the file {} of another output; give the route a directory for itself",
                self.field,
                path.display()
            )));
        }
        let others = self.files.values().chain(&self.default).map(|open| open.file.profile().path);
        if path.is_some() && others.into_iter().any(|other| other == path) {
            return Err(Error::rejected(format!(
                "two values of `{}` have the file {}; use the whole name that the function gets",
                self.field,
                path.unwrap_or_default().display()
            )));
        }
        if value.is_some() {
            self.make_room(self.limits.open_files, now);
        }
        while let Err(error) = file.control(Control::Open) {
            // The program needs descriptors, too: the log is content with fewer files from now on.
            let fewer = self.files.len() / 4 * 3;
            if !is_out_of_descriptors(&error) || self.files.is_empty() {
                return Err(error.into_retry());
            }
            self.limits.open_files = fewer.max(1);
            self.make_room(fewer + 1, now);
            self.failures.report(error.into_retry(), now);
        }
        if let Some(time) = self.now {
            file.control(Control::Tick(time))?;
        }
        // It says with its first call when it has something to do.
        let open = OpenFile { file, used: now, call_at: Some(now) };
        match value {
            Some(value) => drop(self.files.insert(value.into(), open)),
            None => self.default = Some(open),
        }
        Ok(())
    }

    /// Closes the files that were used longest ago, until there is room for another among `open_files`.
    fn make_room(&mut self, open_files: usize, now: Instant) {
        while self.files.len() >= open_files {
            let Some(oldest) = self.files.iter().min_by_key(|(_, open)| open.used).map(|(value, _)| value.clone())
            else {
                return;
            };
            self.close(&oldest, now);
        }
    }

    fn close_idle(&mut self, now: Instant) {
        let idle = self.limits.idle;
        let unused = self.files.iter().filter(|(_, open)| now.duration_since(open.used) >= idle);
        for value in unused.map(|(value, _)| value.clone()).collect::<Vec<_>>() {
            self.close(&value, now);
        }
    }

    /// Closes a file. What it has is made durable, because no later sync reaches it.
    fn close(&mut self, value: &str, now: Instant) {
        if let Some(mut open) = self.files.remove(value)
            && let Err(error) = open.file.control(Control::Sync)
        {
            self.failures.report(error, now);
        }
    }

    /// Calls files that have something to do at this time.
    fn call_due(&mut self, lines: &mut Lines, now: Instant) {
        let files = self.files.values_mut().chain(&mut self.default);
        for open in files.filter(|open| open.call_at.is_some_and(|at| at <= now)) {
            // It sees no line.
            match lines.until(0, |lines| open.file.write(lines)) {
                Ok(next) => open.wants(next),
                Err(error) => {
                    open.call_at = Some(after(now, REPORT_EVERY));
                    self.failures.report(error, now);
                }
            }
        }
    }

    /// Passes an order to all open files. Returns the first error.
    fn all(&mut self, control: Control) -> Result<(), Error> {
        let files = self.files.values_mut().chain(&mut self.default);
        files.map(|open| open.file.control(control)).fold(Ok(()), Result::and)
    }

    /// Returns when there is something to do without lines.
    fn next(&self) -> Next {
        let idle = self.files.values().map(|open| open.used).min().map(|used| after(used, self.limits.idle));
        let calls = self.files.values().chain(&self.default).filter_map(|open| open.call_at);
        self.failures.retry_at.into_iter().chain(idle).chain(calls).min().map_or(Next::Done, Next::Later)
    }
}

impl Sink for Route {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let now = Instant::now();
        if self.failures.retry_at.is_some_and(|at| at <= now) {
            self.failures.retry_at = None;
            self.failures.values.clear();
            (self.failures.kept_bytes, self.failures.others_go_on) = (0, false);
            lines.give_back(..);
        }
        while let Some(run) = Run::first(lines, &self.limits.default_name) {
            if self.failures.values.contains(&run.value) {
                lines.hand_over(run.bytes);
                self.failures.kept_bytes += run.bytes;
                if self.failures.others_go_on && self.failures.kept_bytes > MAX_KEPT_BYTES {
                    lines.reject(run.begin..run.end, "its file cannot be written, and too many lines wait for it");
                    self.failures.kept_bytes -= run.bytes;
                }
                continue;
            }
            let Err(error) = self.write_run(&run, lines, now) else {
                self.failures.others_go_on = !self.failures.values.is_empty();
                continue;
            };
            if !error.is_retryable() || !lines.at_line_start() {
                return Err(error);
            }
            self.failures.add(run.value, error, now);
        }
        self.close_idle(now);
        self.call_due(lines, now);
        self.failures.error.take().map_or_else(|| Ok(self.next()), Err)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Open => {
                self.check()?;
                self.default = None;
                return self.open(None, Instant::now()).map_err(Error::into_invalid);
            }
            Control::Tick(now) => self.now = Some(now),
            Control::Reopen => self.failures.retry(Instant::now()),
            Control::Forked => self.failures = Failures::default(),
            _ => {}
        }
        self.all(control)
    }

    fn profile(&self) -> Profile {
        let default = (self.make)(&self.limits.default_name).profile();
        let profile = Profile::new("route")
            .field(&self.field)
            .local_time(default.clock.is_local)
            .by_clock(default.clock.acts)
            .avoids(&self.others)
            .logs_nothing();
        match default.path {
            Some(path) => profile.path(path),
            None => profile,
        }
    }
}

/// Prints names and numbers, not the values.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("field", &self.field).field("open", &self.files.len()).finish_non_exhaustive()
    }
}
