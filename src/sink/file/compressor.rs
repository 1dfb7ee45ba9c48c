//! Compresses closed segments, on a thread that lives while there is work.
//!
//! A segment is read under its exclusive lock, so that no writer and no thread of another process uses it. The
//! compressed file is written under a temporary name, made durable and renamed; only then is the original removed. A
//! crash leaves a stray temporary file, or both files, and the next pass removes what is not needed.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::codec;
use super::log_files::{DirectoryListing, LogFiles, SegmentFile, leads_to, remove};
use super::open::{self, Identity, failed, mode_of, rename_new};
use crate::error::Error;
use crate::process;
use crate::record::Timestamp;
use crate::rotation::{Compression, Segment};
use crate::sync;

/// What could not be compressed, for example because another process used it, is tried again after this time.
const RETRY_NANOS: i64 = 30_000_000_000;

#[derive(Debug)]
pub(super) struct Compressor(Arc<CompressorShared>);

#[derive(Debug)]
struct CompressorShared {
    files: Arc<LogFiles>,
    state: Mutex<CompressorState>,
    idle: Condvar,
    /// The log ends: the next start does the rest.
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct CompressorState {
    running: bool,
    /// Another pass is due.
    wanted: bool,
    /// The last pass could not do everything.
    left_over: bool,
    now: Option<Timestamp>,
    /// When the last pass was requested.
    woken: Option<Timestamp>,
    problem: Option<Error>,
}

impl Compressor {
    pub(super) fn new(files: Arc<LogFiles>) -> Self {
        let (state, idle) = (Mutex::default(), Condvar::new());
        Self(Arc::new(CompressorShared { files, state, idle, stop: AtomicBool::new(false) }))
    }

    /// Requests a pass over the directory, if the listing shows any work.
    pub(super) fn wake(&self, listing: &DirectoryListing, now: Option<Timestamp>) {
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

    fn start(&self, state: &mut CompressorState) {
        let shared = Arc::clone(&self.0);
        match process::spawn("spanline-compress", move || shared.run()) {
            Ok(()) => state.running = true,
            Err(error) => {
                state.left_over = true;
                state.problem = Some(Error::io("start the compression thread", error));
            }
        }
    }

    /// Retries what was left, from time to time.
    pub(super) fn tick(&self, now: Timestamp) {
        let mut state = self.0.state();
        state.now = Some(now);
        let since = state.woken.map(|woken| now.as_nanos().saturating_sub(woken.as_nanos()));
        let due = state.left_over && !since.is_some_and(|since| (0..RETRY_NANOS).contains(&since));
        drop(state);
        if due {
            match self.0.files.list() {
                Ok(listing) => self.wake(&listing, Some(now)),
                Err(error) => {
                    let mut state = self.0.state();
                    (state.woken, state.problem) = (Some(now), Some(error));
                }
            }
        }
    }

    /// Waits until everything is done, for `limit` at most, and then gives up the rest.
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
    /// Another process has it open, or the log ends.
    Busy,
}

impl CompressorShared {
    fn state(&self) -> MutexGuard<'_, CompressorState> {
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
            if let Err(error) =
                pass.unwrap_or_else(|_| Err(Error::retry("the compression thread panicked; spanline tries again")))
            {
                let mut state = self.state();
                state.left_over = true;
                state.problem = Some(error);
            }
        }
    }

    fn has_work(&self, listing: &DirectoryListing) -> bool {
        !listing.temporaries.is_empty() || listing.closed.values().any(|files| self.is_open_to_work(files))
    }

    /// Returns whether a segment is there uncompressed, or twice.
    fn is_open_to_work(&self, files: &[SegmentFile]) -> bool {
        let plain = files.iter().any(|file| file.compression == Compression::Plain);
        plain && (self.files.compression != Compression::Plain || files.len() > 1)
    }

    /// Does everything that is possible now. Returns the first error, after it has tried everything else.
    fn pass(&self) -> Result<(), Error> {
        let listing = self.files.list()?;
        let mut result = Ok(());
        for (segment, path) in &listing.temporaries {
            result = result.and(self.remove_stray(*segment, path).map_err(failed("remove", path)));
        }
        for (segment, files) in listing.closed.iter().filter(|(_, files)| self.is_open_to_work(files)) {
            if self.is_stopped() {
                break;
            }
            let path = self.files.path_of(*segment, Compression::Plain);
            match self.compress(*segment, files, &path) {
                Ok(Outcome::Done) => {
                    let now = self.state().now;
                    result = result.and(self.files.prune(now));
                }
                Ok(Outcome::Busy) => self.state().left_over = true,
                // It was removed in the meantime.
                Err(_) if !path.exists() => {}
                Err(error) => result = result.and(Err(failed("compress", &path)(error))),
            }
        }
        result
    }

    fn compress(&self, segment: Segment, files: &[SegmentFile], path: &Path) -> io::Result<Outcome> {
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
        for compression in
            files.iter().map(|file| file.compression).filter(|compression| *compression != Compression::Plain)
        {
            let packed = self.files.path_of(segment, compression);
            match codec::decoded_bytes(compression, self.stoppable(&open::open(&packed)?)) {
                // This build cannot decode it, so both files stay.
                None => return Ok(Outcome::Done),
                Some(Err(_)) if self.is_stopped() => return Ok(Outcome::Busy),
                Some(Ok(bytes)) if bytes >= metadata.len() => return remove(path).map(|()| Outcome::Done),
                Some(_) => remove(&packed)?,
            }
        }
        if self.files.compression == Compression::Plain {
            return Ok(Outcome::Done);
        }
        let temporary = self.files.directory.join(self.files.names.temporary(segment, self.files.compression));
        remove(&temporary)?;
        let packed = self.pack(&source, &metadata, &temporary).and_then(|()| {
            rename_new(&temporary, &self.files.path_of(segment, self.files.compression))?;
            open::sync_directory(&self.files.directory)
        });
        match packed {
            Ok(()) => remove(path).map(|()| Outcome::Done),
            Err(error) => {
                remove(&temporary)?;
                if self.is_stopped() { Ok(Outcome::Busy) } else { Err(error) }
            }
        }
    }

    /// Writes the compressed file, with the original's mode, and makes it durable.
    fn pack(&self, source: &File, metadata: &Metadata, temporary: &Path) -> io::Result<()> {
        let target = open::create(temporary, mode_of(metadata))?;
        codec::encode(self.files.compression, self.stoppable(source), target)?.sync_all()
    }

    /// Removes a temporary file that a crash left, unless its segment is being compressed.
    fn remove_stray(&self, segment: Segment, temporary: &Path) -> io::Result<()> {
        match open::open(&self.files.path_of(segment, Compression::Plain)) {
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
