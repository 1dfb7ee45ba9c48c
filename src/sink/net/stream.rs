//! Sockets of connections, which do not block.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::socket::HeldSocket;

/// One side of a connection. No call blocks, except [`wait`](Self::wait).
pub(super) trait Stream: Send {
    /// Sends bytes, or keeps them to send them first. Returns how many it took.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if it takes none now. Any other ends the connection.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Sends what it keeps. Returns whether that is all.
    ///
    /// # Errors
    /// The connection has ended.
    fn push(&mut self) -> io::Result<bool>;

    /// Reads what the peer has sent; 0: it has hung up.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if there is nothing. Any other ends the connection.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Returns how many of the bytes sent so far have reached the peer's kernel.
    fn arrived(&mut self) -> u64;

    /// Waits until it can send or there is something to read.
    ///
    /// # Blocking
    /// For `longest` at most.
    fn wait(&self, longest: Duration);

    /// Tells the peer that nothing follows.
    fn end(&mut self);
}

/// A plain socket.
#[derive(Debug)]
pub(super) struct Socket {
    kind: Kind,
    sent: u64,
}

#[derive(Debug)]
enum Kind {
    Tcp(HeldSocket<TcpStream>),
    #[cfg(unix)]
    Unix(HeldSocket<UnixStream>),
}

impl Socket {
    pub(super) fn tcp(stream: TcpStream) -> io::Result<Self> {
        Ok(Self { kind: Kind::Tcp(HeldSocket::new(stream)?), sent: 0 })
    }

    #[cfg(unix)]
    pub(super) fn unix(stream: UnixStream) -> io::Result<Self> {
        Ok(Self { kind: Kind::Unix(HeldSocket::new(stream)?), sent: 0 })
    }

    /// Returns how many bytes it has sent.
    #[cfg(feature = "tls")]
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Waits until there is something to read, or, if it `sends`, until it can send.
    pub(super) fn wait(&self, sends: bool, longest: Duration) {
        #[cfg(unix)]
        {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let flags = if sends { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            let socket = match &self.kind {
                Kind::Tcp(stream) => stream.get().map(|stream| PollFd::new(stream, flags)),
                Kind::Unix(stream) => stream.get().map(|stream| PollFd::new(stream, flags)),
            };
            let Ok(socket) = socket else { return };
            if let Ok(longest) = Timespec::try_from(longest) {
                // Its result does not matter: the next call of the socket tells.
                let _ = poll(&mut [socket], Some(&longest));
            }
        }
        #[cfg(not(unix))]
        {
            let _ = sends;
            std::thread::park_timeout(longest.min(Duration::from_millis(1)));
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.kind {
            Kind::Tcp(stream) => stream.get()?.read(buffer),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.get()?.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = match &self.kind {
            Kind::Tcp(stream) => stream.get()?.write(bytes),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.get()?.write(bytes),
        }?;
        self.sent += sent as u64;
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.write(bytes) {
            Ok(0) => Err(ErrorKind::WouldBlock.into()),
            sent => sent,
        }
    }

    fn push(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
    }

    /// Elsewhere than on Linux, all that this machine's kernel has taken.
    fn arrived(&mut self) -> u64 {
        #[cfg(target_os = "linux")]
        let outgoing = match &self.kind {
            Kind::Tcp(stream) => stream.get().and_then(crate::process::outgoing_bytes),
            Kind::Unix(stream) => stream.get().and_then(crate::process::outgoing_bytes),
        }
        .unwrap_or(u64::MAX);
        #[cfg(not(target_os = "linux"))]
        let outgoing = 0;
        self.sent.saturating_sub(outgoing)
    }

    fn wait(&self, longest: Duration) {
        Self::wait(self, true, longest);
    }

    fn end(&mut self) {
        let _ = match &self.kind {
            Kind::Tcp(stream) => stream.get().and_then(|stream| stream.shutdown(std::net::Shutdown::Write)),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.get().and_then(|stream| stream.shutdown(std::net::Shutdown::Write)),
        };
    }
}
