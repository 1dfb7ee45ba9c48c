//! What a sink is, and how it wants its lines.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::own_thread::OwnThreads;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::schema::Rows;
use crate::schema::Schema;

/// Describes a sink to its output. [`Sink::profile`](super::Sink::profile) returns it once, when the log is built.
///
/// ```
/// use std::time::Duration;
/// use spanline::sink::Profile;
///
/// let profile = Profile::new("http").batch(500, 1 << 20, Duration::from_secs(1)).own_targets(["hyper", "rustls"]);
/// # let _ = profile;
/// ```
pub struct Profile {
    pub(crate) name: String,
    pub(crate) path: Option<PathBuf>,
    pub(crate) is_terminal: bool,
    pub(crate) batch: Batching,
    pub(crate) own_targets: Vec<String>,
    pub(crate) own_threads: Option<OwnThreads>,
    pub(crate) columns: Wanted,
    pub(crate) is_plain: bool,
    /// It moves lines to disk when memory gets short.
    pub(crate) spools: bool,
    /// Delivering lines causes no events.
    pub(crate) logs_nothing: bool,
    pub(crate) schema: Option<Box<dyn Schema>>,
    /// No other schema makes what the sink takes.
    pub(crate) is_schema_fixed: bool,
    pub(crate) clock: ClockUse,
    /// Gets the files of the other outputs, for a sink whose files are known only later.
    pub(crate) avoids: Option<Arc<OnceLock<Vec<PathBuf>>>>,
    /// How far the chain of a sealed log has come.
    #[cfg(feature = "sealed")]
    pub(crate) head: Option<SharedHead>,
    /// Whether systemd's journal reads the stream; `None` for what is no standard stream.
    pub(crate) is_journal: Option<bool>,
}

/// How far the chain of a sealed log has come; `None` before its first segment.
#[cfg(feature = "sealed")]
pub(crate) type SharedHead = Arc<std::sync::Mutex<Option<crate::sealed::Head>>>;

/// How many lines a sink wants at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batching {
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
    pub(crate) linger: Duration,
}

/// What a sink does at which time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClockUse {
    /// It does something at local times.
    pub(crate) is_local: bool,
    /// It is called once without lines as soon as it is open, to say when it has something to do.
    pub(crate) acts: bool,
}

/// The columns that a sink wants with each line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) ids: bool,
    /// A field whose value it wants besides.
    pub(crate) field: Option<String>,
    /// The columns of a row, for databases. The output's schema renders one of them.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) rows: Option<Rows>,
}

impl Default for Batching {
    fn default() -> Self {
        Self { lines: usize::MAX, bytes: usize::MAX, linger: Duration::ZERO }
    }
}

impl Profile {
    /// Describes a sink by the kind of place it writes to, such as `http`. An output for which no name was set is called
    /// so.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: None,
            is_terminal: false,
            batch: Batching::default(),
            own_targets: Vec::new(),
            own_threads: None,
            columns: Wanted::default(),
            is_plain: false,
            spools: false,
            logs_nothing: false,
            schema: None,
            is_schema_fixed: false,
            clock: ClockUse::default(),
            avoids: None,
            #[cfg(feature = "sealed")]
            head: None,
            is_journal: None,
        }
    }

    /// Sets the file that the sink writes. Two outputs of one log may not write the same file.
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_owned());
        self
    }

    /// Sets whether a person reads the output. `Console` then colors its lines.
    pub fn terminal(mut self, is_terminal: bool) -> Self {
        self.is_terminal = is_terminal;
        self
    }

    /// Sets the batches that the sink wants: it is offered at most `lines` lines and `bytes` bytes in one call, and a larger
    /// line alone. The worker waits up to `linger` for a full batch. Flushing the log does not wait.
    ///
    /// By default, a sink is offered all lines at once, and the worker does not wait.
    pub fn batch(mut self, lines: usize, bytes: usize, linger: Duration) -> Self {
        self.batch = Batching { lines: lines.max(1), bytes: bytes.max(1), linger };
        self
    }

    /// Names the targets of the client library that the sink uses, where its threads are shared with others: `hyper` stands
    /// for `hyper::client` too, but not for `hyperion`. The output's filter does not let events of these targets pass, as they
    /// would cause more of them. Other outputs get them.
    pub fn own_targets<T: Into<String>>(mut self, targets: impl IntoIterator<Item = T>) -> Self {
        self.own_targets = targets.into_iter().map(Into::into).collect();
        self
    }

    /// Names the threads that the sink starts. What is logged there does not return to the sink.
    pub fn own_threads(mut self, threads: &OwnThreads) -> Self {
        self.own_threads = Some(threads.clone());
        self
    }

    /// Sets that each line comes with its [`Columns`](super::Columns): trace, span and request id.
    pub fn columns(mut self) -> Self {
        self.columns.ids = true;
        self
    }

    /// Sets that each line comes with its [`Columns`](super::Columns), and with the value of a field as
    /// [`Columns::field`](super::Columns::field).
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.columns.field = Some(name.into());
        self.columns()
    }

    /// Sets the schema that the sink needs, used unless the output sets one.
    pub fn schema(mut self, schema: impl Schema) -> Self {
        self.schema = Some(Box::new(schema));
        self
    }

    /// Asks for the files of the other outputs.
    pub(crate) fn avoids(mut self, paths: &Arc<OnceLock<Vec<PathBuf>>>) -> Self {
        self.avoids = Some(Arc::clone(paths));
        self
    }

    /// Sets that the sink takes rows: the output's schema renders one of their columns.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn rows(mut self, rows: Rows) -> Self {
        self.columns.rows = Some(rows);
        self
    }

    /// Sets the only schema whose lines the sink takes. An output that sets another one is an error.
    #[cfg(all(target_os = "linux", feature = "journald"))]
    pub(crate) fn fixed_schema(mut self, schema: impl Schema) -> Self {
        self.is_schema_fixed = true;
        self.schema(schema)
    }

    /// Sets where the head of a sealed log is kept.
    #[cfg(feature = "sealed")]
    pub(crate) fn sealed(mut self, head: &SharedHead) -> Self {
        self.head = Some(Arc::clone(head));
        self
    }

    /// Sets whether systemd's journal reads the standard stream that the sink writes.
    pub(crate) fn journal(mut self, is_journal: bool) -> Self {
        self.is_journal = Some(is_journal);
        self
    }

    /// Sets whether the sink does something at local times: a mistyped `TZ` then matters.
    pub(crate) fn local_time(mut self, is_local: bool) -> Self {
        self.clock.is_local = is_local;
        self
    }

    /// Sets whether the sink has something to do at some time without lines: it is called once, to say when.
    pub(crate) fn by_clock(mut self, acts_by_clock: bool) -> Self {
        self.clock.acts = acts_by_clock;
        self
    }

    /// States that delivering lines causes no events, on any thread. Then no line waits to find out whether it is an echo.
    pub fn logs_nothing(mut self) -> Self {
        self.logs_nothing = true;
        self
    }

    /// States that delivering lines causes no events, and that the sink takes lines at once.
    pub(crate) fn plain(mut self) -> Self {
        self.is_plain = true;
        self.logs_nothing()
    }
}

/// Returns the path of a file without links and detours, as far as it exists.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (path.canonicalize(), path.parent().map(Path::canonicalize), path.file_name()) {
        (Ok(whole), ..) => whole,
        (_, Some(Ok(directory)), Some(name)) => directory.join(name),
        _ => path,
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("name", &self.name)
            .field("path", &self.path)
            .field("batch", &self.batch)
            .field("own_targets", &self.own_targets)
            .finish_non_exhaustive()
    }
}
