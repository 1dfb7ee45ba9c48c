//! Which threads belong to an output: its worker, and the threads that its sink starts.
//!
//! An event logged on such a thread does not reach that output, where it would cause another one.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Numbers outputs and sets of threads. Zero is none.
static NEXT: AtomicUsize = AtomicUsize::new(1);

thread_local! {
    /// The output that this thread belongs to; zero on all threads but those of the log.
    static OWNER: Cell<usize> = const { Cell::new(0) };
    /// The thread is not the worker, but one that a sink has started.
    static IS_CLIENT: Cell<bool> = const { Cell::new(false) };
}

/// The threads that a sink starts: those of its client library or its runtime.
///
/// Events that are logged there do not reach the sink's output. They count as dropped by
/// [`Reason::OwnThread`](crate::metrics::Reason::OwnThread). Other outputs get them, except for those with threads of their
/// own, which might answer them. As on a worker, [`Handle::flush`](crate::Handle::flush) fails there.
///
/// Clones name the same threads.
///
/// ```
/// use spanline::sink::{OwnThreads, Profile};
///
/// let threads = OwnThreads::new();
/// let own = threads.clone();
/// std::thread::spawn(move || {
///     let _own = own.enter();
///     // … what the client does here may log.
/// });
/// let profile = Profile::new("http").own_threads(&threads);
/// # let _ = profile;
/// ```
///
/// For a runtime, mark each of its threads: `tokio::runtime::Builder::on_thread_start(move || own.mark_thread())`.
#[derive(Clone, Debug)]
pub struct OwnThreads(usize);

impl Default for OwnThreads {
    fn default() -> Self {
        Self::new()
    }
}

impl OwnThreads {
    /// Returns a set without threads. [`Profile::own_threads`](super::Profile::own_threads) ties it to an output.
    pub fn new() -> Self {
        Self(next_owner())
    }

    /// Marks the current thread until the guard is dropped.
    #[must_use = "the thread is marked until the guard is dropped"]
    pub fn enter(&self) -> OwnThread {
        let is_client = IS_CLIENT.try_with(|is_client| is_client.replace(true)).unwrap_or(false);
        OwnThread { owner: enter(self.0), is_client, stays: PhantomData }
    }

    /// Marks the current thread for its whole life.
    pub fn mark_thread(&self) {
        std::mem::forget(self.enter());
    }

    pub(crate) fn owner(&self) -> usize {
        self.0
    }
}

/// Marks the current thread as a sink's, until it is dropped: from [`OwnThreads::enter`].
///
/// It stays on its thread, so a future that may move to another one cannot hold it over an `await`:
///
/// ```compile_fail
/// let own = spanline::sink::OwnThreads::new();
/// let guard = own.enter();
/// std::thread::spawn(move || drop(guard));
/// ```
pub struct OwnThread {
    owner: usize,
    is_client: bool,
    stays: PhantomData<*const ()>,
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        enter(self.owner);
        let _ = IS_CLIENT.try_with(|is_client| is_client.set(self.is_client));
    }
}

impl fmt::Debug for OwnThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnThread")
    }
}

/// Returns a new number for an output.
pub(crate) fn next_owner() -> usize {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Makes the current thread one of `owner`. Returns the one it belonged to.
pub(crate) fn enter(owner: usize) -> usize {
    OWNER.try_with(|own| own.replace(owner)).unwrap_or(0)
}

/// Returns the output that this thread belongs to, if any.
#[inline]
pub(crate) fn owner_of_thread() -> Option<usize> {
    OWNER.try_with(Cell::get).ok().filter(|owner| *owner != 0)
}

/// Returns whether this thread is one that a sink has started.
pub(crate) fn is_client_thread() -> bool {
    IS_CLIENT.try_with(Cell::get).unwrap_or(false)
}
