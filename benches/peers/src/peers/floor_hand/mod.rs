//! Floors of every renderer: the line of W1e by hand, straight from its values, as tight as is reasonable.

mod buffer;
mod line;

use std::sync::atomic::{AtomicU64, Ordering};

pub use buffer::HandBuffer;

use super::{Peer, Sink, create};
use crate::work::EVENTS_PER_CYCLE;
use line::render;

/// The ids of the two spans.
pub struct Spans {
    request: u64,
    db: u64,
}

impl Spans {
    fn open() -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0x00f0_67aa_0ba9_02b7);
        let first = IDS.fetch_add(2, Ordering::Relaxed);
        Self { request: first, db: first + 1 }
    }
}

/// Renders, writes nothing.
pub struct Hand;

impl Peer for Hand {
    type Context = Spans;

    fn start(_: &Sink) -> Self {
        Self
    }

    fn inside<R>(&self, body: impl FnOnce(&Spans) -> R) -> R {
        body(&Spans::open())
    }

    #[inline]
    fn w1e(&self, spans: &Spans) {
        render(Some(spans), |line| {
            std::hint::black_box(line);
        });
    }

    #[inline]
    fn w1c(&self) {
        self.inside(|spans| (0..EVENTS_PER_CYCLE).for_each(|_| self.w1e(spans)));
    }

    #[inline]
    fn w2(&self) {
        render(None, |line| {
            std::hint::black_box(line);
        });
    }

    fn w0(&self) {}

    fn finish(self) {}
}
