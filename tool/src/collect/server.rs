//! Runs the receiver: its listeners, its outputs, and its end.
//!
//! At the end, listeners close first, then connections hand over what has arrived. Then the writer has no more batches, and
//! the outputs end.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use spanline::Error;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::interval_at;

use super::accept::{self, Accepting};
use super::address::{Address, Protocol};
use super::batch::{Format, Memory};
use super::connections::Connections;
use super::counts::Counts;
use super::datagrams;
use super::files::Files;
use super::limits::Limits;
use super::listener::{Bound, Listener};
use super::outputs;
use super::reporter::Reporter;
use super::security::Checks;
use super::senders::Senders;
use super::settings::Settings;
use super::stop::{Signals, Stop, stop};
use super::writer::{Outputs, Writer};

/// How long tasks may take to end when the time is up.
const ABORT: Duration = Duration::from_secs(1);

/// What all connections share.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) checks: Checks,
    pub(super) counts: Arc<Counts>,
    pub(super) reporter: Reporter,
    pub(super) connections: Connections,
    pub(super) senders: Senders,
    /// Bytes of records.
    pub(super) memory: Memory,
    /// Bytes of requests that are being read.
    pub(super) bodies: Arc<Semaphore>,
    pub(super) writer: Writer,
    pub(super) stop: Stop,
}

/// Receives lines until a signal ends it.
///
/// # Errors
/// A setting is wrong, a socket or an output cannot be opened, or lines were not written at the end.
pub(crate) fn run(settings: &Settings) -> Result<(), Error> {
    let checks = settings.security.read()?;
    let counts = Arc::<Counts>::default();
    let reporter = Reporter::new(settings.report, Arc::clone(&counts));
    raise_descriptors(settings);
    // Before there are other threads: binding changes the umask for a moment.
    let listeners = settings.listen.iter().map(Listener::bind).collect::<Result<Vec<_>, _>>()?;
    let log = outputs::start(&settings.writing, &settings.limits, &reporter)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::io("start threads", error))?;
    let (stopper, stop) = stop(settings.limits.receiving_at_end());
    let stopper = Arc::new(stopper);
    let limits = settings.limits.clone();
    let (writer, writing) = Writer::new(Outputs {
        handle: log.guard.handle(),
        counts: Arc::clone(&counts),
        stop: stop.clone(),
        stopper: Arc::clone(&stopper),
        limits: limits.clone(),
        syncs: settings.writing.sync,
        is_behind: false,
        left: (0, (0, 0)),
        has_failed: false,
        files: Files::new(settings.writing.routes()?, reporter.clone()),
        services: HashSet::new(),
    });
    let writing = runtime.spawn_blocking(writing);
    let shared = Shared {
        checks,
        connections: Connections::new(&limits, Arc::clone(&counts)),
        senders: Senders::new(Arc::clone(&counts)),
        counts,
        reporter: reporter.clone(),
        memory: Memory::new(limits.max_memory),
        bodies: Arc::new(Semaphore::new(limits.max_memory.max(limits.max_body_bytes))),
        limits,
        writer,
        stop,
    };
    let every = settings.report_every;
    let result = runtime.block_on(async move {
        // Before anybody hears that it listens, and may end it.
        let signals = Signals::new().map_err(|error| Error::io("wait for signals", error))?;
        let serving = serve(listeners, Arc::new(shared), every);
        tokio::pin!(serving);
        tokio::select! {
            result = &mut serving => result,
            () = stopper.obey(signals) => serving.await,
        }
    });
    // Without senders, it ends when it has written what it has.
    let outputs = runtime.block_on(writing).unwrap_or(Ok(()));
    runtime.shutdown_timeout(ABORT);
    let written = log.guard.close();
    reporter.ended();
    result.and(outputs).and(written)
}

/// Raises the number of descriptors that the process may have to what its connections and files need, if the system allows.
#[cfg(unix)]
fn raise_descriptors(settings: &Settings) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// Those of listeners, databases and threads.
    const OTHERS: u64 = 256;
    let needed = settings.limits.max_connections as u64 + 3 * settings.writing.open_files as u64 + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < needed) {
        let current = Some(maximum.map_or(needed, |maximum| needed.min(maximum)));
        // Else the system refuses connections, which is reported.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    }
}

#[cfg(not(unix))]
fn raise_descriptors(_: &Settings) {}

async fn serve(listeners: Vec<Listener>, shared: Arc<Shared>, every: Duration) -> Result<(), Error> {
    let addresses: Vec<Address> = listeners.iter().map(|listener| listener.address.clone()).collect();
    let mut tasks = JoinSet::new();
    for listener in listeners {
        let what = listener.address.to_string();
        start(listener, &shared, &mut tasks).map_err(|error| Error::io(format!("listen on {what}"), error))?;
    }
    shared.reporter.listening(&addresses);
    let mut reports = interval_at(tokio::time::Instant::now() + every, every);
    let mut stop = shared.stop.clone();
    let mut reported = 0;
    loop {
        tokio::select! {
            () = stop.begins() => break,
            _ = reports.tick() => {
                let received = shared.counts.received.now();
                if received != std::mem::replace(&mut reported, received) {
                    shared.reporter.received();
                }
            }
        }
    }
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => {}
        () = stop.is_over() => tasks.shutdown().await,
    }
    Ok(())
}

/// Starts the task of a listener.
fn start(listener: Listener, shared: &Arc<Shared>, tasks: &mut JoinSet<()>) -> io::Result<()> {
    let (address, shared) = (listener.address, Arc::clone(shared));
    let format = if address.protocol == Protocol::Syslog { Format::Syslog } else { Format::Json };
    match listener.socket {
        Bound::Tcp(listener) => {
            let listener = Accepting::Tcp(tokio::net::TcpListener::from_std(listener)?);
            tasks.spawn(accept::serve(listener, address, shared));
        }
        Bound::Udp(socket) => {
            let (at, socket) = (socket.local_addr().ok(), tokio::net::UdpSocket::from_std(socket)?);
            tasks.spawn(datagrams::serve(datagrams::Socket::Udp(socket), at, format, shared));
        }
        #[cfg(unix)]
        Bound::Unix(listener, file) => {
            let listener = Accepting::Unix { listener: tokio::net::UnixListener::from_std(listener)?, _file: file };
            tasks.spawn(accept::serve(listener, address, shared));
        }
        #[cfg(unix)]
        Bound::UnixDatagram(socket, file) => {
            let socket = datagrams::Socket::Unix { socket: tokio::net::UnixDatagram::from_std(socket)?, _file: file };
            tasks.spawn(datagrams::serve(socket, None, format, shared));
        }
    }
    Ok(())
}
