//! The spool against a model: any sequence of lines, faults of the sink and of the disk, ends and power cuts.

mod fake_disk;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tracing::Level;

pub(super) use self::fake_disk::FakeDisk;
use super::Spool;
use crate::error::Error;
use crate::metrics::Delivered;
use crate::record::Timestamp;
use crate::sink::{Control, Lines, Next, Offer, Sink};
use crate::sync::lock;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// Lines are logged, with this length and of this level.
    Log {
        lines: u8,
        bytes: u16,
        level: u8,
    },
    /// The spool is called.
    Call,
    Receives(Receives),
    /// The peer acknowledges this many of the lines in flight.
    Acknowledge(u8),
    Sync,
    /// The process is killed, and starts anew.
    Kill,
    PowerCut(u8),
    /// The log is shut down in order.
    Close,
    FlipByte(u16),
    DiskFull(bool),
    Unwritable(bool),
    /// Another program removes all files, or only the locks.
    RemoveFiles {
        all: bool,
    },
}

/// What the sink does with lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Receives {
    #[default]
    AtOnce,
    /// They are in flight until the peer acknowledges them.
    Later,
    Nothing,
    Panics,
}

#[derive(Debug, Default)]
struct Peer {
    receives: Receives,
    /// The numbers of the lines, each time.
    received: Vec<u64>,
    acknowledges: usize,
}

struct PeerSink(Arc<Mutex<Peer>>);

fn number(line: &[u8]) -> u64 {
    let text = std::str::from_utf8(line).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

impl Sink for PeerSink {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let mut peer = lock(&self.0);
        let bytes: usize = lines.iter().map(|line| line.bytes.len()).sum();
        let numbers: Vec<_> = lines.iter().map(|line| number(line.bytes)).collect();
        let ids: Vec<_> = lines.iter_in_flight().map(|line| line.id).take(peer.acknowledges).collect();
        peer.acknowledges -= ids.len();
        ids.into_iter().for_each(|id| lines.acknowledge(id..=id));
        match peer.receives {
            Receives::Nothing => Err(Error::retry("away")),
            Receives::Panics => {
                drop(peer);
                std::panic::resume_unwind(Box::new("as the test says"))
            }
            Receives::AtOnce => {
                lines.acknowledge(..);
                lines.advance(bytes);
                peer.received.extend(numbers);
                Ok(Next::Done)
            }
            Receives::Later => {
                lines.hand_over(bytes);
                peer.received.extend(numbers);
                Ok(Next::Done)
            }
        }
    }
}

/// One process.
struct Process {
    spool: Spool,
    lines: Lines,
    delivered: Arc<Delivered>,
    logged: u64,
    lost: u64,
    reports: Vec<String>,
}

struct World {
    disk: FakeDisk,
    peer: Arc<Mutex<Peer>>,
    drops_newest: bool,
    process: Process,
    next: u64,
    /// Lines that ended processes have lost and counted.
    lost: u64,
    /// Lines that were in memory when a process was killed.
    forgotten: u64,
    /// Lines that were logged since the last sync.
    unsynced: u64,
    /// Lines that may be lost without a count: those of a power cut and of damage.
    excused: u64,
    has_power_cut: bool,
}

impl World {
    fn new(drops_newest: bool) -> Self {
        let (disk, peer) = (FakeDisk::default(), Arc::<Mutex<Peer>>::default());
        let process = Process::start(&disk, &peer, drops_newest);
        let (next, lost, forgotten, unsynced, excused, has_power_cut) = (0, 0, 0, 0, 0, false);
        Self { disk, peer, drops_newest, process, next, lost, forgotten, unsynced, excused, has_power_cut }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Log { lines, bytes, level } => {
                let level = super::frame::LEVELS[usize::from(level) % 5];
                for _ in 0..lines {
                    let text = format!("{} {}", self.next, "x".repeat(usize::from(bytes)));
                    self.process.lines.push_line(text.as_bytes(), level, Timestamp::from_nanos(self.next as i64));
                    self.process.logged += 1;
                    self.unsynced += 1;
                    self.next += 1;
                }
                self.call();
            }
            Step::Call => self.call(),
            Step::Receives(how) => lock(&self.peer).receives = how,
            Step::Acknowledge(count) => {
                lock(&self.peer).acknowledges = usize::from(count);
                self.call();
            }
            Step::Sync => {
                let _ = self.process.spool.control(Control::Sync);
                self.note_sync();
            }
            Step::Kill => self.restart(),
            Step::PowerCut(kept) => {
                self.has_power_cut = true;
                self.excused += self.unsynced;
                self.forget();
                self.disk.power_cut(kept);
                self.unsynced = 0;
                self.process = Process::start(&self.disk, &self.peer, self.drops_newest);
            }
            Step::Close => self.close(),
            Step::FlipByte(at) => self.excused += u64::from(self.disk.flip(at)),
            Step::DiskFull(is_full) => self.disk.set_full(is_full),
            Step::Unwritable(is_so) => self.disk.set_unwritable(is_so),
            Step::RemoveFiles { all } => {
                // It is noticed in the next call, unless the disk prevents that.
                self.disk.set_full(false);
                self.disk.set_unwritable(false);
                self.disk.remove_files(|name| all || name.ends_with(".lock"));
                self.call();
            }
        }
    }

    fn note_sync(&mut self) {
        if self.process.spool.store().is_none_or(|store| !store.is_unsynced()) {
            self.unsynced = (self.process.lines.visible() + self.process.lines.in_flight()) as u64;
        }
    }

    fn call(&mut self) {
        self.process.call();
        self.note_sync();
        self.process.check();
    }

    /// Ends the process where it is.
    fn forget(&mut self) {
        let counts = self.process.delivered.counts();
        let done = counts.written.total() + self.process.lost + counts.spooled.total();
        self.forgotten += self.process.logged + counts.taken_over.total() - done;
        self.lost += self.process.lost;
        self.disk.release_locks();
    }

    fn restart(&mut self) {
        self.forget();
        self.process = Process::start(&self.disk, &self.peer, self.drops_newest);
    }

    fn close(&mut self) {
        self.process.lines.set_pressure(false, Some(std::time::Instant::now()));
        (0..3).for_each(|_| self.call());
        let _ = self.process.spool.control(Control::Close);
        let is_usable = !self.disk.is_broken();
        let panics = lock(&self.peer).receives == Receives::Panics;
        assert!(!is_usable || panics || self.process.lines.is_done(), "lines are left in memory at the end");
        self.restart();
    }

    /// Heals everything, and waits until all lines are delivered.
    fn heal(&mut self) {
        self.disk.set_full(false);
        self.disk.set_unwritable(false);
        lock(&self.peer).receives = Receives::AtOnce;
        for _ in 0..1_000 {
            self.call();
            let counts = self.process.delivered.counts();
            if counts.spooled.total() == 0 && self.process.lines.is_done() && self.process.spool.is_direct() {
                break;
            }
        }
        let counts = self.process.delivered.counts();
        assert_eq!(counts.spooled.total(), 0, "all is delivered: {:?}", self.process.reports);
        assert!(self.process.lines.is_done() && self.process.spool.is_direct());
        self.lost += self.process.lost;
        self.process.lost = 0;
        // Lines that were dropped can come back when their removal is undone.
        let is_any_order = self.has_power_cut || self.lost > 0;
        let received = &lock(&self.peer).received;
        let mut seen = BTreeSet::new();
        let mut newest = None;
        for number in received {
            if seen.insert(*number) {
                assert!(is_any_order || newest < Some(*number), "{number} came after {newest:?}: {received:?}");
                newest = Some(*number);
            }
        }
        let known = seen.len() as u64 + self.lost + self.forgotten + self.excused;
        assert!(
            known >= self.next,
            "missing {:?}; {} lines: {} received, {} dropped, {} were in memory, {} excused: {:?}",
            (0..self.next).filter(|number| !seen.contains(number)).collect::<Vec<_>>(),
            self.next,
            seen.len(),
            self.lost,
            self.forgotten,
            self.excused,
            self.process.reports,
        );
    }
}

impl Process {
    fn start(disk: &FakeDisk, peer: &Arc<Mutex<Peer>>, drops_newest: bool) -> Self {
        // Without a spool at its start, a process would send its lines before those of the one before.
        disk.set_full(false);
        disk.set_unwritable(false);
        let spool = Spool::new("spool", PeerSink(Arc::clone(peer))).max_bytes(1 << 20).patience(Duration::ZERO);
        let spool = spool.sync_interval(Duration::from_secs(3600)).replay_bytes_per_second(1_u64 << 40).optional();
        let mut spool = if drops_newest { spool.drop_newest() } else { spool };
        spool.open_with(disk);
        let delivered = Arc::<Delivered>::default();
        let lines = Lines::counted(Arc::clone(&delivered));
        let mut process = Self { spool, lines, delivered, logged: 0, lost: 0, reports: Vec::new() };
        process.call();
        process
    }

    fn call(&mut self) {
        let mut more = 0;
        loop {
            self.spool.make_ready();
            self.lines.offer(Offer::ALL);
            let (spool, lines) = (&mut self.spool, &mut self.lines);
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| spool.write(lines)));
            self.reports.extend(self.lines.take_reports().0.into_iter().map(|error| format!("{error:#}")));
            let (dropped, _) = self.lines.take_dropped();
            self.lost += dropped.iter().map(|line| line.lines).sum::<u64>();
            more += 1;
            match result {
                Ok(Ok(Next::More)) if more < 100 => {}
                Ok(Ok(Next::Done)) if self.lines.has_offered() && more < 100 => {}
                Ok(_) => break,
                Err(_) => {
                    self.lines.give_back(..);
                    break;
                }
            }
        }
        if self.lines.is_done() {
            self.lines.clear(1 << 20);
        }
    }

    /// The books balance.
    fn check(&self) {
        let counts = self.delivered.counts();
        let come = self.logged + counts.taken_over.total();
        let waiting = (self.lines.visible() + self.lines.in_flight()) as u64;
        let known = counts.written.total() + self.lost + counts.spooled.total() + waiting;
        assert_eq!(come, known, "{counts:?}, lost {}, waiting {waiting}: {:?}", self.lost, self.reports);
    }
}

fn receives() -> impl Strategy<Value = Receives> {
    prop_oneof![
        2 => Just(Receives::AtOnce),
        2 => Just(Receives::Later),
        4 => Just(Receives::Nothing),
        1 => Just(Receives::Panics),
    ]
}

/// What other programs and the hardware do.
enum Others {
    Nothing,
    Damage,
    RemoveFiles,
}

fn steps(others: &Others) -> impl Strategy<Value = Vec<Step>> {
    let log = (1..40_u8, prop_oneof![3 => 10..200_u16, 1 => 2_000..20_000_u16], any::<u8>());
    let damage = prop_oneof![any::<u16>().prop_map(Step::FlipByte), any::<u8>().prop_map(Step::PowerCut)];
    let others = match others {
        Others::Nothing => Just(Step::Call).boxed(),
        Others::Damage => damage.boxed(),
        Others::RemoveFiles => any::<bool>().prop_map(|all| Step::RemoveFiles { all }).boxed(),
    };
    let step = prop_oneof![
        6 => log.prop_map(|(lines, bytes, level)| Step::Log { lines, bytes, level }),
        2 => Just(Step::Call),
        3 => receives().prop_map(Step::Receives),
        2 => any::<u8>().prop_map(Step::Acknowledge),
        1 => Just(Step::Sync),
        1 => Just(Step::Kill),
        1 => Just(Step::Close),
        1 => any::<bool>().prop_map(Step::DiskFull),
        1 => any::<bool>().prop_map(Step::Unwritable),
        2 => others,
    ];
    proptest::collection::vec(step, 1..60)
}

fn run(steps: &[Step], drops_newest: bool) {
    let mut world = World::new(drops_newest);
    steps.iter().for_each(|step| world.step(step));
    world.heal();
}

fn cases() -> u32 {
    if std::env::var_os("SPANLINE_LONG").is_some() { 50_000 } else { 500 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_faults_loses_no_line_without_a_count(steps in steps(&Others::Nothing), drops_newest: bool) {
        run(&steps, drops_newest);
    }

    #[test]
    fn damage_and_power_cuts_cost_only_what_they_hit(steps in steps(&Others::Damage), drops_newest: bool) {
        run(&steps, drops_newest);
    }

    #[test]
    fn files_that_another_program_removes_cost_no_line_without_a_count(
        steps in steps(&Others::RemoveFiles), drops_newest: bool,
    ) {
        run(&steps, drops_newest);
    }
}

#[test]
fn a_healthy_sink_leaves_the_disk_alone() {
    let mut world = World::new(false);
    let names = world.disk.operations();
    for _ in 0..100 {
        world.step(&Step::Log { lines: 20, bytes: 100, level: 2 });
    }
    assert_eq!(world.disk.operations(), names);
    assert_eq!(lock(&world.peer).received.len(), 2_000);
}

#[test]
fn warnings_and_errors_are_dropped_last() {
    for drops_newest in [false, true] {
        let mut world = World::new(drops_newest);
        world.step(&Step::Receives(Receives::Nothing));
        let mut severe = 0;
        for round in 0..60 {
            world.step(&Step::Log { lines: 20, bytes: 1_900, level: 2 });
            world.step(&Step::Log { lines: 2, bytes: 1_900, level: round % 2 });
            severe += 2;
        }
        let counts = world.process.delivered.counts().spooled;
        assert_eq!(counts.level(Level::ERROR) + counts.level(Level::WARN), severe, "{counts:?}");
        assert!(
            world.process.lost > 500 && world.disk.bytes() <= 1 << 20,
            "{} {}",
            world.process.lost,
            world.disk.bytes()
        );
        world.heal();
    }
}

/// A write that fails, and cannot be undone, seals the segment before it was synced.
#[test]
fn a_segment_that_a_failure_has_sealed_is_synced_later() {
    let log = || Step::Log { lines: 1, bytes: 10, level: 0 };
    run(
        &[
            Step::Receives(Receives::Nothing),
            log(),
            Step::Unwritable(true),
            log(),
            Step::Sync,
            Step::Unwritable(false),
            log(),
            Step::PowerCut(0),
        ],
        false,
    );
}
