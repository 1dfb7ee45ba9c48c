//! Moves bytes between the socket's peers and the requests, without waiting for any peer.
//!
//! At most [`MAX_CONNECTIONS`] are open. If more come, the one that is idle longest makes room, so that idle peers keep
//! nobody out.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::by::Peer;
use super::super::handle::Handle;
use super::answer::{self, Answer, Pending};
use super::connection::{self, Connection, Found, IDLE};
use super::credentials;
use super::socket::{Open, Socket};
use crate::fork;
use crate::record::discard;

/// More peers at once wait.
const MAX_CONNECTIONS: usize = 16;

/// A new peer has this time to ask before it makes room for another one.
const GRACE: Duration = Duration::from_millis(250);

/// The longest wait: the program may have closed the descriptor that interrupts it.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// How often the thread looks whether an order is done.
const LOOK: Duration = Duration::from_millis(10);

/// After a failure to accept a peer or to open the socket again, the thread leaves it alone for this long.
const PAUSE: Duration = Duration::from_secs(1);

/// What the thread knows of the requests under way. It is lost with the thread in a forked child.
#[derive(Default)]
pub(in super::super) struct Server {
    next_id: u64,
    pending: Vec<(u64, Pending)>,
    /// No peer is accepted before.
    paused_until: Option<Instant>,
    /// The socket is lost, and is opened again then.
    reopens_at: Option<Instant>,
}

/// A request, and who has sent it.
struct Asked {
    id: u64,
    peer: Peer,
    request: Result<Vec<u8>, &'static str>,
}

impl Socket {
    /// Waits for peers until `until`, or until it is interrupted, and serves those that ask. Returns false, at once, if
    /// there is no socket.
    pub(in super::super) fn serve(&self, server: &mut Server, until: Option<Instant>, handle: &Handle) -> bool {
        if !self.may_open() {
            return false;
        }
        // The lock is held while the thread waits for peers.
        fork::let_pass();
        let mut held = self.lock();
        let asked = match (&mut *held, server.reopens_at) {
            (None, Some(at)) => {
                drop(held);
                let wake = until.map_or(at, |until| until.min(at));
                std::thread::park_timeout(wake.saturating_duration_since(Instant::now()));
                // What is due at `until` does not open the socket earlier.
                if Instant::now() >= at {
                    self.open(handle);
                    server.reopens_at = if self.is_open() { None } else { Some(Instant::now() + PAUSE) };
                }
                return true;
            }
            (None, None) => return false,
            (Some(open), _) => server.exchange(open, until),
        };
        let Some(asked) = asked else {
            // A daemon that has closed all descriptors goes on to use their numbers: nothing is opened meanwhile.
            *held = None;
            server.reopens_at = Some(Instant::now() + PAUSE);
            return true;
        };
        drop(held);
        let mut answers = Vec::new();
        for Asked { id, peer, request } in asked {
            // It may call layers and sinks of the program.
            let answered = request.map(|request| {
                catch_unwind(AssertUnwindSafe(|| answer::answer(handle, peer, &request))).unwrap_or_else(|payload| {
                    discard(payload);
                    Answer::Ready(answer::refusal("the program's own code panicked while the request was carried out"))
                })
            });
            match answered {
                Ok(Answer::Ready(answer)) => answers.push((id, answer)),
                Ok(Answer::Pending(pending)) => server.pending.push((id, pending)),
                Err(why) => answers.push((id, answer::refusal(why))),
            }
        }
        answers.extend(
            server.pending.extract_if(.., |(_, pending)| pending.is_done()).map(|(id, done)| (id, done.answer())),
        );
        if !answers.is_empty() {
            fork::let_pass();
            if let Some(open) = &mut *self.lock() {
                open.send(answers);
            }
        }
        true
    }
}

impl Server {
    /// Waits, and reads the requests that have arrived. `None`: the program has closed the socket, or its file is gone, so
    /// that no peer could come any more.
    fn exchange(&mut self, open: &mut Open, until: Option<Instant>) -> Option<Vec<Asked>> {
        if !open.is_reachable() {
            return None;
        }
        let now = Instant::now();
        open.connections.retain(|one| !(one.is_idle() && now.duration_since(one.since) > IDLE));
        let may_accept = self.paused_until.is_none_or(|paused| paused <= now) && open.has_room(now);
        self.wait(open, until, may_accept, now)?;
        let mut buffer = [0; 64];
        while let Ok((wakes, _)) = open.wakes.get()
            && rustix::io::read(wakes, &mut buffer).is_ok_and(|bytes| bytes > 0)
        {}
        if may_accept {
            self.accept(open);
        }
        let mut asked = Vec::new();
        open.connections.retain_mut(|one| {
            if one.is_sending() && !one.write() {
                return false;
            }
            let request = match one.read() {
                Found::Nothing => return true,
                Found::Gone => return false,
                Found::Request(request) => Ok(request),
                Found::TooLong => Err("the request is too long; expected at most 64 KiB, or a configuration of 1 MiB"),
            };
            asked.push(Asked { id: one.id, peer: one.peer.clone(), request });
            true
        });
        Some(asked)
    }

    /// `None`: the program has closed the descriptors.
    fn wait(&self, open: &Open, until: Option<Instant>, may_accept: bool, now: Instant) -> Option<()> {
        let (listener, _) = open.listener.get().ok()?;
        let (wakes, _) = open.wakes.get().ok()?;
        let mut fds = vec![PollFd::new(wakes, PollFlags::IN)];
        if may_accept {
            fds.push(PollFd::new(listener, PollFlags::IN));
        }
        for one in &open.connections {
            let interest = if one.is_sending() {
                PollFlags::OUT
            } else if one.is_asking {
                continue;
            } else {
                PollFlags::IN
            };
            if let Ok((stream, _)) = one.stream.get() {
                fds.push(PollFd::new(stream, interest));
            }
        }
        let of_peers = open.connections.iter().filter(|one| one.is_idle()).map(|one| one.since + IDLE);
        let to_accept = if may_accept { None } else { Some(now + GRACE) };
        let to_look = if self.pending.is_empty() { None } else { Some(now + LOOK) };
        let next = of_peers.chain([until, to_accept, to_look].into_iter().flatten()).min();
        let wait = next.map_or(MAX_WAIT, |next| next.saturating_duration_since(now)).min(MAX_WAIT);
        // Rounded up, so that the time is over after it.
        let wait = wait + Duration::from_millis(1);
        let _ = poll(&mut fds, Timespec::try_from(wait).ok().as_ref());
        Some(())
    }

    /// Accepts the peers that wait, as far as there is room.
    fn accept(&mut self, open: &mut Open) {
        loop {
            let Ok((listener, _)) = open.listener.get() else { return };
            let stream = match connection::accept(listener) {
                Ok(stream) => stream,
                Err(error) => {
                    if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
                        self.paused_until = Some(Instant::now() + PAUSE);
                    }
                    return;
                }
            };
            if !open.make_room(Instant::now()) {
                return;
            }
            let trusted = stream.get().and_then(|(stream, _)| credentials::trusted(stream));
            if let Ok(peer) = trusted {
                self.next_id += 1;
                open.connections.push(Connection::new(self.next_id, stream, peer));
            }
        }
    }
}

impl Open {
    /// Whether there is room for one more peer, or an idle one can make it.
    fn has_room(&self, now: Instant) -> bool {
        self.connections.len() < MAX_CONNECTIONS || self.idlest(now).is_some()
    }

    /// Makes room. Returns false if there is none.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.connections.len() < MAX_CONNECTIONS {
            return true;
        }
        self.idlest(now).map(|at| self.connections.remove(at)).is_some()
    }

    fn idlest(&self, now: Instant) -> Option<usize> {
        let can_go = |one: &&Connection| one.is_idle() && now.duration_since(one.since) >= GRACE;
        let idlest = self.connections.iter().filter(can_go).min_by_key(|one| one.since)?.id;
        self.connections.iter().position(|one| one.id == idlest)
    }

    /// Passes answers to their peers.
    fn send(&mut self, mut answers: Vec<(u64, Vec<u8>)>) {
        self.connections.retain_mut(|one| match answers.iter().position(|(id, _)| *id == one.id) {
            Some(at) => {
                one.answer(answers.swap_remove(at).1);
                one.write()
            }
            None => true,
        });
    }
}
