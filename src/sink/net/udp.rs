//! The sink of UDP datagrams.

use std::fmt;

use super::super::{Control, Lines, Next, Profile, Sink};
use super::datagram_sink::{DatagramSink, DatagramTarget};
use crate::error::Error;

/// Sends each line as a UDP datagram, without a newline.
///
/// A line that was sent is written, even if the network or the server then loses it. A line that no datagram can hold, of
/// more than 65,507 bytes with IPv4, is dropped as `rejected` and reported. Networks often lose datagrams of more than about
/// 1,400 bytes.
///
/// A name is looked up again after errors, and every minute.
///
/// # Examples
/// ```
/// use spanline::Output;
/// use spanline::sink::Udp;
///
/// let output = Output::new(Udp::new("collector.example.com:5170")).name("collector");
/// # let _ = output;
/// ```
pub struct Udp(DatagramSink);

impl Udp {
    /// Creates the sink. `address`: `host:port`, with IPv6 as `[::1]:port`.
    pub fn new(address: impl Into<String>) -> Self {
        Self(DatagramSink::new(DatagramTarget::Udp { address: address.into(), default_port: None }))
    }
}

impl Sink for Udp {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        self.0.write(lines)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        self.0.control(control)
    }

    fn profile(&self) -> Profile {
        Profile::new("udp").logs_nothing()
    }
}

impl fmt::Debug for Udp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as("Udp", f)
    }
}
