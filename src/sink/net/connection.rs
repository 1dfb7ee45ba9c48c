//! One connection: frames lines, sends them, and finds out which have arrived.
//!
//! All lines are handed over, whole. They are written when the other side has them:
//!
//! - A peer that **acknowledges** sends, whenever it likes, four bytes in network order: how many frames it has stored since
//!   the connection began, modulo 2³². Each such number covers all frames up to it. A number that covers frames that were
//!   not sent ends the connection.
//! - Of any other peer, the kernel counts. Bytes that it has acknowledged are written once the connection has then been
//!   alive for [`SETTLE`]: a server that takes a connection to end it at once, such as a load balancer without servers,
//!   loses nothing. They are also written when the peer closes the connection in good order, because its system resets a
//!   connection that is closed with unread bytes. What the peer sends is not read as anything.
//!
//! Lines that are not written when the connection ends are offered again, whole. After a connection that broke with lines on
//! their way, the next one begins with a single line, and has as many more on their way as were written. So a peer that takes
//! one line of each connection gets all, and one that resets each after some lines gets few of them twice.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::super::{Lines, Next};
use super::framing::Framing;
use super::stream::Stream;
use crate::error::Error;
use crate::sync::after;

/// How long a connection must live after bytes have arrived. Where the system does not tell what has arrived, this begins
/// when it has taken the bytes, and is longer.
const SETTLE: Duration = if cfg!(target_os = "linux") { Duration::from_millis(10) } else { Duration::from_secs(1) };

/// Bytes that arrive within this time settle together, so that there are few times to remember.
const SETTLE_STEP: Duration = Duration::from_millis(1);

/// Frames are collected up to this size: large enough for the fastest writes, small enough for a processor's cache.
const COLLECT_BYTES: usize = 64 << 10;

/// A call waits this long for a peer that takes nothing. Then the worker waits, which looks after orders meanwhile.
const WAIT: Duration = Duration::from_millis(20);

/// A call that takes longer returns, even while the peer takes bytes.
const CALL: Duration = Duration::from_millis(100);

/// Bounds of the pauses after which the connection is asked again what has arrived.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// How much of what a peer sends is read in one call, in buffers.
const MAX_READS: usize = 64;

/// One connection.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    framing: Framing,
    arrivals: Arrivals,
    /// Frames on their way to the stream, and how far it has taken them.
    collected: Vec<u8>,
    taken: usize,
    /// Bytes of all frames since the beginning.
    framed: u64,
    /// Each line in flight, in order, and the count of bytes with which its frame ends.
    flight: VecDeque<(u64, u64)>,
    /// When the peer got ahead last, or had nothing to do.
    moved: Instant,
    /// How many lines may be on their way.
    window: usize,
    /// A line was written.
    pub(super) has_delivered: bool,
}

/// Finds out what has arrived.
enum Arrivals {
    Kernel {
        /// When how many bytes had arrived, the oldest first, as far as they have not settled.
        marks: VecDeque<(Instant, u64)>,
        /// How many bytes have arrived.
        arrived: u64,
    },
    Peer {
        /// The beginning of a number, and its length.
        part: ([u8; 4], usize),
        /// Its last number.
        count: u32,
    },
}

impl Connection {
    /// `begins_slowly`: the connection before broke with lines on their way.
    pub(super) fn new(stream: Box<dyn Stream>, framing: Framing, is_acknowledged: bool, begins_slowly: bool) -> Self {
        let arrivals = if is_acknowledged {
            Arrivals::Peer { part: ([0; 4], 0), count: 0 }
        } else {
            Arrivals::Kernel { marks: VecDeque::new(), arrived: 0 }
        };
        Self {
            stream,
            framing,
            arrivals,
            collected: Vec::new(),
            taken: 0,
            framed: 0,
            flight: VecDeque::new(),
            moved: Instant::now(),
            window: if begins_slowly { 1 } else { usize::MAX },
            has_delivered: false,
        }
    }

    /// Sends lines, and settles those that have arrived.
    ///
    /// # Blocking
    /// For a fraction of a second.
    ///
    /// # Errors
    /// The connection has ended, or the peer has done nothing for `patience`.
    pub(super) fn exchange(&mut self, lines: &mut Lines, patience: Duration) -> Result<Next, Error> {
        let begun = Instant::now();
        if !self.is_owing() {
            self.moved = begun;
        }
        self.listen(lines)?;
        let mut has_waited = false;
        while begun.elapsed() < CALL {
            if self.taken == self.collected.len() {
                if lines.is_empty() || self.flight.len() >= self.window {
                    break;
                }
                self.collect(lines);
            }
            match self.stream.send(self.collected.get(self.taken..).unwrap_or_default()) {
                Ok(sent) => {
                    self.taken += sent;
                    self.moved = Instant::now();
                    has_waited = false;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && !has_waited => {
                    has_waited = true;
                    self.stream.wait(WAIT);
                    // The peer may be waiting until it is heard.
                    self.listen(lines)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(Error::io("send", error)),
            }
        }
        let is_sent =
            self.stream.push().map_err(|error| Error::io("send", error))? && self.taken == self.collected.len();
        self.listen(lines)?;
        if !self.is_owing() {
            return Ok(Next::Done);
        }
        let stalled = self.moved.elapsed();
        if stalled >= patience {
            let what = if is_sent { "acknowledged" } else { "taken" };
            return Err(Error::retry(format!("nothing was {what} for {} s", stalled.as_secs())));
        }
        if is_sent {
            let shortest = if matches!(self.arrivals, Arrivals::Kernel { .. }) { SETTLE } else { PAUSES.0 };
            let pause = (stalled / 2).clamp(shortest, PAUSES.1.max(shortest));
            Ok(Next::Later(after(Instant::now(), pause)))
        } else {
            Ok(Next::Later(Instant::now()))
        }
    }

    /// Returns whether lines are on their way.
    pub(super) fn is_owing(&self) -> bool {
        !self.flight.is_empty()
    }

    /// Takes lines, as frames.
    fn collect(&mut self, lines: &mut Lines) {
        self.collected.clear();
        // A long line does not keep its memory.
        self.collected.shrink_to(2 * COLLECT_BYTES);
        self.taken = 0;
        let mut bytes = 0;
        for line in lines.iter() {
            let start = self.collected.len();
            self.framing.put(line.bytes, &mut self.collected);
            self.framed += (self.collected.len() - start) as u64;
            self.flight.push_back((line.id, self.framed));
            bytes += line.bytes.len();
            if self.collected.len() >= COLLECT_BYTES || self.flight.len() >= self.window {
                break;
            }
        }
        lines.hand_over(bytes);
    }

    /// Notes what has arrived, hears the peer, and settles lines. The connection is alive after it was noted.
    fn listen(&mut self, lines: &mut Lines) -> Result<(), Error> {
        let now = Instant::now();
        if let Arrivals::Kernel { marks, arrived } = &mut self.arrivals
            && !self.flight.is_empty()
        {
            let before = std::mem::replace(arrived, self.stream.arrived().max(*arrived));
            if *arrived > before {
                self.moved = now;
                match marks.back_mut() {
                    Some((since, last)) if now.duration_since(*since) < SETTLE_STEP => *last = *arrived,
                    _ => marks.push_back((now, *arrived)),
                }
            }
        }
        let mut buffer = [0; 4096];
        for _ in 0..MAX_READS {
            match self.stream.receive(&mut buffer) {
                Ok(0) => {
                    if let Arrivals::Kernel { arrived, .. } = self.arrivals {
                        self.settle_up_to(arrived, lines);
                    }
                    return Err(Error::retry("the peer closed the connection"));
                }
                Ok(length) => self.heard(buffer.get(..length).unwrap_or_default(), lines)?,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => break,
                    ErrorKind::Interrupted => {}
                    _ => return Err(Error::io("receive", error)),
                },
            }
        }
        if let Arrivals::Kernel { marks, .. } = &mut self.arrivals {
            let mut settled = 0;
            while let Some(&(since, arrived)) = marks.front()
                && now.duration_since(since) >= SETTLE
            {
                marks.pop_front();
                settled = arrived;
            }
            self.settle_up_to(settled, lines);
        }
        Ok(())
    }

    /// The lines in flight that end within the first `bytes` are written.
    fn settle_up_to(&mut self, bytes: u64, lines: &mut Lines) {
        let count = self.flight.iter().take_while(|(_, end)| *end <= bytes).count();
        self.settle(count, lines);
    }

    /// Reads what the peer has sent.
    fn heard(&mut self, mut bytes: &[u8], lines: &mut Lines) -> Result<(), Error> {
        let Arrivals::Peer { part: (part, length), count } = &mut self.arrivals else { return Ok(()) };
        let before = *count;
        while let Some((first, rest)) = bytes.split_first() {
            bytes = rest;
            if let Some(place) = part.get_mut(*length) {
                *place = *first;
                *length += 1;
            }
            if *length == part.len() {
                *count = u32::from_be_bytes(*part);
                *length = 0;
            }
        }
        let stored = count.wrapping_sub(before) as usize;
        let sent = self.framed - (self.collected.len() - self.taken) as u64;
        match stored.checked_sub(1).map(|last| self.flight.get(last)) {
            None => Ok(()),
            Some(Some((_, end))) if *end <= sent => {
                self.moved = Instant::now();
                self.settle(stored, lines);
                Ok(())
            }
            Some(_) => {
                Err(Error::retry(format!("the peer acknowledged {count} frames, which is more than it was sent")))
            }
        }
    }

    /// The first `count` lines in flight are written.
    fn settle(&mut self, count: usize, lines: &mut Lines) {
        if let Some((id, _)) = self.flight.drain(..count).next_back() {
            lines.acknowledge(..=id);
            self.has_delivered = true;
            self.window = self.window.saturating_add(count);
        }
    }

    /// Tells the peer that nothing follows.
    pub(super) fn end(&mut self) {
        self.stream.end();
    }
}
