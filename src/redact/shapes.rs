//! The shapes of secrets, whatever their name. Card numbers are in [`cards`](super::cards).
//!
//! Each function matches at one byte. It looks at a bounded part of the text, or at a run that is matched only once, so
//! the scan stays linear. `cut`: the text was cut, so what touches its end may be the beginning of more.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::bounds::{before, byte, run, run_back, starts};
use super::view::{begins_word, unit};

/// How far before the `@` of a URL its scheme is searched, in bytes.
const MAX_AUTHORITY: usize = 512;

/// The longest label of a PEM block, in bytes.
const MAX_LABEL: usize = 64;

/// The most digits of a Telegram bot's number.
const MAX_BOT_DIGITS: usize = 12;

/// How much of Basic credentials is decoded to recognise them, in bytes.
const MAX_DECODED: usize = 1024;

fn base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// Returns whether a JSON web token begins at `at` with `eyJ`; and where its run of characters ends, token or not.
pub(super) fn jwt(text: &[u8], at: usize, cut: bool) -> (bool, usize) {
    if matches!(before(text, at), b'-' | b'_') || !begins_word(text, at) {
        return (false, at);
    }
    let header = run(text, at, base64url);
    let payload = run(text, header + 1, base64url);
    let is_dotted = byte(text, header) == b'.' && header - at >= 10 && payload - header > 4;
    let mut end = if is_dotted { payload } else { header };
    while is_dotted && byte(text, end) == b'.' && base64url(byte(text, end + 1)) {
        end = run(text, end + 1, base64url);
    }
    // The trailing dot of an unsigned token.
    end += usize::from(is_dotted && byte(text, end) == b'.');
    ((is_dotted && byte(text, payload) == b'.') || (cut && end == text.len()), end)
}

/// How a PEM block begins in base64, up to its label.
const ENCODED_PEM: &[u8] = b"LS0tLS1CRUdJTi";

/// The labels of what is public.
const ENCODED_PUBLIC: [&[u8]; 3] = [b"BDRVJU", b"BQVUJM", b"BYNT"];

/// Matches a private key in PEM that is encoded in base64 again, as in a Secret of Kubernetes. `at`: the `J` of its
/// beginning.
pub(super) fn encoded_pem(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at.checked_sub(ENCODED_PEM.len() - 3).filter(|start| starts(text, *start, ENCODED_PEM))?;
    let label = start + ENCODED_PEM.len();
    if ENCODED_PUBLIC.iter().any(|public| starts(text, label, public)) {
        return None;
    }
    Some(start..run(text, start, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')))
}

/// Matches the password in a URL before the `@` at `at`, or a token in its place.
pub(super) fn url_password(text: &[u8], at: usize) -> Option<Range<usize>> {
    let from = at.saturating_sub(MAX_AUTHORITY);
    let blank = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>' | b'`' | b'\'');
    let begin = from + run_back(text.get(from..at)?, |byte| !blank(byte));
    let region = text.get(begin..at)?;
    let scheme = region.windows(2).rposition(|window| window == b"//").map(|slashes| begin + slashes + 2);
    let escaped = || region.windows(2).rposition(|window| window == b"\\/").map(|slash| begin + slash + 2);
    let Some(start) = scheme.or_else(escaped) else { return data_source(text, begin, at) };
    let user = text.get(start..at)?;
    let end = user.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(user.len());
    let authority = user.get(..end)?;
    let Some(colon) = authority.iter().position(|byte| *byte == b':') else {
        return (end == user.len() && is_key(user)).then_some(start..at);
    };
    let password = authority.get(colon + 1..)?;
    let is_over = end < user.len() && (password.contains(&b'@') || password.iter().all(u8::is_ascii_digit));
    let is_cut = user.windows(2).any(|pair| matches!(pair, b"\\n" | b"\\r" | b"\\t"));
    let is_one = user.first() != Some(&b'[') && !is_over && !is_cut && start + colon + 1 < at;
    is_one.then_some(start + colon + 1..at)
}

/// Matches the password in a URL at the end of a text that was cut.
pub(super) fn cut_url_password(text: &[u8]) -> Option<Range<usize>> {
    let from = text.len().saturating_sub(MAX_AUTHORITY);
    let rest = text.get(from..)?;
    let slashes = rest.windows(3).rposition(|window| window == b"://" || window == b"/\\/")?;
    let start = from + slashes + 3;
    let user = text.get(start..)?;
    let of = |byte: &u8| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'<' | b'>' | b'`' | b'@');
    let colon = user.iter().position(|byte| *byte == b':')?;
    let password = user.get(colon + 1..)?;
    let is_one = user.iter().all(of) && user.first() != Some(&b'[') && !user.get(..colon)?.contains(&b'/');
    let digits = password.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_port = digits == password.len() || password.get(digits) == Some(&b'/') && digits > 0;
    (is_one && !is_port).then_some(start + colon + 1..text.len())
}

/// Matches the password in `user:password@tcp(host)`, and in Oracle's `user/password@host`.
fn data_source(text: &[u8], begin: usize, at: usize) -> Option<Range<usize>> {
    let user = text.get(begin..at)?;
    let is_go = starts(text, at + 1, b"tcp(") || starts(text, at + 1, b"unix(");
    let is_oracle = user.windows(5).any(|window| window == b"thin:") || text.get(..begin)?.ends_with(b"sqlplus ");
    let sign = match (is_go, is_oracle) {
        (true, _) => user.iter().position(|byte| *byte == b':')?,
        (_, true) => user.iter().position(|byte| *byte == b'/')?,
        _ => return None,
    };
    (begin + sign + 1 < at).then_some(begin + sign + 1..at)
}

/// Returns whether the user of a URL is a key: long, with digits, and no name.
fn is_key(user: &[u8]) -> bool {
    user.len() >= MIN_KEY && user.iter().all(u8::is_ascii_alphanumeric) && user.iter().any(u8::is_ascii_digit)
}

/// A shorter user of a URL is a name.
const MIN_KEY: usize = 24;

/// Matches the token of a Telegram bot, `…:AA…`, whose first `A` is at `at`.
fn bot_token(text: &[u8], at: usize, cut: bool) -> Option<Range<usize>> {
    let colon = at.checked_sub(1).filter(|colon| byte(text, *colon) == b':')?;
    let from = colon.saturating_sub(MAX_BOT_DIGITS);
    let digits = text.get(from..colon)?;
    let digits = digits.len() - run_back(digits, |byte| byte.is_ascii_digit());
    let end = run(text, at, base64url);
    (digits >= 8 && (end - at > 29 || (cut && end == text.len()))).then_some(at..end)
}

/// Matches the credentials after a `Bearer` or `Basic` that ends at `at`.
pub(super) fn credentials(text: &[u8], at: usize, cut: bool) -> Option<Range<usize>> {
    if byte(text, at) != b' ' {
        return None;
    }
    let is = |word: &[u8]| {
        let start = at.checked_sub(word.len())?;
        (text.get(start..at)?.eq_ignore_ascii_case(word) && begins_word(text, start)).then_some(start)
    };
    let (is_basic, scheme) = match is(b"basic") {
        Some(scheme) => (true, scheme),
        None => (false, is(b"bearer")?),
    };
    let start = run(text, at, |byte| byte == b' ');
    // `Bearer "…"`
    let is_quoted = byte(text, start) == b'"' && !is_basic;
    let start = start + usize::from(is_quoted);
    let end = run(text, start, token);
    let credentials = text.get(start..end)?;
    let is_cut = cut && end == text.len() && !credentials.is_empty();
    // `realm="…"` of a challenge.
    let is_parameter = credentials.ends_with(b"=") && matches!(byte(text, end), b'"' | b'\\');
    // The whole string: `"Bearer abc"`.
    let is_whole = !credentials.is_empty()
        && matches!(before(text, scheme), b'"' | b'\'')
        && matches!(byte(text, end), b'"' | b'\'' | b'\\');
    let is_one = if is_basic { is_pair(credentials) } else { is_random(credentials) || is_whole };
    // The end of a sentence.
    let end = end - usize::from(credentials.ends_with(b".") && !cut);
    (is_cut || (is_one && !is_parameter)).then_some(start..end)
}

/// Returns whether this is `user:password` in base64.
fn is_pair(credentials: &[u8]) -> bool {
    credentials.len() > MAX_DECODED
        || decoded(credentials).is_some_and(|pair| pair.contains(&b':') || is_random(credentials))
}

/// Returns whether this is surely `user:password` in base64.
pub(super) fn is_encoded_pair(credentials: &[u8]) -> bool {
    credentials.len() >= 12 && decoded(credentials).is_some_and(|pair| pair.contains(&b':'))
}

fn decoded(credentials: &[u8]) -> Option<Vec<u8>> {
    let digits = credentials.split(|byte| *byte == b'=').next().unwrap_or_default();
    let whole = digits.len().min(MAX_DECODED) / 4 * 4;
    let pair = STANDARD_NO_PAD.decode(digits.get(..whole).unwrap_or_default()).ok()?;
    (!pair.is_empty()).then_some(pair)
}

/// Returns whether this is not a word of a language.
fn is_random(word: &[u8]) -> bool {
    let has = |of: fn(&u8) -> bool| word.iter().skip(1).any(of);
    let odd = |byte: &u8| matches!(byte, b'~' | b'+' | b'/' | b'=');
    let digit = word.iter().any(u8::is_ascii_digit);
    let is_name = word.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.'));
    !is_name
        && (word.len() >= 24
            || (word.len() >= 3 && digit)
            || (word.len() >= 6 && (has(odd) || has(u8::is_ascii_uppercase))))
}

/// Matches a private key whose `PRIVATE KEY` or `PRIVATE KEY BLOCK` ends at `at`: from its `-----BEGIN` to the end of
/// its block or of the text.
pub(super) fn pem(text: &[u8], at: usize) -> Option<Range<usize>> {
    let label = text.get(at.saturating_sub(MAX_LABEL)..at)?;
    let begin = at - label.len() + label.windows(11).rposition(|window| window == b"-----BEGIN ")?;
    let is_private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    if !is_private || !starts(text, at, b"-----") {
        return None;
    }
    let body = at + 5;
    // A quote ends the text around it.
    let mut end = run(text, body, |byte| !matches!(byte, b'-' | b'"' | b'\''));
    while byte(text, end) == b'-' && !starts(text, end, b"-----END ") {
        end = run(text, end + 1, |byte| !matches!(byte, b'-' | b'"' | b'\''));
    }
    if starts(text, end, b"-----END ") {
        let rest = text.get(end + 9..text.len().min(end + 9 + MAX_LABEL)).unwrap_or_default();
        let behind = rest.windows(5).position(|window| window == b"-----").map_or(rest.len(), |at| at + 5);
        end += 9 + behind;
    }
    (end > body || pem_line(text, end).is_some()).then_some(begin..end)
}

/// Returns the next line of a private key in a list of its lines: the string after the one that ends at `end`.
pub(super) fn pem_line(text: &[u8], end: usize) -> Option<Range<usize>> {
    let (quote, behind) = unit(text, end);
    let comma = run(text, behind, |byte| byte.is_ascii_whitespace());
    if !matches!(quote, b'"' | b'\'') || byte(text, comma) != b',' {
        return None;
    }
    let next = run(text, comma + 1, |byte| byte.is_ascii_whitespace());
    let (open, start) = unit(text, next);
    let end = run(text, start, |byte| token(byte) || byte == b':' || byte == b' ');
    let is_line = open == quote && !starts(text, start, b"-----END") && unit(text, end).0 == quote;
    (is_line && end > start).then_some(start..end)
}

/// What the rest of a token consists of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Letters, digits, `-` and `_`, and neither a word nor a name in them.
    Mixed,
    /// The same, and dots.
    Dotted,
    /// Letters and digits, neither a word nor a name.
    Plain,
    /// Hexadecimal digits.
    Hex,
    /// The path of a webhook.
    Path,
}

use Rest::{Dotted, Hex, Mixed, Path, Plain};

/// Prefixes of tokens, with the least length of the rest. Each ends its first word.
const PREFIXES: [(&[u8], usize, Rest); 104] = [
    (b"ghp_", 20, Plain),
    (b"gho_", 20, Plain),
    (b"ghu_", 20, Plain),
    (b"ghs_", 20, Mixed),
    (b"ghr_", 20, Plain),
    (b"github_pat_", 20, Mixed),
    (b"npm_", 20, Plain),
    (b"hf_", 20, Plain),
    (b"gsk_", 30, Plain),
    (b"glsa_", 20, Mixed),
    (b"glc_", 30, Mixed),
    (b"ntn_", 30, Plain),
    (b"sntrys_", 20, Mixed),
    (b"sntryu_", 20, Mixed),
    (b"dckr_pat_", 20, Mixed),
    (b"dckr_oat_", 20, Mixed),
    (b"sk_live_", 10, Mixed),
    (b"sk_test_", 10, Mixed),
    (b"rk_live_", 10, Mixed),
    (b"rk_test_", 10, Mixed),
    (b"pk_live_", 10, Mixed),
    (b"whsec_", 10, Mixed),
    (b"dop_v1_", 20, Plain),
    (b"doo_v1_", 20, Plain),
    (b"dor_v1_", 20, Plain),
    (b"shpat_", 20, Hex),
    (b"shpca_", 20, Hex),
    (b"shppa_", 20, Hex),
    (b"shpss_", 20, Hex),
    (b"lin_api_", 20, Plain),
    (b"figd_", 20, Mixed),
    (b"sbp_", 32, Hex),
    (b"tfp_", 32, Plain),
    (b"rubygems_", 32, Hex),
    (b"pscale_tkn_", 20, Mixed),
    (b"pscale_pw_", 20, Mixed),
    (b"pul-", 30, Hex),
    (b"sq0csp-", 20, Mixed),
    (b"sq0atp-", 20, Mixed),
    (b"CFPAT-", 20, Mixed),
    (b"glpat-", 15, Mixed),
    (b"glptt-", 15, Mixed),
    (b"gldt-", 15, Mixed),
    (b"glrt-", 15, Mixed),
    (b"glsoat-", 15, Mixed),
    (b"GOCSPX-", 20, Mixed),
    (b"NRAK-", 20, Mixed),
    (b"PMAK-", 20, Mixed),
    (b"xoxa-", 10, Mixed),
    (b"xoxb-", 10, Mixed),
    (b"xoxe-", 10, Mixed),
    (b"xoxe.", 10, Dotted),
    (b"xoxo-", 10, Mixed),
    (b"xoxp-", 10, Mixed),
    (b"xoxr-", 10, Mixed),
    (b"xoxs-", 10, Mixed),
    (b"xapp-", 10, Mixed),
    (b"pypi-", 20, Mixed),
    (b"sk-ant-", 20, Mixed),
    (b"sk-proj-", 20, Mixed),
    (b"sk-svcacct-", 20, Mixed),
    (b"sk-or-v1-", 20, Mixed),
    (b"sk-", 32, Plain),
    (b"xai-", 40, Plain),
    (b"key-", 32, Plain),
    (b"xoxc-", 10, Mixed),
    (b"xoxd-", 10, Mixed),
    (b"glft-", 15, Mixed),
    (b"glcbt-", 15, Mixed),
    (b"glagent-", 15, Mixed),
    (b"gloas-", 15, Mixed),
    (b"secret_", 40, Plain),
    (b"sb_secret_", 20, Mixed),
    (b"pplx-", 40, Plain),
    (b"nfp_", 30, Plain),
    (b"rnd_", 28, Plain),
    (b"xkeysib-", 60, Mixed),
    (b"sqp_", 40, Hex),
    (b"squ_", 40, Hex),
    (b"sqa_", 40, Hex),
    (b"CCIPAT_", 40, Mixed),
    (b"bkua_", 40, Hex),
    (b"shippo_live_", 30, Hex),
    (b"pat-na1-", 36, Mixed),
    (b"pat-eu1-", 36, Mixed),
    (b"tskey-", 20, Mixed),
    (b"pcsk_", 40, Mixed),
    (b"pnu_", 36, Plain),
    (b"HRKU-", 36, Mixed),
    (b"sk.eyJ", 40, Dotted),
    (b"lsv2_pt_", 40, Mixed),
    (b"lsv2_sk_", 40, Mixed),
    (b"SG.", 24, Dotted),
    (b"hvs.", 24, Dotted),
    (b"hvb.", 24, Dotted),
    (b"hvr.", 24, Dotted),
    (b"ya29.", 20, Dotted),
    (b"dt0c01.", 40, Dotted),
    (b"hooks.slack.com/services/", 1, Path),
    (b"hooks.slack.com/workflows/", 1, Path),
    (b"discord.com/api/webhooks/", 1, Path),
    (b"discordapp.com/api/webhooks/", 1, Path),
    (b"outlook.office.com/webhook/", 1, Path),
    (b"webhook.office.com/webhookb2/", 1, Path),
];

/// Prefixes with an `A` in them, with the bytes before it and the length of the rest.
const MARKED: [(&[u8], usize, usize, Rest); 11] = [
    (b"AKIA", 0, 16, Plain),
    (b"ASIA", 0, 16, Plain),
    (b"ABIA", 0, 16, Plain),
    (b"ACCA", 0, 16, Plain),
    (b"AIza", 0, 30, Mixed),
    (b"AGE-SECRET-KEY-", 0, 20, Mixed),
    (b"ATATT3", 0, 30, Mixed),
    (b"ATCTT3", 0, 30, Mixed),
    (b"EAA", 1, 30, Plain),
    (b"APA91b", 0, 100, Mixed),
    (b"AKCp", 0, 60, Plain),
];

/// The length of each prefix's first word, and its last two letters.
const FIRST_WORDS: [(usize, [u8; 2]); PREFIXES.len()] = {
    let mut words = [(0, [0; 2]); PREFIXES.len()];
    let mut nth = 0;
    while nth < words.len() {
        let prefix = PREFIXES[nth].0;
        let mut end = 0;
        while prefix[end].is_ascii_alphabetic() {
            end += 1;
        }
        words[nth] = (end, [prefix[end - 2], prefix[end - 1]]);
        nth += 1;
    }
    words
};

/// This many bytes after a prefix tell whether it is one.
const MAX_JUDGED: usize = 256;

/// Returns the first words of the prefixes, which are anchors.
pub(super) fn first_words() -> impl Iterator<Item = &'static [u8]> {
    PREFIXES.iter().zip(FIRST_WORDS).map(|((prefix, ..), (first, _))| prefix.get(..first).unwrap_or_default())
}

impl Rest {
    fn end(self, text: &[u8], body: usize) -> usize {
        match self {
            Mixed => run(text, body, base64url),
            Dotted => {
                let end = run(text, body, |byte| base64url(byte) || byte == b'.');
                end - usize::from(before(text, end) == b'.' && end > body)
            }
            Plain => run(text, body, |byte| byte.is_ascii_alphanumeric()),
            Hex => run(text, body, |byte| byte.is_ascii_hexdigit()),
            Path => run(text, body, |byte| token(byte) || byte == b'@'),
        }
    }

    /// Returns whether the rest of a token is neither a word nor a name made of words.
    fn is_random(self, body: &[u8]) -> bool {
        let has = |of: fn(&u8) -> bool| body.iter().any(of);
        let (digit, upper) = (has(u8::is_ascii_digit), has(u8::is_ascii_uppercase));
        match self {
            Path => true,
            Dotted => digit && upper,
            Mixed | Plain | Hex => digit || (upper && has(u8::is_ascii_lowercase)),
        }
    }
}

/// Matches a token with a known prefix, the first word of which ends at `at`.
pub(super) fn prefixed(text: &[u8], at: usize, cut: bool) -> Option<Range<usize>> {
    if !matches!(byte(text, at), b'_' | b'-' | b'.' | b'0'..=b'9') {
        return None;
    }
    let last = [before(text, at - 1), before(text, at)];
    let matches = FIRST_WORDS.iter().zip(&PREFIXES).filter(|((_, letters), _)| *letters == last);
    matches.into_iter().find_map(|((first, _), (prefix, least, rest))| {
        let start = at.checked_sub(*first)?;
        if before(text, at) != before(prefix, at - start) || !starts(text, start, prefix) || !begins_word(text, start) {
            return None;
        }
        let body = start + prefix.len();
        // Judged by its first bytes, so that the time stays linear.
        let near = text.get(..text.len().min(body + MAX_JUDGED)).unwrap_or_default();
        let end = rest.end(near, body);
        let is_one = end - body >= *least && rest.is_random(text.get(body..end)?);
        let end = if is_one { rest.end(text, body) } else { end };
        let from = if *rest == Path { body } else { start };
        (is_one || (cut && end == text.len() && end > body)).then_some(from..end)
    })
}

/// Returns whether the mark at `at` may belong to a secret: to a web token, a URL with a password, a prefix with an `A`.
#[inline(always)]
pub(super) fn may_be_marked(text: &[u8], at: usize) -> bool {
    match byte(text, at) {
        b'A' => match [byte(text, at + 1), byte(text, at + 2)] {
            [b'K' | b'S' | b'B', b'I']
            | [b'C', b'C']
            | [b'K', b'C']
            | [b'I', b'z']
            | [b'T', b'A' | b'C']
            | [b'G', b'E'] => true,
            [next, _] => before(text, at) == b':' || (next == b'A' && before(text, at) == b'E'),
        },
        b'J' => matches!(before(text, at), b'y' | b'd'),
        _ => true,
    }
}

/// Matches a token with a known prefix that has its mark, an `A`, at `at`.
pub(super) fn marked(text: &[u8], at: usize, cut: bool) -> Option<Range<usize>> {
    let found = MARKED.iter().find_map(|(prefix, place, length, rest)| {
        let start = at.checked_sub(*place)?;
        if !starts(text, start, prefix) || !begins_word(text, start) {
            return None;
        }
        let body = start + prefix.len();
        let near = text.get(..text.len().min(body + MAX_JUDGED)).unwrap_or_default();
        let end = rest.end(near, body);
        // The keys of AWS have one length.
        let fits = if *length == 16 { end - body == 16 && byte(text, end) != b'_' } else { end - body >= *length };
        let is_upper =
            *length != 16 || text.get(body..end)?.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let is_one = fits && is_upper && rest.is_random(text.get(start..end)?);
        (is_one || (cut && end == text.len())).then(|| start..rest.end(text, body))
    });
    found.or_else(|| bot_token(text, at, cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_found_after_any_escape() {
        for ((prefix, least, _), (first, _)) in PREFIXES.iter().zip(FIRST_WORDS) {
            for before in [" ", "\\n", "\\t", "\\u0026", "\u{1b}[32m", "\\u001b[0m", "&quot;", "%22", "\\/"] {
                let text = [before.as_bytes(), prefix, "1aB".repeat(*least).as_bytes()].concat();
                let found = prefixed(&text, before.len() + first, false);
                assert_eq!(found.map(|found| found.end), Some(text.len()), "{}", String::from_utf8_lossy(&text));
            }
        }
    }

    #[test]
    fn names_made_of_words_are_no_tokens() {
        for ((prefix, ..), (first, _)) in PREFIXES.iter().zip(FIRST_WORDS).filter(|((.., rest), _)| *rest != Path) {
            let text = [prefix, &b"registry_timeout_of_the_service_that_waits"[..]].concat();
            assert_eq!(prefixed(&text, first, false), None, "{}", String::from_utf8_lossy(&text));
        }
    }
}
