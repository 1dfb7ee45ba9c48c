//! What the head of a request says about the client and the server that it wants. All of it comes from outside.

use std::borrow::Cow;

use http::header::{HOST, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Version, request};

use crate::values::{UndeclaredFields, prefix};

/// A user agent is cut to this many bytes.
const MAX_USER_AGENT_BYTES: usize = 256;

/// A host is cut to this many bytes. Names in DNS have at most 253, ports five.
const MAX_HOST_BYTES: usize = 260;

/// The head of a request. Its parts are shared with the request, not copied.
#[derive(Debug)]
pub(super) struct RequestHead {
    version: Option<Version>,
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    user_agent: Option<HeaderValue>,
}

impl RequestHead {
    /// Reads the head. `added`: the span's fields from the user's hook. They replace those of the same name here.
    pub(super) fn new(parts: &request::Parts, added: &UndeclaredFields) -> Self {
        let is_free = |name: &str| !added.iter().any(|(other, _)| other == name);
        let of_header = || Authority::try_from(parts.headers.get(HOST)?.as_bytes()).ok();
        let authority = || parts.uri.authority().cloned().or_else(of_header);
        Self {
            version: is_free("http_version").then_some(parts.version),
            scheme: parts.uri.scheme().filter(|_| is_free("scheme")).cloned(),
            authority: is_free("host").then(authority).flatten(),
            user_agent: parts.headers.get(USER_AGENT).filter(|_| is_free("user_agent")).cloned(),
        }
    }

    /// Returns the version of HTTP as OpenTelemetry writes it: `1.1`, `2`.
    pub(super) fn http_version(&self) -> Option<&'static str> {
        Some(match self.version? {
            Version::HTTP_09 => "0.9",
            Version::HTTP_10 => "1.0",
            Version::HTTP_11 => "1.1",
            Version::HTTP_2 => "2",
            Version::HTTP_3 => "3",
            _ => return None,
        })
    }

    /// Returns the scheme, which only a request with a whole URI has, as in HTTP/2.
    pub(super) fn scheme(&self) -> Option<&str> {
        self.scheme.as_ref().map(Scheme::as_str)
    }

    /// Returns the host and its port, from the URI or the header `host`, without a user's name and password.
    pub(super) fn host(&self) -> Option<&str> {
        let authority = self.authority.as_ref()?.as_str();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        Some(prefix(host, MAX_HOST_BYTES))
    }

    /// Returns the user agent.
    pub(super) fn user_agent(&self) -> Option<Cow<'_, str>> {
        let bytes = self.user_agent.as_ref()?.as_bytes();
        Some(match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(text) => prefix(text, MAX_USER_AGENT_BYTES).into(),
            Cow::Owned(text) => prefix(&text, MAX_USER_AGENT_BYTES).to_owned().into(),
        })
    }
}
