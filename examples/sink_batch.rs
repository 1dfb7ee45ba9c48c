//! A batching client whose peer acknowledges each batch: `cargo run --example sink_batch`.
//!
//! The peer on the loopback reads lines and answers with how many it has stored. It hangs up twice in the middle. No line is
//! lost: what was not acknowledged is sent again. The program ends with status 1 if the books do not balance, or a line is
//! missing.
//!
//! ```text
//! emitted 1000, written 1000, resent …, stored 1000
//! ```

#![allow(clippy::disallowed_methods, reason = "the peer and the client have threads")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::task::Waker;
use std::time::{Duration, Instant};

use spanline::sink::{Control, Lines, Next, OwnThreads, Profile, Sink};
use spanline::{Error, Output};

const TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that acknowledges nothing for this long is connected to again.
const PATIENCE: Duration = Duration::from_secs(2);

/// One connection, and the ids that it has handed over, oldest first.
struct Connection {
    stream: TcpStream,
    /// How many lines the peer has stored, from a thread that reads its answers.
    stored: Receiver<u32>,
    sent: std::collections::VecDeque<u64>,
    heard: Instant,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Ends the thread that reads the answers, too.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

struct Batches {
    peer: SocketAddr,
    connection: Option<Connection>,
    threads: OwnThreads,
}

impl Batches {
    fn connect(&self, waker: Waker) -> Result<Connection, Error> {
        let failed = |error| Error::io(format!("connect to {}", self.peer), error);
        let stream = TcpStream::connect_timeout(&self.peer, TIMEOUT).map_err(failed)?;
        stream.set_write_timeout(Some(TIMEOUT)).map_err(failed)?;
        let mut answers = stream.try_clone().map_err(failed)?;
        let (sender, stored) = channel();
        let threads = self.threads.clone();
        std::thread::spawn(move || {
            // What this thread logs does not come back to this sink.
            threads.mark_thread();
            let mut answer = [0; 4];
            while answers.read_exact(&mut answer).is_ok() && sender.send(u32::from_be_bytes(answer)).is_ok() {
                waker.wake_by_ref();
            }
            // Its end is noticed by the sink, too.
            drop(sender);
            waker.wake();
        });
        Ok(Connection { stream, stored, sent: Default::default(), heard: Instant::now() })
    }

    fn lost(&mut self, why: &str) -> Error {
        self.connection = None;
        // The worker offers all lines in flight again.
        Error::retry(format!("{}: {why}", self.peer))
    }
}

impl Sink for Batches {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        if self.connection.is_none() {
            self.connection = Some(self.connect(lines.waker())?);
        }
        let Some(connection) = &mut self.connection else { return Ok(Next::Done) };
        let is_connected = loop {
            match connection.stored.try_recv() {
                Ok(count) => {
                    connection.heard = Instant::now();
                    for id in connection.sent.drain(..(count as usize).min(connection.sent.len())) {
                        lines.acknowledge(id..=id);
                    }
                }
                Err(error) => break error == std::sync::mpsc::TryRecvError::Empty,
            }
        };
        if !is_connected {
            return Err(self.lost("connection closed"));
        }
        if lines.in_flight() > 0 && connection.heard.elapsed() >= PATIENCE {
            return Err(self.lost("no answer"));
        }
        if lines.in_flight() == 0 {
            connection.heard = Instant::now();
        }
        let ids: Vec<u64> = lines.iter().map(|line| line.id).collect();
        let batch: Vec<u8> = lines.iter().flat_map(|line| line.bytes).copied().collect();
        if !batch.is_empty() {
            if let Err(error) = connection.stream.write_all(&batch) {
                return Err(self.lost(&error.to_string()));
            }
            connection.sent.extend(ids);
            lines.hand_over(batch.len());
        }
        Ok(if lines.in_flight() > 0 { Next::Later(Instant::now() + PATIENCE) } else { Next::Done })
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        if let Control::Reopen | Control::Forked = control {
            self.connection = None;
        }
        Ok(())
    }

    fn profile(&self) -> Profile {
        Profile::new("batches").batch(100, 64 << 10, Duration::from_millis(50)).own_threads(&self.threads)
    }
}

/// Stores lines and answers. Closes the connection after a number of lines.
fn store(listener: &TcpListener, most: usize, stored: &mut BTreeSet<String>) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    let mut reader = BufReader::new(stream.try_clone()?);
    for _ in 0..most {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            break;
        }
        stored.insert(line);
        stream.write_all(&1_u32.to_be_bytes())?;
    }
    stream.shutdown(std::net::Shutdown::Both)
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let sink = Batches { peer: listener.local_addr()?, connection: None, threads: OwnThreads::new() };
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut stored = BTreeSet::new();
        for most in [150, 333] {
            let _ = store(&listener, most, &mut stored);
        }
        // Until the sink hangs up, at the end.
        let _ = store(&listener, usize::MAX, &mut stored);
        let _ = sender.send(stored);
    });
    let (layer, guard) = spanline::builder().filter("info").on_complaint(|_| {}).output(Output::new(sink)).build()?;
    {
        use tracing_subscriber::prelude::*;
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            (0..1_000).for_each(|order| tracing::info!(order, "order loaded"));
            // The sink connects again twice.
            guard.handle().flush(4 * TIMEOUT)
        })?;
    }
    let books = guard.handle().metrics().outputs.remove(0);
    // Drops the sink, which hangs up.
    guard.close()?;
    let stored = receiver.recv_timeout(4 * TIMEOUT)?;
    let (emitted, written) = (books.emitted.total(), books.written.total());
    writeln!(
        std::io::stdout(),
        "emitted {emitted}, written {written}, resent {}, stored {}",
        books.resent,
        stored.len()
    )?;
    let is_balanced = emitted == 1_000 && written == emitted && stored.len() == 1_000;
    Ok(if is_balanced { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
