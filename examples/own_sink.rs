//! A sink of one's own, a datagram for each line: `cargo run --example own_sink`.

use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, UdpSocket};

use spanline::Output;
use spanline::sink::{Lines, Next, Sink};

struct Udp(UdpSocket);

const MAX_DATAGRAM_BYTES: usize = 65_507;

impl Sink for Udp {
    // Called on the worker of this output: it may take its time, nobody who logs waits for it.
    fn write(&mut self, lines: &mut Lines) -> Result<Next, spanline::Error> {
        loop {
            let Some(line) = lines.iter().next() else { return Ok(Next::Done) };
            let length = line.bytes.len();
            if length > MAX_DATAGRAM_BYTES {
                // Counted as dropped; called again with the next line.
                return Err(spanline::Error::rejected("the line is too long for a datagram"));
            }
            // After an error this line and those behind it are kept, and offered again after a pause.
            self.0.send(line.bytes).map_err(|error| spanline::Error::io("send to the collector", error))?;
            lines.advance(length);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let collector = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(collector.local_addr()?)?;
    let guard = spanline::builder().filter("info").output(Output::new(Udp(socket))).init()?;
    tracing::info!(user_id = 42, "order loaded");
    guard.close()?;
    let mut line = [0; 1024];
    let length = collector.recv(&mut line)?;
    Ok(io::stdout().write_all(&line[..length])?)
}
