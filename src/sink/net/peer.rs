//! A server by its name and port: finds its addresses, and connects to one of them.
//!
//! A name is looked up anew for each connection, so a server that moves is found. The system's look-up may take long and has
//! no timeout, and a server may not answer at all, so a thread looks up and connects. At most one such thread exists for each
//! sink. A caller waits a moment for it, and asks again later: the worker is never held.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::super::own_thread::OwnThreads;
use crate::error::Error;
use crate::process;
use crate::sync::after;

/// A server's name and port.
#[derive(Debug)]
pub(super) struct Peer {
    host: String,
    port: u16,
    /// The answer of a look-up that takes longer than its caller has waited.
    answer: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
    /// The connection of an attempt that takes longer than its caller has waited.
    attempt: Option<Receiver<Result<TcpStream, Error>>>,
    threads: OwnThreads,
}

impl Peer {
    /// Reads `host:port`, `192.0.2.1:port` or `[2001:db8::1]:port`. `default_port`: what stands for a missing port.
    ///
    /// # Errors
    /// An [invalid](Error::is_invalid) one that says what was expected. It does not repeat what could be a password.
    pub(super) fn parse(address: &str, default_port: Option<u16>) -> Result<Self, Error> {
        let expected = if default_port.is_some() { "host or host:port" } else { "host:port" };
        if address.contains(['@', '/', '?', '#', '=']) {
            return Err(Error::invalid(format!(
                "the address of a server has one of '@', '/', '?', '#' and '='; expected {expected}, without a scheme, a user, \
                 a path or a token"
            )));
        }
        let invalid = |what: &str| {
            Error::invalid(format!("the address {address:?} has {what}; expected {expected}, IPv6 as [::1]:port"))
        };
        let (host, port) = match address.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(|| invalid("no closing bracket"))?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| invalid("no IPv6 address in its brackets"))?;
                (host, rest.strip_prefix(':'))
            }
            None if address.matches(':').count() > 1 => return Err(invalid("several colons")),
            None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(port) => {
                port.parse().ok().filter(|port| *port > 0).ok_or_else(|| invalid("no port from 1 to 65535"))?
            }
            None => default_port.ok_or_else(|| invalid("no port"))?,
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(invalid("no host"));
        }
        Ok(Self { host: host.to_owned(), port, answer: None, attempt: None, threads: OwnThreads::new() })
    }

    #[cfg(feature = "tls")]
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Returns whether its address may change.
    pub(super) fn has_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// Returns its addresses.
    ///
    /// # Blocking
    /// Until the system has found them, or `deadline`.
    ///
    /// # Errors
    /// A retryable one.
    pub(super) fn addresses(&mut self, deadline: Instant) -> Result<Vec<SocketAddr>, Error> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, self.port)]);
        }
        let answer = match self.answer.take() {
            Some(answer) => answer,
            None => self.look_up().map_err(|error| Error::io(format!("look up {}", self.host), error))?,
        };
        match answer.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(found) => found_of(&self.host, found),
            Err(RecvTimeoutError::Timeout) => {
                self.answer = Some(answer);
                Err(Error::retry(format!("look up {}: no answer", self.host)))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Error::retry(format!("look up {}: it failed", self.host))),
        }
    }

    /// Starts a look-up.
    fn look_up(&self) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
        let (sender, answer) = sync_channel(1);
        let (host, port, threads) = (self.host.clone(), self.port, self.threads.clone());
        process::spawn("spanline-resolve", move || {
            threads.mark_thread();
            let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            let _ = sender.send(found);
        })?;
        Ok(answer)
    }

    /// Connects to the first address that answers, in at most `timeout`, which all addresses share. `None`: not yet. The
    /// next call goes on, and `waker` is woken when it should come.
    ///
    /// # Blocking
    /// For `wait` at most.
    ///
    /// # Errors
    /// A retryable one, about the last address.
    pub(super) fn connect(
        &mut self,
        timeout: Duration,
        wait: Duration,
        waker: Option<Waker>,
    ) -> Result<Option<TcpStream>, Error> {
        let attempt = match self.attempt.take() {
            Some(attempt) => attempt,
            None => self.begin(timeout, waker).map_err(|error| Error::io(format!("connect to {self}"), error))?,
        };
        match attempt.recv_timeout(wait) {
            Ok(connected) => connected.map(Some),
            Err(RecvTimeoutError::Timeout) => {
                self.attempt = Some(attempt);
                Ok(None)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Error::retry(format!("connect to {self}: it failed"))),
        }
    }

    /// Starts an attempt to connect.
    fn begin(&self, timeout: Duration, waker: Option<Waker>) -> io::Result<Receiver<Result<TcpStream, Error>>> {
        let (sender, attempt) = sync_channel(1);
        let (host, port, shown, threads) = (self.host.clone(), self.port, self.to_string(), self.threads.clone());
        process::spawn("spanline-connect", move || {
            threads.mark_thread();
            let begun = Instant::now();
            let found = match host.parse::<IpAddr>() {
                Ok(ip) => Ok(vec![SocketAddr::new(ip, port)]),
                Err(_) => found_of(&host, (host.as_str(), port).to_socket_addrs().map(Iterator::collect)),
            };
            let connected = found.and_then(|addresses| connect_to_one(&addresses, after(begun, timeout), &shown));
            let _ = sender.send(connected);
            if let Some(waker) = waker {
                waker.wake();
            }
        })?;
        Ok(attempt)
    }

    /// Forgets the parent's thread, in a forked child.
    pub(super) fn forked(&mut self) {
        (self.answer, self.attempt) = (None, None);
    }
}

/// Returns the addresses that a look-up has found.
fn found_of(host: &str, found: io::Result<Vec<SocketAddr>>) -> Result<Vec<SocketAddr>, Error> {
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(Error::retry(format!("look up {host}: it has no address"))),
        Err(error) => Err(Error::io(format!("look up {host}"), error)),
    }
}

/// Connects to the first address that answers.
fn connect_to_one(addresses: &[SocketAddr], deadline: Instant, shown: &str) -> Result<TcpStream, Error> {
    let mut failed = Error::retry(format!("connect to {shown}: no time is left"));
    for (tried, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        if share.is_zero() {
            break;
        }
        match connect_to(address, share) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = Error::io(format!("connect to {shown} at {address}"), error),
        }
    }
    Err(failed)
}

fn connect_to(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, timeout)?;
    // While nobody listens on a port of this machine, the system may choose the same one for this end, which then talks to
    // itself and keeps the server from its port.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    stream.set_nonblocking(true)?;
    // Lines are sent many at a time already.
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let shown = |address: &str, default| Peer::parse(address, default).map(|peer| peer.to_string());
        for address in ["collector:5170", "192.0.2.1:1", "[2001:db8::1]:65535"] {
            assert_eq!(shown(address, None).unwrap(), address);
        }
        assert_eq!(shown("collector", Some(514)).unwrap(), "collector:514");
        assert_eq!(shown("[::1]", Some(514)).unwrap(), "[::1]:514");
        for wrong in
            ["", ":1", "collector", "collector:", "collector:0", "collector:65536", "::1:514", "[::1", "[a]:1", "a b:1"]
        {
            let error = shown(wrong, None).unwrap_err();
            assert!(error.is_invalid() && error.to_string().contains("expected host:port"), "{error}");
        }
        for secret in
            ["tcp://user:hunter2@collector:1", "collector:1?token=hunter2", "collector:1#hunter2", "token=hunter2"]
        {
            let error = shown(secret, None).unwrap_err();
            assert!(error.is_invalid() && !error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_name_is_looked_up_and_an_unknown_one_is_a_retryable_error() {
        let deadline = after(Instant::now(), Duration::from_secs(60));
        let found = Peer::parse("localhost:1", None).unwrap().addresses(deadline).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 1), "{found:?}");
        let mut unknown = Peer::parse("no-such-host.invalid:1", None).unwrap();
        // Without time, the look-up goes on, and the next caller waits for the same one.
        assert!(unknown.addresses(Instant::now()).unwrap_err().is_retryable());
        assert!(unknown.addresses(deadline).unwrap_err().is_retryable());
    }
}
