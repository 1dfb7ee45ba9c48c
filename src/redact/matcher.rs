//! The matcher: the text being scanned, and what is decided at an anchor.
//!
//! `named`, `value`, `beside` and `commands` add their functions to it.

use std::ops::Range;

use super::anchors::{Found, Walk, is_plain, kind};
use super::blocks::QUARTER;
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
    /// Returns whether a text that was not cut holds a secret.
    #[inline]
    pub(super) fn any(rules: &'t Rules, text: &'t [u8]) -> bool {
        !(text.len() <= QUARTER && is_plain(&rules.anchors, text))
            && Walk::first(&rules.anchors, text, false)
                .is_some_and(|(first, walk)| Self::any_of(rules, text, first, walk))
    }

    /// Returns whether there is a secret at an anchor or behind it.
    #[inline(never)]
    fn any_of(rules: &'t Rules, text: &'t [u8], first: Found, mut walk: Walk<'t>) -> bool {
        let mut matcher = Matcher { rules, text, cut: false, jwt_until: 0 };
        std::iter::successors(Some(first), |_| walk.next()).any(|(at, kinds)| matcher.at_anchor(at, kinds).is_some())
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
