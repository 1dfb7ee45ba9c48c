//! The settings of requests, which the sink and its thread share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::address::{Address, Credentials};
use crate::error::Error;
use crate::sink::Secret;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sink) enum Compression {
    #[default]
    None,
    #[cfg(feature = "gzip")]
    Gzip,
    #[cfg(feature = "zstd")]
    Zstd,
}

/// A secret that goes with each request.
#[derive(Clone)]
pub(in crate::sink) enum Auth {
    /// A header whose value is this text and the secret.
    Header {
        name: String,
        before: &'static str,
        secret: Secret,
    },
    Basic {
        user: String,
        password: Secret,
    },
}

impl Auth {
    pub(super) fn is_authorization(&self) -> bool {
        match self {
            Self::Header { name, .. } => name.eq_ignore_ascii_case("Authorization"),
            Self::Basic { .. } => true,
        }
    }
}

/// The settings of requests.
#[derive(Clone)]
pub(in crate::sink) struct Settings {
    pub(in crate::sink) address: Address,
    pub(in crate::sink) headers: Vec<(String, String)>,
    pub(in crate::sink) auth: Vec<Auth>,
    pub(in crate::sink) compression: Compression,
    pub(in crate::sink) connect_timeout: Duration,
    pub(in crate::sink) timeout: Duration,
    pub(in crate::sink) proxy: Option<(String, Address)>,
    pub(in crate::sink) roots: Option<PathBuf>,
    /// Certificate and key.
    pub(in crate::sink) identity: Option<(PathBuf, PathBuf)>,
    /// Where and how often a server is asked whether it has stored a batch.
    pub(in crate::sink) acknowledgements: Option<Acknowledgements>,
}

/// Where and how long a server is asked whether it has stored a batch.
#[derive(Clone, Debug)]
pub(in crate::sink) struct Acknowledgements {
    pub(in crate::sink) address: Address,
    pub(in crate::sink) timeout: Duration,
}

impl Settings {
    pub(super) fn new(address: Address, credentials: Option<Credentials>) -> Self {
        let auth = credentials.map(|(user, password)| Auth::Basic { user, password: Secret::text(password) });
        Self {
            address,
            headers: Vec::new(),
            auth: auth.into_iter().collect(),
            compression: Compression::default(),
            connect_timeout: super::Http::DEFAULT_CONNECT_TIMEOUT,
            timeout: super::Http::DEFAULT_TIMEOUT,
            proxy: None,
            roots: None,
            identity: None,
            acknowledgements: None,
        }
    }

    /// Checks what can only be a mistake.
    ///
    /// # Errors
    /// [Invalid](Error::is_invalid), with the setting. A header's value is not shown.
    pub(super) fn check(&self) -> Result<(), Error> {
        let of_auth = self.auth.iter().filter_map(|auth| match auth {
            Auth::Header { name, .. } => Some(name),
            Auth::Basic { .. } => None,
        });
        for name in self.headers.iter().map(|(name, _)| name).chain(of_auth) {
            let wrong = |error| {
                let what = format!("{:?} is no name of a header", shown_name(name));
                Error::invalid(format!("{what}; expected one such as X-Api-Key, and its value apart"))
                    .with_source(format!("{error}"))
            };
            HeaderName::from_bytes(name.as_bytes()).map_err(wrong)?;
        }
        for (name, value) in &self.headers {
            let wrong = |_| {
                Error::invalid(format!(
                    "the value of the header {name} has characters that no header may have; expected one line of text"
                ))
            };
            HeaderValue::from_str(value).map_err(wrong)?;
        }
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(Error::invalid("the timeout of requests is zero; expected a longer one, such as 10 s"));
        }
        Ok(())
    }

    /// Returns what the URLs have that no text may show.
    pub(super) fn secrets(&self) -> Vec<String> {
        let proxy = self.proxy.iter().flat_map(|(url, address)| {
            let credentials = Address::parse(url).ok().and_then(|(_, credentials)| credentials);
            address.query_values().chain(credentials.map(|(_, password)| password))
        });
        self.address.query_values().chain(proxy).collect()
    }

    /// Makes the client, with the certificates that the files hold now.
    pub(super) fn agent(&self) -> Result<Agent, Error> {
        let proxy = self.proxy.as_ref().map(|(url, shown)| {
            // The cause may show the URL.
            ureq::Proxy::new(url).map_err(|_| Error::retry(format!("the proxy {} cannot be used", shown.shown())))
        });
        let tls = TlsConfig::builder();
        let tls = match &self.roots {
            Some(path) => tls.root_certs(RootCerts::new_with_certs(&certificates(path)?)),
            None => tls,
        };
        let tls = match &self.identity {
            Some((chain, key)) => {
                tls.client_cert(Some(ClientCert::new_with_certs(&certificates(chain)?, private_key(key)?)))
            }
            None => tls,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy.transpose()?)
            .tls_config(tls.build())
            .user_agent(concat!("spanline/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .timeout_connect(Some(self.connect_timeout))
            .build();
        Ok(Agent::new_with_config(config))
    }
}

/// Shows no value of a header, and no secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| shown_name(name)).collect();
        f.debug_struct("Settings")
            .field("address", &self.address.shown())
            .field("headers", &headers)
            .field("auth", &self.auth)
            .field("compression", &self.compression)
            .field("timeout", &self.timeout)
            .field("proxy", &self.proxy.as_ref().map(|(_, address)| address.shown()))
            .field("roots", &self.roots)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, secret, .. } => {
                f.debug_tuple("Header").field(&shown_name(name)).field(secret).finish()
            }
            Self::Basic { password, .. } => f.debug_tuple("Basic").field(password).finish(),
        }
    }
}

/// Returns a header's name as a text may show it. What follows in one that is none may be the header's value.
fn shown_name(name: &str) -> String {
    match name.split_once(|char: char| !(char.is_ascii_alphanumeric() || "-_".contains(char))) {
        Some((start, _)) if HeaderName::from_bytes(name.as_bytes()).is_err() => format!("{start}…"),
        _ => name.to_owned(),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::io(format!("read {}", path.display()), error))
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let pem = read(path)?;
    let items = parse_pem(&pem).filter_map(Result::ok);
    let found: Vec<_> =
        items.filter_map(|item| if let PemItem::Certificate(one) = item { Some(one) } else { None }).collect();
    if found.is_empty() {
        return Err(Error::retry(format!("{} has no certificate; expected PEM", path.display())));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKey<'static>, Error> {
    // The cause may show a part of the file.
    PrivateKey::from_pem(&read(path)?)
        .map_err(|_| Error::retry(format!("{} has no private key; expected PEM", path.display())))
}
