//! Servers that take lines over connections and do what a test says, and what they have stored.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use crate::support::ledger::Line;

/// A server on the loopback. Each connection has a thread, and is closed at its end.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    is_stopped: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<Weak<TcpStream>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one on a free port. `serve`: what it does with a connection, by its number.
    pub(crate) fn start(serve: impl Fn(usize, &TcpStream) + Send + Sync + 'static) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), serve)
    }

    /// Starts one on a port that another has left.
    pub(crate) fn start_at(address: SocketAddr, serve: impl Fn(usize, &TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (is_stopped, streams) =
            (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::<Weak<TcpStream>>::new())));
        let (stopped, kept) = (Arc::clone(&is_stopped), Arc::clone(&streams));
        let serve = Arc::new(serve);
        let thread = std::thread::spawn(move || {
            let mut threads = Vec::new();
            for (number, stream) in listener.incoming().map(Result::unwrap).enumerate() {
                // A reopened sink may leave a thousand of them.
                threads.retain(|thread: &JoinHandle<()>| !thread.is_finished());
                let mut kept = lock(&kept);
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let stream = Arc::new(stream);
                kept.retain(|stream| stream.strong_count() > 0);
                kept.push(Arc::downgrade(&stream));
                let serve = Arc::clone(&serve);
                threads.push(std::thread::spawn(move || serve(number, &stream)));
            }
            drop(listener);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        Self { address, is_stopped, streams, thread: Some(thread) }
    }

    /// An address where no server is.
    pub(crate) fn nowhere() -> SocketAddr {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
    }
}

/// Ends the server and its connections.
impl Drop for Server {
    fn drop(&mut self) {
        {
            let streams = lock(&self.streams);
            self.is_stopped.store(true, Ordering::Relaxed);
            streams.iter().filter_map(Weak::upgrade).for_each(|stream| drop(stream.shutdown(std::net::Shutdown::Both)));
        }
        // Wakes it, so that it looks.
        let _ = TcpStream::connect(self.address);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The numbers of the lines that servers have stored, in order, by connection. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored(Arc<Mutex<Vec<Vec<u64>>>>);

impl Stored {
    /// Begins another connection; returns its place.
    pub(crate) fn begin(&self) -> usize {
        let mut all = lock(&self.0);
        all.push(Vec::new());
        all.len() - 1
    }

    /// Stores a line, which must be whole. A notice has no number.
    pub(crate) fn add(&self, connection: usize, line: &[u8]) {
        let value: serde_json::Value =
            serde_json::from_slice(line).unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(line)));
        let line: Line = serde_json::from_value(value).unwrap();
        if !line.is_notice() {
            lock(&self.0)[connection].push(line.seq);
        }
    }

    pub(crate) fn connections(&self) -> Vec<Vec<u64>> {
        lock(&self.0).clone()
    }

    /// Which of the lines `0..end` came nowhere.
    pub(crate) fn missing(&self, end: u64) -> Vec<u64> {
        let all: std::collections::BTreeSet<u64> = lock(&self.0).iter().flatten().copied().collect();
        (0..end).filter(|seq| !all.contains(seq)).collect()
    }

    /// How many lines came, again or not.
    pub(crate) fn count(&self) -> usize {
        lock(&self.0).iter().map(Vec::len).sum()
    }

    /// Asks that the lines of each connection are in order, each once.
    #[track_caller]
    pub(crate) fn in_order(&self) {
        for (number, lines) in lock(&self.0).iter().enumerate() {
            assert!(lines.is_sorted_by(|before, after| before < after), "connection {number}: {lines:?}");
        }
    }

    /// Stores whole lines that end in a newline, until `most` came or the connection ends.
    pub(crate) fn lines(&self, stream: impl Read, most: usize) {
        let connection = self.begin();
        // One byte at a time: what is not asked for stays in the kernel.
        let mut reader = BufReader::with_capacity(if most == usize::MAX { 8 << 10 } else { 1 }, stream);
        for _ in 0..most {
            let mut line = Vec::new();
            // The rest of a torn line is not one.
            if reader.read_until(b'\n', &mut line).is_err() || line.pop() != Some(b'\n') {
                return;
            }
            self.add(connection, &line);
        }
    }

    /// Stores frames of `length32`, until `most` came or the connection ends, and acknowledges each if asked.
    pub(crate) fn frames(&self, mut stream: impl Read + Write, most: u32, acknowledges: bool) {
        let connection = self.begin();
        for count in 1..=most {
            let mut length = [0; 4];
            if stream.read_exact(&mut length).is_err() {
                return;
            }
            let mut line = vec![0; u32::from_be_bytes(length) as usize];
            if stream.read_exact(&mut line).is_err() {
                return;
            }
            self.add(connection, &line);
            if acknowledges && stream.write_all(&count.to_be_bytes()).is_err() {
                return;
            }
        }
    }
}
