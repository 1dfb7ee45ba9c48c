//! Forked processes: start one, wait for it, and check the lines of each.
#![cfg(unix)]
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::ledger::read;

/// A forked child that takes longer hangs.
const HUNG: Duration = Duration::from_secs(20);

/// Runs `child` in a forked process, which then exits as a program does, and gives its id.
pub(crate) fn fork(child: impl FnOnce()) -> i32 {
    // SAFETY: the child has one thread; it uses the allocator, which the C library makes fit for that, and what these
    // tests are about.
    match unsafe { libc::fork() } {
        -1 => panic!("fork failed: {}", std::io::Error::last_os_error()),
        0 => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // `std::process::exit` takes a lock that another thread may have held at the fork as it started or ended.
            // SAFETY: the only thread of the process, or the only one that could exit.
            unsafe { libc::exit(if done.is_ok() { 0 } else { 99 }) }
        }
        id => id,
    }
}

/// Waits for a forked process: the code it exited with, or minus the signal that ended it.
#[track_caller]
pub(crate) fn wait(id: i32) -> i32 {
    let begun = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: `status` is there to be written to.
        match unsafe { libc::waitpid(id, &mut status, libc::WNOHANG) } {
            0 if begun.elapsed() < HUNG => std::thread::park_timeout(Duration::from_millis(1)),
            0 => {
                // SAFETY: a child of ours that was not waited for yet.
                unsafe { libc::kill(id, libc::SIGKILL) };
                panic!("the forked child hangs");
            }
            _ if libc::WIFSIGNALED(status) => return -libc::WTERMSIG(status),
            _ => return libc::WEXITSTATUS(status),
        }
    }
}

/// Asks that the lines of each thread are all there, once each and in order. Returns the first unused number of each.
#[track_caller]
pub(crate) fn whole(text: &str) -> BTreeMap<u64, u64> {
    let mut next = BTreeMap::<u64, u64>::new();
    for line in read(text) {
        let expected = next.entry(line.thread).or_default();
        assert_eq!(line.seq, *expected, "thread {}", line.thread);
        *expected += 1;
    }
    next
}
