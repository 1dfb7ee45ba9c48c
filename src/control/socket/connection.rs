//! One peer: its bytes in both directions. Nothing here waits for it.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::super::by::Peer;
use crate::process::Descriptor;

/// The longest request.
pub(super) const MAX_REQUEST_BYTES: usize = 64 << 10;

/// The longest request with a configuration, which as JSON may be twice as long as it is.
pub(super) const MAX_CONFIG_REQUEST_BYTES: usize = (2 << 20) + MAX_REQUEST_BYTES;

/// What such a request has in the first [`HEAD_BYTES`].
const CONFIG: &[u8] = b"\"request\":\"config\"";

const HEAD_BYTES: usize = 64;

/// A peer that neither asks nor reads for this long is closed.
pub(super) const IDLE: Duration = Duration::from_secs(10);

/// The bytes that one look takes from a peer, so that none keeps the thread from the others.
const MAX_READ_BYTES: usize = 256 << 10;

/// One peer.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: u64,
    pub(super) stream: Descriptor<UnixStream>,
    pub(super) peer: Peer,
    received: Vec<u8>,
    to_send: Vec<u8>,
    sent: usize,
    /// When it last asked, or got an answer.
    pub(super) since: Instant,
    /// Its request is being carried out.
    pub(super) is_asking: bool,
    /// No request follows.
    closes: bool,
}

/// What a look at a peer has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Request(Vec<u8>),
    TooLong,
    Gone,
}

impl Connection {
    pub(super) fn new(id: u64, stream: Descriptor<UnixStream>, peer: Peer) -> Self {
        Self {
            id,
            stream,
            peer,
            received: Vec::new(),
            to_send: Vec::new(),
            sent: 0,
            since: Instant::now(),
            is_asking: false,
            closes: false,
        }
    }

    /// Whether an answer waits to be sent.
    pub(super) fn is_sending(&self) -> bool {
        self.sent < self.to_send.len()
    }

    /// Whether the peer neither asks nor reads.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_asking
    }

    /// Reads what has arrived, up to the end of a request.
    pub(super) fn read(&mut self) -> Found {
        if self.is_asking || self.is_sending() || self.closes {
            return Found::Nothing;
        }
        let mut buffer = [0; 16 << 10];
        let mut taken = 0;
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let rest = self.received.split_off(end + 1);
                let mut request = std::mem::replace(&mut self.received, rest);
                request.pop();
                self.is_asking = true;
                self.since = Instant::now();
                return Found::Request(request);
            }
            if self.received.len() > self.limit() {
                self.closes = true;
                self.received = Vec::new();
                return Found::TooLong;
            }
            if taken >= MAX_READ_BYTES {
                return Found::Nothing;
            }
            let Ok((mut stream, _)) = self.stream.get() else { return Found::Gone };
            match stream.read(&mut buffer) {
                Ok(0) => return Found::Gone,
                Ok(bytes) => {
                    taken += bytes;
                    self.received.extend_from_slice(buffer.get(..bytes).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Found::Nothing,
                Err(_) => return Found::Gone,
            }
        }
    }

    fn limit(&self) -> usize {
        let head = self.received.get(..HEAD_BYTES).unwrap_or_default();
        let is_config = head.windows(CONFIG.len()).any(|bytes| bytes == CONFIG);
        if is_config { MAX_CONFIG_REQUEST_BYTES } else { MAX_REQUEST_BYTES }
    }

    /// Sets the answer.
    pub(super) fn answer(&mut self, answer: Vec<u8>) {
        (self.to_send, self.sent) = (answer, 0);
        self.is_asking = false;
        self.since = Instant::now();
    }

    /// Sends what the peer takes. Returns false when the connection is over.
    pub(super) fn write(&mut self) -> bool {
        while self.is_sending() {
            let Ok((mut stream, _)) = self.stream.get() else { return false };
            match stream.write(self.to_send.get(self.sent..).unwrap_or_default()) {
                Ok(0) => return false,
                Ok(bytes) => self.sent += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        if !self.to_send.is_empty() {
            self.to_send = Vec::new();
            self.sent = 0;
            self.since = Instant::now();
        }
        !self.closes
    }
}

/// Accepts a peer without waiting.
pub(super) fn accept(listener: &std::os::unix::net::UnixListener) -> io::Result<Descriptor<UnixStream>> {
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Descriptor::new(stream)
}
