//! Binds sockets.

use std::io;
use std::net::{TcpListener, UdpSocket};

use spanline::Error;

use super::address::{Address, Carrier, Place};
#[cfg(unix)]
use super::unix_socket::{self, SocketFile};

/// A bound socket.
pub(super) struct Listener {
    /// With the port that the system has chosen.
    pub(super) address: Address,
    pub(super) socket: Bound,
}

pub(super) enum Bound {
    Tcp(TcpListener),
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, SocketFile),
    #[cfg(unix)]
    UnixDatagram(std::os::unix::net::UnixDatagram, SocketFile),
}

impl Listener {
    /// Binds a socket that does not block.
    ///
    /// # Errors
    /// The system refuses, or another process listens there.
    pub(super) fn bind(address: &Address) -> Result<Self, Error> {
        Self::try_bind(address).map_err(|error| Error::io(format!("listen on {address}"), error))
    }

    fn try_bind(address: &Address) -> io::Result<Self> {
        let (socket, address) = match (&address.place, address.carrier) {
            (Place::Socket(at), Carrier::Udp) => {
                let socket = UdpSocket::bind(at)?;
                socket.set_nonblocking(true)?;
                enlarge(&socket);
                let at = socket.local_addr()?;
                (Bound::Udp(socket), address.at(at))
            }
            (Place::Socket(at), _) => {
                let listener = TcpListener::bind(at)?;
                listener.set_nonblocking(true)?;
                let at = listener.local_addr()?;
                (Bound::Tcp(listener), address.at(at))
            }
            #[cfg(unix)]
            (Place::Path(path), Carrier::UnixDatagram) => {
                let (socket, file) = unix_socket::datagrams(path)?;
                socket.set_nonblocking(true)?;
                enlarge(&socket);
                (Bound::UnixDatagram(socket, file), address.clone())
            }
            #[cfg(unix)]
            (Place::Path(path), _) => {
                let (listener, file) = unix_socket::listen(path)?;
                listener.set_nonblocking(true)?;
                (Bound::Unix(listener, file), address.clone())
            }
            #[cfg(not(unix))]
            (Place::Path(_), _) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Self { address, socket })
    }
}

/// Asks for a large buffer. The system may give less.
#[cfg(unix)]
fn enlarge(socket: impl std::os::fd::AsFd) {
    use rustix::net::sockopt;

    use super::datagrams::RECEIVE_BUFFER;

    #[cfg(target_os = "linux")]
    if sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_ok() {
        return;
    }
    let _ = sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
}

#[cfg(not(unix))]
fn enlarge(_: &UdpSocket) {}
