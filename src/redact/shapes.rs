//! The shapes of secrets, whatever their name. Card numbers are in [`cards`](super::cards).
//!
//! Each function matches at one byte. It looks at a bounded part of the text, or at a run that is matched only once, so
//! the scan stays linear. `cut`: the text was cut, so what touches its end may be the beginning of more.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::bounds::{before, byte, run, run_back, starts};

/// How far after `user:` in a URL a password with `/` or `?` in it is searched, in bytes.
const MAX_ODD_PASSWORD: usize = 256;

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
    if base64url(before(text, at)) {
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

/// Matches a service's token whose prefix ends with a dot, followed by base64 characters and dots.
///
/// No byte of these prefixes is a trigger byte. But a random text of this length nearly always has one elsewhere, so
/// the scan does not skip it.
pub(super) fn dotted(text: &[u8], at: usize, cut: bool) -> Option<Range<usize>> {
    let start = DOTTED.iter().find(|start| starts(text, at, start))?;
    if base64url(before(text, at)) {
        return None;
    }
    let end = run(text, at, |byte| base64url(byte) || byte == b'.');
    let end = end - usize::from(byte(text, end - 1) == b'.');
    let length = end.checked_sub(at + start.len())?;
    (length >= MIN_DOTTED || (cut && end == text.len())).then_some(at..end)
}

/// SendGrid, Vault and Google.
const DOTTED: [&[u8]; 5] = [b"SG.", b"hvs.", b"hvb.", b"hvr.", b"ya29."];

/// The shortest of these tokens is longer after its prefix; host names and paths rarely are.
const MIN_DOTTED: usize = 24;

/// Matches the password in a URL whose `://` is at `at`.
pub(super) fn url_password(text: &[u8], at: usize, cut: bool) -> Option<Range<usize>> {
    if !before(text, at).is_ascii_alphanumeric() {
        return None;
    }
    let from = at + 3;
    let blank = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>' | b'`' | b'\\');
    let end = run(text, from, |byte| !blank(byte) && !matches!(byte, b'/' | b'?' | b'#'));
    let region = text.get(from..end)?;
    if region.first() == Some(&b'[') {
        return None;
    }
    let colon = region.iter().position(|byte| *byte == b':')?;
    let start = from + colon + 1;
    if let Some(password) = text.get(start..end).and_then(|rest| rest.iter().rposition(|byte| *byte == b'@')) {
        return (password > 0).then_some(start..start + password);
    }
    // Without an `@`, a port follows the colon; or a password with characters that should be encoded.
    if text.get(start..end)?.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if cut && end == text.len() {
        return Some(start..end);
    }
    let window = text.get(end..text.len().min(end + MAX_ODD_PASSWORD))?;
    let reach = window.iter().position(|byte| blank(*byte)).unwrap_or(window.len());
    let window = window.get(..reach)?;
    let first = window.iter().position(|byte| *byte == b'@')?;
    // Up to the last `@` before what can only be the path.
    let host = run(window, first, |byte| !matches!(byte, b'/' | b'?' | b'#'));
    let last = window.get(..host)?.iter().rposition(|byte| *byte == b'@')?;
    Some(start..end + last)
}

/// Matches the token of a Telegram bot, `…:AA…`, whose `:` is at `at`.
pub(super) fn bot_token(text: &[u8], at: usize, cut: bool) -> Option<Range<usize>> {
    let from = at.saturating_sub(MAX_BOT_DIGITS);
    let digits = text.get(from..at)?;
    let digits = digits.len() - run_back(digits, |byte| byte.is_ascii_digit());
    let end = run(text, at + 1, base64url);
    (digits >= 8 && (end - at > 30 || (cut && end == text.len()))).then_some(at + 1..end)
}

/// Addresses that anyone who knows them may post to.
const WEBHOOKS: [&[u8]; 4] = [
    b"hooks.slack.com/services/",
    b"hooks.slack.com/workflows/",
    b"discord.com/api/webhooks/",
    b"discordapp.com/api/webhooks/",
];

/// Matches the secret in the path of a webhook whose `://` is at `at`.
pub(super) fn webhook(text: &[u8], at: usize) -> Option<Range<usize>> {
    let hook = WEBHOOKS.iter().find(|hook| starts(text, at + 3, hook))?;
    let start = at + 3 + hook.len();
    Some(start..run(text, start, token))
}

/// Returns whether `Bearer ` or `Basic ` may begin at the `b` at `at`.
#[inline]
pub(super) fn may_be_scheme(text: &[u8], at: usize) -> bool {
    matches!([byte(text, at + 1) | 0x20, byte(text, at + 2) | 0x20], [b'e', b'a'] | [b'a', b's'])
}

/// Matches the credentials after a `Bearer ` or `Basic ` that begins at `at`.
pub(super) fn credentials(text: &[u8], at: usize, cut: bool) -> Option<Range<usize>> {
    let is = |word: &[u8]| text.get(at..at + word.len()).is_some_and(|piece| piece.eq_ignore_ascii_case(word));
    if before(text, at).is_ascii_alphanumeric() {
        return None;
    }
    let is_basic = is(b"basic ");
    if !is_basic && !is(b"bearer ") {
        return None;
    }
    let start = run(text, at + if is_basic { 6 } else { 7 }, |byte| byte == b' ');
    let end = run(text, start, token);
    let credentials = text.get(start..end)?;
    let is_cut = cut && end == text.len() && !credentials.is_empty();
    // `realm="…"` of a challenge.
    let is_parameter = credentials.ends_with(b"=") && matches!(byte(text, end), b'"' | b'\\');
    let is_one = if is_basic { is_pair(credentials) } else { is_random(credentials) };
    (is_cut || (is_one && !is_parameter)).then_some(start..end)
}

/// Returns whether this is `user:password` in base64.
fn is_pair(credentials: &[u8]) -> bool {
    let digits = credentials.split(|byte| *byte == b'=').next().unwrap_or_default();
    let whole = digits.len().min(MAX_DECODED) / 4 * 4;
    let head = digits.get(..whole).unwrap_or_default();
    digits.len() > MAX_DECODED
        || STANDARD_NO_PAD
            .decode(head)
            .is_ok_and(|pair| !pair.is_empty() && (pair.contains(&b':') || is_random(digits)))
}

/// Returns whether this is not a word of a language.
fn is_random(word: &[u8]) -> bool {
    let has = |of: fn(&u8) -> bool| word.iter().skip(1).any(of);
    let odd = |byte: &u8| matches!(byte, b'_' | b'~' | b'+' | b'/' | b'=');
    let digit = word.iter().any(u8::is_ascii_digit);
    word.len() >= 24 || (word.len() >= 3 && digit) || (word.len() >= 6 && (has(odd) || has(u8::is_ascii_uppercase)))
}

/// Matches a private key whose `-----BEGIN` is at `at`, up to the end of its block or of the text.
pub(super) fn pem(text: &[u8], at: usize) -> Option<Range<usize>> {
    let from = at + b"-----BEGIN ".len();
    let label = text.get(from..text.len().min(from + MAX_LABEL))?;
    let length = label.windows(5).position(|window| window == b"-----")?;
    let label = label.get(..length)?;
    if !(label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK")) {
        return None;
    }
    let body = from + length + 5;
    // A quote ends the text around it.
    let mut end = run(text, body, |byte| !matches!(byte, b'-' | b'"'));
    while byte(text, end) == b'-' && !starts(text, end, b"-----END ") {
        end = run(text, end + 1, |byte| !matches!(byte, b'-' | b'"'));
    }
    if starts(text, end, b"-----END ") {
        let rest = text.get(end + 9..text.len().min(end + 9 + MAX_LABEL)).unwrap_or_default();
        let behind = rest.windows(5).position(|window| window == b"-----").map_or(rest.len(), |at| at + 5);
        end += 9 + behind;
    }
    Some(at..end)
}

/// Prefixes of tokens, with the least length of the rest. Each ends with the trigger byte `_` or `-`, or begins with
/// the trigger byte `A`.
const PREFIXES: [(&[u8], usize); 57] = [
    (b"ghp_", 20),
    (b"gho_", 20),
    (b"ghu_", 20),
    (b"ghs_", 20),
    (b"ghr_", 20),
    (b"github_pat_", 20),
    (b"npm_", 20),
    (b"hf_", 20),
    (b"gsk_", 30),
    (b"glsa_", 20),
    (b"glc_", 30),
    (b"ntn_", 30),
    (b"sntrys_", 20),
    (b"sntryu_", 20),
    (b"dckr_pat_", 20),
    (b"dckr_oat_", 20),
    (b"sk_live_", 10),
    (b"sk_test_", 10),
    (b"rk_live_", 10),
    (b"rk_test_", 10),
    (b"whsec_", 10),
    (b"dop_v1_", 20),
    (b"doo_v1_", 20),
    (b"dor_v1_", 20),
    (b"shpat_", 20),
    (b"shpca_", 20),
    (b"shppa_", 20),
    (b"shpss_", 20),
    (b"lin_api_", 20),
    (b"glpat-", 15),
    (b"glptt-", 15),
    (b"gldt-", 15),
    (b"glrt-", 15),
    (b"glsoat-", 15),
    (b"GOCSPX-", 20),
    (b"NRAK-", 20),
    (b"PMAK-", 20),
    (b"xoxa-", 10),
    (b"xoxb-", 10),
    (b"xoxe-", 10),
    (b"xoxo-", 10),
    (b"xoxp-", 10),
    (b"xoxr-", 10),
    (b"xoxs-", 10),
    (b"xapp-", 10),
    (b"pypi-", 20),
    (b"sk-ant-", 20),
    (b"sk-proj-", 20),
    (b"sk-svcacct-", 20),
    (b"sk-or-v1-", 20),
    (PLAIN, 32),
    (b"xai-", 40),
    (b"AGE-SECRET-KEY-", 20),
    (b"AKIA", 16),
    (b"ASIA", 16),
    (b"AIza", 30),
    (b"ATATT3", 30),
];

/// A prefix that also begins ordinary words: no dash may follow.
const PLAIN: &[u8] = b"sk-";

/// Returns whether the two bytes beside the one at `at` belong to a prefix.
#[inline]
pub(super) fn may_be_prefix(text: &[u8], at: usize) -> bool {
    if byte(text, at) == b'A' {
        return matches!([byte(text, at + 1), byte(text, at + 2)], [b'K' | b'S', b'I'] | [b'I', b'z'] | [b'T', b'A']);
    }
    let pair = at.checked_sub(2).map_or([b' '; 2], |from| [byte(text, from), byte(text, from + 1)]);
    match pair[1] {
        b'p' => matches!(pair[0], b'h' | b'x' | b'p'),
        b'o' | b'f' => matches!(pair[0], b'h' | b'x'),
        b's' => matches!(pair[0], b'h' | b'x' | b's' | b'y'),
        b'r' => matches!(pair[0], b'h' | b'x'),
        b't' => matches!(pair[0], b'a' | b's' | b'n' | b't' | b'd' | b'r' | b'c'),
        b'a' | b'b' => matches!(pair[0], b'x' | b's' | b'c' | b'p'),
        b'e' => matches!(pair[0], b'x' | b'v'),
        b'm' => pair[0] == b'p',
        b'i' => matches!(pair[0], b'p' | b'a'),
        b'1' => pair[0] == b'v',
        b'c' => matches!(pair[0], b'e' | b'l'),
        b'j' => pair[0] == b'o',
        b'k' => pair[0] == b's',
        b'n' => pair[0] == b't',
        b'u' => matches!(pair[0], b'h' | b'y'),
        b'X' => pair[0] == b'P',
        b'K' => pair[0] == b'A',
        b'Y' => pair[0] == b'E',
        _ => false,
    }
}

/// Matches a token with a known prefix: the byte at `at` is the prefix's last one, or its first `A`.
pub(super) fn prefixed(text: &[u8], at: usize, cut: bool) -> Option<Range<usize>> {
    let is_first = byte(text, at) == b'A';
    PREFIXES.iter().find_map(|(prefix, least)| {
        let start = if is_first { at } else { (at + 1).checked_sub(prefix.len())? };
        if !starts(text, start, prefix) || before(text, start).is_ascii_alphanumeric() {
            return None;
        }
        let body = start + prefix.len();
        let end = run(text, body, |byte| if *prefix == PLAIN { byte.is_ascii_alphanumeric() } else { base64url(byte) });
        (end - body >= *least || (cut && end == text.len())).then_some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_found() {
        for (prefix, least) in PREFIXES {
            let text = [b" ", prefix, "x".repeat(least).as_bytes()].concat();
            let at = if prefix.starts_with(b"A") { 1 } else { prefix.len() };
            assert_eq!(prefixed(&text, at, false), Some(1..text.len()), "{}", String::from_utf8_lossy(prefix));
        }
    }
}
