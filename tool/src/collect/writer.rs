//! Writes batches to all outputs, and finds out whether they are written.
//!
//! One thread takes all batches that wait, relays their records, and flushes once. Nothing else adds to the outputs' queues,
//! so what they drop meanwhile is of these batches:
//!
//! - An output that is stuck, or whose queue is full, leaves the batches unwritten. Until a flush succeeds, no further
//!   record is relayed: what is sent again does not pile up in queues.
//! - Batches with a line whose file cannot be written are not handed over: see [`Files`].
//! - Where each service has a file, lines are relayed service by service: a sender of many services would make each line open
//!   and close a file, and all others wait for that.
//! - An output that does not take a line for good, such as a database that refuses a value, must not stop its sender for good.
//!   The batches are relayed again in halves until that line is found. A record about it is written in its place.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use spanline::metrics::Reason;
use spanline::record::Timestamp;
use spanline::{Error, Handle};
use tokio::sync::{mpsc, oneshot};

use super::batch::Batch;
use super::counts::Counts;
use super::files::Files;
use super::limits::{BATCH_BYTES, Limits};
use super::parse::Incoming;
use super::refused;
use super::stop::{Stop, Stopper};

/// Batches of other senders join the first one up to this size.
const GROUP_BYTES: usize = 16 * BATCH_BYTES;

/// A flush is given up after this time to see whether the end has come.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The pause after a flush that has failed at once.
const PAUSE: Duration = Duration::from_millis(20);

/// A service with a longer name counts as beyond the limit.
const MAX_SERVICE_BYTES: usize = 200;

/// The service of records whose service is beyond the limit.
const OTHER_SERVICE: &str = "other";

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All outputs have written it.
    Written,
    /// Some output has not. It may be handed over again.
    NotWritten(Batch),
    /// It waits in a queue of the outputs, and may be written later.
    Unknown,
}

struct Job {
    batch: Batch,
    answer: oneshot::Sender<Outcome>,
}

/// Hands batches over to the outputs. Clones lead to the same ones.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Creates a writer, and what its thread has to run.
    pub(super) fn new(outputs: Outputs) -> (Self, impl FnOnce() -> Result<(), Error> + Send) {
        let (jobs, waiting) = mpsc::channel(256);
        (Self { jobs }, move || outputs.run(waiting))
    }

    /// Writes a batch.
    pub(super) async fn write(&self, batch: Batch) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        if let Err(mpsc::error::SendError(job)) = self.jobs.send(Job { batch, answer }).await {
            return Outcome::NotWritten(job.batch);
        }
        outcome.await.unwrap_or(Outcome::Unknown)
    }
}

/// The outputs, as the writer's thread has them.
pub(super) struct Outputs {
    pub(super) handle: Handle,
    pub(super) counts: Arc<Counts>,
    pub(super) stop: Stop,
    /// Ends the receiver when an output has ended.
    pub(super) stopper: Arc<Stopper>,
    pub(super) limits: Limits,
    /// Written lines must be durable.
    pub(super) syncs: bool,
    /// A flush has failed, so a queue may have lines.
    pub(super) is_behind: bool,
    /// Lines whose batches were left in queues by such a flush, and what was lost before.
    pub(super) left: (u64, (u64, u64)),
    /// The last attempt has failed.
    pub(super) has_failed: bool,
    /// The files of services.
    pub(super) files: Files,
    /// The services with a file.
    pub(super) services: HashSet<String>,
}

/// Why records are not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// An output has not taken them all.
    NotTaken,
    /// The outputs have them, and have not written them in time.
    NotFlushed,
    /// An output does not take one of them for good.
    Rejected,
}

impl Outputs {
    /// Writes what comes.
    ///
    /// # Errors
    /// An output has ended, such as a closed pipe. The receiver ends, because nothing can be written any more.
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> Result<(), Error> {
        let mut result = Ok(());
        while let Some(first) = jobs.blocking_recv() {
            let mut bytes = first.batch.bytes;
            let mut group = vec![first];
            while bytes < GROUP_BYTES
                && let Ok(job) = jobs.try_recv()
            {
                bytes += job.batch.bytes;
                group.push(job);
            }
            self.write(group);
            if let (Ok(()), Some(name)) = (&result, self.ended()) {
                result = Err(Error::closed(format!("the output {name} has ended; its reader or its terminal is gone")));
                self.stopper.begin();
            }
        }
        result
    }

    /// Returns the name of an output that has ended.
    fn ended(&self) -> Option<String> {
        // An output that has ended takes nothing, so the last attempt has failed.
        if !self.has_failed {
            return None;
        }
        let outputs = self.handle.metrics().outputs;
        outputs.into_iter().find(|output| output.dropped.reason(Reason::Closed).total() > 0).map(|output| output.name)
    }

    fn write(&mut self, mut group: Vec<Job>) {
        for record in group.iter_mut().flat_map(|job| &mut job.batch.records) {
            self.bound_service(record);
        }
        let group = self.without_blocked(group);
        if group.is_empty() {
            return;
        }
        let mut records: Vec<_> = group.iter().flat_map(|job| &job.batch.records).collect();
        if !self.files.is_empty() {
            // Each file is opened once, however the services of lines take turns.
            records.sort_by_key(|record| &record.service);
        }
        let all = self.attempt(records.into_iter());
        self.has_failed = all.is_err();
        for job in group {
            let result = match all {
                // Which batch has the line?
                Err(Fault::Rejected) => self.write_in_parts(&job.batch.records),
                other => other,
            };
            let lines = job.batch.lines;
            let outcome = match result {
                Ok(()) => {
                    self.counts.written.add(lines);
                    Outcome::Written
                }
                Err(Fault::NotFlushed) => {
                    self.left.0 += lines;
                    Outcome::Unknown
                }
                Err(_) => Outcome::NotWritten(job.batch),
            };
            // Its connection may be gone.
            let _ = job.answer.send(outcome);
        }
    }

    /// Leaves out the batches with a line whose file cannot be written. Nothing of them is written, so nothing is written twice when
    /// they come again.
    fn without_blocked(&mut self, group: Vec<Job>) -> Vec<Job> {
        let blocked = self.files.blocked(group.iter().flat_map(|job| &job.batch.records));
        if blocked.is_empty() {
            return group;
        }
        let is_blocked = |record: &Incoming| blocked.binary_search(&record.service.as_deref()).is_ok();
        let are_blocked: Vec<_> = group.iter().map(|job| job.batch.records.iter().any(is_blocked)).collect();
        let mut others = Vec::new();
        for (job, is_blocked) in group.into_iter().zip(are_blocked) {
            if is_blocked {
                // Its connection may be gone.
                let _ = job.answer.send(Outcome::NotWritten(job.batch));
            } else {
                others.push(job);
            }
        }
        others
    }

    /// Bounds the number of files that senders can make.
    fn bound_service(&mut self, record: &mut Incoming) {
        let Some(service) = &record.service else { return };
        // Those of the receiver have a file always. A batch may come again.
        if [OTHER_SERVICE, refused::SERVICE].contains(&&**service) || self.services.contains(service) {
            return;
        }
        // A file cannot have a longer name.
        if service.len() <= MAX_SERVICE_BYTES && self.services.len() < self.limits.max_services {
            self.services.insert(service.clone());
        } else if let Some(service) = record.service.replace(OTHER_SERVICE.into()) {
            record.fields.push(("original_service".into(), service.as_str().into()));
        }
    }

    /// Writes records, and sets aside those that an output rejects.
    fn write_in_parts(&mut self, records: &[Incoming]) -> Result<(), Fault> {
        match self.attempt(records.iter()) {
            Err(Fault::Rejected) => {}
            other => return other,
        }
        if let [record] = records {
            self.counts.rejected.add(1);
            return match self.attempt([&rejected(record)].into_iter()) {
                // The output has reported it.
                Err(Fault::Rejected) => Ok(()),
                other => other,
            };
        }
        let (first, second) = records.split_at(records.len() / 2);
        self.write_in_parts(first)?;
        self.write_in_parts(second)
    }

    /// Relays records to all outputs and flushes them.
    fn attempt<'a>(&mut self, records: impl Iterator<Item = &'a Incoming>) -> Result<(), Fault> {
        if self.is_behind && !self.flush() {
            return Err(Fault::NotTaken);
        }
        self.is_behind = false;
        let before = self.losses();
        let (lines, lost) = std::mem::take(&mut self.left);
        if lost == before {
            self.counts.written.add(lines);
        }
        for record in records {
            if record.relay(&self.handle).is_err() {
                self.is_behind = true;
                let (_, rejected) = self.losses();
                return Err(if rejected == before.1 { Fault::NotTaken } else { Fault::Rejected });
            }
        }
        if !self.flush() {
            self.is_behind = true;
            self.left = (0, before);
            return Err(Fault::NotFlushed);
        }
        let (lost, rejected) = self.losses();
        if lost != before.0 {
            return Err(Fault::NotTaken);
        }
        if rejected == before.1 { Ok(()) } else { Err(Fault::Rejected) }
    }

    /// Waits until all outputs have written everything, as long as they get ahead. Returns whether they have.
    fn flush(&self) -> bool {
        let (mut moved, mut written) = (Instant::now(), self.written());
        loop {
            let left = self.limits.write_timeout.saturating_sub(moved.elapsed());
            let end = self.stop.deadline().map(|end| end.saturating_duration_since(Instant::now()));
            let left = end.map_or(left, |end| end.min(left));
            if left.is_zero() {
                return false;
            }
            let slice = left.min(LOOK_EVERY);
            let flushed = if self.syncs { self.handle.sync(slice) } else { self.handle.flush(slice) };
            if flushed.is_ok() {
                return true;
            }
            let now = self.written();
            if std::mem::replace(&mut written, now) != now {
                moved = Instant::now();
            }
            thread::sleep(PAUSE.min(left));
        }
    }

    /// Returns how many lines all outputs have written.
    fn written(&self) -> u64 {
        self.handle.metrics().outputs.iter().map(|output| output.written.total()).sum()
    }

    /// Returns how many lines all outputs have dropped: those that another attempt may save, and the others.
    fn losses(&self) -> (u64, u64) {
        let metrics = self.handle.metrics();
        let mut losses = (0, 0);
        for (reason, lines) in metrics.outputs.iter().flat_map(|output| output.dropped.reasons()) {
            match reason {
                Reason::Rejected | Reason::TooLarge | Reason::Panicked => losses.1 += lines.total(),
                _ => losses.0 += lines.total(),
            }
        }
        losses
    }
}

/// Returns the record about one that an output rejects.
fn rejected(record: &Incoming) -> Incoming {
    let why = ("rejected", "an output does not take it");
    let content = format!("{record:?}");
    refused::set_aside(why, content.as_bytes(), record.service.as_deref().unwrap_or_default(), Timestamp::now())
}
