//! The address of a server, without the credentials that a URL may have.

use ureq::http::Uri;

use crate::error::Error;

/// Where requests go. Its texts show no credentials and no query: both may be secret.
#[derive(Clone, Debug)]
pub(in crate::sink) struct Address {
    /// `https://host:port`.
    origin: String,
    path: String,
    /// After the question mark.
    query: Option<String>,
}

/// A name and a password.
pub(super) type Credentials = (String, String);

impl Address {
    /// Parses a URL. Returns the credentials in it apart.
    ///
    /// # Errors
    /// [Invalid](Error::is_invalid) if it is no URL of HTTP. The message does not show it: it may have a password.
    pub(super) fn parse(url: &str) -> Result<(Self, Option<Credentials>), Error> {
        let wrong =
            |why: &str| Error::invalid(format!("{why}; expected a URL such as https://collector.example/ingest"));
        let uri: Uri = url.parse().map_err(|error| wrong("not a URL").with_source(format!("{error}")))?;
        let scheme = uri.scheme_str().ok_or_else(|| wrong("the URL has no scheme"))?;
        if !matches!(scheme, "http" | "https") {
            return Err(wrong(&format!("the URL's scheme is {scheme}")));
        }
        let authority = uri.authority().ok_or_else(|| wrong("the URL names no host"))?.as_str();
        // A password with one of `/?#` ends the authority early: its rest would be taken for a path, and shown.
        let is_early = url.matches('@').count() > authority.matches('@').count();
        if is_early || authority.matches('@').count() > 1 {
            return Err(wrong(
                "the URL has an @ that does not end a user and a password; write %40 for one, and %2F, %3F and \
                 %23 for /, ? and # in a password",
            ));
        }
        let (credentials, host) = match authority.rsplit_once('@') {
            Some((credentials, host)) => (Some(credentials), host),
            None => (None, authority),
        };
        if host.is_empty() || host.starts_with(':') {
            return Err(wrong("the URL names no host"));
        }
        let behind = match host.rsplit_once(']') {
            Some((_, behind)) => behind,
            None => host.find(':').and_then(|at| host.get(at..)).unwrap_or_default(),
        };
        let port = behind.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
        if !behind.is_empty() && port.is_none() {
            return Err(wrong("the URL has no port from 1 to 65535 behind its host"));
        }
        let credentials = credentials.map(|text| {
            let (user, password) = text.split_once(':').unwrap_or((text, ""));
            (decoded(user), decoded(password))
        });
        let address = Self {
            origin: format!("{scheme}://{host}"),
            path: uri.path().to_owned(),
            query: uri.query().map(str::to_owned),
        };
        Ok((address, credentials))
    }

    /// Returns the address of a sink whose URL is wrong.
    pub(super) fn nowhere() -> Self {
        Self { origin: String::new(), path: String::new(), query: None }
    }

    /// Returns the address with `path` where it has none.
    pub(super) fn or_path(mut self, path: &str) -> Self {
        if matches!(self.path.as_str(), "" | "/") {
            path.clone_into(&mut self.path);
        }
        self
    }

    /// Returns the address of another path of the server.
    pub(super) fn at_path(&self, path: &str) -> Self {
        Self { origin: self.origin.clone(), path: path.to_owned(), query: None }
    }

    /// Returns the address with `more` added to its path.
    pub(super) fn below(mut self, more: &str) -> Self {
        self.path = format!("{}{more}", self.path.trim_end_matches('/'));
        self
    }

    /// Returns the address with a query.
    pub(super) fn with_query(self, query: String) -> Self {
        Self { query: Some(query), ..self }
    }

    /// Returns the whole URL, with `more` added to its query.
    pub(super) fn url(&self, more: Option<&str>) -> String {
        let mut url = format!("{}{}", self.origin, self.path);
        let parts = self.query.as_deref().into_iter().chain(more).filter(|part| !part.is_empty());
        for (place, part) in parts.enumerate() {
            url.push(if place == 0 { '?' } else { '&' });
            url.push_str(part);
        }
        url
    }

    /// Returns the values in the query, as they are and decoded.
    pub(super) fn query_values(&self) -> impl Iterator<Item = String> + '_ {
        let parts = self.query.as_deref().unwrap_or_default().split('&');
        let values = parts.map(|part| part.split_once('=').map_or(part, |(_, value)| value));
        values.flat_map(|value| [value.to_owned(), decoded(value)])
    }

    /// Returns the address as a text may show it.
    pub(super) fn shown(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }
}

/// Returns the target of a redirect as a text may show it: without credentials and query.
pub(super) fn shown_target(target: &str) -> String {
    let target = target.split(['?', '#']).next().unwrap_or_default();
    let shown = match target.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => target.rsplit_once('@').map_or(target, |(_, rest)| rest).to_owned(),
    };
    super::shown::printable(&shown)
}

/// Encodes a value of a query.
pub(super) fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Decodes `%41`. What is not encoded correctly stays as it is.
pub(super) fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|byte| (*byte as char).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_44_an_address_shows_neither_credentials_nor_query() {
        let (address, credentials) = Address::parse("https://ada:p%40ss%3A@logs.example:8443/in?token=t0k").unwrap();
        assert_eq!(credentials, Some(("ada".to_owned(), "p@ss:".to_owned())));
        assert_eq!(address.shown(), "https://logs.example:8443/in");
        assert_eq!(address.url(Some("a=1")), "https://logs.example:8443/in?token=t0k&a=1");
        for (target, shown) in [
            ("https://ada:pass@other.example/in?token=1#x", "https://other.example/in"),
            ("/login?token=1", "/login"),
            ("//ada:pass@other.example/", "other.example/"),
            ("https://other.example", "https://other.example"),
        ] {
            assert_eq!(shown_target(target), shown);
        }
    }

    #[test]
    fn what_is_no_url_of_http_is_an_error_that_does_not_show_it() {
        for url in [
            "",
            "collector",
            "ftp://ada:hunter2@host/",
            "http://:80/",
            "http://ada:hunter2 @host/",
            "/path",
            // A character of the password ends it.
            "http://ada:hunter2/3@host/",
            "http://ada:1/hunter2@host/",
            "http://ada:1?hunter2@host/",
            "http://ada:1#hunter2@host/",
            "http://ada:h@hunter2@host/",
            "http://ada:hunter2",
            "http://[::1]:hunter2/",
            "http://[::1]hunter2/",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(error.is_invalid() && !format!("{error:#}").contains("hunter2"), "{url}: {error:#}");
        }
        for url in ["http://[::1]/", "http://[::1]:80/", "http://host:65535/a%40b", "http://ada:h%40%2F@host:1/"] {
            assert!(Address::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn paths_and_queries_are_joined() {
        let address = |url: &str| Address::parse(url).unwrap().0;
        assert_eq!(address("http://a").or_path("/push").url(None), "http://a/push");
        assert_eq!(address("http://a/own").or_path("/push").url(None), "http://a/own");
        assert_eq!(address("http://a/b/").below("/_bulk").url(Some("x=y")), "http://a/b/_bulk?x=y");
        assert_eq!(encoded("INSERT INTO a.b"), "INSERT%20INTO%20a.b");
        assert_eq!(decoded("100%"), "100%");
    }
}
