//! The matcher: the text being scanned, and what is decided at an anchor.
//!
//! `named`, `value`, `beside` and `commands` add their functions to it.

use std::ops::Range;

use super::anchors::{Walk, kind};
use super::blocks::{BEFORE, BLOCK};
use super::bounds::{before, byte, run, run_back, starts};
use super::hit::{Hit, With};
use super::rules::Rules;
use super::{cards, shapes};

pub(super) struct Matcher<'t> {
    pub(super) rules: &'t Rules,
    /// The text, or the part of it in which a match has to end.
    pub(super) text: &'t [u8],
    pub(super) cut: bool,
    /// No JSON web token begins before this position.
    pub(super) jwt_until: usize,
}

/// The longest beginning of a card number, in bytes.
const MAX_CUT_CARD: usize = 24;

impl<'t> Matcher<'t> {
    /// Looks for a secret in texts that are joined by bytes below a blank, and were not cut. Returns a place: no text that
    /// ends before it holds a secret.
    ///
    /// `text_around`: the text around a place, and where it begins.
    #[inline(always)]
    pub(super) fn first(
        rules: &'t Rules,
        joined: &'t [u8],
        text_around: impl Fn(usize) -> Option<(usize, &'t [u8])>,
    ) -> Option<usize> {
        let mut spare = None;
        Self::first_of(rules, Walk::of(&rules.anchors, joined, &mut spare)?, text_around)
    }

    #[inline(never)]
    fn first_of(
        rules: &'t Rules,
        mut anchors: Walk<'_>,
        text_around: impl Fn(usize) -> Option<(usize, &'t [u8])>,
    ) -> Option<usize> {
        let mut matcher = Matcher { rules, text: &[], cut: false, jwt_until: 0 };
        let mut begin = 0;
        anchors.find_map(|(at, kinds)| {
            let (start, text) = text_around(at).filter(|(_, text)| !is_id(text))?;
            if start != begin {
                (begin, matcher.text, matcher.jwt_until) = (start, text, 0);
            }
            // The anchors of one block are not in order.
            matcher.at_anchor(at - start, kinds).map(|_| at.saturating_sub(BEFORE + BLOCK))
        })
    }

    /// Matches at an anchor.
    #[inline(never)]
    pub(super) fn at_anchor(&mut self, at: usize, kinds: u8) -> Option<Hit> {
        let text = self.text;
        let is = |kind: u8| kinds & kind != 0;
        if is(kind::DIGITS) {
            let end = run(text, at, |byte| byte.is_ascii_digit());
            let card = cards::may_be_card(text, at, end, self.cut).then(|| cards::card(text, at, self.cut))??;
            return Some(Hit { start: card.start, end: card.end, with: With::LastFour });
        }
        if is(kind::MARK) {
            return match byte(text, at) {
                b'@' => self.bare(shapes::url_password(text, at)),
                b'J' if at >= 2 && starts(text, at - 2, b"eyJ") => self.jwt(at - 2),
                b'J' => self.bare(shapes::encoded_pem(text, at)),
                b'A' => self.shown(shapes::marked(text, at, self.cut)),
                _ => None,
            };
        }
        None.or_else(|| if is(kind::NAME) { self.named(at) } else { None })
            .or_else(|| if is(kind::SPECIAL) { self.special(at) } else { None })
            .or_else(|| if is(kind::SCHEME) { self.shown(shapes::credentials(text, at, self.cut)) } else { None })
            .or_else(|| if is(kind::PREFIX) { self.shown(shapes::prefixed(text, at, self.cut)) } else { None })
            .or_else(|| if is(kind::COMMAND) { self.command(at) } else { None })
    }

    /// Matches what the end of a text that was cut has lost: the `@` of a URL, digits of a card number.
    pub(super) fn at_cut(&self) -> Option<Hit> {
        let of = |byte: u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.');
        let digits = self.back(self.text.len(), MAX_CUT_CARD, of);
        let digits = run(self.text, digits, |byte| !byte.is_ascii_digit());
        let card = || cards::card(self.text, digits, true).and_then(|range| self.inside(range.start, range.end));
        self.bare(shapes::cut_url_password(self.text)).or_else(card)
    }

    fn jwt(&mut self, at: usize) -> Option<Hit> {
        if at < self.jwt_until {
            return None;
        }
        let (is_one, end) = shapes::jwt(self.text, at, self.cut);
        self.jwt_until = end;
        if is_one { self.shown(Some(at..end)) } else { None }
    }

    /// Returns the string that begins at `at`: where its content starts, its quote, and how many backslashes precede
    /// that.
    pub(super) fn quoted(&self, at: usize) -> Option<(usize, u8, usize)> {
        let quote = run(self.text, at, |byte| byte == b'\\');
        match byte(self.text, quote) {
            b'"' => Some((quote + 1, b'"', quote - at)),
            b'\'' if quote == at => Some((quote + 1, b'\'', 0)),
            _ => None,
        }
    }

    pub(super) fn back(&self, end: usize, most: usize, of: fn(u8) -> bool) -> usize {
        let from = end.saturating_sub(most);
        from + run_back(self.text.get(from..end).unwrap_or_default(), of)
    }

    pub(super) fn inside(&self, start: usize, end: usize) -> Option<Hit> {
        (start < end && !self.is_replaced(start)).then_some(Hit { start, end, with: With::Bare })
    }

    fn bare(&self, range: Option<Range<usize>>) -> Option<Hit> {
        range.and_then(|range| self.inside(range.start, range.end))
    }

    /// Returns a match for a token. The last four characters of a long one may be shown.
    #[inline]
    pub(super) fn shown(&self, range: Option<Range<usize>>) -> Option<Hit> {
        let with = |length| if length >= 20 { With::LastFour } else { With::Bare };
        let hit = range.map(|range| Hit { start: range.start, end: range.end, with: with(range.len()) });
        hit.filter(|hit| !self.is_replaced(hit.start))
    }

    #[inline]
    pub(super) fn is_replaced(&self, at: usize) -> bool {
        !self.rules.replacement.is_empty() && starts(self.text, at, self.rules.replacement.as_bytes())
    }

    /// Returns whether a quote stands before `at`.
    pub(super) fn is_after_quote(&self, at: usize) -> bool {
        matches!(before(self.text, at), b'"' | b'\'')
    }
}

/// Returns whether a text is a hexadecimal id: with the dashes of a UUID, or longer than any card number. Nearly every
/// request and trace has one, and they look like secrets.
#[inline]
fn is_id(text: &[u8]) -> bool {
    if let Ok(text) = <&[u8; 32]>::try_from(text) {
        return are_hex(text);
    }
    let Ok(text) = <&[u8; 36]>::try_from(text) else { return false };
    let dashes = [8, 13, 18, 23];
    let mut digits = *text;
    dashes.into_iter().for_each(|at| digits[at] = b'0');
    dashes.into_iter().all(|at| text[at] == b'-') && are_hex(&digits)
}

#[inline]
fn are_hex<const N: usize>(text: &[u8; N]) -> bool {
    text.iter().fold(true, |all, byte| all & byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinguished_from_similar_texts() {
        for id in ["0191a2b3-C4d5-7e6f-8a9b-0c1d2e3f4a5b", "4bf92f3577b34da6a3ce929d0e0e4736"] {
            assert!(is_id(id.as_bytes()), "{id}");
        }
        for other in [
            "4111-1111-1111-1111-1111-1111-1111-1",
            "0191a2b3-c4d5-7e6f-8a9b-0c1d2e3f4a5",
            "0191a2b3-c4d5-7e6f-8a9b-0c1d2e3f4a=b",
            "4bf92f3577b34da6a3ce929d0e0e473g",
            "4111111111111111",
        ] {
            assert!(!is_id(other.as_bytes()), "{other}");
        }
    }
}
