//! Where the server is, and how to log in. No text shows a password.

use std::fmt;
use std::net::IpAddr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::Error;

/// A URL that was read.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: Config,
    /// Host, port and database.
    shown: String,
}

impl Address {
    /// Reads a URL. Without `sslmode`, TLS is required unless the server is on this machine.
    ///
    /// # Errors
    /// An invalid setting. It does not repeat any part of the URL: which part is the password is uncertain then.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        const EXPECTED: &str = "expected `postgres://user@host:5432/database`";
        let invalid = |why: &str| Err(Error::invalid(format!("the URL of the database {why}; {EXPECTED}")));
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return invalid("does not begin with `postgres://`");
        }
        if url.matches('@').count() > 1 {
            return invalid(
                "has more than one `@`; write `%40` for one in a password, or set the password with `password`",
            );
        }
        let Ok(mut config) = url.parse::<Config>() else { return invalid("cannot be read") };
        if config.get_hosts().is_empty() {
            return invalid("names no host");
        }
        if config.get_user().is_none() {
            return invalid("names no user");
        }
        let is_here = config.get_hosts().iter().all(is_this_machine);
        if !url.contains("sslmode=") {
            config.ssl_mode(if is_here { SslMode::Disable } else { SslMode::Require });
        }
        let hosts: Vec<_> = config.get_hosts().iter().map(host_text).collect();
        let ports: Vec<_> = config.get_ports().iter().map(u16::to_string).collect();
        let port = if ports.is_empty() { String::new() } else { format!(":{}", ports.join(",")) };
        let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
        let shown = format!("postgres {}{port}/{database}", hosts.join(","));
        Ok(Self { config, shown })
    }

    /// Returns whether connections may use TLS.
    pub(super) fn uses_tls(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }
}

/// Shows host, port and database.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn host_text(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_44_no_text_shows_the_password_of_a_url() {
        let address = Address::parse("postgres://app:hunter2@db.example:6432/orders").unwrap();
        assert_eq!(address.to_string(), "postgres db.example:6432/orders");
        assert!(!format!("{address:?}{:?}", address.config).contains("hunter2"));
        assert!(address.uses_tls());
        for here in ["localhost", "127.0.0.1", "%2Frun%2Fpostgresql"] {
            assert!(!Address::parse(&format!("postgres://app@{here}/orders")).unwrap().uses_tls(), "{here}");
        }
        assert!(!Address::parse("postgres://app@db.example/orders?sslmode=disable").unwrap().uses_tls());
        for url in [
            "app:hunter2@db.example",
            "postgres://app:hunter2",
            "postgres://app:hun@ter2@db.example/orders",
            "postgres://app:hunter2@db.example:port/orders",
            "postgres://app:x@db.example/orders?hunter2=1",
            "postgres:///orders",
            "postgres://db.example/orders",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(error.is_invalid() && !format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
