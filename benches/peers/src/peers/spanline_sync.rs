//! spanline with synchronous outputs, where the calling thread renders and writes, and both of its forms on a slow disk.

use spanline::{Guard, Output, Overflow, sink::Writer};

use super::slow::Slow;
use super::spanline::{MAX_WAIT, output, subscribe};
use super::{Sink, Subscribed};

/// The calling thread writes.
pub struct Synchronous {
    _guard: Guard,
}

/// The worker writes.
pub struct OnSlowDisk {
    _guard: Guard,
}

/// The calling thread writes.
pub struct SynchronousOnSlowDisk {
    _guard: Guard,
}

impl Subscribed for Synchronous {
    fn start(sink: &Sink) -> Self {
        Self { _guard: subscribe(vec![output(sink, "log.jsonl").synchronous(MAX_WAIT)]) }
    }
}

impl Subscribed for OnSlowDisk {
    fn start(sink: &Sink) -> Self {
        Self { _guard: subscribe(vec![on_slow_disk(sink)]) }
    }
}

impl Subscribed for SynchronousOnSlowDisk {
    fn start(sink: &Sink) -> Self {
        Self { _guard: subscribe(vec![on_slow_disk(sink).synchronous(MAX_WAIT)]) }
    }
}

fn on_slow_disk(sink: &Sink) -> Output {
    Output::new(Writer::new(Slow(sink.writer()))).overflow(Overflow::Block { max_wait: MAX_WAIT })
}
