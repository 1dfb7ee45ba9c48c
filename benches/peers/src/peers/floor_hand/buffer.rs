//! The line under a mutex into a double buffer, which a worker swaps and writes every millisecond.
//!
//! What is left of a logger when nothing is captured, filtered or inherited. A full buffer makes the caller wait.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::line::render;
use super::{Peer, Sink, Spans, create};
use crate::work::EVENTS_PER_CYCLE;

const MAX_BYTES: usize = 8 << 20;
const POLL: Duration = Duration::from_millis(1);

/// Renders, and hands over to a worker that writes.
pub struct HandBuffer {
    shared: Arc<Shared>,
    worker: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    /// The worker waits here, callers wait at `room`.
    work: Condvar,
    room: Condvar,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    closed: bool,
}

impl Shared {
    fn push(&self, line: &[u8]) {
        let mut pending = self.pending.lock().expect("no panic under the lock");
        while pending.bytes.len() + line.len() > MAX_BYTES {
            self.work.notify_one();
            pending = self.room.wait(pending).expect("no panic under the lock");
        }
        pending.bytes.extend_from_slice(line);
    }

    fn write_all(&self, mut file: Option<File>) {
        let mut taken = Vec::with_capacity(MAX_BYTES);
        loop {
            let pending = self.pending.lock().expect("no panic under the lock");
            let is_full = |pending: &Pending| pending.closed || pending.bytes.len() > MAX_BYTES / 2;
            let (mut pending, _) = self
                .work
                .wait_timeout_while(pending, POLL, |pending| !is_full(pending))
                .expect("no panic under the lock");
            std::mem::swap(&mut pending.bytes, &mut taken);
            let last = pending.closed;
            drop(pending);
            self.room.notify_all();
            if let Some(file) = &mut file {
                file.write_all(&taken).expect("room on the disk");
            }
            taken.clear();
            if last {
                break;
            }
        }
    }
}

impl Peer for HandBuffer {
    type Context = Spans;

    fn start(sink: &Sink) -> Self {
        let file = match sink {
            Sink::Null => None,
            Sink::Files(directory) => Some(create(directory.join("log.jsonl"))),
        };
        let shared = Arc::<Shared>::default();
        shared.pending.lock().expect("a new lock").bytes.reserve_exact(MAX_BYTES);
        let theirs = Arc::clone(&shared);
        Self { shared, worker: std::thread::spawn(move || theirs.write_all(file)) }
    }

    fn inside<R>(&self, body: impl FnOnce(&Spans) -> R) -> R {
        body(&Spans::open())
    }

    #[inline]
    fn w1e(&self, spans: &Spans) {
        render(Some(spans), |line| self.shared.push(line));
    }

    #[inline]
    fn w1c(&self) {
        self.inside(|spans| (0..EVENTS_PER_CYCLE).for_each(|_| self.w1e(spans)));
    }

    #[inline]
    fn w2(&self) {
        render(None, |line| self.shared.push(line));
    }

    fn w0(&self) {}

    fn finish(self) {
        self.shared.pending.lock().expect("no panic under the lock").closed = true;
        self.shared.work.notify_one();
        self.worker.join().expect("no panic of the worker");
    }
}
