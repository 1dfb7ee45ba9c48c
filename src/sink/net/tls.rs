//! TLS for connections, with rustls and ring.
//!
//! The handshake is done while lines wait, as part of sending, so a server that stops in its middle blocks nobody. Settings
//! are read for each connection: a renewed certificate needs no restart. Sources: RFC 8446, RFC 5425.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::stream::{Socket, Stream};
use crate::error::Error;

/// Settings of an encrypted connection: which servers are trusted, and who the client is.
///
/// By default, the roots of the system are trusted, and the server's name is that of its address. `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name other roots. TLS 1.2 and 1.3 are spoken.
///
/// # Examples
/// ```
/// use spanline::sink::{Tcp, Tls};
///
/// let tls = Tls::new().roots_file("/etc/collector/ca.pem").client_certificate("/etc/orders/tls.crt", "/etc/orders/tls.key");
/// let sink = Tcp::new("collector.example.com:6514").tls(tls);
/// # let _ = sink;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tls {
    roots: Option<PathBuf>,
    client: Option<(PathBuf, PathBuf)>,
    server_name: Option<String>,
}

impl Tls {
    /// Trusts the system's roots.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts only the roots in a PEM file.
    pub fn roots_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.roots = Some(path.into());
        self
    }

    /// Shows the server a certificate. `certificates`: a PEM file with the certificate, followed by those that lead to a
    /// root. `key`: a PEM file with its private key, without a password.
    pub fn client_certificate(mut self, certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client = Some((certificates.into(), key.into()));
        self
    }

    /// Sets the name that the server's certificate must have.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// An [invalid](Error::is_invalid) one, which names the file and never shows a key.
    pub(super) fn check(&self) -> Result<(), Error> {
        if let Some(name) = &self.server_name {
            server_name(name)?;
        }
        self.config().map(drop).map_err(Error::into_invalid)
    }

    fn config(&self) -> Result<ClientConfig, Error> {
        let failed = |error: rustls::Error| Error::invalid("TLS settings").with_source(error);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(failed)?;
        let builder = builder.with_root_certificates(self.roots()?);
        match &self.client {
            None => Ok(builder.with_no_client_auth()),
            Some((certificates, key)) => {
                let chain = read_certificates(certificates)?;
                let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| of_pem(key, "a private key", error))?;
                let failed = |error: rustls::Error| {
                    let what = format!("{} and {}", certificates.display(), key.display());
                    Error::invalid(format!("client certificate {what}: expected a certificate and its key"))
                        .with_source(error)
                };
                builder.with_client_auth_cert(chain, key_der).map_err(failed)
            }
        }
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        match &self.roots {
            Some(path) => {
                for root in read_certificates(path)? {
                    let failed = |error: rustls::Error| {
                        Error::invalid(format!("{} has a certificate that is no root", path.display()))
                            .with_source(error)
                    };
                    roots.add(root).map_err(failed)?;
                }
            }
            None => {
                // Systems have roots that rustls does not know how to read; the others do.
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    let message =
                        "the system has no root certificates; expected the package ca-certificates, or Tls::roots_file";
                    let why = found.errors.first().map(ToString::to_string);
                    return Err(Error::invalid(message).with_source(why.unwrap_or_else(|| "none found".to_owned())));
                }
            }
        }
        Ok(roots)
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.to_owned())
        .map_err(|error| Error::invalid(format!("{name:?} is no name of a server")).with_source(error))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>());
    let certificates = read.map_err(|error| of_pem(path, "certificates", error))?;
    if certificates.is_empty() {
        return Err(Error::invalid(format!("{} has no certificate; expected PEM", path.display())));
    }
    Ok(certificates)
}

/// The error of a file. What is in the file is not repeated.
fn of_pem(path: &Path, what: &str, error: rustls::pki_types::pem::Error) -> Error {
    use rustls::pki_types::pem::Error as Pem;
    match error {
        Pem::Io(error) => Error::io(format!("read {what} from {}", path.display()), error),
        Pem::NoItemsFound => Error::invalid(format!("{} does not have {what}; expected PEM", path.display())),
        _ => Error::invalid(format!("{} does not have {what}: it is no PEM", path.display())),
    }
}

/// An encrypted connection.
pub(super) struct TlsStream {
    socket: Socket,
    tls: ClientConnection,
    /// Bytes taken from the caller.
    taken: u64,
    /// The socket's bytes with which all that was taken had been sent, and how much that was.
    marks: VecDeque<(u64, u64)>,
    arrived: u64,
}

/// Records are kept small, so that those waiting for the socket stay few.
const PIECE_BYTES: usize = 64 << 10;

/// A peer may send records without content and without end. After this many reads, a call returns.
const MAX_PULLS: usize = 64;

impl TlsStream {
    /// Begins a connection. `host`: the server's name, unless the settings have another.
    pub(super) fn new(stream: TcpStream, tls: &Tls, host: &str) -> Result<Self, Error> {
        let name = server_name(tls.server_name.as_deref().unwrap_or(host))?;
        let config = Arc::new(tls.config().map_err(Error::into_retry)?);
        let tls = ClientConnection::new(config, name).map_err(|error| Error::retry("begin TLS").with_source(error))?;
        let socket = Socket::tcp(stream).map_err(|error| Error::io("begin TLS", error))?;
        Ok(Self { socket, tls, taken: 0, marks: VecDeque::new(), arrived: 0 })
    }

    /// Reads what has come, and acts on it. False: the peer has hung up.
    fn pull(&mut self) -> io::Result<bool> {
        let length = self.tls.read_tls(&mut self.socket)?;
        if let Err(error) = self.tls.process_new_packets() {
            // Tells the peer why.
            let _ = self.push();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(length > 0)
    }
}

impl Stream for TlsStream {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.push()? || self.tls.is_handshaking() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = self.tls.writer().write(bytes.get(..PIECE_BYTES).unwrap_or(bytes))?;
        self.taken += taken as u64;
        self.push()?;
        if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    fn push(&mut self) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.marks.back().map_or(self.arrived, |(_, taken)| *taken) < self.taken {
            self.marks.push_back((self.socket.sent(), self.taken));
        }
        Ok(true)
    }

    /// A peer that has ended TLS may still have unread bytes, which the connection itself then tells.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for _ in 0..MAX_PULLS {
            let is_ended = match self.tls.reader().read(buffer) {
                Ok(0) => true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => false,
                read => return read,
            };
            match self.pull() {
                Ok(false) => return Ok(0),
                Err(error) if error.kind() == ErrorKind::WouldBlock && is_ended => {
                    return Err(io::Error::new(ErrorKind::ConnectionAborted, "the peer has ended TLS"));
                }
                pulled => pulled?,
            };
            self.push()?;
        }
        Err(ErrorKind::WouldBlock.into())
    }

    fn arrived(&mut self) -> u64 {
        let sent = self.socket.arrived();
        while let Some(&(end, taken)) = self.marks.front()
            && end <= sent
        {
            self.marks.pop_front();
            self.arrived = taken;
        }
        self.arrived
    }

    fn wait(&self, longest: Duration) {
        self.socket.wait(self.tls.wants_write() || !self.tls.is_handshaking(), longest);
    }

    fn end(&mut self) {
        self.tls.send_close_notify();
        let _ = self.push();
        self.socket.end();
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}
