//! The sink of TCP connections.

use std::fmt;
use std::time::Duration;

use super::super::{Control, Lines, Next, Profile, Sink};
use super::framing::Framing;
use super::stream_sink::{StreamSink, Target};
#[cfg(feature = "tls")]
use super::tls::Tls;
use crate::error::Error;

/// Sends lines over a TCP connection, and connects again when it ends.
///
/// By default, lines end in a newline, and one is written when the peer's kernel has acknowledged it and the connection is
/// alive 10 ms later. With [`acknowledged`](Self::acknowledged), it is written when the peer says so. What is not written
/// when a connection ends is sent again, whole.
///
/// # Blocking
/// The start of the log waits up to one second for the server. It starts without it, too.
///
/// # Examples
/// ```
/// use spanline::Output;
/// use spanline::sink::Tcp;
///
/// let output = Output::new(Tcp::new("collector.example.com:5170")).name("collector");
/// # let _ = output;
/// ```
pub struct Tcp(StreamSink);

impl Tcp {
    /// How long the server may take, in one of the ways that [`timeout`](Self::timeout) names. Longer than a restart of a
    /// server behind a load balancer.
    pub const DEFAULT_TIMEOUT: Duration = super::stream_sink::DEFAULT_TIMEOUT;

    /// Creates the sink. `address`: `host:port`, with IPv6 as `[::1]:port`. A name is looked up for each connection.
    pub fn new(address: impl Into<String>) -> Self {
        Self(StreamSink::new(Target::Tcp { address: address.into(), default_port: None }))
    }

    /// Sends each line as a frame: its length in four bytes in network order, then the line without a newline.
    pub fn length32(mut self) -> Self {
        self.0.framing = Framing::Length32;
        self
    }

    /// Sends frames as [`length32`](Self::length32), and counts a line as written when the peer acknowledges it.
    ///
    /// The peer sends a number of four bytes in network order: how many frames it has stored since the connection began,
    /// modulo 2³². It may send one for many frames.
    pub fn acknowledged(mut self) -> Self {
        self.0.is_acknowledged = true;
        self.length32()
    }

    /// Encrypts the connection.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.0.tls = Some(tls);
        self
    }

    /// Sets how long the server may take to let the sink connect, and how long it may take or acknowledge nothing while
    /// lines wait for it. Then the sink connects again. 10 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = timeout;
        self
    }
}

impl Sink for Tcp {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        self.0.write(lines)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        self.0.control(control)
    }

    fn profile(&self) -> Profile {
        Profile::new("tcp").logs_nothing()
    }
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as("Tcp", f)
    }
}
