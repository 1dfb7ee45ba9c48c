//! Accepts connections, within the limits, and starts a task for each.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address::{Address, Carrier, Protocol};
use super::batch::Format;
use super::connections::Open;
use super::http;
use super::server::Shared;
use super::splitter::Framing;
use super::stream::{self, Reading, Stream};

/// The pause after the system has refused a connection, because descriptors are used up for example.
const PAUSE: Duration = Duration::from_millis(100);

/// How long connections that wait to be accepted are taken at the end.
const BACKLOG: Duration = Duration::from_secs(1);

/// Accepts connections.
pub(super) enum Accepting {
    Tcp(tokio::net::TcpListener),
    #[cfg(unix)]
    Unix {
        listener: tokio::net::UnixListener,
        /// Removes the path at the end.
        _file: super::unix_socket::SocketFile,
    },
}

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Accepting {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, from)| Accepted::Tcp(stream, from)),
            #[cfg(unix)]
            Self::Unix { listener, .. } => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

impl Accepted {
    fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(_, from) => match from.ip().to_canonical() {
                // A network has that many addresses for one sender.
                IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
                address => Some(address),
            },
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// Returns its name for people.
    fn sender(&self) -> String {
        match self {
            Self::Tcp(_, from) => from.to_string(),
            #[cfg(unix)]
            Self::Unix(stream) => match stream.peer_cred().ok().and_then(|peer| peer.pid()) {
                Some(process) => format!("process {process}"),
                None => "a Unix socket".into(),
            },
        }
    }
}

/// Accepts connections until the end. Returns when all of them have ended.
pub(super) async fn serve(listener: Accepting, address: Address, shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = stop.begins() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => {
                // Only a connection takes room: a listener without one would keep it from the others.
                // Its sender takes what it has sent for written, so the end alone is no reason to drop it.
                let room = tokio::select! {
                    biased;
                    room = shared.connections.room() => room,
                    () = stop.begins() => None,
                };
                let Some(room) = room else { break };
                if let Some(open) = shared.connections.open(room, accepted.address()) {
                    tasks.spawn(connection(accepted, open, address.protocol, address.carrier, Arc::clone(&shared)));
                }
            }
            Err(error) => {
                // A sender that is gone already is no problem.
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    shared.reporter.complain("accept", &format!("accept on {address}: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
    // What the system has accepted by now counts as written for its sender.
    let begun = Instant::now();
    while begun.elapsed() < BACKLOG
        && let Ok((Some(room), Ok(accepted))) =
            timeout(PAUSE, async { (shared.connections.room().await, listener.accept().await) }).await
    {
        if let Some(open) = shared.connections.open(room, accepted.address()) {
            tasks.spawn(connection(accepted, open, address.protocol, address.carrier, Arc::clone(&shared)));
        }
    }
    // Senders see at once that it is gone, and find the next one.
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

async fn connection(accepted: Accepted, _open: Open, protocol: Protocol, carrier: Carrier, shared: Arc<Shared>) {
    let (sender, address) = (accepted.sender(), accepted.address());
    let stream: Box<dyn Stream> = match accepted {
        #[cfg(unix)]
        Accepted::Unix(stream) => Box::new(stream),
        Accepted::Tcp(stream, _) => {
            prepare(&stream);
            match &shared.checks.tls {
                Some(tls) if carrier == Carrier::Tls => {
                    let begun = Instant::now();
                    let mut stop = shared.stop.clone();
                    let handshake = tokio::select! {
                        handshake = timeout(shared.limits.line_timeout, tls.accept(stream)) => handshake,
                        () = stop.begins() => return,
                    };
                    match handshake {
                        Ok(Ok(stream)) => Box::new(stream),
                        Ok(Err(error)) => return turn_away(&shared, &sender, &format!("TLS handshake: {error}")),
                        Err(_) => {
                            let what = format!("no TLS handshake within {} s", begun.elapsed().as_secs());
                            return turn_away(&shared, &sender, &what);
                        }
                    }
                }
                // Checked before: a listener for TLS has a certificate.
                None if carrier == Carrier::Tls => return,
                _ => Box::new(stream),
            }
        }
    };
    let reading = |framing, format| Reading { framing, format };
    match protocol {
        Protocol::Http => http::serve(stream, sender, address, shared).await,
        Protocol::Json => stream::serve(stream, reading(Framing::LinesOrLength32, Format::Json), sender, shared).await,
        Protocol::Length32 => stream::serve(stream, reading(Framing::Length32, Format::Json), sender, shared).await,
        Protocol::Syslog => stream::serve(stream, reading(Framing::Syslog, Format::Syslog), sender, shared).await,
    }
}

fn turn_away(shared: &Shared, sender: &str, what: &str) {
    shared.counts.turned_away.add(1);
    shared.reporter.complain("handshake", &format!("turned away {sender}: {what}"));
}

fn prepare(stream: &TcpStream) {
    // Acknowledgements are small.
    let _ = stream.set_nodelay(true);
    #[cfg(unix)]
    {
        use rustix::net::sockopt;

        /// A sender that the system takes for gone is asked after this time, so that its connection ends.
        #[cfg(not(target_os = "openbsd"))]
        const KEEP_ALIVE: Duration = Duration::from_secs(60);

        if sockopt::set_socket_keepalive(stream, true).is_ok() {
            #[cfg(not(target_os = "openbsd"))]
            let _ = sockopt::set_tcp_keepidle(stream, KEEP_ALIVE);
        }
    }
}
