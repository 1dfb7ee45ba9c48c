//! Where to listen, as text: `tcp://127.0.0.1:5170`, `syslog+tls://…`, `unix:/run/collect.sock`.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

use spanline::Error;

use crate::nearest::unknown;

/// What a sender's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// A JSON object on each line, or in each datagram.
    Json,
    /// The same, each behind its length in four bytes. The receiver acknowledges frames.
    Length32,
    /// Messages of syslog.
    Syslog,
    /// Requests of HTTP.
    Http,
}

/// What carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Tcp,
    Tls,
    Udp,
    Unix,
    UnixDatagram,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) scheme: &'static str,
    pub(super) protocol: Protocol,
    pub(super) carrier: Carrier,
    pub(super) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Socket(SocketAddr),
    Path(PathBuf),
}

const SCHEMES: [(&str, Protocol, Carrier); 15] = [
    ("tcp", Protocol::Json, Carrier::Tcp),
    ("tls", Protocol::Json, Carrier::Tls),
    ("udp", Protocol::Json, Carrier::Udp),
    ("unix", Protocol::Json, Carrier::Unix),
    ("unixgram", Protocol::Json, Carrier::UnixDatagram),
    ("length32", Protocol::Length32, Carrier::Tcp),
    ("length32+tls", Protocol::Length32, Carrier::Tls),
    ("length32+unix", Protocol::Length32, Carrier::Unix),
    ("syslog+tcp", Protocol::Syslog, Carrier::Tcp),
    ("syslog+tls", Protocol::Syslog, Carrier::Tls),
    ("syslog+udp", Protocol::Syslog, Carrier::Udp),
    ("syslog+unix", Protocol::Syslog, Carrier::Unix),
    ("syslog+unixgram", Protocol::Syslog, Carrier::UnixDatagram),
    ("http", Protocol::Http, Carrier::Tcp),
    ("https", Protocol::Http, Carrier::Tls),
];

/// Words that other programs have for such addresses, and the schemes here.
const MEANT: [(&str, &str); 6] = [
    ("syslog", "`syslog+udp` or `syslog+tcp`"),
    ("otlp", "`http`, which takes OTLP at /v1/logs"),
    ("grpc", "`http`, which takes OTLP without gRPC"),
    ("gelf", "`tcp` or `udp`, which take GELF"),
    ("tcp+tls", "`tls`"),
    ("http+tls", "`https`"),
];

impl Address {
    /// Returns whether only programs of this machine reach it.
    pub(super) fn is_local(&self) -> bool {
        match &self.place {
            Place::Socket(address) => address.ip().to_canonical().is_loopback(),
            Place::Path(_) => true,
        }
    }

    /// Returns the address with the port that the system has chosen.
    pub(super) fn at(&self, address: SocketAddr) -> Self {
        Self { place: Place::Socket(address), ..self.clone() }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let expected = "expected an address such as tcp://127.0.0.1:5170 or unix:/run/collect.sock";
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(Error::invalid(format!("no scheme; {expected}")));
        };
        if let Some((_, meant)) = MEANT.into_iter().find(|(word, _)| *word == scheme) {
            return Err(Error::invalid(format!("unknown scheme `{scheme}`; did you mean {meant}?")));
        }
        let names = SCHEMES.map(|(name, ..)| name);
        let Some((scheme, protocol, carrier)) = SCHEMES.into_iter().find(|(name, ..)| *name == scheme) else {
            return Err(Error::invalid(unknown("scheme", scheme, &names)));
        };
        let place = if matches!(carrier, Carrier::Unix | Carrier::UnixDatagram) {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() {
                return Err(Error::invalid(format!("no path; expected one such as {scheme}:/run/collect.sock")));
            }
            Place::Path(path.into())
        } else {
            let example = format!("expected an address and a port, such as {scheme}://127.0.0.1:5170");
            let rest = rest.strip_prefix("//").ok_or_else(|| Error::invalid(example.clone()))?;
            let host = rest.strip_suffix('/').unwrap_or(rest);
            if host.contains('/') {
                let example =
                    format!("expected no path, only an address and a port, such as {scheme}://127.0.0.1:5170");
                return Err(Error::invalid(match protocol {
                    Protocol::Http => format!("{example}; it takes requests at /, /logs and /v1/logs"),
                    _ => example,
                }));
            }
            let mut found = host
                .to_socket_addrs()
                .map_err(|error| Error::invalid(format!("{host:?} is no address: {error}; {example}")))?;
            Place::Socket(found.next().ok_or_else(|| Error::invalid(example))?)
        };
        Ok(Self { scheme, protocol, carrier, place })
    }
}

/// Prints it as it is written.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Socket(address) => write!(f, "{}://{address}", self.scheme),
            Place::Path(path) => write!(f, "{}:{}", self.scheme, path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_is_written() {
        for (scheme, protocol, carrier) in SCHEMES {
            let place =
                if matches!(carrier, Carrier::Unix | Carrier::UnixDatagram) { "/run/x" } else { "//127.0.0.1:5170" };
            let text = format!("{scheme}:{place}");
            let address: Address = text.parse().unwrap();
            assert_eq!((address.protocol, address.carrier, address.to_string()), (protocol, carrier, text));
            assert!(address.is_local());
        }
        assert_eq!("unix:///run/x".parse::<Address>().unwrap().to_string(), "unix:/run/x");
        assert!("tcp://[::1]:1".parse::<Address>().unwrap().is_local());
        assert!("tcp://[::ffff:127.0.0.1]:1".parse::<Address>().unwrap().is_local());
        for far in ["tcp://0.0.0.0:1", "udp://[::]:1", "http://192.0.2.1:80/"] {
            assert!(!far.parse::<Address>().unwrap().is_local(), "{far}");
        }
    }

    #[test]
    fn a_wrong_address_is_refused_with_what_was_expected() {
        for (text, part) in [
            ("5170", "no scheme; expected an address such as tcp://127.0.0.1:5170"),
            ("tpc://127.0.0.1:5170", "did you mean `tcp`?"),
            ("kafka://x", "expected one of: tcp, tls,"),
            ("tcp:127.0.0.1:5170", "such as tcp://127.0.0.1:5170"),
            ("tcp://127.0.0.1", "expected an address and a port"),
            ("udp://127.0.0.1:99999", "expected an address and a port"),
            ("syslog://127.0.0.1:514", "did you mean `syslog+udp` or `syslog+tcp`?"),
            ("otlp://127.0.0.1:4318", "did you mean `http`, which takes OTLP at /v1/logs?"),
            ("http://127.0.0.1:4318/v1/logs", "expected no path"),
            ("unix:", "no path; expected one such as unix:/run/collect.sock"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
