//! Who may send: TLS, client certificates and the token.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use spanline::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::address::{Address, Carrier, Protocol};
use super::token::Token;

/// Settings of the command line.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Security")]
pub(crate) struct Security {
    /// A file with the token that HTTP senders show as `Authorization: Bearer …`
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The certificate chain for TLS, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities, as PEM: TLS senders must have a certificate of one of them
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
}

/// What listeners check.
#[derive(Clone, Default)]
pub(super) struct Checks {
    pub(super) token: Option<Token>,
    pub(super) tls: Option<TlsAcceptor>,
}

impl Security {
    /// Refuses an address that anybody on the network could send to.
    ///
    /// # Errors
    /// Says what the address needs.
    pub(super) fn check(&self, address: &Address) -> Result<(), Error> {
        let refuse = |what: &str| Err(Error::invalid(format!("--listen {address}: {what}")));
        if address.carrier == Carrier::Tls && self.tls_cert.is_none() {
            return refuse("TLS needs a certificate; add --tls-cert and --tls-key");
        }
        if address.is_local() {
            return Ok(());
        }
        match (address.carrier, address.protocol) {
            (Carrier::Tls, Protocol::Http) if self.token_file.is_some() || self.tls_client_ca.is_some() => Ok(()),
            (Carrier::Tls, Protocol::Http) => {
                refuse("beyond this machine, senders must identify themselves; add --token-file or --tls-client-ca")
            }
            (Carrier::Tls, _) if self.tls_client_ca.is_some() => Ok(()),
            (Carrier::Tls, _) => refuse(
                "beyond this machine, senders must identify themselves, and only HTTP has tokens; add --tls-client-ca",
            ),
            (Carrier::Udp, _) => {
                refuse("datagrams are not encrypted; listen on 127.0.0.1 or [::1], or take lines over TLS")
            }
            (_, protocol) => {
                let scheme = match protocol {
                    Protocol::Http => "https",
                    Protocol::Json => "tls",
                    Protocol::Length32 => "length32+tls",
                    Protocol::Syslog => "syslog+tls",
                };
                refuse(&format!("beyond this machine, lines need TLS; use {scheme}:// or listen on 127.0.0.1 or [::1]"))
            }
        }
    }

    /// Refuses a setting that no address uses: the operator counts on it.
    ///
    /// # Errors
    /// Says which one, and what would use it.
    pub(super) fn check_use(&self, addresses: &[Address]) -> Result<(), Error> {
        if self.token_file.is_some() && !addresses.iter().any(|address| address.protocol == Protocol::Http) {
            return Err(Error::invalid("--token-file: no listener takes a token; only http:// and https:// do"));
        }
        if self.tls_cert.is_some() && !addresses.iter().any(|address| address.carrier == Carrier::Tls) {
            return Err(Error::invalid(
                "--tls-cert: no listener uses TLS; expected tls://, length32+tls://, syslog+tls:// or https://",
            ));
        }
        Ok(())
    }

    /// Reads the files.
    ///
    /// # Errors
    /// Names the file that is missing, or is not what it should be.
    pub(super) fn read(&self) -> Result<Checks, Error> {
        let token = self.token_file.as_deref().map(Token::read).transpose()?;
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(acceptor(certificate, key, self.tls_client_ca.as_deref())?),
            _ => None,
        };
        Ok(Checks { token, tls })
    }
}

fn acceptor(certificate: &Path, key: &Path, client_ca: Option<&Path>) -> Result<TlsAcceptor, Error> {
    let chain = certificates("--tls-cert", certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|_| of_file("--tls-key", key, "expected a key as PEM"))?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::invalid(error.to_string()))?;
    let config = match client_ca {
        None => config.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for root in certificates("--tls-client-ca", path)? {
                roots.add(root).map_err(|error| of_file("--tls-client-ca", path, &error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            config.with_client_cert_verifier(
                verifier.map_err(|error| of_file("--tls-client-ca", path, &error.to_string()))?,
            )
        }
    };
    let config = config.with_single_cert(chain, private);
    let config = config.map_err(|error| of_file("--tls-cert", certificate, &error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let chain: Vec<_> = read.map_err(|error| of_file(setting, path, &error.to_string()))?;
    if chain.is_empty() { Err(of_file(setting, path, "expected certificates as PEM, found none")) } else { Ok(chain) }
}

fn of_file(setting: &str, path: &Path, what: &str) -> Error {
    Error::invalid(format!("{setting} {}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_this_machine_senders_are_encrypted_and_identified() {
        let file = || Some(PathBuf::from("x"));
        let open = Security::default;
        let tls = || Security { tls_cert: file(), tls_key: file(), ..open() };
        let token = || Security { token_file: file(), ..tls() };
        let client = || Security { tls_client_ca: file(), ..tls() };
        let is_allowed = |security: &Security, address: &str| security.check(&address.parse().unwrap()).is_ok();
        for local in ["tcp://127.0.0.1:1", "udp://[::1]:1", "http://127.0.0.1:1", "unix:/x", "syslog+udp://127.0.0.1:1"]
        {
            assert!(is_allowed(&open(), local), "{local}");
        }
        for far in
            ["tcp://0.0.0.0:1", "udp://0.0.0.0:1", "http://[::]:1", "length32://0.0.0.0:1", "syslog+udp://0.0.0.0:1"]
        {
            assert!(![open(), tls(), token(), client()].iter().any(|security| is_allowed(security, far)), "{far}");
        }
        assert!(!is_allowed(&open(), "tls://127.0.0.1:1") && is_allowed(&tls(), "tls://127.0.0.1:1"));
        assert!(!is_allowed(&tls(), "https://0.0.0.0:1"));
        assert!(is_allowed(&token(), "https://0.0.0.0:1") && is_allowed(&client(), "https://0.0.0.0:1"));
        for stream in ["tls://0.0.0.0:1", "length32+tls://0.0.0.0:1", "syslog+tls://0.0.0.0:1"] {
            assert!(!is_allowed(&token(), stream) && is_allowed(&client(), stream), "{stream}");
        }
        let error = token().check(&"tls://0.0.0.0:1".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("only HTTP has tokens; add --tls-client-ca"), "{error}");
    }
}
