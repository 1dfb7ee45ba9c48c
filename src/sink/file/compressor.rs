//! Compresses closed segments, on a thread that lives while there is work.
//!
//! A segment is read under its exclusive lock, so that no writer and no thread of another process uses it. The
//! compressed file is written under a temporary name, made durable and renamed. It is read back and compared with the
//! original; only then is the original removed. A crash leaves a stray temporary file, or both files, and the next pass
//! removes what is not needed. Two files that differ both stay.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::codec::{self, Comparison};
use super::failed::failed;
use super::log_files::{DirectoryListing, LogFiles, SegmentFile};
use crate::error::Error;
use crate::process;
use crate::record::Timestamp;
use crate::rotation::{Compression, Segment};
use crate::sink::directory::{Directory, HeldFile, Links};
use crate::sync;

/// What could not be compressed, for example because another process used it, is tried again after this time.
const RETRY_NANOS: i64 = 30_000_000_000;

#[derive(Debug)]
pub(super) struct Compressor(Arc<CompressorShared>);

#[derive(Debug)]
struct CompressorShared {
    state: Mutex<CompressorState>,
    idle: Condvar,
    /// The log ends: the next start does the rest.
    stop: AtomicBool,
}

#[derive(Debug)]
struct CompressorState {
    files: Arc<LogFiles>,
    running: bool,
    /// Another pass is due.
    wanted: bool,
    /// The last pass could not do everything.
    left_over: bool,
    now: Option<Timestamp>,
    /// When the last pass was requested.
    woken: Option<Timestamp>,
    problem: Option<Error>,
    /// Segments whose two files differ. They were reported.
    different: BTreeSet<Segment>,
}

impl Compressor {
    pub(super) fn new(files: Arc<LogFiles>) -> Self {
        let state = CompressorState {
            files,
            running: false,
            wanted: false,
            left_over: false,
            now: None,
            woken: None,
            problem: None,
            different: BTreeSet::new(),
        };
        let (state, idle) = (Mutex::new(state), Condvar::new());
        Self(Arc::new(CompressorShared { state, idle, stop: AtomicBool::new(false) }))
    }

    /// Requests a pass over the directory, if the listing shows any work.
    pub(super) fn wake(&self, files: &Arc<LogFiles>, listing: &DirectoryListing, now: Option<Timestamp>) {
        let mut state = self.0.state();
        state.files = Arc::clone(files);
        (state.now, state.woken) = (now, now);
        if state.has_work(listing) {
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
        let files = due.then(|| Arc::clone(&state.files));
        drop(state);
        if let Some(files) = files {
            match files.list() {
                Ok(listing) => self.wake(&files, &listing, Some(now)),
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
    /// The compressed file holds something else.
    Different,
}

impl CompressorState {
    fn has_work(&self, listing: &DirectoryListing) -> bool {
        !listing.temporaries.is_empty() || !self.work(listing).is_empty()
    }

    /// Returns the segments that are there uncompressed, or twice, and may be worked on.
    fn work<'a>(&self, listing: &'a DirectoryListing) -> Vec<(Segment, &'a [SegmentFile])> {
        let compresses = self.files.compression != Compression::Plain;
        let is_open = |segment: &Segment, files: &[SegmentFile]| {
            let plain = files.iter().find(|file| file.compression == Compression::Plain);
            plain.is_some_and(|plain| plain.entry.links == 1 && (compresses || files.len() > 1))
                && !listing.taken.contains(segment)
                && !self.different.contains(segment)
        };
        let closed = listing.closed.iter().filter(|(segment, files)| is_open(segment, files));
        closed.map(|(segment, files)| (*segment, files.as_slice())).collect()
    }
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

    /// Does everything that is possible now. Returns the first error, after it has tried everything else.
    fn pass(&self) -> Result<(), Error> {
        let files = Arc::clone(&self.state().files);
        let listing = files.list()?;
        let mut result = Ok(());
        for (segment, name) in &listing.temporaries {
            let removed = match segment.label {
                Some(_) => Self::remove_stray(&files, *segment, name),
                None => Self::remove_stray_numbered(&files, name),
            };
            result = result.and(removed.map_err(failed("remove", &files.path(name))));
        }
        let work = self.state().work(&listing);
        for (segment, stored) in work {
            if self.is_stopped() {
                break;
            }
            let name = files.names.segment(segment, Compression::Plain);
            let compressed = match segment.label {
                Some(_) => self.compress(&files, segment, stored),
                None => self.compress_numbered(&files, segment),
            };
            match compressed {
                Ok(Outcome::Done) => {
                    let now = self.state().now;
                    result = result.and(files.prune(now).map(drop));
                }
                Ok(Outcome::Busy) => self.state().left_over = true,
                Ok(Outcome::Different) => {
                    // The next rotation may give the number to another segment.
                    if segment.label.is_some() {
                        self.state().different.insert(segment);
                    }
                    let path = files.path(&name);
                    result = result.and(Err(Error::retry(format!(
                        "compress {}: the compressed file beside it holds something else; both stay: compare them and \
                         remove one",
                        path.display()
                    ))));
                }
                // It was removed in the meantime.
                Err(_) if files.directory.inspect(&name).is_err_and(|error| error.kind() == ErrorKind::NotFound) => {}
                Err(error) => result = result.and(Err(failed("compress", &files.path(&name))(error))),
            }
        }
        result
    }

    fn compress(&self, files: &LogFiles, segment: Segment, stored: &[SegmentFile]) -> io::Result<Outcome> {
        let directory = &files.directory;
        let name = files.names.segment(segment, Compression::Plain);
        let source = match directory.open_file(&name, Links::One) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::Done),
            opened => opened?,
        };
        if !source.get().is_ok_and(|file| file.try_lock().is_ok()) {
            return Ok(Outcome::Busy);
        }
        if !directory.leads_to(&name, source.identity()) {
            return Ok(Outcome::Done);
        }
        for file in stored.iter().filter(|file| file.compression != Compression::Plain) {
            let packed = files.names.segment(segment, file.compression);
            match self.settle(directory, &source, &name, &packed, file.compression)? {
                Settled::Plain => directory.remove(&packed)?,
                Settled::As(outcome) => return Ok(outcome),
            }
        }
        if files.compression == Compression::Plain {
            return Ok(Outcome::Done);
        }
        let temporary = files.names.temporary(segment, files.compression);
        let packed = files.names.segment(segment, files.compression);
        directory.remove(&temporary)?;
        let written =
            directory.create(&temporary).and_then(|target| self.pack(files, &source, target)).and_then(|_| {
                directory.rename_new(&temporary, &packed)?;
                directory.sync()
            });
        if let Err(error) = written {
            directory.remove(&temporary)?;
            return if self.is_stopped() { Ok(Outcome::Busy) } else { Err(error) };
        }
        match self.settle(directory, &source, &name, &packed, files.compression)? {
            Settled::Plain => Err(io::Error::other("the compressed file cannot be read back; spanline tries again")),
            Settled::As(outcome) => Ok(outcome),
        }
    }

    /// Compares a compressed file with its segment, and removes the segment if the other holds all of it.
    fn settle(
        &self,
        directory: &Directory,
        source: &HeldFile,
        name: &str,
        packed: &str,
        compression: Compression,
    ) -> io::Result<Settled> {
        let file = directory.open_file(packed, Links::Any)?;
        source.get()?.seek(SeekFrom::Start(0))?;
        let compared = codec::compare(compression, self.stoppable(&file), self.stoppable(source));
        if self.is_stopped() {
            return Ok(Settled::As(Outcome::Busy));
        }
        Ok(match compared.transpose()? {
            // This build cannot decode it, so both files stay.
            None => Settled::As(Outcome::Done),
            Some(Comparison::Incomplete) => Settled::Plain,
            Some(Comparison::Different) => Settled::As(Outcome::Different),
            Some(Comparison::Complete) => {
                directory.remove(name)?;
                Settled::As(Outcome::Done)
            }
        })
    }

    /// Writes the compressed file, with the group and mode of the log's files, and makes it durable.
    fn pack(&self, files: &LogFiles, source: &HeldFile, target: HeldFile) -> io::Result<HeldFile> {
        source.get()?.seek(SeekFrom::Start(0))?;
        let target = codec::encode(files.compression, self.stoppable(source), target)?;
        // A group that may not be given was reported when the active file should have got it.
        let _ = Directory::set_attributes(target.get()?, files.attributes);
        // Retention goes by the last write of a line. A file system without such times refuses; that is not an error.
        let _ = source.get()?.metadata()?.modified().and_then(|modified| target.get()?.set_modified(modified));
        target.get()?.sync_all()?;
        Ok(target)
    }

    /// Like [`compress`](Self::compress), where a rotation can give the segment another number at any time. So the
    /// compressed file is complete, and compared, before it gets a name. That name is chosen under the lock file.
    fn compress_numbered(&self, files: &LogFiles, segment: Segment) -> io::Result<Outcome> {
        let (directory, names, compression) = (&files.directory, &files.names, files.compression);
        let source = match directory.open_file(&names.segment(segment, Compression::Plain), Links::One) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::Done),
            opened => opened?,
        };
        if !source.get().is_ok_and(|file| file.try_lock().is_ok()) {
            return Ok(Outcome::Busy);
        }
        let temporary = names.temporary(Segment::numbered(std::process::id().into()), compression);
        let Some(lock) = files.try_hold() else { return Ok(Outcome::Busy) };
        let Some((place, stored)) = files.find(source.identity())? else { return Ok(Outcome::Done) };
        let plain = names.segment(place, Compression::Plain);
        for file in stored.iter().filter(|file| file.compression != Compression::Plain) {
            let packed = names.segment(place, file.compression);
            match self.settle(directory, &source, &plain, &packed, file.compression)? {
                Settled::Plain => directory.remove(&packed)?,
                Settled::As(outcome) => return Ok(outcome),
            }
        }
        if compression == Compression::Plain {
            return Ok(Outcome::Done);
        }
        if !Self::is_stray(directory, &temporary)? {
            return Ok(Outcome::Busy);
        }
        directory.remove(&temporary)?;
        let target = directory.create(&temporary)?;
        // Its lock tells other processes that it is no stray file.
        let is_marked = target.get().is_ok_and(|file| file.try_lock().is_ok());
        drop(lock);
        let packed = self.pack(files, &source, target).and_then(|target| {
            target.get()?.seek(SeekFrom::Start(0))?;
            source.get()?.seek(SeekFrom::Start(0))?;
            let compared = codec::compare(compression, self.stoppable(&target), self.stoppable(&source)).transpose()?;
            Ok((target, compared == Some(Comparison::Complete)))
        });
        let named = match packed {
            Ok((_target, true)) if is_marked => match files.try_hold() {
                Some(_lock) => match files.find(source.identity())? {
                    Some((place, _)) => {
                        directory.rename_new(&temporary, &names.segment(place, compression))?;
                        directory.sync()?;
                        return directory.remove(&names.segment(place, Compression::Plain)).map(|()| Outcome::Done);
                    }
                    // Retention has removed it.
                    None => Ok(Outcome::Done),
                },
                None => Ok(Outcome::Busy),
            },
            Ok(_) => Err(io::Error::other("the compressed file cannot be read back; spanline tries again")),
            Err(_) if self.is_stopped() => Ok(Outcome::Busy),
            Err(error) => Err(error),
        };
        directory.remove(&temporary)?;
        named
    }

    /// Returns whether no process writes this temporary file. The caller holds the lock file.
    fn is_stray(directory: &Directory, temporary: &str) -> io::Result<bool> {
        match directory.open_file(temporary, Links::Any) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            opened => Ok(opened?.get()?.try_lock().is_ok()),
        }
    }

    /// Removes a temporary file that a crash left, unless a process writes it.
    fn remove_stray_numbered(files: &LogFiles, temporary: &str) -> io::Result<()> {
        let Some(_lock) = files.try_hold() else { return Ok(()) };
        match Self::is_stray(&files.directory, temporary)? {
            true => files.directory.remove(temporary),
            false => Ok(()),
        }
    }

    /// Removes a temporary file that a crash left, unless its segment is being compressed.
    fn remove_stray(files: &LogFiles, segment: Segment, temporary: &str) -> io::Result<()> {
        match files.directory.open_file(&files.names.segment(segment, Compression::Plain), Links::Any) {
            Ok(source) if !source.get().is_ok_and(|file| file.try_lock().is_ok()) => Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _source => files.directory.remove(temporary),
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn stoppable<'a>(&'a self, file: &'a HeldFile) -> Stoppable<'a> {
        Stoppable { file, stop: &self.stop }
    }
}

/// What the comparison of a segment's two files has led to.
enum Settled {
    /// The plain file is the one to keep.
    Plain,
    As(Outcome),
}

/// Fails as soon as the log ends.
struct Stoppable<'a> {
    file: &'a HeldFile,
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
