//! The thread `spanline-control`: it reverts filters whose time is over, and serves the control socket.
//!
//! It runs only while there is something to wait for. No thread of the program does its work. A forked child has no such
//! thread until it logs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::handle::Handle;
#[cfg(all(unix, feature = "control"))]
use super::socket::Socket;
use crate::error::Error;
use crate::fork::{AtFork, Paused, Rank};
use crate::process;
use crate::record::discard;
use crate::sync;

/// The thread of one log, whether it runs or not.
#[derive(Debug, Default)]
pub(crate) struct ControlThread {
    state: Mutex<State>,
    signal: Condvar,
    #[cfg(all(unix, feature = "control"))]
    pub(super) socket: Socket,
}

#[derive(Debug, Default)]
struct State {
    runs: bool,
    is_woken: bool,
    has_ended: bool,
}

impl ControlThread {
    /// Makes the thread look for what it has to do. Starts it, unless it runs.
    ///
    /// # Errors
    /// The log has ended, or the system starts no thread.
    pub(super) fn start(self: &Arc<Self>, handle: Handle) -> Result<(), Error> {
        let mut state = sync::lock(&self.state);
        if state.has_ended {
            return Err(Error::closed("the log has ended, so no filter would revert"));
        }
        state.is_woken = true;
        if !state.runs {
            let this = Arc::clone(self);
            process::spawn("spanline-control", move || this.run(&handle))
                .map_err(|error| Error::io("cannot start the thread spanline-control", error))?;
            state.runs = true;
        }
        drop(state);
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        self.signal.notify_all();
        #[cfg(all(unix, feature = "control"))]
        self.socket.wake();
    }

    /// Ends the thread and closes the socket, because the log ends. It does not wait for the thread.
    pub(super) fn end(&self) {
        sync::lock(&self.state).has_ended = true;
        self.wake();
        #[cfg(all(unix, feature = "control"))]
        self.socket.close();
    }

    /// In a forked child that logs: starts the thread, if the parent has one.
    pub(super) fn start_in_child(self: &Arc<Self>, handle: &Handle) {
        let has_due = handle.filter_control().is_ok_and(|filters| filters.next_due().is_some());
        #[cfg(all(unix, feature = "control"))]
        if self.socket.is_wanted() {
            // Here, and not on the new thread: a daemon may close all descriptors next, and use their numbers itself.
            self.socket.open(handle);
        }
        #[cfg(all(unix, feature = "control"))]
        let has_due = has_due || self.socket.is_wanted();
        if has_due && let Err(error) = self.start(handle.clone()) {
            handle.complain("control thread", &format!("in the forked process: {error:#}"));
        }
    }

    fn run(&self, handle: &Handle) {
        #[cfg(all(unix, feature = "control"))]
        let mut server = super::socket::Server::default();
        #[cfg(all(unix, feature = "control"))]
        self.socket.open(handle);
        loop {
            let act = || {
                let next = handle.filter_control().ok().and_then(|filters| filters.revert_due(Instant::now()));
                #[cfg(all(unix, feature = "control"))]
                let has_waited = self.socket.serve(&mut server, next, handle);
                #[cfg(not(all(unix, feature = "control")))]
                let has_waited = false;
                (next, has_waited)
            };
            // A change of filters calls other layers, which may panic.
            let (next, has_waited) = catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|payload| {
                discard(payload);
                (Some(Instant::now()), false)
            });
            if !self.wait(next, has_waited) {
                // The end of the log does not wait for a busy thread.
                #[cfg(all(unix, feature = "control"))]
                self.socket.close_after_end();
                return;
            }
        }
    }

    /// Waits until `next` or until it is woken, unless the thread has waited elsewhere. Returns false at the end.
    fn wait(&self, next: Option<Instant>, has_waited: bool) -> bool {
        let mut state = sync::lock(&self.state);
        loop {
            let is_woken = std::mem::take(&mut state.is_woken);
            if state.has_ended || (next.is_none() && !is_woken && !has_waited) {
                state.runs = false;
                return false;
            }
            let left = next.map(|next| next.saturating_duration_since(Instant::now()));
            match left {
                Some(left) if !is_woken && !has_waited && !left.is_zero() => {
                    state = sync::wait_timeout(&self.signal, state, left);
                }
                _ => return true,
            }
        }
    }
}

/// The thread does not exist in a child.
impl AtFork for ControlThread {
    fn rank(&self) -> Rank {
        Rank::Control
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        #[cfg(all(unix, feature = "control"))]
        let mut socket = self.socket.hold_for_fork();
        let mut state = sync::lock(&self.state);
        Box::new(move || {
            state.runs = false;
            state.is_woken = false;
            #[cfg(all(unix, feature = "control"))]
            self.socket.forget(&mut socket);
        })
    }
}
