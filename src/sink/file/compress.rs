//! Compresses closed segments, on a thread of its own that lives while there is work.
//!
//! A segment is read under its exclusive lock, so that no writer, and no other process's thread, is at it. Its
//! compressed form is written under a temporary name, made durable, renamed, and only then does the original go: a
//! crash leaves a stray temporary, or both forms, and the next pass clears up either.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::codec;
use super::open::{self, Identity, failed, mode_of, rename_new};
use super::store::{Listing, Store, Stored, leads_to, remove};
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{Form, Segment};
use crate::sync;

/// What could not be compressed, because another process was at it for example, is tried again after this.
const RETRY_NANOS: i64 = 30_000_000_000;

#[derive(Debug)]
pub(super) struct Compressor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<Store>,
    state: Mutex<State>,
    idle: Condvar,
    /// The log ends: the rest is for its next start.
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    running: bool,
    /// A pass is to be made.
    wanted: bool,
    /// The last pass had to leave something.
    left_over: bool,
    now: Option<Timestamp>,
    /// The time of the last order.
    woken: Option<Timestamp>,
    problem: Option<Error>,
}

impl Compressor {
    pub(super) fn new(store: Arc<Store>) -> Self {
        let (state, idle) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { store, state, idle, stop: AtomicBool::new(false) }))
    }

    /// Has a pass made over the directory, if there is anything to do by the listing.
    pub(super) fn wake(&self, listing: &Listing, now: Option<Timestamp>) {
        let mut state = self.0.state();
        (state.now, state.woken) = (now, now);
        if self.0.has_work(listing) {
            state.wanted = true;
            self.0.stop.store(false, Ordering::Relaxed);
            if !state.running {
                self.start(&mut state);
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the compressor")]
    fn start(&self, state: &mut State) {
        let shared = Arc::clone(&self.0);
        match thread::Builder::new().name("spanline-compress".into()).spawn(move || shared.run()) {
            Ok(_) => state.running = true,
            Err(error) => {
                state.left_over = true;
                state.problem = Some(Error::io("start the compression thread", error));
            }
        }
    }

    /// Tries again, now and then, what was left.
    pub(super) fn tick(&self, now: Timestamp) {
        let mut state = self.0.state();
        state.now = Some(now);
        let since = state.woken.map(|woken| now.as_nanos().saturating_sub(woken.as_nanos()));
        let due = state.left_over && !since.is_some_and(|since| (0..RETRY_NANOS).contains(&since));
        drop(state);
        if due {
            match self.0.store.list() {
                Ok(listing) => self.wake(&listing, Some(now)),
                Err(error) => {
                    let mut state = self.0.state();
                    (state.woken, state.problem) = (Some(now), Some(error));
                }
            }
        }
    }

    /// Waits until all is done, but no longer than `limit`, and then leaves the rest.
    pub(super) fn finish(&self, limit: Duration) {
        if sync::wait_timeout_while(&self.0.idle, self.0.state(), limit, |state| state.running).running {
            self.0.stop.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn take_problem(&self) -> Option<Error> {
        self.0.state().problem.take()
    }
}

/// What became of a segment.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Somebody has it open, or the log ends.
    Busy,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }

    fn run(&self) {
        loop {
            let mut state = self.state();
            if !state.wanted || self.is_stopped() {
                state.running = false;
                self.idle.notify_all();
                return;
            }
            (state.wanted, state.left_over) = (false, false);
            drop(state);
            let pass = catch_unwind(AssertUnwindSafe(|| self.pass()));
            if let Err(error) = pass.unwrap_or_else(|_| Err(Error::retry("the compression thread panicked"))) {
                let mut state = self.state();
                state.left_over = true;
                state.problem = Some(error);
            }
        }
    }

    fn has_work(&self, listing: &Listing) -> bool {
        !listing.temporaries.is_empty() || listing.closed.values().any(|files| self.is_open_to_work(files))
    }

    /// Whether a segment lies there uncompressed, or twice.
    fn is_open_to_work(&self, files: &[Stored]) -> bool {
        let plain = files.iter().any(|file| file.form == Form::Plain);
        plain && (self.store.form != Form::Plain || files.len() > 1)
    }

    /// Does all that can be done at once. The last error is returned, after everything else was tried.
    fn pass(&self) -> Result<(), Error> {
        let listing = self.store.list()?;
        let mut result = Ok(());
        for (segment, path) in &listing.temporaries {
            result = result.and(self.remove_stray(*segment, path).map_err(failed("remove", path)));
        }
        for (segment, files) in listing.closed.iter().filter(|(_, files)| self.is_open_to_work(files)) {
            if self.is_stopped() {
                break;
            }
            let path = self.store.path_of(*segment, Form::Plain);
            match self.compress(*segment, files, &path) {
                Ok(Outcome::Done) => {
                    let now = self.state().now;
                    result = result.and(self.store.prune(now));
                }
                Ok(Outcome::Busy) => self.state().left_over = true,
                // It was removed in the meantime, and has nothing to be compressed any more.
                Err(_) if !path.exists() => {}
                Err(error) => result = result.and(Err(failed("compress", &path)(error))),
            }
        }
        result
    }

    fn compress(&self, segment: Segment, files: &[Stored], path: &Path) -> io::Result<Outcome> {
        let source = match open::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::Done),
            opened => opened?,
        };
        if source.try_lock().is_err() {
            return Ok(Outcome::Busy);
        }
        let metadata = source.metadata()?;
        if !leads_to(path, Identity::of(&metadata)) {
            return Ok(Outcome::Done);
        }
        for form in files.iter().map(|file| file.form).filter(|form| *form != Form::Plain) {
            let packed = self.store.path_of(segment, form);
            match codec::decoded_bytes(form, self.stoppable(&open::open(&packed)?)) {
                // This program cannot judge it, so neither goes.
                None => return Ok(Outcome::Done),
                Some(Err(_)) if self.is_stopped() => return Ok(Outcome::Busy),
                Some(Ok(bytes)) if bytes >= metadata.len() => return remove(path).map(|()| Outcome::Done),
                Some(_) => remove(&packed)?,
            }
        }
        if self.store.form == Form::Plain {
            return Ok(Outcome::Done);
        }
        let temporary = self.store.directory.join(self.store.names.temporary(segment, self.store.form));
        remove(&temporary)?;
        let packed = self.pack(&source, &metadata, &temporary).and_then(|()| {
            rename_new(&temporary, &self.store.path_of(segment, self.store.form))?;
            open::sync_directory(&self.store.directory)
        });
        match packed {
            Ok(()) => remove(path).map(|()| Outcome::Done),
            Err(error) => {
                remove(&temporary)?;
                if self.is_stopped() { Ok(Outcome::Busy) } else { Err(error) }
            }
        }
    }

    /// Writes the compressed form, with the original's mode, and makes it durable.
    fn pack(&self, source: &File, metadata: &Metadata, temporary: &Path) -> io::Result<()> {
        let target = open::create(temporary, mode_of(metadata))?;
        codec::encode(self.store.form, self.stoppable(source), target)?.sync_all()
    }

    /// Removes a temporary that a crash left, unless its segment is just being compressed.
    fn remove_stray(&self, segment: Segment, temporary: &Path) -> io::Result<()> {
        match open::open(&self.store.path_of(segment, Form::Plain)) {
            Ok(source) if source.try_lock().is_err() => Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _source => remove(temporary),
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn stoppable<'a>(&'a self, file: &'a File) -> Stoppable<'a> {
        Stoppable { file, stop: &self.stop }
    }
}

/// Fails as soon as the log ends.
struct Stoppable<'a> {
    file: &'a File,
    stop: &'a AtomicBool,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(io::Error::other("stopped")),
            false => self.file.read(bytes),
        }
    }
}
