//! Where ClickHouse is, as text: `clickhouse://user@host:8123/database?cluster=name`.

use std::fmt;
use std::str::FromStr;

/// The address of one node, and the database there. It has no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `http://host:8123`.
    base: String,
    pub(super) user: Option<String>,
    pub(crate) database: String,
    pub(crate) cluster: Option<String>,
}

const EXPECTED: &str = "expected clickhouse://[user@]host[:8123]/database[?cluster=NAME], or clickhouse+https://…";

impl Address {
    /// Returns the URL of requests, without parameters.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Reads one from a command line.
    ///
    /// # Errors
    /// Says what was expected, and never repeats the text, which may have a password in it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, port, rest) = match text.split_once("://") {
            Some(("clickhouse", rest)) => ("http", 8123, rest),
            Some(("clickhouse+https", rest)) => ("https", 8443, rest),
            _ => return Err(EXPECTED.to_owned()),
        };
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (server, database) = rest.split_once('/').ok_or(EXPECTED)?;
        let (user, host) = server.rsplit_once('@').map_or((None, server), |(user, host)| (Some(user), host));
        if user.is_some_and(|user| user.contains(':')) {
            return Err(format!("{EXPECTED}; found a password, which goes to --password-file or CLICKHOUSE_PASSWORD"));
        }
        let is_host = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_' | ':' | '[' | ']');
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|char| char.is_alphanumeric() || char == '_');
        if host.is_empty() || !host.chars().all(is_host) || !is_name(database) || user.is_some_and(str::is_empty) {
            return Err(EXPECTED.to_owned());
        }
        let cluster = match query.map(|query| query.split_once('=')) {
            None => None,
            Some(Some(("cluster", name))) if is_name(name) => Some(name.to_owned()),
            Some(_) => return Err(EXPECTED.to_owned()),
        };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let port = if has_port { String::new() } else { format!(":{port}") };
        let base = format!("{scheme}://{host}{port}");
        Ok(Self { base, user: user.map(str::to_owned), database: database.to_owned(), cluster })
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

/// Names the node in messages.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_database_and_no_password() {
        let address = Address::parse("clickhouse://reader@db.example/logs?cluster=two").unwrap();
        assert_eq!((address.base(), address.user.as_deref()), ("http://db.example:8123", Some("reader")));
        assert_eq!((address.database.as_str(), address.cluster.as_deref()), ("logs", Some("two")));
        assert_eq!(Address::parse("clickhouse+https://[::1]:9443/a").unwrap().base(), "https://[::1]:9443");
        for wrong in [
            "",
            "http://a/b",
            "clickhouse://a",
            "clickhouse:///b",
            "clickhouse://a/",
            "clickhouse://a/b`c",
            "clickhouse://a/b?x=1",
            "clickhouse://a/b?cluster=",
            "clickhouse://u:hunter2@a/b",
            "clickhouse://a b/c",
        ] {
            let why = Address::parse(wrong).unwrap_err();
            assert!(why.starts_with("expected clickhouse://") && !why.contains("hunter2"), "{wrong}: {why}");
        }
    }
}
