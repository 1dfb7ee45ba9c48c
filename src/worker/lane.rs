//! One output at work: what its worker, the threads that log and its handles share.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::durability::Durability;
use super::engine::Engine;
use super::engine_lock::EngineLock;
use super::evidence::Evidence;
use super::own_thread::{Own, is_echo, own_lane};
use super::renderer::RecordFilter;
use super::waker::SinkWaker;
use crate::complaint::Complaints;
use crate::error::Error;
use crate::flight_recorder::HeldLines;
use crate::fork::{self, AtFork, Paused, Rank};
use crate::limit::Share;
use crate::metrics::{Delivered, OutputMetrics};
use crate::process;
use crate::queue::{Command, Deliverer, Idle, LATE_PATIENCE, Overflow, Pushed, Queue};
use crate::record::{Clock, Statics, Timestamp, discard};
use crate::redact::Rules;
use crate::redaction::Redactor;
use crate::schema::Schema;
#[cfg(feature = "sealed")]
use crate::sealing::{SealedFields, Sealing};
#[cfg(feature = "sealed")]
use crate::sink::SharedHead;
use crate::sink::{Batching, Control, OwnThreads, Sink, Wanted, is_client_thread, next_owner};

/// In a forked child a thread may hang as it starts, in a lock of the standard library's that the parent held. A thread
/// that logs waits this long for it, and then writes its lines itself.
const WORKER_START: Duration = Duration::from_millis(100);

/// A worker that sleeps looks this often whether the period is over in which a repeat was suppressed.
const NAP: Duration = Duration::from_secs(1);

/// A program that logs this long after the end of its log has ended it too early.
const STILL_LOGS: Duration = Duration::from_secs(1);

/// One output at work.
pub(crate) struct Lane {
    id: usize,
    /// The sink has started threads.
    has_own_threads: bool,
    pub(crate) name: String,
    /// The file that the sink writes to.
    pub(crate) path: Option<PathBuf>,
    /// How far the chain of a sealed log has come.
    #[cfg(feature = "sealed")]
    pub(crate) head: Option<SharedHead>,
    pub(crate) queue: Queue,
    engine: Arc<EngineLock>,
    pub(crate) complaints: Arc<Complaints>,
    clock: Clock,
    /// Limits of repeats, where there are any.
    pub(crate) limit: Option<Share>,
    /// Lines held back from this output and others, where some are.
    pub(super) held: Option<Arc<HeldLines>>,
    end: End,
}

/// How an output has ended.
#[derive(Debug, Default)]
struct End {
    /// When the program ended the log by its guard, and how.
    by_guard: OnceLock<(Instant, &'static str)>,
    /// What the last sync left that may not survive a power cut.
    not_durable: OnceLock<String>,
}

/// What all outputs of a log share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) max_line_bytes: usize,
    /// A handle may replace them.
    pub(crate) statics: Arc<ArcSwap<Statics>>,
    pub(crate) clock: Clock,
    pub(crate) complaints: Arc<Complaints>,
    /// What the outputs know of lines that their sinks cause.
    pub(crate) evidence: Arc<Evidence>,
    /// The redaction rules, if there are any.
    pub(crate) rules: Option<Arc<Rules>>,
    /// Which fields are sealed.
    #[cfg(feature = "sealed")]
    pub(crate) sealed: Arc<SealedFields>,
    /// The flight recorder's memory, if there is one.
    pub(crate) held: Option<Arc<HeldLines>>,
}

/// What a lane is made of.
pub(crate) struct LaneConfig {
    pub(crate) name: String,
    pub(crate) schema: Box<dyn Schema>,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) batching: Batching,
    pub(crate) own_threads: Option<OwnThreads>,
    /// Delivering causes no events and takes lines at once.
    pub(crate) is_plain: bool,
    /// The sink moves lines to disk when memory gets short.
    pub(crate) spools: bool,
    /// The sink is called once without lines, to say when it has something to do.
    pub(crate) acts_by_clock: bool,
    /// Delivering lines causes no events.
    pub(crate) logs_nothing: bool,
    /// What the sink wants with each line.
    pub(crate) columns: Wanted,
    /// Tells which records the output takes, where it does not take all.
    pub(crate) record_filter: Option<RecordFilter>,
    /// Lines equal to the one before are only counted.
    pub(crate) deduplicates: bool,
    pub(crate) overflow: Overflow,
    /// How long a caller waits until its line is written; `None` when it does not.
    pub(crate) synchronous: Option<Duration>,
    pub(crate) durability: Durability,
    pub(crate) queue_bytes: usize,
    pub(crate) limit: Option<Share>,
    /// Takes the secrets out of texts, where that is wanted.
    pub(crate) redactor: Option<Redactor>,
    /// Seals fields.
    #[cfg(feature = "sealed")]
    pub(crate) sealing: Sealing,
    /// The file that the sink writes to.
    pub(crate) path: Option<PathBuf>,
    #[cfg(feature = "sealed")]
    pub(crate) head: Option<SharedHead>,
    /// The outputs that this one replaces, or whose file it takes. Their lines are written first.
    pub(crate) predecessors: Vec<Arc<Lane>>,
    pub(crate) common: Common,
}

impl Lane {
    /// Opens the sink and starts the worker.
    ///
    /// # Errors
    /// An error from [`Control::Open`] that is not retryable, or that no thread can be started.
    pub(crate) fn start(mut config: LaneConfig) -> Result<Arc<Self>, Error> {
        let failed = match process::without_write_signals(|| config.sink.control(Control::Open)) {
            Err(error) if error.is_retryable() => Some(error),
            opened => opened.map(|()| None)?,
        };
        let predecessors = std::mem::take(&mut config.predecessors);
        fork::register(&config.common.evidence);
        let delivered = Arc::<Delivered>::default();
        let waker = Arc::<SinkWaker>::default();
        let mut lines = Engine::lines(Arc::clone(&delivered));
        lines.set_waker(Waker::from(Arc::clone(&waker)));
        let id = config.own_threads.as_ref().map_or_else(next_owner, OwnThreads::owner);
        let lane = Arc::new(Self {
            id,
            has_own_threads: config.own_threads.is_some(),
            queue: Queue::new(config.overflow, config.synchronous, config.queue_bytes, delivered),
            complaints: Arc::clone(&config.common.complaints),
            name: config.name.clone(),
            path: config.path.take(),
            #[cfg(feature = "sealed")]
            head: config.head.take(),
            clock: config.common.clock.clone(),
            limit: config.limit.clone(),
            held: config.common.held.clone(),
            end: End::default(),
            engine: Arc::new(EngineLock::new(id, Engine::new(config, lines, failed.is_none()))),
        });
        waker.set(&lane);
        if let Some(error) = failed {
            lane.complain("failed", &format!("not open yet: {error:#}"));
        }
        lane.register_for_forks();
        lane.start_worker(predecessors)?;
        Ok(lane)
    }

    fn register_for_forks(self: &Arc<Self>) {
        fork::register(&self.engine);
        fork::register(self);
        fork::register(&self.complaints);
        self.limit.iter().for_each(|share| fork::register(&share.limiter));
        self.held.iter().for_each(fork::register);
    }

    /// Starts the worker. It begins when those of `predecessors` have ended.
    fn start_worker(self: &Arc<Self>, predecessors: Vec<Arc<Self>>) -> Result<(), Error> {
        let worker = Arc::clone(self);
        let run = move || {
            predecessors.into_iter().for_each(|predecessor| worker.queue.await_end_of(&predecessor.queue));
            worker.run();
        };
        process::spawn(format!("spanline-{}", self.name), run)
            .map_err(|error| Error::io(format!("cannot start the worker thread of output {}", self.name), error))
    }

    fn run(self: &Arc<Self>) {
        if !self.begin_work() {
            return;
        }
        let own = Own::enter(self.id);
        let mut idle = Idle::new();
        let mut due = self.engine.lock().due();
        let engine = loop {
            let to_tell = self.limit.as_ref().is_some_and(Share::is_open);
            let tell_at = to_tell.then(|| Instant::now() + NAP);
            self.queue.wait_for_work(&mut idle, [due, tell_at].into_iter().flatten().min());
            let mut engine = self.engine.lock();
            let taken = self.queue.take(engine.spare());
            let last = taken.last;
            if idle.is_busy() {
                self.queue.untrim();
            }
            engine = Engine::deliver(engine, taken, self);
            due = engine.due();
            if idle.is_resting() {
                engine.trim(self);
            }
            if last && self.queue.begin_end() {
                engine = Engine::close(engine, self);
                if self.queue.end() {
                    break engine;
                }
            }
        };
        drop(own);
        drop(engine);
        // Something may have been pushed since by a thread of the log, which did not wait for the engine.
        self.deliver_here();
    }

    /// Takes over from those who delivered by themselves, if any. Returns false when no worker is wanted any more.
    fn begin_work(&self) -> bool {
        loop {
            let engine = self.engine.lock();
            if !engine.is_under_way() {
                return self.queue.begin_work();
            }
            drop(engine);
            self.queue.wait_a_moment();
        }
    }

    /// Lets go of the engine for the time of `pause`.
    pub(super) fn rest<'a, T>(
        &'a self,
        engine: MutexGuard<'a, Engine>,
        pause: impl FnOnce() -> T,
    ) -> (MutexGuard<'a, Engine>, T) {
        drop(engine);
        let result = pause();
        (self.engine.lock(), result)
    }

    pub(super) fn complain(&self, reason: &str, text: &str) {
        self.complaints.say(&format!("{} {reason}", self.name), &format!("output {}: {text}", self.name));
    }

    /// Notes that lines which were to be durable are not, and that the log can no longer report it.
    pub(super) fn ended_not_durable(&self, why: &str) {
        let _ = self.end.not_durable.set(format!("output {}: {why}", self.name));
    }

    /// Returns an error if the last sync failed.
    pub(crate) fn durable(&self) -> Result<(), Error> {
        self.end.not_durable.get().map_or(Ok(()), |why| Err(Error::not_durable(why)))
    }

    /// Notes that the program ends the log by its guard. `how` completes "the log ended".
    pub(crate) fn ended(&self, how: &'static str) {
        let _ = self.end.by_guard.set((Instant::now(), how));
    }

    /// Complains once if the program still logs long after it has ended the log: each line then takes a slow path.
    #[cold]
    pub(crate) fn complain_of_end(&self) {
        if let Some((at, how)) =
            self.end.by_guard.get().filter(|(at, _)| at.elapsed() > STILL_LOGS && own_lane().is_none())
        {
            let text = format!(
                "the log ended {} s ago, {how}, and the program still logs: each call now writes its own line; keep the \
                 guard until the end of `main`, bound to a name such as `_guard` (`let _ = …` drops it at once)",
                at.elapsed().as_secs()
            );
            self.complaints.say_once("ended early", &text);
        }
    }

    /// Sees to it that what the calling thread pushed is delivered: by waiting for the worker of a synchronous output,
    /// else mostly by doing so itself.
    #[cold]
    pub(crate) fn deliver_here(self: &Arc<Self>) {
        // The holder of the engine checks the queue again after releasing it. A thread of the log, which may be the holder
        // further up its own stack, therefore need not wait. Every other thread waits until its line is written, because
        // the holder may have taken it. A stuck holder is waited for only for a limited time.
        let mut ending = None;
        loop {
            let engine = match self.queue.deliverer() {
                Deliverer::Worker => return self.await_worker(),
                Deliverer::NewWorker => {
                    match self.start_worker(Vec::new()) {
                        Ok(()) => self.queue.await_worker(WORKER_START),
                        Err(error) => {
                            self.complain("no worker", &format!("{error:#}; threads that log write their own lines"));
                            self.queue.await_worker(Duration::ZERO);
                        }
                    }
                    fork::child_logs();
                    continue;
                }
                Deliverer::StartingWorker => {
                    self.queue.await_worker(WORKER_START);
                    continue;
                }
                Deliverer::Nobody => {
                    let text = "its parent was writing when this process was forked: lines logged here are lost";
                    return self.complain("forked", text);
                }
                Deliverer::EndingWorker if self.queue.is_synchronous() => return self.await_worker(),
                Deliverer::EndingWorker => None,
                Deliverer::Caller => self.engine.try_lock(),
            };
            // A worker that has begun to run did so while it held the engine.
            if let Some(mut engine) = engine.filter(|_| self.queue.deliverer() == Deliverer::Caller) {
                let own = Own::enter(self.id);
                process::without_write_signals(|| {
                    while !self.queue.is_drained() {
                        let taken = self.queue.take(engine.spare());
                        engine = Engine::deliver(engine, taken, self);
                        engine = Engine::drain(engine, self);
                    }
                    drop(engine);
                });
                drop(own);
                self.queue.let_deliver();
                if self.queue.is_drained() {
                    return;
                }
            } else if own_lane().is_some() {
                return;
            } else {
                let ending = ending.get_or_insert_with(|| self.queue.wait_with(LATE_PATIENCE));
                if self.queue.wait_delivered(ending) {
                    return;
                }
            }
        }
    }

    /// Waits until the worker has written what was pushed to a synchronous output. A thread of the log does not.
    fn await_worker(&self) {
        if own_lane().is_none() && !self.queue.wait_settled() {
            self.complain("overdue", "a synchronous line was not written in time; it stays queued");
        }
    }

    /// Drops the sink of an output that has ended, unless a thread is stuck in it. What is still logged to it is counted as
    /// dropped. Returns whether it did.
    pub(crate) fn release(&self) -> bool {
        let Some(mut engine) = self.engine.try_lock() else { return false };
        let sink = engine.release();
        drop(engine);
        self.queue.park();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(sink))) {
            discard(payload);
        }
        true
    }

    /// Begins the end of the log: see [`Queue::close`].
    pub(crate) fn close(self: &Arc<Self>, patience: Duration, cap: Duration) {
        let Some(share) = &self.limit else { return self.queue.close(patience, cap) };
        share.limiter.end();
        self.queue.close(patience, cap);
        if share.is_open() && self.queue.deliverer() == Deliverer::Caller {
            // A forked child whose worker never came to run: nobody else would tell what was suppressed.
            let _ = self.order(Command::Flush);
        }
    }

    /// Returns its place among the outputs, if its repeats are limited.
    pub(crate) fn place(&self) -> Option<usize> {
        self.limit.as_ref().map(|share| share.place)
    }

    /// Whether this thread belongs to this lane.
    pub(crate) fn is_own_thread(&self) -> bool {
        own_lane() == Some(self.id)
    }

    /// On a thread of the log: whether an event of it may not reach this lane, where it could cause another one. Sinks with
    /// own threads could answer each other endlessly.
    pub(crate) fn refuses_own(&self) -> bool {
        is_echo() || self.is_own_thread() || (self.has_own_threads && is_client_thread())
    }

    pub(crate) fn metrics(&self) -> OutputMetrics {
        let (metrics, oldest) = self.queue.metrics();
        let ago = |time: Timestamp| {
            let nanos = self.clock.now().as_nanos().saturating_sub(time.as_nanos());
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
        };
        let spooling_for = self.queue.spooling_since().map(ago);
        OutputMetrics { name: self.name.clone(), oldest_queued: oldest.map(ago), spooling_for, ..metrics }
    }

    /// Asks the sink for something; the ticket is for [`Queue::wait_done`].
    pub(crate) fn order(self: &Arc<Self>, command: Command) -> Result<u64, Error> {
        if own_lane().is_some() {
            return Err(Error::own_thread("a thread of the log cannot wait for the log"));
        }
        let (ticket, pushed) = self.queue.order(command);
        if pushed == Pushed::DeliverYourself {
            self.deliver_here();
        }
        Ok(ticket)
    }
}

/// Pauses the queue.
impl AtFork for Lane {
    fn rank(&self) -> Rank {
        Rank::Queues
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        let mut state = self.queue.hold();
        Box::new(move || self.queue.start_afresh(&mut state, !self.engine.is_lost()))
    }
}

/// Prints the name and counts, not the queued lines.
impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metrics = self.metrics();
        f.debug_struct("Output")
            .field("name", &metrics.name)
            .field("emitted", &metrics.emitted.total())
            .field("written", &metrics.written.total())
            .field("queued", &metrics.queued.total())
            .field("in_flight", &metrics.in_flight.total())
            .field("dropped", &metrics.dropped.total())
            .finish_non_exhaustive()
    }
}
