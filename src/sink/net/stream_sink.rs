//! What the sinks of connections share: connects, and connects again.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::super::reconnect::Reconnect;
use super::super::{Control, Lines, Next};
use super::connection::Connection;
use super::framing::Framing;
use super::peer::Peer;
use super::stream::{Socket, Stream};
#[cfg(feature = "tls")]
use super::tls::{Tls, TlsStream};
use crate::error::Error;
use crate::sync::after;

/// How long a peer may take to let the sink connect, and how long it may do nothing while lines wait for it.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The start of a log waits no longer than this for a server.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);

/// A call waits this long for a connection. Then the worker waits, which looks after orders meanwhile.
const CONNECT_WAIT: Duration = Duration::from_millis(100);

/// It is looked for this often, in case that the attempt was begun without a waker.
const CONNECT_LOOK: Duration = Duration::from_millis(100);

/// Where to connect to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Tcp {
        address: String,
        default_port: Option<u16>,
    },
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

/// Sends lines over connections.
pub(super) struct StreamSink {
    pub(super) target: Target,
    pub(super) framing: Framing,
    pub(super) is_acknowledged: bool,
    pub(super) timeout: Duration,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
    /// The server of `target`, once it was parsed.
    peer: Option<Peer>,
    connection: Option<Connection>,
    reconnect: Reconnect,
    /// The last connection broke with lines on their way.
    begins_slowly: bool,
    /// The start of the log has tried to connect.
    was_opened: bool,
}

impl StreamSink {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            framing: Framing::default(),
            is_acknowledged: false,
            timeout: DEFAULT_TIMEOUT,
            #[cfg(feature = "tls")]
            tls: None,
            peer: None,
            connection: None,
            reconnect: Reconnect::default(),
            begins_slowly: false,
            was_opened: false,
        }
    }

    pub(super) fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        if self.connection.is_none() {
            // Those of a connection that an order has ended.
            if lines.in_flight() > 0 {
                lines.give_back(..);
            }
            if lines.is_empty() {
                return Ok(Next::Done);
            }
            if let Some(at) = self.reconnect.wait(Instant::now(), lines.ends_at()) {
                return Ok(Next::Later(at));
            }
            self.connect(CONNECT_WAIT, Some(lines.waker()))?;
        }
        // The attempt to connect wakes the worker.
        let Some(connection) = &mut self.connection else {
            return Ok(Next::Later(after(Instant::now(), CONNECT_LOOK)));
        };
        let result = connection.exchange(lines, self.timeout);
        if std::mem::take(&mut connection.has_delivered) {
            self.reconnect.succeeded();
        }
        let is_owing = connection.is_owing();
        result.map_err(|error| {
            (self.connection, self.begins_slowly) = (None, is_owing);
            self.reconnect.failed(Instant::now());
            error.of(&self.shown())
        })
    }

    pub(super) fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Open => self.open(),
            Control::Reopen => {
                if let Some(mut connection) = self.connection.take() {
                    connection.end();
                }
                self.reconnect.hurry();
                Ok(())
            }
            Control::Flush => {
                self.reconnect.hurry();
                Ok(())
            }
            Control::Close => {
                self.reconnect.hurry();
                self.connection.iter_mut().for_each(Connection::end);
                Ok(())
            }
            Control::Forked => {
                // Closes this process's copy of the descriptor, of which the other side notices nothing.
                self.connection = None;
                self.reconnect = Reconnect::default();
                self.peer.iter_mut().for_each(Peer::forked);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Checks the settings, and tries once to connect. The log starts without a server.
    fn open(&mut self) -> Result<(), Error> {
        if self.was_opened {
            return Ok(());
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            tls.check()?;
        }
        match &self.target {
            Target::Tcp { address, default_port } => self.peer = Some(Peer::parse(address, *default_port)?),
            #[cfg(unix)]
            Target::Unix(path) => {
                super::unix::check(path)?;
            }
        }
        self.was_opened = true;
        self.connect(self.timeout.min(OPEN_TIMEOUT), None)?;
        if self.connection.is_none() {
            return Err(Error::retry(format!("connect to {}: no answer yet", self.shown())));
        }
        Ok(())
    }

    /// Connects. An attempt that takes longer than `wait` goes on.
    fn connect(&mut self, wait: Duration, waker: Option<Waker>) -> Result<(), Error> {
        match self.stream(wait, waker) {
            Ok(None) => Ok(()),
            Ok(Some(stream)) => {
                let begins_slowly = std::mem::take(&mut self.begins_slowly);
                self.connection = Some(Connection::new(stream, self.framing, self.is_acknowledged, begins_slowly));
                Ok(())
            }
            Err(error) => {
                self.reconnect.failed(Instant::now());
                Err(error)
            }
        }
    }

    fn stream(&mut self, wait: Duration, waker: Option<Waker>) -> Result<Option<Box<dyn Stream>>, Error> {
        match &self.target {
            Target::Tcp { address, default_port } => {
                let peer = match &mut self.peer {
                    Some(peer) => peer,
                    None => self.peer.insert(Peer::parse(address, *default_port)?),
                };
                let Some(stream) = peer.connect(self.timeout, wait, waker)? else { return Ok(None) };
                #[cfg(feature = "tls")]
                if let Some(tls) = &self.tls {
                    let stream = TlsStream::new(stream, tls, peer.host());
                    return Ok(Some(Box::new(stream.map_err(|error| error.of(&peer.to_string()))?)));
                }
                let stream = Socket::tcp(stream).map_err(|error| Error::io(format!("connect to {peer}"), error))?;
                Ok(Some(Box::new(stream)))
            }
            #[cfg(unix)]
            Target::Unix(path) => {
                let stream = Socket::unix(super::unix::connect(path)?)
                    .map_err(|error| Error::io(format!("connect to {}", path.display()), error))?;
                Ok(Some(Box::new(stream)))
            }
        }
    }

    fn shown(&self) -> String {
        match &self.target {
            Target::Tcp { address, .. } => self.peer.as_ref().map_or_else(|| address.clone(), Peer::to_string),
            #[cfg(unix)]
            Target::Unix(path) => path.display().to_string(),
        }
    }
}

impl StreamSink {
    /// Shows the settings. The address may hold a password until it was parsed.
    pub(super) fn fmt_as(&self, name: &str, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(name)
            .field("peer", &self.peer.as_ref().map(Peer::to_string))
            .field("framing", &self.framing)
            .field("acknowledged", &self.is_acknowledged)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
