//! The socket of one log: opened once, served by the thread `spanline-control`, closed at the end of the log.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::super::flush_future::FlushFuture;
use super::super::handle::Handle;
use super::connection::Connection;
use super::place;
use crate::error::Error;
use crate::process::{self, Descriptor, Identity};
use crate::queue::Command;
use crate::sink::SocketDirectory;
use crate::sync;
use crate::values::Timestamp;

/// The end of the log waits this long for the thread to let go of the socket.
const CLOSE_PATIENCE: Duration = Duration::from_millis(100);

/// The socket of one log.
#[derive(Debug, Default)]
pub(in super::super) struct Socket {
    /// What it was opened with; empty if it was not.
    plan: OnceLock<Plan>,
    /// Locked while the thread waits for peers; `wake` makes it let go.
    open: Mutex<Option<Open>>,
    /// The log has ended. Set before `open` is locked to close it, so that nothing opens it afterwards.
    is_closed: AtomicBool,
    /// Interrupts the wait.
    waker: ArcSwapOption<Descriptor<UnixStream>>,
}

/// What a socket is opened with.
#[derive(Debug)]
pub(super) struct Plan {
    directory: std::path::PathBuf,
    pub(super) service: String,
    /// When the log began.
    pub(super) started: Timestamp,
}

/// An open socket, and its peers.
#[derive(Debug)]
pub(in super::super) struct Open {
    pub(super) listener: Descriptor<UnixListener>,
    /// The other end of the waker.
    pub(super) wakes: Descriptor<UnixStream>,
    pub(super) connections: Vec<Connection>,
    directory: SocketDirectory,
    name: String,
    identity: Identity,
}

impl Socket {
    /// Decides where the socket is to be, unless the variable switches it off. Returns whether it is wanted.
    ///
    /// # Errors
    /// The process has more rights than its user. Who started it has chosen the variable, and could pass through the socket
    /// as the same user. Or the system has no working directory for a relative path.
    pub(in super::super) fn plan(&self, service: String, started: Timestamp) -> Result<bool, Error> {
        let variable = std::env::var_os(place::VARIABLE).filter(|value| !value.is_empty());
        if variable.as_ref().is_some_and(|value| value == place::OFF) {
            return Ok(false);
        }
        if process::is_privileged() {
            return Err(Error::invalid(
                "no control socket: the program has more rights than its user (it is setuid or setgid, or has file \
                 capabilities), and that user could use them; switch the socket off with `Builder::control(false)`",
            ));
        }
        let directory = place::directory(variable)
            .map_err(|error| Error::io(format!("no control socket: {}", place::VARIABLE), error))?;
        let service = if service.is_empty() { place::program() } else { service };
        let _ = self.plan.set(Plan { directory, service, started });
        Ok(true)
    }

    pub(super) fn planned(&self) -> Option<&Plan> {
        self.plan.get()
    }

    /// Returns whether a socket was or is to be opened.
    pub(in super::super) fn is_wanted(&self) -> bool {
        self.plan.get().is_some()
    }

    /// Opens the socket, unless it is open or not wanted. A failure is one complaint.
    pub(in super::super) fn open(&self, handle: &Handle) {
        let Some(plan) = self.plan.get().filter(|_| self.may_open()) else { return };
        let mut open = self.hold();
        if open.is_none() && self.may_open() {
            match self.opened(plan) {
                Ok(opened) => *open = Some(opened),
                Err(error) => {
                    drop(open);
                    handle.complain("control socket", &format!("{error:#}"));
                }
            }
        }
    }

    /// Whether the log has not ended.
    pub(super) fn may_open(&self) -> bool {
        !self.is_closed.load(Ordering::Relaxed)
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    fn opened(&self, plan: &Plan) -> Result<Open, Error> {
        let directory = place::open(&plan.directory)?;
        place::remove_stale(&directory);
        let failed = |error| Error::io(format!("no control socket in {}", directory.path().display()), error);
        let mut found = Err(io::ErrorKind::AddrInUse.into());
        for name in place::names(&plan.service) {
            // After `exec`, the process has left one itself.
            directory.remove_stale(&name);
            found = directory.listen(&name).map(|made| (made, name));
            if !found.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
                break;
            }
        }
        let ((listener, identity), name) = found.map_err(failed)?;
        let made = (|| {
            let (waker, wakes) = UnixStream::pair()?;
            waker.set_nonblocking(true)?;
            wakes.set_nonblocking(true)?;
            Ok((Descriptor::new(listener)?, Descriptor::new(waker)?, Descriptor::new(wakes)?))
        })();
        let (listener, waker, wakes) = made.map_err(|error| {
            directory.remove(&name, identity);
            failed(error)
        })?;
        self.waker.store(Some(Arc::new(waker)));
        Ok(Open { listener, wakes, connections: Vec::new(), directory, name, identity })
    }

    /// Interrupts the wait for peers.
    pub(in super::super) fn wake(&self) {
        if let Some(waker) = &*self.waker.load()
            && let Ok((waker, _)) = waker.get()
        {
            let _ = process::without_write_signals(|| rustix::io::write(waker, &[0]));
        }
    }

    /// Closes the socket and removes its file.
    pub(in super::super) fn close(&self) {
        if !self.is_wanted() {
            return;
        }
        self.is_closed.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        // The thread may be gone, as in an exit handler of a child that was forked without handlers.
        let mut open = loop {
            match sync::try_lock(&self.open) {
                Some(open) => break open,
                None if begun.elapsed() > CLOSE_PATIENCE => return,
                None => {
                    self.wake();
                    std::thread::park_timeout(Duration::from_millis(1));
                }
            }
        };
        if let Some(open) = open.take() {
            open.directory.remove(&open.name, open.identity);
        }
    }

    /// Closes the socket if the log has ended.
    pub(in super::super) fn close_after_end(&self) {
        if self.is_closed.load(Ordering::Relaxed) {
            self.close();
        }
    }

    /// Locks what is open. Only `wake` makes a thread let go of it that waits for peers.
    pub(in super::super) fn hold(&self) -> MutexGuard<'_, Option<Open>> {
        self.wake();
        sync::lock(&self.open)
    }

    /// Locks what is open, for a fork. A program that has closed the descriptors cannot interrupt the thread: it is not
    /// waited for.
    pub(in super::super) fn hold_for_fork(&self) -> Option<MutexGuard<'_, Option<Open>>> {
        let begun = Instant::now();
        loop {
            self.wake();
            match sync::try_lock(&self.open) {
                None if begun.elapsed() <= CLOSE_PATIENCE => std::thread::park_timeout(Duration::from_millis(1)),
                open => return open,
            }
        }
    }

    /// In a forked child: closes the parent's descriptors, and says nothing to its peers. Without the lock, the child has no
    /// socket.
    pub(in super::super) fn forget(&self, open: &mut Option<MutexGuard<'_, Option<Open>>>) {
        match open {
            Some(open) => **open = None,
            None => self.is_closed.store(true, Ordering::Relaxed),
        }
        self.waker.store(None);
    }

    /// Locks what is open. Only the thread that waits for peers does.
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        sync::lock(&self.open)
    }
}

impl Open {
    /// Whether the name still leads to this socket. Others clean up directories such as `/tmp`, and do not see that it is
    /// in use.
    pub(super) fn is_reachable(&self) -> bool {
        self.directory.leads_to(&self.name, self.identity)
    }
}

impl Handle {
    /// Returns the service's name, or that of the program, and when the log began.
    pub(super) fn identity(&self) -> (String, Timestamp) {
        let plan = self.layer.as_ref().and_then(|layer| layer.thread.socket.planned());
        plan.map(|plan| (plan.service.clone(), plan.started)).unwrap_or_default()
    }

    /// Returns the static field `version`.
    pub(super) fn program_version(&self) -> Option<String> {
        self.layer.as_ref()?.static_fields.text("version")
    }

    /// Gives an order to all outputs.
    pub(super) fn order_async(&self, command: Command) -> FlushFuture {
        FlushFuture::new(&self.outputs.lanes_to_end(), command)
    }

    /// Opens the control socket, unless the environment switches it off. A failure is one complaint.
    pub(crate) fn open_control(&self) {
        let Some(layer) = &self.layer else { return };
        let planned = layer.thread.socket.plan(layer.static_fields.service(), layer.core.clock.now());
        let opened = planned.map(|is_wanted| {
            if is_wanted {
                layer.thread.socket.open(self);
                self.start_control()?;
            }
            Ok(())
        });
        if let Err(error) = opened.and_then(std::convert::identity) {
            self.complain("control socket", &format!("{error:#}"));
        }
    }
}
