//! Names that are secret.
//!
//! A name is split into words: at characters that are not letters or digits (`_ - .`), and at capitals (`apiKey`). A
//! listed name without `*` is compared with the last words, joined. So separators do not matter, and one look-up per
//! word suffices. A filter on the last three letters turns down nearly all names before that.
//!
//! Source of the default list: Rails' `filter_parameters`, Sentry's denylist, Django's `HIDDEN_SETTINGS` and Datadog's
//! query obfuscation, without names that are harmless more often: `key`, `auth`, `session`, `salt`, `signature`.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::anchors::{Anchors, kind};

/// The default names. [`Redact::new`](super::Redact::new) documents them.
pub(super) const DEFAULT: [&str; 91] = [
    "*password",
    "*passwords",
    "*passwd",
    "*passphrase",
    "*passphrases",
    "*passcode",
    "*passcodes",
    "*secret",
    "*secrets",
    "*token",
    "*tokens",
    "pass",
    "pwd",
    "pin",
    "pins",
    "otp",
    "totp",
    "mnemonic",
    "seed_phrase",
    "recovery_code",
    "recovery_codes",
    "recovery_phrase",
    "backup_code",
    "backup_codes",
    "credential",
    "credentials",
    "password_hash",
    "password_hashes",
    "password_digest",
    "password_digests",
    "password_confirmation",
    "pin_hash",
    "token_hash",
    "api_key",
    "private_key",
    "secret_key",
    "secret_key_base",
    "access_key",
    "signing_key",
    "encryption_key",
    "auth_key",
    "master_key",
    "account_key",
    "storage_key",
    "subscription_key",
    "application_key",
    "unseal_key",
    "psk",
    "api_keys",
    "private_keys",
    "secret_keys",
    "access_keys",
    "signing_keys",
    "encryption_keys",
    "auth_keys",
    "master_keys",
    "account_keys",
    "authorization",
    "bearer",
    "jwt",
    "cookie",
    "cookies",
    "csrf",
    "xsrf",
    "cvv",
    "cvc",
    "ssn",
    "card_number",
    "credit_card",
    "requirepass",
    "storepass",
    "keypass",
    "masterauth",
    "rediscli_auth",
    "unicodepwd",
    "secret_string",
    "secure_string",
    "jsessionid",
    "phpsessid",
    "code_verifier",
    "pw",
    "bindpw",
    "rootpw",
    "dbpass",
    "userpass",
    "rootpass",
    "adminpass",
    "passwort",
    "kennwort",
    "wachtwoord",
    "senha",
];

/// Of a longer name, only this many bytes at its end are compared. Nobody writes such a name, but a text may hold one.
pub(super) const MAX_NAME_BYTES: usize = 256;

/// Names of fields, and paths into nested JSON, as [`Redact::name`](super::Redact::name) takes them.
#[derive(Debug, Default)]
pub(crate) struct SecretNames {
    /// Joined words that a name may end with.
    endings: BTreeSet<Box<[u8]>>,
    /// What a name may end with, also inside a word.
    stems: Vec<Box<[u8]>>,
    patterns: Vec<Pattern>,
    keep: BTreeSet<Box<[u8]>>,
    keep_patterns: Vec<Pattern>,
    ending_filter: EndingFilter,
    /// The last words of the default names.
    last_words: BTreeSet<Box<[u8]>>,
    /// The names that are not default ones.
    added: Vec<Box<[u8]>>,
}

impl SecretNames {
    pub(crate) fn new(names: &[String], keep: &[String]) -> Self {
        let mut all = Self::default();
        for name in names {
            let words = Words::of(name.as_bytes());
            let last = words.starts.last().and_then(|start| words.flat.get(usize::from(*start)..)).unwrap_or_default();
            if !DEFAULT.contains(&&name[..]) {
                all.added.push(words.flat[..].into());
            } else if last.len() > 3 {
                all.last_words.insert(last.into());
            }
            if words.flat.is_empty() && !name.contains('*') {
                continue;
            }
            match name.strip_prefix('*') {
                _ if !name.contains('*') => {
                    all.ending_filter.add(&words.flat);
                    all.endings.insert(words.flat[..].into());
                }
                Some(stem) if words.starts.len() == 1 && stem.bytes().all(is_word) => {
                    all.ending_filter.add(&words.flat);
                    all.stems.push(words.flat[..].into());
                }
                _ => {
                    let pattern = Pattern::new(name);
                    all.ending_filter.add(pattern.pieces.last().map_or(&[], |last| last));
                    all.patterns.push(pattern);
                }
            }
        }
        for name in keep {
            if name.contains('*') {
                all.keep_patterns.push(Pattern::new(name));
            } else {
                all.keep.insert(Words::of(name.as_bytes()).flat[..].into());
            }
        }
        all
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.endings.is_empty() && self.stems.is_empty() && self.patterns.is_empty()
    }

    /// Adds the words with which a listed name may end.
    pub(super) fn add_anchors(&self, anchors: &mut Anchors) {
        // A name may be split into words anywhere, but nobody splits its last three letters from one another. The last
        // words of the default names are known.
        let known = |name: &[u8]| self.last_words.iter().find(|word| name.ends_with(word)).map_or(3, |word| word.len());
        let names = self.endings.iter().chain(&self.stems);
        names.for_each(|name| anchors.add(name, known(name).min(name.len()), kind::NAME));
        for pattern in &self.patterns {
            let last = pattern.pieces.last().map_or(&[][..], |last| last);
            let letters = last.iter().rev().take_while(|byte| is_word(**byte)).count();
            anchors.add(last, letters, kind::NAME);
        }
    }

    /// Returns whether a field of that name, or at that dotted path, is secret.
    #[inline]
    pub(crate) fn is_secret(&self, name: &[u8]) -> bool {
        self.ending_filter.may_end(name) && self.is_listed(name)
    }

    /// Returns whether a number under that name is a count and no secret: `tokens = 1841`, `pass = 2`.
    pub(super) fn is_count(&self, name: &[u8]) -> bool {
        ends_in(name, &COUNTED) && !self.added.iter().any(|added| ends_in(name, &[added]))
    }

    #[cold]
    fn is_listed(&self, name: &[u8]) -> bool {
        let words = Words::of(name);
        let digits = words.flat.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let is = |words: &Words| self.ends_listed(words) || any(&self.patterns, words, Pattern::ends);
        (is(&words) || (digits > 0 && is(&words.without_last(digits)))) && !self.is_kept(name, &words)
    }

    fn ends_listed(&self, words: &Words) -> bool {
        let begins = words.starts.iter().rev().filter_map(|start| words.flat.get(usize::from(*start)..));
        self.stems.iter().any(|stem| words.flat.ends_with(stem))
            || begins.into_iter().any(|ending| self.endings.contains(ending))
    }

    fn is_kept(&self, name: &[u8], words: &Words) -> bool {
        let kept =
            |words: &Words| self.keep.contains(&words.flat[..]) || any(&self.keep_patterns, words, Pattern::is_whole);
        if self.keep.is_empty() && self.keep_patterns.is_empty() {
            return false;
        }
        let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        kept(words) || kept(&Words::of(last))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// A name, split into words.
struct Words {
    /// The words in lower case, joined.
    flat: SmallVec<[u8; 64]>,
    /// Where each word begins in `flat`.
    starts: SmallVec<[u16; 8]>,
}

impl Words {
    fn of(name: &[u8]) -> Self {
        let name = name.get(name.len().saturating_sub(MAX_NAME_BYTES)..).unwrap_or_default();
        let mut words = Self { flat: SmallVec::new(), starts: SmallVec::new() };
        let mut before = b' ';
        for (at, &byte) in name.iter().enumerate() {
            if is_word(byte) {
                let is_last_upper = before.is_ascii_uppercase() && name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
                let hump = byte.is_ascii_uppercase() && (!before.is_ascii_uppercase() || is_last_upper);
                if hump || !is_word(before) {
                    words.starts.push(words.flat.len() as u16);
                }
                words.flat.push(byte.to_ascii_lowercase());
            }
            before = byte;
        }
        words
    }

    fn without_last(&self, bytes: usize) -> Self {
        let mut words = Self { flat: self.flat.clone(), starts: self.starts.clone() };
        words.flat.truncate(self.flat.len() - bytes);
        words.starts.retain(|start| usize::from(*start) < words.flat.len());
        words
    }

    /// Returns the words with `_` between them.
    fn joined(&self) -> SmallVec<[u8; 64]> {
        let mut joined = SmallVec::new();
        for (at, byte) in self.flat.iter().enumerate() {
            if at > 0 && self.starts.iter().any(|start| usize::from(*start) == at) {
                joined.push(b'_');
            }
            joined.push(*byte);
        }
        joined
    }
}

/// A listed name with `*` in it.
#[derive(Debug)]
struct Pattern {
    /// The parts between the stars, words joined with `_`: at least two.
    pieces: Vec<Box<[u8]>>,
}

impl Pattern {
    fn new(name: &str) -> Self {
        let edge = |at: Option<char>| at.is_some_and(|char| char.is_ascii() && !char.is_ascii_alphanumeric());
        let pieces = name.split('*').map(|piece| {
            let joined = Words::of(piece.as_bytes()).joined();
            let mut bytes = Vec::new();
            if edge(piece.chars().next()) {
                bytes.push(b'_');
            }
            bytes.extend_from_slice(&joined);
            if !joined.is_empty() && edge(piece.chars().next_back()) {
                bytes.push(b'_');
            }
            bytes.into_boxed_slice()
        });
        Self { pieces: pieces.collect() }
    }

    /// Returns whether joined words end with the pattern, which begins at the start of a word.
    fn ends(&self, joined: &[u8]) -> bool {
        let Some(first) = self.pieces.first() else { return false };
        let starts = (0..joined.len()).filter(|at| *at == 0 || joined.get(at - 1) == Some(&b'_'));
        // The leftmost start is the best one: it leaves most for the other parts.
        let start = starts.into_iter().find(|at| joined.get(*at..).is_some_and(|rest| rest.starts_with(first)));
        start.is_some_and(|start| self.goes_on(joined, start + first.len()))
    }

    fn is_whole(&self, joined: &[u8]) -> bool {
        self.pieces.first().is_some_and(|first| joined.starts_with(first) && self.goes_on(joined, first.len()))
    }

    fn goes_on(&self, joined: &[u8], mut from: usize) -> bool {
        let [_, middle @ .., last] = &self.pieces[..] else { return false };
        for piece in middle.iter().filter(|piece| !piece.is_empty()) {
            let rest = joined.get(from..).unwrap_or_default();
            let Some(at) = rest.windows(piece.len()).position(|window| window == &piece[..]) else { return false };
            from += at + piece.len();
        }
        joined.ends_with(last) && joined.len() - last.len() >= from
    }
}

/// Returns whether any of the patterns matches.
fn any(patterns: &[Pattern], words: &Words, matches: fn(&Pattern, &[u8]) -> bool) -> bool {
    if patterns.is_empty() {
        return false;
    }
    let joined = words.joined();
    patterns.iter().any(|pattern| matches(pattern, &joined))
}

/// The last three letters of the listed names: turns down most names at once.
#[derive(Debug, Default)]
struct EndingFilter {
    /// By the last letter but one: a bit for each last letter.
    pairs: [u32; 32],
    /// By the last letter but one, and the last one: a bit for each letter before them.
    triples: Vec<u32>,
    /// A listed name has no such ending, so every name has to be compared.
    any: bool,
}

impl EndingFilter {
    fn add(&mut self, ending: &[u8]) {
        let [before @ .., one, other] = ending else {
            self.any = true;
            return;
        };
        if !(one.is_ascii_alphabetic() && other.is_ascii_alphabetic()) {
            self.any = true;
            return;
        }
        self.pairs[usize::from(*one & 31)] |= 1 << (*other & 31);
        self.triples.resize(1 << 10, 0);
        if let Some(triple) = self.triples.get_mut(Self::place(*one, *other)) {
            *triple |= match before.last() {
                Some(letter) if letter.is_ascii_alphabetic() => 1 << (letter & 31),
                _ => u32::MAX,
            };
        }
    }

    fn place(one: u8, other: u8) -> usize {
        usize::from(one & 31) << 5 | usize::from(other & 31)
    }

    #[inline]
    fn may_end(&self, name: &[u8]) -> bool {
        let behind = name.iter().rev().take_while(|byte| !byte.is_ascii_alphabetic() && byte.is_ascii()).count();
        match name.get(..name.len() - behind).unwrap_or_default() {
            _ if self.any => true,
            [before @ .., one, other] if one.is_ascii_alphabetic() && other.is_ascii_alphabetic() => {
                // What is between words does not count.
                let letter = before.iter().rev().find(|byte| is_word(**byte)).filter(|byte| byte.is_ascii_alphabetic());
                self.pairs[usize::from(*one & 31)] >> (*other & 31) & 1 == 1
                    && letter.is_none_or(|letter| {
                        self.triples.get(Self::place(*one, *other)).is_some_and(|bits| bits >> (letter & 31) & 1 == 1)
                    })
            }
            [_, _, ..] => true,
            _ => false,
        }
    }
}

/// Returns whether the value of that name takes the rest of the line.
pub(super) fn is_line(name: &[u8]) -> bool {
    ends_in(name, &[b"authorization", b"cookie", b"cookies"]) || is_phrase(name)
}

/// Returns whether the value of that name is several words.
pub(super) fn is_phrase(name: &[u8]) -> bool {
    ends_in(name, &[b"passphrase", b"mnemonic", b"phrase"])
}

/// Names that end with `pass` and have one meaning.
const LONG_PASS: [&[u8]; 7] =
    [b"requirepass", b"storepass", b"keypass", b"dbpass", b"userpass", b"rootpass", b"adminpass"];

/// Returns whether that name is a short word of many meanings.
pub(super) fn is_short(name: &[u8]) -> bool {
    ends_in(name, &[b"pass", b"pin", b"pins"]) && !ends_in(name, &LONG_PASS)
}

/// Returns whether that name is a word for a password.
pub(super) fn is_password(name: &[u8]) -> bool {
    ends_in(
        name,
        &[
            b"password",
            b"passwd",
            b"pwd",
            b"passphrase",
            b"passcode",
            b"requirepass",
            b"masterauth",
            b"securestring",
            b"pw",
            b"passwort",
            b"kennwort",
        ],
    )
}

/// Returns whether the value of that name may be a few digits.
pub(super) fn is_code(name: &[u8]) -> bool {
    ends_in(name, &[b"otp", b"pin", b"passcode", b"code", b"password"])
}

/// Returns whether the value of that name may be a list of words.
pub(super) fn is_list(name: &[u8]) -> bool {
    ends_in(name, &[b"codes"])
}

/// Returns whether the value of that name is a directory in environments.
pub(super) fn is_directory(name: &[u8]) -> bool {
    ends_in(name, &[b"pwd"])
}

/// Returns whether the value of that name may be a pair.
pub(super) fn is_pair(name: &[u8]) -> bool {
    ends_in(name, &[b"credential", b"credentials"])
}

/// Plurals, and `pass`: a number under such a name counts something.
const COUNTED: [&[u8]; 10] = [
    b"tokens",
    b"pass",
    b"pins",
    b"secrets",
    b"passwords",
    b"passphrases",
    b"passcodes",
    b"credentials",
    b"cookies",
    b"keys",
];

fn ends_in(name: &[u8], endings: &[&[u8]]) -> bool {
    endings.iter().any(|ending| {
        let end = name.len().checked_sub(ending.len()).and_then(|start| name.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default() -> SecretNames {
        SecretNames::new(&DEFAULT.map(str::to_owned), &[])
    }

    fn listed(name: &str) -> SecretNames {
        SecretNames::new(&[name.to_owned()], &[])
    }

    proptest::proptest! {
        #[test]
        fn no_listed_name_is_turned_down_by_its_last_letters(
            which in 0..DEFAULT.len(),
            added in "[a-z*_]{1,6}",
            before in "[a-zA-Z0-9_.é-]{0,4}",
            behind in "[0-9_.\\[\\]-]{0,3}",
            changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), 0..4_u8), 0..4),
        ) {
            let names = SecretNames::new(&[DEFAULT[which].to_owned(), added.clone()], &[]);
            for name in [DEFAULT[which], &added] {
                let mut spelled = name.replace('*', "x");
                for (at, what) in &changes {
                    let places: Vec<usize> = spelled.char_indices().map(|(at, _)| at).collect();
                    let at = *at.get(&places);
                    match what {
                        0 => spelled.insert(at, '_'),
                        1 => spelled.insert(at, '.'),
                        2 => spelled.insert(at, 'é'),
                        _ => spelled = spelled[..at].to_owned() + &spelled[at..].to_ascii_uppercase(),
                    }
                }
                let spelled = format!("{before}{spelled}{behind}");
                let spelled = spelled.as_bytes();
                proptest::prop_assert_eq!(names.is_secret(spelled), names.is_listed(spelled));
            }
        }
    }

    #[test]
    fn common_names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "password",
            "Password",
            "PASSWORD",
            "db.password",
            "dbPassword",
            "user_password",
            "DB_PASSWORD",
            "dbpassword",
            "password2",
            "password_1",
            "new-password",
            "passwd",
            "pwd",
            "passphrase",
            "secret",
            "client_secret",
            "clientSecret",
            "token",
            "access_token",
            "accessToken",
            "AccessToken",
            "refresh_token",
            "id_token",
            "csrftoken",
            "X-CSRF-Token",
            "api_key",
            "apikey",
            "apiKey",
            "APIKey",
            "API_KEY",
            "x-api-key",
            "X-Api-Key",
            "authorization",
            "Proxy-Authorization",
            "cookie",
            "Set-Cookie",
            "private_key",
            "privateKey",
            "credential",
            "credentials",
            "aws_secret_access_key",
            "http.request.header.authorization",
            "payload.card.number",
            "cvv",
            "pass",
            "db_pass",
            "DB_PASS",
            "pin",
            "passcode",
            "mnemonic",
            "totp",
            "passwords",
            "api_keys",
            "refresh_tokens",
            "password_digest",
            "password[]",
            "user[password]",
        ] {
            assert!(default().is_secret(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn similar_names_are_not_secret() {
        for name in [
            "",
            "token_count",
            "tokenizer",
            "passwords_changed",
            "password_length",
            "secretary",
            "passenger",
            "key",
            "primary_key",
            "key_id",
            "author",
            "authority",
            "cookie_count",
            "keyword",
            "monkey",
            "spin",
            "compass",
            "user_id",
            "message",
            "log.target",
            "path",
            "10",
            "api_keyboard",
            "number",
            "ключ",
        ] {
            assert!(!default().is_secret(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_listed_name_matches_at_the_start_of_a_word() {
        let names = listed("pin");
        for (name, is) in [("pin", true), ("card_pin", true), ("cardPin", true), ("card.pin", true), ("spin", false)] {
            assert_eq!(names.is_secret(name.as_bytes()), is, "{name}");
        }
        assert!(!names.is_secret(b"pin_count"));
    }

    #[test]
    fn a_star_matches_any_text_and_separators_count() {
        for (pattern, name, is) in [
            ("http.request.header.*", "http.request.header.x-id", true),
            ("http.request.header.*", "http.request.headers", false),
            ("http.request.header.*", "http.request.method", false),
            ("*_token", "page_token", true),
            ("*_token", "pageToken", true),
            ("*_token", "pagetoken", false),
            ("*_token", "token", false),
            ("user.*.pin", "user.7.pin", true),
            ("user.*.pin", "payload.user.7.8.pin", true),
            ("user.*.pin", "superuser.7.pin", false),
            ("a*b*c", "axbxc", true),
            ("a*b*c", "axcxb", false),
            ("a*a", "a", false),
            ("*", "anything", true),
            ("a1", "a1", true),
        ] {
            assert_eq!(listed(pattern).is_secret(name.as_bytes()), is, "{pattern} {name}");
        }
    }

    #[test]
    fn an_exception_matches_the_whole_name() {
        let keep = ["token", "page.*"].map(str::to_owned);
        let names = SecretNames::new(&DEFAULT.map(str::to_owned), &keep);
        for (name, is) in [
            ("token", false),
            ("Token", false),
            ("payload.token", false),
            ("access_token", true),
            ("page.token", false),
            ("front_page.token", false),
            ("front_page.secret", true),
        ] {
            assert_eq!(names.is_secret(name.as_bytes()), is, "{name}");
        }
    }

    #[test]
    fn a_name_of_any_length_is_judged_by_its_end() {
        let long = format!("{}.password", "a.".repeat(100_000));
        assert!(default().is_secret(long.as_bytes()));
    }
}
