//! A sink that writes to a socket and connects again when the peer goes away: `cargo run --example sink_socket`.
//!
//! A peer on the loopback accepts three connections and closes each after some bytes. TCP does not tell which lines a peer
//! has read, so lines in the system's buffers are lost with the connection: "written" means handed to the system. Where
//! that is not enough, the peer has to acknowledge; see `sink_batch`. The program ends with status 1 if the books do not
//! balance.
//!
//! ```text
//! emitted 1000, written 1000, retries …
//! ```

#![allow(clippy::disallowed_methods, reason = "the peer and the client have threads")]

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use spanline::sink::{Control, Lines, Next, Profile, Sink};
use spanline::{Error, Output};

const TIMEOUT: Duration = Duration::from_secs(5);

struct Socket {
    peer: SocketAddr,
    stream: Option<TcpStream>,
}

impl Socket {
    fn connect(&mut self) -> Result<&mut TcpStream, Error> {
        let stream = self.stream.take().map_or_else(|| TcpStream::connect_timeout(&self.peer, TIMEOUT), Ok);
        let stream = stream.map_err(|error| Error::io(format!("connect to {}", self.peer), error))?;
        // A peer that does not read must not block the worker endlessly.
        stream.set_write_timeout(Some(TIMEOUT)).map_err(|error| Error::io("set the timeout", error))?;
        Ok(self.stream.insert(stream))
    }
}

impl Sink for Socket {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        while !lines.is_empty() {
            let doing = format!("write to {}", self.peer);
            match self.connect()?.write(lines.as_bytes()) {
                Ok(written) if written > 0 => lines.advance(written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                failed => {
                    // A new connection begins with a whole line.
                    self.stream = None;
                    lines.rewind_line();
                    return Err(failed
                        .err()
                        .map_or_else(|| Error::retry("connection closed"), |e| Error::io(doing, e)));
                }
            }
        }
        Ok(Next::Done)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            // An error here does not fail the start: the worker tries again.
            Control::Open => self.connect().map(drop),
            // In a forked child, the connection is the parent's.
            Control::Reopen | Control::Forked => {
                self.stream = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn profile(&self) -> Profile {
        Profile::new("socket")
    }
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let peer = listener.local_addr()?;
    let reader = std::thread::spawn(move || {
        let mut lines_of_each = Vec::new();
        for most in [100, 100, usize::MAX] {
            let Ok((stream, _)) = listener.accept() else { break };
            lines_of_each.push(BufReader::new(stream).lines().map_while(Result::ok).take(most).count());
        }
        lines_of_each
    });
    let guard = spanline::builder()
        .filter("info")
        .output(Output::new(Socket { peer, stream: None }))
        .on_complaint(|_| {})
        .init()?;
    let handle = guard.handle();
    for order in 0..1_000 {
        tracing::info!(order, "order loaded");
        if order % 10 == 0 {
            handle.flush(TIMEOUT)?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    guard.close()?;
    let books = handle.metrics().outputs.remove(0);
    // The sink is dropped with the handle: the last connection ends.
    drop(handle);
    let mut stdout = std::io::stdout();
    writeln!(
        stdout,
        "emitted {}, written {}, retries {}",
        books.emitted.total(),
        books.written.total(),
        books.retries
    )?;
    let is_balanced = books.emitted.total() == books.written.total() + books.dropped.total();
    let _ = reader;
    Ok(if is_balanced && books.retries > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
