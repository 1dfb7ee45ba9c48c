//! What the sinks of datagrams share: sends each line alone.
//!
//! A datagram is taken whole or not at all. No answer comes, so a line that the system has taken is written. A UDP socket may
//! report with one datagram that an earlier one met a closed port: this is reported, and the sink goes on.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use super::super::failure::Failure;
use super::super::reconnect::Reconnect;
use super::super::{Control, Lines, Next};
use super::peer::Peer;
use super::socket::HeldSocket;
use crate::error::Error;
use crate::sync::after;

/// How long a call waits for a look-up, and at the start of the log. A look-up that takes longer goes on.
const TIMEOUT: Duration = Duration::from_secs(1);
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);

/// A name is looked up again after this time.
const LOOK_UP_EVERY: Duration = Duration::from_secs(60);

/// A full queue is waited for in the call, and then by the worker.
const WAIT: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_millis(5);

/// A call that takes longer returns.
const CALL: Duration = Duration::from_millis(100);

/// Where to send to.
#[derive(Clone, Debug)]
pub(super) enum DatagramTarget {
    Udp {
        address: String,
        default_port: Option<u16>,
    },
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

/// Sends lines as datagrams.
pub(super) struct DatagramSink {
    target: DatagramTarget,
    /// The server of `target`, once it was parsed.
    peer: Option<Peer>,
    socket: Option<Socket>,
    connected: Instant,
    reconnect: Reconnect,
    /// The start of the log has tried to connect.
    was_opened: bool,
}

#[derive(Debug)]
enum Socket {
    Udp(HeldSocket<UdpSocket>),
    #[cfg(unix)]
    Unix(HeldSocket<UnixDatagram>),
}

/// A socket that was looked at in this call: it is not the program's.
#[derive(Clone, Copy)]
enum Checked<'s> {
    Udp(&'s UdpSocket),
    #[cfg(unix)]
    Unix(&'s UnixDatagram),
}

impl Socket {
    /// Returns the socket for one call. Datagrams are too small to look at it for each.
    ///
    /// # Errors
    /// The program has closed it.
    fn checked(&self) -> io::Result<Checked<'_>> {
        match self {
            Self::Udp(socket) => socket.get().map(Checked::Udp),
            #[cfg(unix)]
            Self::Unix(socket) => socket.get().map(Checked::Unix),
        }
    }
}

impl Checked<'_> {
    fn send(self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.send(bytes),
            #[cfg(unix)]
            Self::Unix(socket) => socket.send(bytes),
        }
    }

    /// Waits until it can send, for `longest` at most.
    fn wait(self, longest: Duration) {
        #[cfg(unix)]
        {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let socket = match self {
                Self::Udp(socket) => PollFd::new(socket, PollFlags::OUT),
                Self::Unix(socket) => PollFd::new(socket, PollFlags::OUT),
            };
            if let Ok(longest) = Timespec::try_from(longest) {
                // Its result does not matter: the next call of the socket tells.
                let _ = poll(&mut [socket], Some(&longest));
            }
        }
        #[cfg(not(unix))]
        std::thread::park_timeout(longest.min(Duration::from_millis(1)));
    }

    fn is_udp(self) -> bool {
        matches!(self, Self::Udp(_))
    }
}

impl DatagramSink {
    pub(super) fn new(target: DatagramTarget) -> Self {
        Self {
            target,
            peer: None,
            socket: None,
            connected: Instant::now(),
            reconnect: Reconnect::default(),
            was_opened: false,
        }
    }

    pub(super) fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        if lines.is_empty() {
            return Ok(Next::Done);
        }
        if self.peer.as_ref().is_some_and(Peer::has_name) && self.connected.elapsed() >= LOOK_UP_EVERY {
            self.connected = Instant::now();
            // Without an answer, the old address stays.
            if let Ok(socket) = self.connect(TIMEOUT) {
                self.socket = Some(socket);
            }
        }
        if self.socket.is_none() {
            if let Some(at) = self.reconnect.wait(Instant::now(), lines.ends_at()) {
                return Ok(Next::Later(at));
            }
            self.open_socket(TIMEOUT)?;
        }
        let Some(socket) = &self.socket else { return Ok(Next::Done) };
        match socket.checked().and_then(|socket| send_all(socket, lines)) {
            Ok(Sent { is_full, refused, has_sent }) => {
                if has_sent {
                    self.reconnect.succeeded();
                }
                // It is about a datagram that counts as written already.
                if let Some(error) = refused {
                    return Err(Error::io(format!("send to {}", self.shown()), error));
                }
                Ok(if is_full { Next::Later(after(Instant::now(), PAUSE)) } else { Next::Done })
            }
            Err(error) => {
                self.socket = None;
                self.reconnect.failed(Instant::now());
                Err(Error::io(format!("send to {}", self.shown()), error))
            }
        }
    }

    pub(super) fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Open if !self.was_opened => {
                match &self.target {
                    DatagramTarget::Udp { address, default_port } => {
                        self.peer = Some(Peer::parse(address, *default_port)?);
                    }
                    #[cfg(unix)]
                    DatagramTarget::Unix(path) => {
                        super::unix::check(path)?;
                    }
                }
                self.was_opened = true;
                return self.open_socket(OPEN_TIMEOUT);
            }
            Control::Reopen => {
                self.socket = None;
                self.reconnect.hurry();
            }
            Control::Flush | Control::Close => self.reconnect.hurry(),
            Control::Forked => self.peer.iter_mut().for_each(Peer::forked),
            _ => {}
        }
        Ok(())
    }

    fn open_socket(&mut self, timeout: Duration) -> Result<(), Error> {
        match self.connect(timeout) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.connected = Instant::now();
                Ok(())
            }
            Err(error) => {
                self.reconnect.failed(Instant::now());
                Err(error)
            }
        }
    }

    fn connect(&mut self, timeout: Duration) -> Result<Socket, Error> {
        match &self.target {
            DatagramTarget::Udp { address, default_port } => {
                let peer = match &mut self.peer {
                    Some(peer) => peer,
                    None => self.peer.insert(Peer::parse(address, *default_port)?),
                };
                let addresses = peer.addresses(after(Instant::now(), timeout))?;
                let mut failed = Error::retry(format!("send to {peer}: no address"));
                for address in addresses {
                    match connect_udp(address) {
                        Ok(socket) => return Ok(Socket::Udp(socket)),
                        Err(error) => failed = Error::io(format!("send to {peer} at {address}"), error),
                    }
                }
                Err(failed)
            }
            #[cfg(unix)]
            DatagramTarget::Unix(path) => super::unix::connect_datagram(path).map(Socket::Unix),
        }
    }

    fn shown(&self) -> String {
        match &self.target {
            DatagramTarget::Udp { address, .. } => self.peer.as_ref().map_or_else(|| address.clone(), Peer::to_string),
            #[cfg(unix)]
            DatagramTarget::Unix(path) => path.display().to_string(),
        }
    }

    /// Shows the settings. The address may hold a password until it was parsed.
    pub(super) fn fmt_as(&self, name: &str, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(name).field("peer", &self.peer.as_ref().map(Peer::to_string)).finish_non_exhaustive()
    }
}

/// What came of a call.
#[derive(Debug, Default)]
struct Sent {
    /// The system or the peer takes no more now.
    is_full: bool,
    /// An earlier datagram met a closed port.
    refused: Option<io::Error>,
    has_sent: bool,
}

/// Sends lines until all are sent or one has to wait.
fn send_all(socket: Checked<'_>, lines: &mut Lines) -> io::Result<Sent> {
    let (begun, mut sent, mut has_waited) = (Instant::now(), Sent::default(), false);
    while let Some(line) = lines.first() {
        let (id, length) = (line.id, line.bytes.len());
        let text = line.bytes.strip_suffix(b"\n").unwrap_or(line.bytes);
        let error = match socket.send(text) {
            Ok(_) => {
                lines.advance(length);
                (sent.has_sent, has_waited) = (true, false);
                if begun.elapsed() >= CALL {
                    sent.is_full = !lines.is_empty();
                    return Ok(sent);
                }
                continue;
            }
            Err(error) => error,
        };
        match Failure::of(&error) {
            Failure::Interrupted => {}
            Failure::MessageTooLarge => {
                lines.reject(id..=id, format!("a line of {length} bytes is too long for a datagram"));
            }
            _ if is_full(&error) => {
                if has_waited {
                    sent.is_full = true;
                    return Ok(sent);
                }
                has_waited = true;
                socket.wait(WAIT);
            }
            // The call has reported this error instead of sending. The first time, the next one sends.
            _ if socket.is_udp() && error.kind() == ErrorKind::ConnectionRefused && begun.elapsed() < CALL => {
                sent.refused = Some(error);
            }
            _ => return Err(error),
        }
    }
    Ok(sent)
}

/// Returns whether the line can be sent once others are.
fn is_full(error: &io::Error) -> bool {
    #[cfg(unix)]
    let has_no_buffer = rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::NOBUFS);
    #[cfg(not(unix))]
    let has_no_buffer = false;
    error.kind() == ErrorKind::WouldBlock || has_no_buffer
}

fn connect_udp(address: SocketAddr) -> io::Result<HeldSocket<UdpSocket>> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    socket.connect(address)?;
    HeldSocket::new(socket)
}
