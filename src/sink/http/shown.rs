//! What a text may show of what a server has said: no secret, and no control character.
//!
//! A server, or a proxy, may repeat what it was sent, also where it takes lines. So each text of theirs passes here before
//! it is in an error.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A shorter secret is not looked for: it would be found in every word.
const LEAST_BYTES: usize = 4;

/// The same for values of queries, most of which are no secrets.
const LEAST_OTHER_BYTES: usize = 8;

/// What no text may show. Its `Debug` form is no exception.
#[derive(Clone, Default)]
pub(in crate::sink) struct Hidden(Arc<[String]>);

impl Hidden {
    /// Hides the values of headers, the passwords in them, and `others`, which may be secrets.
    pub(super) fn new<'a>(headers: impl Iterator<Item = &'a (String, String)>, mut others: Vec<String>) -> Self {
        others.retain(|other| other.len() >= LEAST_OTHER_BYTES);
        let mut hidden = others;
        for (name, value) in headers {
            let last = value.rsplit(' ').next().unwrap_or(value);
            if name.eq_ignore_ascii_case("Authorization")
                && let Ok(Ok(pair)) = BASE64_STANDARD.decode(last).map(String::from_utf8)
            {
                hidden.extend(pair.split_once(':').map(|(_, password)| password.to_owned()));
            }
            hidden.extend([value.clone(), last.to_owned()]);
        }
        hidden.retain(|secret| secret.len() >= LEAST_BYTES);
        // One may be a part of another.
        hidden.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(hidden.into())
    }

    /// Returns a text as others may see it.
    pub(super) fn shown(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| {
            if text.contains(secret) { text.replace(secret, "***") } else { text }
        };
        printable(&self.0.iter().fold(text.to_owned(), hide))
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

/// Returns a text without control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_44_a_text_of_a_server_shows_no_secret() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let basic = format!("Basic {}", BASE64_STANDARD.encode("ada:pass:word"));
        let headers = [header("authorization", &basic), header("X-Key", "Key k-1-2"), header("X-Mode", "on")];
        let hidden = Hidden::new(headers.iter(), vec!["k-1-2-3-4".to_owned(), "here".to_owned(), String::new()]);
        for secret in [&basic, "pass:word", "k-1-2", "Key k-1-2", "k-1-2-3-4"] {
            let shown = hidden.shown(&format!("no\n{secret} here, on {secret}"));
            assert!(!shown.contains("k-1") && !shown.contains("pass:word") && !shown.contains("YWRh"), "{shown}");
            assert!(shown.starts_with("no ") && shown.contains("here, on "), "{shown}");
        }
        assert!(!format!("{hidden:?}").contains("k-1"));
        assert_eq!(Hidden::default().shown("as it is"), "as it is");
    }
}
