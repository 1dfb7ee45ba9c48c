//! The threads that read pieces.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use super::pieces::{Input, Piece, Pieces};
use super::progress::Progress;
use crate::counted::counted;
use crate::entry::{Entry, Form, Request};
use crate::report::{Report, with_sources};

/// Where a line is. Places are in the order of inputs, and of lines in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) input: usize,
    /// The position of its first byte, decompressed.
    pub(crate) at: u64,
}

/// Looks at each line.
pub(crate) trait Visit: Send {
    /// Takes note that a line begins, which may have several entries. `is_cut`: only its first bytes are read.
    fn begin(&mut self, _place: Place, _is_cut: bool) {}

    /// Takes a line. The order of calls means nothing.
    fn visit(&mut self, entry: &Entry<'_>, place: Place);

    /// Returns whether no further line is wanted, though there may be some.
    fn is_done(&self) -> bool {
        false
    }
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// Of all lines, decompressed.
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    /// Lines that are no record: plain text.
    pub(crate) text: u64,
    /// Lines that begin as a record and are none.
    pub(crate) broken: u64,
    /// Lines of which only the first bytes count.
    pub(crate) cut: u64,
}

/// What threads have found.
pub(crate) struct Scanned<V> {
    /// One for each thread.
    pub(crate) visitors: Vec<V>,
    pub(crate) totals: Totals,
    /// The numbers of inputs that could not be read, or not to their ends.
    pub(crate) failed: BTreeSet<usize>,
    /// Whether visitors have got all lines.
    pub(crate) is_whole: bool,
}

/// Reads all lines of the inputs, and passes each to one of the visitors. Reports what cannot be read.
pub(crate) fn scan<V: Visit>(inputs: Vec<Input>, new: impl Fn() -> V, report: &mut Report) -> Scanned<V> {
    scan_while(inputs, new, |_| {}, report)
}

/// Does the same, and calls `meanwhile` about ten times a second.
pub(crate) fn scan_while<V: Visit>(
    inputs: Vec<Input>,
    new: impl Fn() -> V,
    mut meanwhile: impl FnMut(&Report),
    report: &mut Report,
) -> Scanned<V> {
    let threads = threads();
    let mut progress = Progress::new(inputs.iter().map(Input::stored_bytes).sum());
    let pieces = Pieces::new(inputs);
    let (sender, done) = channel();
    let workers = thread::scope(|scope| {
        let spawn = |_| {
            let mut worker = Worker {
                visitor: new(),
                totals: Totals::default(),
                failures: Vec::new(),
                more_failures: 0,
                failed: BTreeSet::new(),
                is_stopped: false,
            };
            let (pieces, sender) = (&pieces, sender.clone());
            scope.spawn(move || {
                while !worker.visitor.is_done()
                    && let Some(piece) = pieces.next()
                {
                    // The receiver is gone only if this function has ended.
                    let _ = sender.send(worker.read(piece));
                }
                worker
            })
        };
        let handles: Vec<_> = (0..threads).map(spawn).collect();
        drop(sender);
        loop {
            match done.recv_timeout(progress.interval()) {
                Ok(bytes) => progress.add(bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            progress.show(report);
            meanwhile(report);
        }
        handles.into_iter().filter_map(|handle| handle.join().ok()).collect::<Vec<_>>()
    });
    progress.clear(report);
    if workers.len() < threads {
        report.failure("a thread that reads has panicked; the answer is not complete");
    }
    let is_whole = workers.iter().all(|worker| !worker.is_stopped) && pieces.next().is_none();
    let mut scanned = Scanned { visitors: Vec::new(), totals: Totals::default(), failed: BTreeSet::new(), is_whole };
    let (mut failures, mut more_failures) = (Vec::new(), 0);
    for worker in workers {
        scanned.totals.add(worker.totals);
        scanned.failed.extend(worker.failed);
        scanned.visitors.push(worker.visitor);
        failures.extend(worker.failures);
        more_failures += worker.more_failures;
    }
    failures.sort_unstable();
    failures.dedup();
    failures.iter().for_each(|(_, why)| report.failure(why));
    if more_failures > 0 {
        let more = counted(more_failures, "more failure like these was", "more failures like these were");
        report.failure(&format!("{more} left out"));
    }
    scanned
}

/// Returns how many threads work.
pub(crate) fn threads() -> usize {
    /// More would only take memory.
    const MAX_THREADS: usize = 16;
    thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_THREADS)
}

/// No thread keeps more messages.
const MAX_FAILURES: usize = 1000;

/// What a thread has.
struct Worker<V> {
    visitor: V,
    totals: Totals,
    /// The numbers of inputs, and what is wrong with them.
    failures: Vec<(usize, String)>,
    /// How many more there are.
    more_failures: u64,
    failed: BTreeSet<usize>,
    /// Whether lines of a piece were left out.
    is_stopped: bool,
}

impl<V: Visit> Worker<V> {
    /// Reads a piece. Returns how much of the disk it takes, in bytes.
    fn read(&mut self, piece: Piece) -> u64 {
        let (input, stored) = (piece.input, piece.stored_bytes());
        let mut piece = match piece.open() {
            Ok(piece) => piece,
            Err(error) => {
                self.fail(input, with_sources(&error));
                return stored;
            }
        };
        let mut request = Request::default();
        loop {
            match piece.lines.next_line() {
                Ok(Some(_)) if self.visitor.is_done() => {
                    self.is_stopped = true;
                    return stored;
                }
                Ok(Some(line)) => {
                    self.totals.cut += u64::from(line.is_cut);
                    self.visitor.begin(Place { input, at: line.at }, line.is_cut);
                    piece.parser.each(line.bytes, line.is_cut, &mut request, |entry, at| {
                        self.totals.count(entry, false);
                        self.visitor.visit(entry, Place { input, at: line.at + at as u64 });
                    });
                }
                Ok(None) => break,
                Err(failure) => {
                    self.fail(input, failure.why);
                    if failure.is_end {
                        break;
                    }
                }
            }
        }
        let (bytes, shortage) = piece.read_bytes();
        self.totals.bytes += bytes;
        shortage.into_iter().for_each(|why| self.fail(input, why));
        stored
    }

    fn fail(&mut self, input: usize, why: String) {
        self.failed.insert(input);
        if self.failures.len() < MAX_FAILURES {
            self.failures.push((input, why));
        } else {
            self.more_failures += 1;
        }
    }
}

impl Totals {
    /// Counts a line.
    pub(crate) fn count(&mut self, entry: &Entry<'_>, is_cut: bool) {
        self.lines += 1;
        self.cut += u64::from(is_cut);
        self.text += u64::from(entry.form() == Form::Text);
        self.broken += u64::from(entry.form() == Form::Broken);
    }

    /// Adds those of other lines.
    pub(crate) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.text += other.text;
        self.broken += other.broken;
        self.cut += other.cut;
    }
}
