//! Sinks that write to a socket: [`Tcp`], [`Udp`], [`Unix`] and `Syslog`.
//!
//! `stream_sink` is behind all sinks of connections. It connects with [`Reconnect`](super::reconnect::Reconnect), and leaves
//! the lines to a [`connection`]: this frames them, and finds out which have arrived. `datagram_sink` sends each line alone.
//! `peer` finds addresses, `stream` and `tls` are the sockets. Each is a `socket` that the program may close at any time.
//!
//! No call blocks for longer than a fraction of a second, except while connecting, which has a timeout. Sockets do not block:
//! a peer that takes nothing is waited for briefly, and then by the worker.

mod connection;
mod datagram_sink;
mod framing;
mod peer;
mod socket;
mod stream;
mod stream_sink;
#[cfg(feature = "syslog")]
mod syslog;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod udp;
#[cfg(unix)]
mod unix;

#[cfg(all(target_os = "linux", feature = "journald"))]
pub(super) use socket::HeldSocket;
#[cfg(feature = "syslog")]
pub use syslog::{Facility, Syslog};
pub use tcp::Tcp;
#[cfg(feature = "tls")]
pub use tls::Tls;
pub use udp::Udp;
#[cfg(unix)]
pub use unix::Unix;
