//! Datagrams: each is a line. Nobody waits for them, and no sender hears of them.
//!
//! The system keeps those that come while outputs are busy, in a large buffer, and drops more. It counts them, where it
//! does, and so does the report.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use spanline::record::Timestamp;
use tokio::sync::mpsc;

use super::batch::{Batch, Format};
use super::bodies;
use super::counts::Counts;
use super::kernel_drops;
use super::server::Shared;
use super::splitter::Frame;
use super::writer::Outcome;

/// The largest datagram.
const MAX_DATAGRAM: usize = 64 << 10;

/// The system's buffer, as far as it allows.
pub(super) const RECEIVE_BUFFER: usize = 8 << 20;

/// What a datagram takes of the system's buffer at least, besides its bytes.
const OVERHEAD: usize = 512;

/// How often the system is asked how much it has dropped.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A socket of datagrams.
pub(super) enum Socket {
    Udp(tokio::net::UdpSocket),
    #[cfg(unix)]
    Unix {
        socket: tokio::net::UnixDatagram,
        /// Removes the path at the end.
        _file: super::unix_socket::SocketFile,
    },
}

impl Socket {
    async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddr>)> {
        match self {
            Self::Udp(socket) => socket.recv_from(buffer).await.map(|(length, from)| (length, Some(from))),
            #[cfg(unix)]
            Self::Unix { socket, .. } => socket.recv_from(buffer).await.map(|(length, _)| (length, None)),
        }
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddr>)> {
        match self {
            Self::Udp(socket) => socket.try_recv_from(buffer).map(|(length, from)| (length, Some(from))),
            #[cfg(unix)]
            Self::Unix { socket, .. } => socket.try_recv_from(buffer).map(|(length, _)| (length, None)),
        }
    }
}

/// Receives until the end. `at`: the socket's address, if the system counts what it drops there.
pub(super) async fn serve(socket: Socket, at: Option<SocketAddr>, format: Format, shared: Arc<Shared>) {
    let (batches, waiting) = mpsc::channel(1);
    // The system knows what it has dropped of a socket only while that is open.
    let mut receiver = Receiver { socket, format, buffer: vec![0; MAX_DATAGRAM], shared: Arc::clone(&shared) };
    let mut lost = Lost { at, known: 0 };
    tokio::select! {
        ((), ()) = async { tokio::join!(receiver.receive(batches), write(waiting, &shared)) } => {}
        () = lost.watch(&shared.counts) => {}
    }
    lost.look(&shared.counts);
    drop(receiver);
}

async fn write(mut batches: mpsc::Receiver<Batch>, shared: &Shared) {
    while let Some(mut batch) = batches.recv().await {
        while let Outcome::NotWritten(again) = shared.writer.write(batch).await {
            if shared.stop.deadline().is_some_and(|end| end <= Instant::now()) {
                return;
            }
            batch = again;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

struct Receiver {
    socket: Socket,
    format: Format,
    buffer: Vec<u8>,
    shared: Arc<Shared>,
}

impl Receiver {
    async fn receive(&mut self, batches: mpsc::Sender<Batch>) {
        let mut stop = self.shared.stop.clone();
        loop {
            let received = tokio::select! {
                biased;
                () = stop.begins() => break,
                received = self.socket.receive(&mut self.buffer) => received,
            };
            self.take(received, &batches).await;
        }
        // What the system has by now. More may come without an end, and the outputs need some time, too.
        let reserve = self.shared.limits.shutdown_timeout / 4;
        let last = stop.deadline().and_then(|end| end.checked_sub(reserve)).unwrap_or_else(Instant::now);
        let mut left = 2 * RECEIVE_BUFFER;
        while left > 0
            && Instant::now() < last
            && let Ok(received) = self.socket.try_receive(&mut self.buffer)
        {
            left = left.saturating_sub(self.take(Ok(received), &batches).await);
        }
    }

    /// Takes a datagram, and all that are there behind it. Returns what they took of the system's buffer, at least.
    async fn take(
        &mut self,
        mut received: io::Result<(usize, Option<SocketAddr>)>,
        batches: &mpsc::Sender<Batch>,
    ) -> usize {
        let mut taken = 0;
        let turn = self.shared.memory.turn().await;
        let mut batch = Batch::default();
        let now = Timestamp::now();
        while let Ok((length, from)) = received {
            self.add(&mut batch, length, from, now);
            taken += OVERHEAD + length;
            if batch.is_full() {
                break;
            }
            received = self.socket.try_receive(&mut self.buffer);
        }
        if batch.records.is_empty() {
            // An error of a socket that never connects is about another's datagram.
            tokio::time::sleep(Duration::from_millis(1)).await;
            return taken;
        }
        batch.take_memory(&self.shared.memory).await;
        drop(turn);
        batch.count_in(&self.shared.counts);
        let _ = batches.send(batch).await;
        taken
    }

    fn add(&mut self, batch: &mut Batch, length: usize, from: Option<SocketAddr>, now: Timestamp) {
        let bytes = self.buffer.get(..length).unwrap_or_default();
        let max_bytes = self.shared.limits.max_line_bytes;
        let inflated = if self.format == Format::Json { bodies::inflated(bytes, max_bytes) } else { None };
        let bytes = inflated.as_deref().unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if bytes.is_empty() {
            return;
        }
        self.shared.senders.saw(from.map(|from| from.ip()));
        let kept = bytes.get(..max_bytes).unwrap_or(bytes);
        let original_bytes = (kept.len() < bytes.len()).then_some(bytes.len() as u64);
        let sender = from.map_or_else(|| "a Unix socket".to_owned(), |from| from.to_string());
        batch.add(&Frame { bytes: kept, original_bytes }, self.format, &sender, now);
    }
}

/// What the system has dropped of one socket.
struct Lost {
    at: Option<SocketAddr>,
    known: u64,
}

impl Lost {
    /// Asks the system from time to time.
    async fn watch(&mut self, counts: &Counts) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look(counts);
        }
    }

    fn look(&mut self, counts: &Counts) {
        if let Some(dropped) = self.at.and_then(kernel_drops::dropped) {
            counts.datagrams_lost.add(dropped.saturating_sub(self.known));
            self.known = dropped.max(self.known);
        }
    }
}
