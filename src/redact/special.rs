//! Words that announce a secret in one form only, and are harmless otherwise.
//!
//! The signature of a URL, a code of OAuth or of a second factor, a key that looks random, credentials in pairs, the
//! password in a dialogue of SMTP, IMAP, FTP or Redis, and `IDENTIFIED BY` in SQL.

use super::beside::ends_with;
use super::bounds::{before, byte, line_end, run, run_back, starts, string_end};
use super::hit::Hit;
use super::matcher::Matcher;
use super::named::{Name, is_blank};
use super::names::MAX_NAME_BYTES;
use super::shapes;

/// The words, as anchors.
pub(super) const WORDS: [&[u8]; 19] = [
    b"crypt",
    b"kty",
    b"key",
    b"block",
    b"sig",
    b"Signature",
    b"code",
    b"auth",
    b"response",
    b"identified",
    b"login",
    b"mask",
    b"stdin",
    b"chpasswd",
    b"appid",
    b"reset",
    b"verify",
    b"magic",
    b"confirm",
];

/// The longest value that is not a signature, in bytes.
const MAX_SPECIAL: usize = 512;

/// The shortest signature that is taken for one, in bytes.
const MIN_SIGNATURE: usize = 20;

/// At most this many words stand between `IDENTIFIED` and a password.
const MAX_CLAUSE: usize = 4;

/// How far before a command the text that is piped into it begins, in bytes.
const MAX_PIPED: usize = 160;

/// What a code of a second factor is called.
const CODES: [&[u8]; 12] = [
    b"verification",
    b"login",
    b"security",
    b"confirmation",
    b"authentication",
    b"time",
    b"2fa",
    b"mfa",
    b"sms",
    b"otp",
    b"access",
    b"activation",
];

/// Keys that are secret if their value looks random.
const KEYS: [&[u8]; 16] = [
    b"session",
    b"license",
    b"licence",
    b"product",
    b"activation",
    b"recovery",
    b"shared",
    b"symmetric",
    b"network",
    b"wifi",
    b"wpa",
    b"hmac",
    b"aes",
    b"fernet",
    b"decryption",
    b"cipher",
];

/// Functions of SQL that take a key or a password.
const CRYPT: [&[u8]; 5] = [b"crypt", b"pgp_sym_encrypt", b"pgp_sym_decrypt", b"aes_encrypt", b"aes_decrypt"];

/// Names of mechanisms before credentials.
const MECHANISMS: [&[u8]; 5] = [b"PLAIN", b"LOGIN", b"XOAUTH2", b"OAUTHBEARER", b"CRAM-MD5"];

impl<'t> Matcher<'t> {
    /// Matches the secret that the word before `end` announces.
    pub(super) fn special(&self, end: usize) -> Option<Hit> {
        let text = self.text;
        if byte(text, end) == b'-' && starts(text, end, b"-----") {
            return shapes::pem(text, end).and_then(|range| self.inside(range.start, range.end));
        }
        let start = self.back(end, MAX_NAME_BYTES, |byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        let word = text.get(start..end)?;
        let number = self.behind_number(end)?;
        let (sign, quotes) = self.sign(number);
        let name = Name { text: word, start, quotes };
        let signed = || if matches!(byte(self.text, sign), b':' | b'=') { self.value(sign + 1, name) } else { None };
        // Most of these values are harmless, so they are not read to an end that is far away.
        let text = text.get(..text.len().min(end + MAX_SPECIAL)).unwrap_or_default();
        let near = Matcher { rules: self.rules, text, cut: self.cut, jwt_until: 0 };
        let is_value = matches!(byte(text, sign), b':' | b'=')
            && !matches!(byte(text, run(text, sign + 1, is_blank)), b'{' | b'[' | b'(');
        let assigned = || if is_value { near.value(sign + 1, name) } else { None };
        let is_parameter =
            || matches!(before(text, start), b'?' | b'&') || starts(text, start.saturating_sub(6), b"\\u0026");
        let length = |hit: &Hit| hit.end - hit.start;
        let is_random = |hit: &Hit| length(hit) >= 16 && near.is_random_word(hit.start, hit.end);
        match word {
            b"sig" | b"X-Amz-Signature" | b"X-Goog-Signature" | b"Signature" if is_parameter() => {
                signed().filter(|hit| length(hit) >= MIN_SIGNATURE || self.cut)
            }
            b"code" if is_parameter() => assigned().filter(|hit| length(hit) >= 12),
            b"key" | b"appid" | b"auth" if is_parameter() => assigned().filter(is_random),
            b"response" if matches!(byte(text, sign), b':' | b'=') => {
                // The answer of `Digest`.
                let from = run(text, sign + 1, |byte| matches!(byte, b' ' | b'"' | b'\\' | b'\''));
                let close = run(text, from, |byte| byte.is_ascii_hexdigit());
                self.inside(from, close).filter(|hit| length(hit) == 32)
            }
            b"SAMLResponse" => assigned().filter(|hit| length(hit) >= MIN_SIGNATURE),
            b"LOGIN" => near.sent(run(text, end, is_blank), 2),
            b"login" => None,
            b"add-mask" if starts(text, end, b"::") => self.inside(end + 2, line_end(self.text, end + 2)),
            _ if byte(text, end) == b'/' && WORDS.iter().any(|other| ends_with(word, other)) => self.link(start, end),
            b"kty" => near.web_key(end),
            _ if byte(text, end) == b'(' && CRYPT.iter().any(|one| word.eq_ignore_ascii_case(one)) => {
                near.key_of_cipher(end)
            }
            _ if ends_with(word, b"code") => near.code(start, end, sign, assigned()),
            _ if ends_with(word, b"key") => near.key(start, end, sign, assigned()),
            _ if ends_with(word, b"auth") => near.auth(start, end, sign, assigned()),
            _ if word.eq_ignore_ascii_case(b"identified") => self.identified(end),
            b"--stdin" if ends_with(text.get(..start)?, b"passwd ") => self.piped(start, false),
            _ if ends_with(word, b"password-stdin") || word == b"chpasswd" => self.piped(start, word == b"chpasswd"),
            _ => None,
        }
    }

    /// Returns whether one of the words qualifies the word at `start`: `login_code`, `login code`, `LoginCode`.
    fn is_qualified(&self, start: usize, end: usize, by: &[&[u8]]) -> bool {
        let of = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let head = self.text.get(start..end).unwrap_or_default();
        let head = head.get(..run_back(head, |byte| !byte.is_ascii_alphanumeric())).unwrap_or_default();
        let blank = start.saturating_sub(usize::from(head.is_empty() && before(self.text, start) == b' '));
        let before = self.text.get(self.back(blank, 32, of)..blank).unwrap_or_default();
        let is = |text: &[u8]| by.iter().any(|word| ends_with(text, word));
        is(head) || (head.is_empty() && is(before))
    }

    /// `login code: …`, `your verification code is …`, `… is your login code`.
    fn code(&self, start: usize, end: usize, sign: usize, assigned: Option<Hit>) -> Option<Hit> {
        let text = self.text;
        if !self.is_qualified(start, end - 4, &CODES) {
            return None;
        }
        let is_one = |start: usize, end: usize| {
            self.is_code_value(start, end) || (end - start <= 12 && self.is_random_word(start, end))
        };
        if let Some(hit) = assigned {
            return Some(hit).filter(|hit| is_one(hit.start, hit.end));
        }
        let blank = run(text, sign, is_blank);
        let word = run(text, blank, |byte| byte.is_ascii_lowercase());
        let value = if matches!(text.get(blank..word), Some(b"is" | b"was")) {
            run(text, word, |byte| byte == b' ' || byte == b':')
        } else {
            blank
        };
        let close = run(text, value, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let told = || if is_one(value, close) { self.inside(value, close) } else { None };
        told().or_else(|| self.told_ahead(start))
    }

    /// `123456 is your login code`, `use 123456 as your login code`.
    fn told_ahead(&self, end: usize) -> Option<Hit> {
        let from = end.saturating_sub(64);
        let ahead = self.text.get(from..end)?;
        let your = ["is your", "as your"]
            .iter()
            .find_map(|your| ahead.windows(7).rposition(|part| part == your.as_bytes()))?;
        let close = from + run_back(ahead.get(..your)?, |byte| byte == b' ');
        let start = self.back(close, 16, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
        self.inside(start, close).filter(|_| self.is_code_value(start, close) || self.is_random_word(start, close))
    }

    /// `session key: …`, `key1: …` of a storage account, and `PRAGMA key = …`.
    fn key(&self, start: usize, end: usize, sign: usize, assigned: Option<Hit>) -> Option<Hit> {
        let text = self.text;
        let head = text.get(start.saturating_sub(MAX_PIPED)..start)?;
        let is_pragma = ends_with(head, b"pragma ");
        let attach = || head.windows(7).any(|word| word.eq_ignore_ascii_case(b"attach ")) && sign > end;
        if is_pragma || attach() {
            let open = run(text, sign, |byte| matches!(byte, b'=' | b' ' | b'('));
            let (content, quote, backslashes) = self.quoted(open)?;
            return self.inside(content, string_end(text, content, quote, backslashes));
        }
        let hit = assigned?;
        let value = text.get(hit.start..hit.end)?;
        let has = |of: fn(&u8) -> bool| value.iter().any(of);
        let is_base64 = value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
        let is_strong = is_base64
            && value.len() >= 24
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && !value.starts_with(b"AAAA");
        let is_public = self.is_qualified(start, end - 3, &[b"public", b"host", b"pub"]);
        let is_secret = self.is_qualified(start, end - 3, &KEYS) && self.is_random_word(hit.start, hit.end);
        (is_secret || (is_strong && !is_public)).then_some(hit)
    }

    /// The credentials of a registry, `auth=('user', '…')`, `AUTH PLAIN …` of SMTP and `AUTH …` of Redis.
    fn auth(&self, start: usize, end: usize, sign: usize, assigned: Option<Hit>) -> Option<Hit> {
        let text = self.text;
        let word = text.get(start..end)?;
        let open = run(text, sign, |byte| matches!(byte, b':' | b'=' | b' '));
        if matches!(byte(text, open), b'(' | b'[') {
            return self.second(open);
        }
        if let Some(hit) = assigned.filter(|_| matches!(word, b"auth" | b"_auth")) {
            let value = text.get(hit.start..hit.end)?;
            // `auth: user:…`
            let is_user = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
            let user = value.iter().take_while(|byte| is_user(byte)).count();
            let colon = if value.get(user) == Some(&b':') { hit.start + user + 1 } else { hit.end };
            let is_pair = shapes::is_encoded_pair(value);
            let hit = if is_pair { hit } else { Hit { start: colon, ..hit } };
            return Some(hit).filter(|hit| is_pair || self.is_random_word(hit.start, hit.end));
        }
        if byte(text, end) == b'"' && word.eq_ignore_ascii_case(b"auth") {
            return self.arguments(end + 1);
        }
        let first = run(text, end, is_blank);
        let behind = run(text, first, |byte| !byte.is_ascii_whitespace());
        if word != b"AUTH" || first == end {
            return None;
        }
        if MECHANISMS.contains(&text.get(first..behind)?) {
            let value = run(text, behind, is_blank);
            let close = run(text, value, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
            return self.inside(value, close).filter(|hit| hit.end - hit.start >= 8);
        }
        self.sent(first, 1).or_else(|| self.sent(first, 2))
    }

    /// The second string in brackets: `('user', '…')`, `("user", Some("…"))`.
    fn second(&self, open: usize) -> Option<Hit> {
        let text = self.text;
        let first = run(text, open + 1, |byte| byte.is_ascii_whitespace());
        let (content, quote, backslashes) = self.quoted(first)?;
        let close = string_end(text, content, quote, backslashes) + backslashes + 1;
        let next = run(text, close, |byte| byte == b',' || byte.is_ascii_whitespace());
        let next = if starts(text, next, b"Some(") { next + 5 } else { next };
        let (content, quote, backslashes) = self.quoted(next).filter(|_| byte(text, close) == b',')?;
        self.inside(content, string_end(text, content, quote, backslashes))
    }

    /// `"AUTH" "user" "…"`, as Redis shows commands.
    fn arguments(&self, from: usize) -> Option<Hit> {
        let text = self.text;
        let string = |at: usize| {
            let (content, quote, backslashes) = self.quoted(at).filter(|_| byte(text, at - 1) == b' ')?;
            Some((content, string_end(text, content, quote, backslashes)))
        };
        let (content, end) = string(from + 1)?;
        let (content, end) = string(end + 2).unwrap_or((content, end));
        self.inside(content, end)
    }

    /// The last of `count` words that end a line of a dialogue: `PASS …`, `LOGIN user …`.
    pub(super) fn sent(&self, from: usize, count: usize) -> Option<Hit> {
        let text = self.text;
        let mut at = from;
        let word_end = |at: usize| run(text, at, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\\'));
        for _ in 1..count {
            at = run(text, word_end(at), |byte| byte == b' ' || byte == b'"');
        }
        let quote = usize::from(byte(text, at) == b'"');
        let end = word_end(at + quote);
        let behind = run(text, end, |byte| matches!(byte, b'"' | b' '));
        let ends = behind >= text.len() || matches!(byte(text, behind), b'\n' | b'\r' | b'\\');
        let is_path = text.get(at..end)?.iter().any(|byte| matches!(byte, b'/' | b'='));
        self.inside(at + quote, end).filter(|_| ends && !is_path && self.is_random_word(at + quote, end))
    }

    /// The path of a link that works once: `/reset-password/…`.
    pub(super) fn link(&self, start: usize, slash: usize) -> Option<Hit> {
        let text = self.text;
        let end = run(text, slash + 1, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_path = matches!(before(text, start), b'/' | b'-' | b'_') || starts(text, start, b"reset-");
        let is_over = !matches!(byte(text, end), b'-' | b'.');
        self.inside(slash + 1, end)
            .filter(|hit| is_path && is_over && hit.end - hit.start >= 16 && self.is_random_word(hit.start, hit.end))
    }

    /// The private member of a JSON Web Key, `"d"` or `"k"`, after its type.
    fn web_key(&self, end: usize) -> Option<Hit> {
        let text = self.text;
        let close = run(text, end, |byte| byte != b'}');
        let rest = text.get(end..close)?;
        let at = rest.windows(3).position(|part| matches!(part, [b'"', b'd' | b'k', b'"' | b'\\']))?;
        let (sign, quotes) = self.sign(end + at + 2);
        let name = Name { text: b"d", start: end + at + 1, quotes };
        if byte(text, sign) == b':' { self.value(sign + 1, name) } else { None }
    }

    /// `pgp_sym_encrypt(…, '…')`: the last string in the brackets; of `crypt('…', …)` the first.
    fn key_of_cipher(&self, open: usize) -> Option<Hit> {
        let text = self.text;
        let close = run(text, open, |byte| byte != b')' && byte != b'\n');
        let inner = text.get(open..close)?;
        let is_first = byte(text, open.saturating_sub(6)) != b'n' && byte(text, open.saturating_sub(6)) != b'e';
        let quote = |byte: &u8| *byte == b'\'';
        let (from, end) = if is_first {
            let from = inner.iter().position(quote)? + 1;
            (from, from + inner.get(from..)?.iter().position(quote)?)
        } else {
            let end = inner.iter().rposition(quote)?;
            (inner.get(..end)?.iter().rposition(quote)? + 1, end)
        };
        self.inside(open + from, open + end)
    }

    /// `IDENTIFIED BY '…'` in SQL, also with the name of a method: `IDENTIFIED WITH caching_sha2_password AS '…'`.
    fn identified(&self, end: usize) -> Option<Hit> {
        let text = self.text;
        let mut at = run(text, end, is_blank);
        for _ in 0..MAX_CLAUSE {
            if let Some((content, quote, backslashes)) = self.quoted(at) {
                return self.inside(content, string_end(text, content, quote, backslashes));
            }
            let word = run(text, at, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if at == word {
                return None;
            }
            at = run(text, word, is_blank);
        }
        None
    }

    /// `echo … | docker login --password-stdin`, and `echo user:… | chpasswd`.
    pub(super) fn piped(&self, end: usize, is_pair: bool) -> Option<Hit> {
        let from = end.saturating_sub(MAX_PIPED);
        let ahead = self.text.get(from..end)?;
        let bar = ahead.iter().rposition(|byte| *byte == b'|')?;
        let quote = |byte: u8| matches!(byte, b'\'' | b'"' | b' ');
        let ahead = ahead.get(..run_back(ahead.get(..bar)?, quote))?;
        let word = [&b"echo "[..], b"echo -n ", b"printf ", b"printf '%s' "]
            .iter()
            .filter_map(|echo| ahead.windows(echo.len()).rposition(|part| part == *echo).map(|at| at + echo.len()))
            .max()?;
        let word = run(ahead, word, quote);
        let colon = ahead.get(word..)?.iter().position(|byte| *byte == b':');
        let start = if is_pair { word + colon? + 1 } else { word };
        self.inside(from + start, from + ahead.len()).filter(|_| byte(ahead, start) != b'$')
    }
}
