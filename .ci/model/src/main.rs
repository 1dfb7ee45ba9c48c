//! The real queue between model threads: callers, a worker that does what `src/worker` does, and a thread that closes.
//!
//! Under every schedule: no line is lost or doubled, each caller's lines stay in order, the books balance and the bound
//! holds at each step, a flush is a barrier, no thread sleeps through a wake-up, and the end comes.

#[allow(dead_code)]
#[path = "../../../src/advice.rs"]
mod advice;
#[allow(dead_code)]
#[path = "../../../src/direct_mapped.rs"]
mod direct_mapped;
#[allow(dead_code, unused_imports)]
#[path = "../../../src/error.rs"]
mod error;
#[allow(dead_code, unused_imports)]
#[path = "../../../src/metrics/mod.rs"]
mod metrics;
#[allow(dead_code, unused_imports)]
#[path = "../../../src/queue/mod.rs"]
mod queue;
#[allow(dead_code)]
#[path = "../../../src/record/scratch.rs"]
mod scratch;
mod sync;
#[allow(dead_code)]
#[path = "../../../src/values/time.rs"]
mod time;

pub use queue::Overflow;

mod record {
    pub(crate) use crate::scratch::Grant;
    pub use crate::time::Timestamp;
}

/// There are no spans: their cost is the same arithmetic.
mod context {
    use std::sync::Arc;

    #[derive(Debug)]
    pub(crate) struct Node(Option<Arc<Node>>);

    #[derive(Clone, Debug)]
    pub(crate) struct Bound(Arc<Node>);

    pub(crate) fn epoch() -> u64 {
        1
    }

    pub(crate) fn keep_for_all(nodes: impl Iterator<Item = Arc<Node>>) {
        nodes.for_each(drop);
    }

    impl Node {
        pub(crate) fn serial(&self) -> u64 {
            0
        }

        pub(crate) fn newest(&self) -> u64 {
            0
        }

        pub(crate) fn bytes(&self) -> usize {
            0
        }

        pub(crate) fn parent(&self) -> Option<&Arc<Node>> {
            self.0.as_ref()
        }
    }

    impl Bound {
        pub(crate) fn new(node: &Arc<Node>, _: u64, _: Option<&Bound>) -> Self {
            Self(Arc::clone(node))
        }

        pub(crate) fn into_node(self) -> Arc<Node> {
            self.0
        }

        pub(crate) fn is_same(&self, _: &Self) -> bool {
            true
        }

        pub(crate) fn node(&self) -> &Arc<Node> {
            &self.0
        }

        pub(crate) fn is(&self, _: &Arc<Node>, _: u64) -> bool {
            true
        }
    }
}

use std::sync::Arc;
use std::time::Duration;

use metrics::{ByLevel, Delivered};
use queue::{Batch, Command, Deliverer, Head, Idle, Push, Pushed, Queue, Taken};
use record::Timestamp;
use sync::{Instant, after};
use tracing::Level;

const LONG: Duration = Duration::from_secs(1_000_000);
/// The bytes of a line. A few lines fill the queue.
const LINE: usize = 1_000;

struct Engine {
    delivered: Arc<Delivered>,
    /// The delivered lines: caller and number.
    out: Vec<(u8, u8)>,
}

struct Lane {
    queue: Queue,
    engine: shuttle::sync::Mutex<Engine>,
    max_bytes: usize,
}

impl Lane {
    fn new(overflow: Overflow, max_bytes: usize) -> Arc<Self> {
        sync::reset_clock();
        let delivered = Arc::new(Delivered::default());
        let engine = Engine { delivered: Arc::clone(&delivered), out: Vec::new() };
        let queue = Queue::new(overflow, None, max_bytes, delivered);
        Arc::new(Self { queue, engine: shuttle::sync::Mutex::new(engine), max_bytes })
    }

    fn log(&self, caller: u8, number: u8, level: Level) -> Pushed {
        let mut bytes = [0; LINE];
        (bytes[0], bytes[1]) = (caller, number);
        let time = Timestamp::from_nanos(0);
        let push = Push { head: Head::Line(level), time, bytes: &bytes, context: None, may_wait: true };
        let pushed = self.queue.push(push, true);
        if pushed == Pushed::DeliverYourself {
            self.deliver_here();
        }
        self.look();
        pushed
    }

    /// Checks that the books balance and the bound holds.
    fn look(&self) {
        let (now, _) = self.queue.metrics();
        assert_eq!(now.emitted.total(), now.written.total() + now.dropped.total() + now.queued.total(), "{now:?}");
        assert!(now.queued_bytes <= self.max_bytes as u64, "{now:?}");
    }

    fn deliver(&self, engine: &mut Engine, taken: Taken) {
        let Taken { mut batch, orders, total, .. } = taken;
        let mut released = 0;
        while let Some(block) = batch.take_block() {
            for at in 0..block.len() {
                let Some((entry, bytes)) = block.get(at) else { panic!("no record at {at}") };
                engine.out.push((bytes[0], bytes[1]));
                let mut line = ByLevel::default();
                line.add(entry.head.level(), 1);
                engine.delivered.add(line);
                let bytes = block.bytes_of(at, at + 1);
                released += bytes;
                self.queue.release(bytes, queue::Gone::default(), None, 0);
            }
            self.queue.give_back(block);
        }
        self.queue.release(batch.bytes().saturating_sub(released), queue::Gone::default(), None, 0);
        let done = orders.into_iter().map(|order| (order, Ok(()))).collect();
        self.queue.batch_done(&queue::WorkerCounts::default(), done, Some(total));
    }

    /// Works as `Lane::run` in `src/worker` does.
    fn work(&self) {
        assert!(self.queue.begin_work());
        let mut idle = Idle::new();
        loop {
            self.queue.wait_for_work(&mut idle, None);
            let mut engine = self.engine.lock().unwrap();
            let taken = self.queue.take(Batch::new(self.max_bytes));
            let last = taken.last;
            if idle.is_busy() {
                self.queue.untrim();
            }
            self.deliver(&mut engine, taken);
            if idle.is_resting() {
                self.queue.trim();
            }
            if last && self.queue.begin_end() && self.queue.end() {
                break;
            }
        }
        self.deliver_here();
    }

    /// Delivers as `Lane::deliver_here` in `src/worker` does.
    fn deliver_here(&self) {
        let mut ending = None;
        loop {
            let engine = match self.queue.deliverer() {
                Deliverer::Worker => return,
                Deliverer::EndingWorker => None,
                Deliverer::Caller => self.engine.try_lock().ok(),
                other => panic!("{other:?}, without a fork"),
            };
            if let Some(mut engine) = engine.filter(|_| self.queue.deliverer() == Deliverer::Caller) {
                while !self.queue.is_drained() {
                    let taken = self.queue.take(Batch::new(self.max_bytes));
                    self.deliver(&mut engine, taken);
                }
                drop(engine);
                self.queue.let_deliver();
                if self.queue.is_drained() {
                    return;
                }
            } else {
                let ending = ending.get_or_insert_with(|| self.queue.wait_with(LONG));
                if self.queue.wait_delivered(ending) {
                    return;
                }
            }
        }
    }

    fn flush(&self) {
        let (ticket, pushed) = self.queue.order(Command::Flush);
        match pushed {
            Pushed::DeliverYourself => self.deliver_here(),
            Pushed::Queued => self.queue.wait_done(ticket, after(Instant::now(), LONG)).unwrap(),
            Pushed::Refused => {}
        }
    }

    /// Closes, waits for the end, and returns how many lines were not written.
    fn close(&self, patience: Duration) -> u64 {
        self.queue.close(patience, patience);
        loop {
            if let Some(left) = self.queue.wait_ended(Duration::from_millis(5)) {
                return left;
            }
        }
    }

    /// Checks that the lines of each caller were delivered in order, as many as were accepted.
    fn judge(&self, callers: &[u64]) {
        let engine = self.engine.lock().unwrap();
        for (caller, taken) in callers.iter().enumerate() {
            let numbers = engine.out.iter().filter(|line| usize::from(line.0) == caller).map(|line| line.1);
            let numbers: Vec<_> = numbers.collect();
            assert!(numbers.is_sorted_by(|one, next| one < next), "caller {caller}: {numbers:?}");
            assert_eq!(numbers.len() as u64, *taken, "caller {caller}: {numbers:?}");
        }
        let end = self.queue.metrics().0;
        assert_eq!(end.written.total(), engine.out.len() as u64);
        assert_eq!((end.queued.total(), end.queued_bytes), (0, 0), "{end:?}");
    }
}

fn spawn<T: Send + 'static>(
    lane: &Arc<Lane>,
    run: impl FnOnce(&Lane) -> T + Send + 'static,
) -> shuttle::thread::JoinHandle<T> {
    let lane = Arc::clone(lane);
    shuttle::thread::spawn(move || run(&lane))
}

fn level(number: u8) -> Level {
    [Level::INFO, Level::DEBUG, Level::ERROR, Level::WARN][usize::from(number) % 4]
}

/// Returns how many of `lines` were accepted.
fn log_some(lane: &Lane, caller: u8, lines: u8) -> u64 {
    (0..lines).map(|number| u64::from(lane.log(caller, number, level(number)) != Pushed::Refused)).sum()
}

/// Two callers, a worker, and an end that comes at any time. `is_lossless`: no line may be refused.
fn callers_and_an_end(overflow: Overflow, is_lossless: bool) {
    let lane = Lane::new(overflow, 4 * LINE);
    let worker = spawn(&lane, Lane::work);
    let callers = [0, 1].map(|caller| spawn(&lane, move |lane| log_some(lane, caller, 5)));
    let left = lane.close(LONG);
    let taken = callers.map(|caller| caller.join().unwrap());
    worker.join().unwrap();
    assert_eq!(left, 0);
    assert!(!is_lossless || taken == [5, 5], "refused although they may wait: {taken:?}");
    // After the end, a caller delivers its own line.
    assert_eq!(lane.log(2, 0, Level::INFO), Pushed::DeliverYourself);
    lane.judge(&[taken[0], taken[1], 1]);
}

/// When a flush returns, the lines logged before it are delivered.
fn a_flush_is_a_barrier() {
    let lane = Lane::new(Overflow::Block { max_wait: LONG }, 8 * LINE);
    let worker = spawn(&lane, Lane::work);
    let callers = [0, 1].map(|caller| {
        spawn(&lane, move |lane| {
            for number in 0..3 {
                lane.log(caller, number, Level::INFO);
                lane.flush();
                let engine = lane.engine.lock().unwrap();
                assert!(engine.out.contains(&(caller, number)), "flushed, but not delivered");
            }
        })
    });
    for caller in callers {
        caller.join().unwrap();
    }
    assert_eq!(lane.close(LONG), 0);
    worker.join().unwrap();
    lane.judge(&[3, 3]);
}

/// A worker that sleeps, or is about to, is woken by the next line, order or end. Nothing else would wake it.
fn a_sleeping_worker_is_woken() {
    let lane = Lane::new(Overflow::Shed, 8 * LINE);
    let worker = spawn(&lane, Lane::work);
    let caller = spawn(&lane, |lane| {
        for number in 0..2 {
            sync::pass(Duration::from_secs(2));
            for _ in 0..4 {
                shuttle::thread::yield_now();
            }
            assert_eq!(lane.log(0, number, Level::INFO), Pushed::Queued);
            // The line is not urgent, so it alone has to wake the worker.
            while lane.queue.metrics().0.written.total() <= u64::from(number) {
                sync::pass(Duration::from_millis(100));
                shuttle::thread::yield_now();
            }
        }
        sync::pass(Duration::from_secs(2));
        lane.flush();
    });
    caller.join().unwrap();
    sync::pass(Duration::from_secs(2));
    assert_eq!(lane.close(LONG), 0);
    worker.join().unwrap();
    lane.judge(&[2]);
}

/// A stuck worker is abandoned, and callers that wait for room or for an answer return.
fn the_end_comes_without_the_worker() {
    let lane = Lane::new(Overflow::Block { max_wait: LONG }, 3 * LINE);
    let callers = [0, 1].map(|caller| spawn(&lane, move |lane| log_some(lane, caller, 4)));
    let waiting = spawn(&lane, |lane| {
        let (ticket, pushed) = lane.queue.order(Command::Flush);
        assert_ne!(pushed, Pushed::DeliverYourself);
        assert!(lane.queue.wait_done(ticket, after(Instant::now(), LONG)).is_err());
    });
    let left = lane.close(Duration::from_millis(20));
    let taken: u64 = callers.map(|caller| caller.join().unwrap()).iter().sum();
    waiting.join().unwrap();
    assert_eq!(left, taken, "every accepted line is an unwritten one");
    let end = lane.queue.metrics().0;
    assert_eq!((end.emitted.total(), end.dropped.total(), end.written.total()), (8, 8, 0));
}

fn check(what: &str, schedules: usize, model: impl Fn() + Send + Sync + Clone + 'static) {
    println!("{what}: {schedules} random schedules, and as many that rarely switch threads");
    shuttle::check_random(model.clone(), schedules);
    shuttle::check_pct(model, schedules, 3);
}

fn main() {
    let schedules = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let waiting = Overflow::Block { max_wait: LONG };
    check("callers that wait, and an end", schedules, move || callers_and_an_end(waiting, true));
    check("callers that shed, and an end", schedules, || callers_and_an_end(Overflow::Shed, false));
    check("callers that do not wait, and an end", schedules, || callers_and_an_end(Overflow::DropNewest, false));
    check("a flush is a barrier", schedules, a_flush_is_a_barrier);
    check("a sleeping worker is woken", schedules, a_sleeping_worker_is_woken);
    check("the end comes without the worker", schedules, the_end_comes_without_the_worker);
}
