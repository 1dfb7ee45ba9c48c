//! Requests as they arrive: a line of JSON becomes what is wanted, or a reason why not.
//!
//! An unknown key, a key that occurs twice and a value of another type are mistakes, so that nothing is done by half.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The version of the protocol.
pub(super) const VERSION: u64 = 1;

/// The longest reason, in bytes.
const MAX_REASON_BYTES: usize = 1 << 10;

/// The longest configuration.
const MAX_CONFIG_BYTES: usize = 1 << 20;

/// What a peer wants.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) wanted: Wanted,
    pub(super) reason: Option<String>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Wanted {
    Identify,
    Metrics,
    SetFilter { filter: String, output: Option<String>, time: Option<Duration> },
    ResetFilter { output: Option<String> },
    Detail { filter: String, time: Option<Duration> },
    Release,
    Flush,
    Reopen,
    Rotate,
    Reload,
    Config(Config),
}

/// A whole configuration.
#[derive(Debug, PartialEq)]
pub(in super::super) struct Config {
    /// The name of the file, for messages.
    pub(in super::super) name: String,
    pub(in super::super) text: String,
    pub(in super::super) is_json: bool,
    /// It takes effect; otherwise it is only checked.
    pub(in super::super) applies: bool,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// It cannot be understood: the text says why.
    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(line).map_err(|_| "the request is not UTF-8".to_owned())?;
        let Unique(map) =
            serde_json::from_str(text).map_err(|error| format!("the request is no JSON object: {error}"))?;
        let mut keys = Keys(map);
        match keys.number("version")? {
            Some(VERSION) => {}
            Some(other) => {
                return Err(format!("version {other} of the protocol is not known here; expected {VERSION}"));
            }
            None => return Err(format!("the key `version` is missing; expected {VERSION}")),
        }
        let name = keys.needed("request")?;
        let wanted = match name.as_str() {
            "identify" => Wanted::Identify,
            "metrics" => Wanted::Metrics,
            "set_filter" => {
                Wanted::SetFilter { filter: keys.needed("filter")?, output: keys.text("output")?, time: keys.time()? }
            }
            "reset_filter" => Wanted::ResetFilter { output: keys.text("output")? },
            "detail" => Wanted::Detail { filter: keys.needed("filter")?, time: keys.time()? },
            "release" => Wanted::Release,
            "flush" => Wanted::Flush,
            "reopen" => Wanted::Reopen,
            "rotate" => Wanted::Rotate,
            "reload" => Wanted::Reload,
            "config" => Wanted::Config(keys.config()?),
            other => return Err(format!("unknown request {other:?}")),
        };
        let reason = keys.text("reason")?;
        if reason.as_ref().is_some_and(|reason| reason.len() > MAX_REASON_BYTES) {
            return Err(format!("the reason is longer than {MAX_REASON_BYTES} bytes"));
        }
        match keys.0.keys().next() {
            Some(key) => Err(format!("unknown key {key:?} of the request `{name}`")),
            None => Ok(Self { wanted, reason }),
        }
    }
}

/// The keys that were not read yet.
struct Keys(Map<String, Value>);

impl Keys {
    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.0.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("the key `{key}` is no text")),
        }
    }

    fn needed(&mut self, key: &str) -> Result<String, String> {
        self.text(key)?.ok_or_else(|| format!("the key `{key}` is missing"))
    }

    fn number(&mut self, key: &str) -> Result<Option<u64>, String> {
        match self.0.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("the key `{key}` is no whole number")),
        }
    }

    fn time(&mut self) -> Result<Option<Duration>, String> {
        Ok(self.number("for_seconds")?.map(Duration::from_secs))
    }

    fn flag(&mut self, key: &str) -> Result<bool, String> {
        match self.0.remove(key) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| format!("the key `{key}` is neither true nor false")),
        }
    }

    fn config(&mut self) -> Result<Config, String> {
        let text = self.needed("text")?;
        if text.len() > MAX_CONFIG_BYTES {
            return Err("the configuration is larger than 1 MiB".to_owned());
        }
        let name = self.text("name")?.unwrap_or_else(|| "configuration".to_owned());
        Ok(Config { name, text, is_json: self.flag("json")?, applies: self.flag("apply")? })
    }
}

/// An object whose keys occur once.
struct Unique(Map<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueKeys)
    }
}

struct UniqueKeys;

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unique, A::Error> {
        let mut map = Map::new();
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            if map.insert(key, value).is_some() {
                return Err(serde::de::Error::custom("a key occurs twice"));
            }
        }
        Ok(Unique(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Request, String> {
        Request::read(text.as_bytes())
    }

    #[test]
    fn a_request_has_its_keys_and_no_other() {
        let all =
            r#"{"version":1,"request":"set_filter","filter":"debug","output":"a","for_seconds":600,"reason":"b"}"#;
        let (filter, output) = ("debug".to_owned(), Some("a".to_owned()));
        let wanted = Wanted::SetFilter { filter, output, time: Some(Duration::from_secs(600)) };
        assert_eq!(read(all), Ok(Request { wanted, reason: Some("b".to_owned()) }));
        for (text, why) in [
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            ("{}", "`version` is missing"),
            (r#"{"version":2,"request":"identify"}"#, "version 2"),
            (r#"{"version":1}"#, "`request` is missing"),
            (r#"{"version":1,"request":"format_disk"}"#, "unknown request"),
            (r#"{"version":1,"request":"set_filter"}"#, "`filter` is missing"),
            (r#"{"version":1,"request":"set_filter","filter":1}"#, "no text"),
            (r#"{"version":1,"request":"set_filter","filter":"a","for_seconds":-1}"#, "no whole number"),
            (r#"{"version":1,"request":"set_filter","filter":"a","outptu":"x"}"#, "unknown key"),
            (r#"{"version":1,"request":"flush","request":"rotate"}"#, "twice"),
            (r#"{"version":1,"request":"flush"} x"#, "no JSON object"),
            (r#"{"version":1,"request":"config","text":"","apply":"yes"}"#, "neither true nor false"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        let deep = format!("{{\"version\":1,\"request\":{}", "[".repeat(60_000));
        assert!(read(&deep).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_a_reason(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Request::read(&bytes).is_err());
        }
    }
}
