//! Queue → schema → sink, on a thread of its own for each output. The only threads.
//!
//! A [`Lane`] is what is shared: the queue, and the [`Engine`] that empties it. The worker thread holds the engine
//! for as long as it lives; after it has ended, a late push finds the engine free and delivers its record itself.
//!
//! What the sink does not take stays in [`Lines`] and is offered again, with a pause that grows; a panic of the sink
//! or the schema is caught and counted. Nothing is given up without being counted.

mod deliver;

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

pub(crate) use deliver::Engine;

use crate::complaint::Complaints;
use crate::error::Error;
use crate::metrics::OutputMetrics;
use crate::queue::{Idle, LATE_PATIENCE, Overflow, Pushed, Queue};
use crate::record::{Clock, Statics};
use crate::schema::Schema;
use crate::sink::{Control, Delivered, Sink};

thread_local! {
    /// The lane whose engine runs on this thread; zero on all threads but those of the log.
    static OWN_LANE: Cell<usize> = const { Cell::new(0) };
    /// Whether what it writes right now was all logged on threads of the log: an echo of an echo is not passed on.
    static ECHO: Cell<bool> = const { Cell::new(false) };
}

/// Whether an event logged on this thread now would answer one that was itself logged by the log.
pub(crate) fn is_echo() -> bool {
    ECHO.try_with(Cell::get).unwrap_or(false)
}

/// The lane whose engine runs on this thread, if any.
#[inline]
pub(crate) fn own_lane() -> Option<usize> {
    OWN_LANE.try_with(Cell::get).ok().filter(|lane| *lane != 0)
}

/// One output at work.
#[derive(Debug)]
pub(crate) struct Lane {
    id: usize,
    pub(crate) name: String,
    pub(crate) queue: Queue,
    engine: Mutex<Engine>,
    complaints: Arc<Complaints>,
}

/// What a lane is made of.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) schema: Box<dyn Schema>,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) overflow: Overflow,
    pub(crate) max_bytes: usize,
    pub(crate) max_line_bytes: usize,
    pub(crate) statics: Arc<Statics>,
    pub(crate) clock: Clock,
    pub(crate) complaints: Arc<Complaints>,
}

impl Lane {
    /// Opens the sink and starts the worker.
    ///
    /// # Errors
    /// What the sink says to [`Control::Open`], or that no thread can be started.
    #[expect(clippy::disallowed_methods, reason = "the workers")]
    pub(crate) fn start(mut parts: Parts) -> Result<Arc<Self>, Error> {
        static IDS: AtomicUsize = AtomicUsize::new(1);
        parts.sink.control(Control::Open)?;
        let delivered = Arc::<Delivered>::default();
        let lane = Arc::new(Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            queue: Queue::new(parts.overflow, parts.max_bytes, Arc::clone(&delivered)),
            complaints: Arc::clone(&parts.complaints),
            name: parts.name.clone(),
            engine: Mutex::new(Engine::new(parts, delivered)),
        });
        let worker = Arc::clone(&lane);
        std::thread::Builder::new()
            .name(format!("spanline-{}", lane.name))
            .spawn(move || worker.run())
            .map_err(|error| Error::io(format!("cannot start the worker of output {}", lane.name), error))?;
        Ok(lane)
    }

    fn run(&self) {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let own = Own::enter(self.id);
        let mut idle = Idle::new();
        loop {
            let taken = self.queue.take(engine.spare(), &mut idle);
            let last = taken.last;
            engine.deliver(taken, self);
            if idle.is_resting() {
                engine.trim();
            }
            if last && self.queue.begin_end() {
                engine.close(self);
                if self.queue.end() {
                    break;
                }
            }
        }
        drop(own);
        drop(engine);
        // Something may have been pushed since by a thread of the log, which did not wait for the engine.
        self.deliver_here();
    }

    fn complain(&self, reason: &str, text: &str) {
        self.complaints.say(&format!("{} {reason}", self.name), &format!("output {}: {text}", self.name));
    }

    /// Empties the queue on the calling thread.
    #[cold]
    pub(crate) fn deliver_here(&self) {
        // Whoever holds the engine looks again after letting go of it, so a thread of the log, which may be the holder
        // further up its own stack, need not wait. Every other thread waits until its line is written, too: what it
        // pushed may have been taken by the holder. But not for ever, when the holder is stuck.
        let mut ending = None;
        loop {
            let locked = match self.engine.try_lock() {
                Ok(engine) => Some(engine),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            if let Some(mut engine) = locked {
                let own = Own::enter(self.id);
                while !self.queue.is_drained() {
                    let taken = self.queue.take_now(engine.spare());
                    engine.deliver(taken, self);
                }
                drop(own);
                drop(engine);
                self.queue.let_deliver();
                if self.queue.is_drained() {
                    return;
                }
            } else if own_lane().is_some() {
                return;
            } else {
                let ending = ending.get_or_insert_with(|| self.queue.ending(LATE_PATIENCE, Duration::MAX));
                if self.queue.wait_delivered(ending) {
                    return;
                }
            }
        }
    }

    /// Whether this thread belongs to this lane.
    pub(crate) fn is_own_thread(&self) -> bool {
        own_lane() == Some(self.id)
    }

    pub(crate) fn metrics(&self) -> OutputMetrics {
        self.queue.metrics(&self.name)
    }

    /// Asks the sink for something; the ticket is for [`Queue::wait_done`].
    pub(crate) fn order(&self, control: Control) -> Result<u64, Error> {
        if own_lane().is_some() {
            return Err(Error::own_thread("a thread of the log cannot wait for the log"));
        }
        let (ticket, pushed) = self.queue.order(control);
        if pushed == Pushed::DeliverYourself {
            self.deliver_here();
        }
        Ok(ticket)
    }
}

/// Marks the thread as one of the log's for a while.
struct Own(usize);

impl Own {
    fn enter(lane: usize) -> Self {
        Self(OWN_LANE.try_with(|own| own.replace(lane)).unwrap_or(0))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = OWN_LANE.try_with(|own| own.set(self.0));
    }
}
