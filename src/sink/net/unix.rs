//! The sink of Unix sockets.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect as connect_socket};

use super::super::{Control, Lines, Next, Profile, Sink};
use super::datagram_sink::{DatagramSink, DatagramTarget};
use super::framing::Framing;
use super::socket::HeldSocket;
use super::stream_sink::{StreamSink, Target};
use crate::error::Error;

/// Sends lines to a Unix socket: as a [stream](Self::stream), or each as a [datagram](Self::datagram).
///
/// A line of a stream is written when the peer has read it and the connection is alive 10 ms later, or, with
/// [`acknowledged`](Self::acknowledged), when the peer says so. A datagram is written when it is in the peer's queue.
///
/// # Examples
/// ```
/// use spanline::Output;
/// use spanline::sink::Unix;
///
/// let output = Output::new(Unix::stream("/run/collector.sock")).name("collector");
/// # let _ = output;
/// ```
pub struct Unix(Kind);

enum Kind {
    Stream(Box<StreamSink>),
    Datagram(Box<DatagramSink>),
}

impl Unix {
    /// Creates a sink that connects to a socket of streams.
    pub fn stream(path: impl Into<PathBuf>) -> Self {
        Self(Kind::Stream(Box::new(StreamSink::new(Target::Unix(path.into())))))
    }

    /// Creates a sink that sends each line as a datagram, without a newline.
    pub fn datagram(path: impl Into<PathBuf>) -> Self {
        Self(Kind::Datagram(Box::new(DatagramSink::new(DatagramTarget::Unix(path.into())))))
    }

    /// Sends each line of a stream as a frame, see [`Tcp::length32`](super::Tcp::length32). Datagrams stay as they are.
    pub fn length32(mut self) -> Self {
        if let Kind::Stream(sink) = &mut self.0 {
            sink.framing = Framing::Length32;
        }
        self
    }

    /// Counts a line of a stream as written when the peer acknowledges it, see
    /// [`Tcp::acknowledged`](super::Tcp::acknowledged). Datagrams stay as they are.
    pub fn acknowledged(mut self) -> Self {
        if let Kind::Stream(sink) = &mut self.0 {
            sink.is_acknowledged = true;
        }
        self.length32()
    }

    /// Sets how long the server may take or acknowledge nothing while lines of a stream wait for it. Then the sink connects
    /// again. 10 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let Kind::Stream(sink) = &mut self.0 {
            sink.timeout = timeout;
        }
        self
    }
}

impl Sink for Unix {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        match &mut self.0 {
            Kind::Stream(sink) => sink.write(lines),
            Kind::Datagram(sink) => sink.write(lines),
        }
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match &mut self.0 {
            Kind::Stream(sink) => sink.control(control),
            Kind::Datagram(sink) => sink.control(control),
        }
    }

    fn profile(&self) -> Profile {
        Profile::new("unix").logs_nothing()
    }
}

impl fmt::Debug for Unix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Stream(sink) => sink.fmt_as("Unix", f),
            Kind::Datagram(sink) => sink.fmt_as("Unix", f),
        }
    }
}

/// Checks a path.
///
/// # Errors
/// An [invalid](Error::is_invalid) one if the system has no socket of this name.
pub(super) fn check(path: &Path) -> Result<SocketAddrUnix, Error> {
    SocketAddrUnix::new(path).map_err(|error| {
        Error::invalid(format!("{} is no path of a socket; expected a shorter one without a null", path.display()))
            .with_source(io::Error::from(error))
    })
}

/// Connects at once or not at all: a server with a full backlog does not delay the caller.
pub(super) fn connect(path: &Path) -> Result<UnixStream, Error> {
    let address = check(path)?;
    let connected = || {
        let socket = new_socket()?;
        connect_socket(&socket, &address)?;
        Ok(socket.into())
    };
    connected().map_err(|error: rustix::io::Errno| Error::io(format!("connect to {}", path.display()), error.into()))
}

/// Returns a socket of a stream that does not block. The standard library connects each one that it makes.
#[cfg(not(target_vendor = "apple"))]
fn new_socket() -> rustix::io::Result<OwnedFd> {
    use rustix::net::SocketFlags;

    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// As above, step by step. A peer that closes the connection sends no signal, as with sockets of the standard library.
#[cfg(target_vendor = "apple")]
fn new_socket() -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    rustix::net::sockopt::set_socket_nosigpipe(&socket, true)?;
    Ok(socket)
}

/// Connects a socket of datagrams.
pub(super) fn connect_datagram(path: &Path) -> Result<HeldSocket<UnixDatagram>, Error> {
    check(path)?;
    let connected = || {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(path)?;
        HeldSocket::new(socket)
    };
    connected().map_err(|error| Error::io(format!("connect to {}", path.display()), error))
}
