//! What changing a filter at run time costs: the change itself, and the events beside a hundred changes a second.
//!
//! `cargo bench --bench filter`

#![allow(clippy::expect_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use spanline::sink::Sink;
use spanline::sink::{Lines, Next};
use spanline::{Error, Output};
use tracing::info;
use tracing_subscriber::prelude::*;

const EVENTS: u32 = 2_000_000;
const CHANGES: u32 = 1_000;

struct Null;

impl Sink for Null {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }
}

fn per_event() -> f64 {
    let begun = Instant::now();
    for n in 0..EVENTS {
        info!(n, "event");
    }
    begun.elapsed().as_nanos() as f64 / f64::from(EVENTS)
}

fn main() {
    let (layer, guard) = spanline::builder().output(Output::new(Null)).build().expect("a layer");
    tracing_subscriber::registry().with(layer).init();
    let handle = guard.handle();
    per_event();
    let before = per_event();

    let begun = Instant::now();
    for n in 0..CHANGES {
        handle.set_filter(if n % 2 == 0 { "info,db=debug" } else { "info" }).expect("directives");
    }
    let change = begun.elapsed().as_secs_f64() * 1e6 / f64::from(CHANGES);

    let stop = AtomicBool::new(false);
    let beside = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                handle.set_filter("info,db=debug").expect("directives");
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let beside = per_event();
        stop.store(true, Ordering::Relaxed);
        beside
    });
    println!("one change {change:.1} µs; an event {before:.0} ns, beside 100 changes a second {beside:.0} ns");
}
