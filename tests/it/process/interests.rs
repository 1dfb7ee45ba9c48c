//! tracing caches for the whole process whether a call site is of interest. A thread without a subscriber that reaches it
//! first disables it for no other thread.
//!
//! Each test has its own process: the subscribers of other tests would hide the fault.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Barrier, Mutex, OnceLock};
use std::thread;

use spanline::sink::Memory;
use spanline::{Guard, Output};
use tracing::callsite::{self, Callsite, DefaultCallsite, Identifier};
use tracing::dispatcher::with_default;
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Dispatch, Level, Metadata, info};
use tracing_subscriber::prelude::*;

use crate::support::child::child;
use crate::support::stage::parsed;

macro_rules! site {
    ($_:literal) => {
        |at: usize| info!(at, "reached")
    };
}

macro_rules! ten_sites {
    ($_:literal) => {
        [site!(0), site!(1), site!(2), site!(3), site!(4), site!(5), site!(6), site!(7), site!(8), site!(9)]
    };
}

/// Functions that log `at`, each at its own call site.
static SITES: [[fn(usize); 10]; 20] = [
    ten_sites!(0),
    ten_sites!(1),
    ten_sites!(2),
    ten_sites!(3),
    ten_sites!(4),
    ten_sites!(5),
    ten_sites!(6),
    ten_sites!(7),
    ten_sites!(8),
    ten_sites!(9),
    ten_sites!(10),
    ten_sites!(11),
    ten_sites!(12),
    ten_sites!(13),
    ten_sites!(14),
    ten_sites!(15),
    ten_sites!(16),
    ten_sites!(17),
    ten_sites!(18),
    ten_sites!(19),
];

fn sites() -> impl Iterator<Item = (usize, fn(usize))> {
    SITES.iter().flatten().copied().enumerate()
}

/// A subscriber for a scope, with its guard and its lines.
fn scoped() -> (Dispatch, Guard, Memory) {
    let memory = Memory::new();
    let (layer, guard) = spanline::builder().output(Output::new(memory.clone())).build().unwrap();
    (Dispatch::new(tracing_subscriber::registry().with(layer)), guard, memory)
}

/// Checks that each call site has logged `times` lines.
#[track_caller]
fn assert_all_logged(memory: &Memory, times: usize) {
    let mut counts = vec![0; SITES.iter().flatten().count()];
    for line in parsed(memory) {
        counts[line["at"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap()] += 1;
    }
    let lost: Vec<_> = counts.iter().enumerate().filter(|(_, count)| **count != times).collect();
    assert!(lost.is_empty(), "call sites whose lines are lost, with what they have logged: {lost:?}");
}

#[test]
fn a_thread_without_a_subscriber_that_comes_first_disables_no_call_site() {
    child(this_test!(), &[], || {
        let (dispatch, guard, memory) = scoped();
        thread::spawn(|| sites().for_each(|(at, log)| log(at))).join().unwrap();
        with_default(&dispatch, || sites().for_each(|(at, log)| log(at)));
        guard.close().unwrap();
        assert_all_logged(&memory, 1);
    });
}

/// As the tests of a program run: one has a subscriber, again and again, and the others have none.
#[test]
fn no_line_is_lost_while_other_threads_have_no_subscriber() {
    const OTHERS: usize = 3;
    child(this_test!(), &[], || {
        let barrier = &Barrier::new(OTHERS + 1);
        // The first layer is built before any thread reaches a call site.
        drop(scoped());
        thread::scope(|threads| {
            for _ in 0..OTHERS {
                threads.spawn(move || {
                    for (at, log) in sites() {
                        barrier.wait();
                        log(at);
                    }
                });
            }
            let mut lost = Vec::new();
            for (at, log) in sites() {
                let (dispatch, guard, memory) = scoped();
                with_default(&dispatch, || {
                    barrier.wait();
                    log(at);
                });
                drop(dispatch);
                guard.close().unwrap();
                lost.extend(memory.lines().is_empty().then_some(at));
            }
            assert!(lost.is_empty(), "call sites whose lines are lost: {lost:?}");
        });
    });
}

/// Between the moments when tracing learns of the subscriber of `init` and when that is the default one of other threads.
#[test]
fn a_call_site_that_is_reached_during_init_is_not_disabled() {
    /// A call site that is asked about while tracing asks the new subscriber about all of them.
    struct Asked(OnceLock<Mutex<Sender<()>>>, Mutex<Option<Receiver<()>>>);

    impl Callsite for Asked {
        fn set_interest(&self, _: Interest) {
            if let (Some(begin), Some(reached)) = (self.0.get(), self.1.lock().unwrap().take()) {
                begin.lock().unwrap().send(()).unwrap();
                reached.recv().unwrap();
            }
        }

        fn metadata(&self) -> &Metadata<'_> {
            &META
        }
    }

    static ASKED: Asked = Asked(OnceLock::new(), Mutex::new(None));
    static META: Metadata<'static> = Metadata::new(
        "asked",
        "orders",
        Level::INFO,
        None,
        None,
        None,
        FieldSet::new(&[], Identifier(&ASKED)),
        Kind::EVENT,
    );
    child(this_test!(), &[], || {
        callsite::register(&ASKED);
        // Before the first subscriber, no level passes, and no call site is reached.
        drop(Dispatch::new(tracing_subscriber::registry()));
        let ((begin, begun), (reach, reached)) = (channel(), channel());
        *ASKED.1.lock().unwrap() = Some(reached);
        ASKED.0.set(Mutex::new(begin)).unwrap();
        let logging = thread::spawn(move || {
            begun.recv().unwrap();
            sites().for_each(|(at, log)| log(at));
            reach.send(()).unwrap();
        });
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone())).init().unwrap();
        logging.join().unwrap();
        sites().for_each(|(at, log)| log(at));
        guard.close().unwrap();
        assert_all_logged(&memory, 1);
    });
}

/// A call site that is wanted is not asked about again for each event.
#[test]
fn a_wanted_call_site_is_always_of_interest() {
    static SITE: DefaultCallsite = DefaultCallsite::new(&META);
    static META: Metadata<'static> = Metadata::new(
        "site",
        "orders",
        Level::INFO,
        None,
        None,
        None,
        FieldSet::new(&[], Identifier(&SITE)),
        Kind::EVENT,
    );
    child(this_test!(), &[], || {
        let (dispatch, guard, _) = scoped();
        with_default(&dispatch, || assert!(SITE.interest().is_always()));
        guard.handle().set_filter("warn").unwrap();
        assert!(SITE.interest().is_never());
        drop(dispatch);
        guard.handle().set_filter("info").unwrap();
        let (dispatch, guard, _) = scoped();
        assert!(SITE.interest().is_always());
        drop((dispatch, guard));
    });
}
