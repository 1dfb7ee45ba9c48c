//! Card numbers, in texts and as integers.
//!
//! A match begins at a digit and looks at a bounded part of the text. `cut`: the text was cut, so what touches its end
//! may be the beginning of more.

use std::ops::Range;

use super::bounds::{before, byte, run, starts};

/// A card number has at least this many digits.
pub(super) const MIN_CARD_DIGITS: u8 = 13;

/// A card number has at most this many digits.
const MAX_CARD_DIGITS: usize = 19;

/// In a text that was cut, this many digits at the end may begin a card number.
const CUT_CARD_DIGITS: usize = 6;

/// A smaller integer is never taken for a card number.
pub(super) const LEAST_CARD_NUMBER: u64 = 10_000_000_000_000;

/// Returns whether the digits from `at` to `end` may begin a card number: alone, or as the first group of four.
#[inline]
pub(super) fn may_be_card(text: &[u8], at: usize, end: usize, cut: bool) -> bool {
    let is_group = || {
        let next = if end - at == 4 { end + gap(text, end) } else { end };
        next > end && matches!(run(text, next, |byte| byte.is_ascii_digit()) - next, 3 | 4 | 6)
    };
    end - at >= usize::from(MIN_CARD_DIGITS) || (cut && end == text.len()) || is_group()
}

/// Returns whether a card number may begin at `at`, with the first of four or more digits: it goes on for 13 digits, or
/// after a separator. Looks at few bytes.
#[inline(always)]
pub(super) fn may_begin(text: &[u8], at: usize, cut: bool) -> bool {
    let Some(rest) = text.get(at..).and_then(<[u8]>::first_chunk::<{ MIN_CARD_DIGITS as usize }>) else {
        return cut;
    };
    match rest[4] {
        b'0'..=b'9' => rest[12].is_ascii_digit(),
        b' ' | b'-' | b'.' => rest[5].is_ascii_digit() && rest[7].is_ascii_digit(),
        next => matches!(next, b'\\' | 0xc2 | 0xe2),
    }
}

/// Separators between the groups of a card number: also no-break spaces, raw and as `Debug` shows them.
const GAPS: [&str; 8] = [" ", "-", ".", "\u{a0}", "\u{202f}", "\\u{a0}", "\\u{202f}", "\\u00a0"];

/// Returns the length of the separator at `at`; 0 if there is none.
fn gap(text: &[u8], at: usize) -> usize {
    if !matches!(byte(text, at), b' ' | b'-' | b'.' | b'\\' | 0xc2 | 0xe2) {
        return 0;
    }
    let found = GAPS.iter().find(|gap| starts(text, at, gap.as_bytes()));
    found.map_or(0, |gap| gap.len())
}

/// Matches a card number that begins with the digit at `at`.
pub(super) fn card(text: &[u8], at: usize, cut: bool) -> Option<Range<usize>> {
    let (previous, second) = (before(text, at), before(text, at.saturating_sub(1)));
    if previous.is_ascii_alphanumeric() || (matches!(previous, b'.' | b'-') && is_part(text, at - 1, second)) {
        return None;
    }
    let mut number = Number::default();
    let (mut end, mut found) = (at, None);
    loop {
        match byte(text, end) {
            digit @ b'0'..=b'9' => {
                if number.count == MAX_CARD_DIGITS {
                    return found;
                }
                number.add(digit - b'0');
                end += 1;
            }
            _ => {
                let gap = gap(text, end);
                if gap == 0 || !byte(text, end + gap).is_ascii_digit() {
                    break;
                }
                found = number.whole_card(text, at..end).or(found);
                if number.groups == number.lengths.len() {
                    return found;
                }
                number.groups += 1;
                end += gap;
            }
        }
    }
    let is_cut = cut && end == text.len() && number.count >= CUT_CARD_DIGITS && brand(number.digits()).is_some();
    if is_cut { Some(at..end) } else { number.whole_card(text, at..end).or(found) }
}

/// The digits read so far, and the lengths of their groups.
#[derive(Default)]
struct Number {
    digits: [u8; MAX_CARD_DIGITS],
    count: usize,
    lengths: [u8; 5],
    /// Separators read so far.
    groups: usize,
}

impl Number {
    fn add(&mut self, digit: u8) {
        if let (Some(place), Some(length)) = (self.digits.get_mut(self.count), self.lengths.get_mut(self.groups)) {
            *place = digit;
            *length += 1;
            self.count += 1;
        }
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }

    /// Returns the range `at` if the number is a card number, in groups as on a card.
    fn whole_card(&self, text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
        let (next, second) = (byte(text, at.end), byte(text, at.end + 1));
        let goes_on =
            next.is_ascii_alphanumeric() || next == b'_' || (matches!(next, b'.' | b'-') && second.is_ascii_digit());
        let is_grouped = self.groups == 0
            || matches!(self.lengths, [4, 4, 4, 4, 0 | 3] | [4, 6, 4 | 5, 0, 0] | [4, 3, 3, 3, 0] | [4, 4, 5, 0, 0]);
        (!goes_on && is_grouped && is_card(self.digits())).then_some(at)
    }
}

/// Returns whether a `.` or `-` at `at` joins the digits after it to digits before it: a fraction, a part of a UUID.
fn is_part(text: &[u8], at: usize, second: u8) -> bool {
    let hex = |place: usize| at.checked_sub(place).is_some_and(|at| byte(text, at).is_ascii_hexdigit());
    second.is_ascii_digit() || (1..=4).all(hex)
}

fn is_card(digits: &[u8]) -> bool {
    brand(digits).is_some_and(|lengths| lengths.contains(&digits.len())) && luhn(digits)
}

/// Returns whether an integer is a card number: with 14 to 16 digits, which database serial numbers rarely have.
#[inline]
pub(super) fn is_card_number(number: u64) -> bool {
    (LEAST_CARD_NUMBER..10_000_000_000_000_000).contains(&number) && {
        let digits: Vec<u8> = number.to_string().bytes().map(|digit| digit - b'0').collect();
        is_card(&digits)
    }
}

/// Returns the lengths that an issuer's numbers have, by their first digits.
fn brand(digits: &[u8]) -> Option<&'static [usize]> {
    let first = |count: usize| digits.iter().take(count).fold(0u32, |number, digit| number * 10 + u32::from(*digit));
    Some(match (first(1), first(2), first(3), first(4)) {
        (4, ..) => &[13, 16, 19],
        (_, 51..=55, ..) | (.., 2221..=2720) => &[16],
        (_, 34 | 37, ..) => &[15],
        (_, 36 | 38 | 39, ..) | (_, _, 300..=305 | 309, _) => &[14, 16, 19],
        (_, 62 | 65, ..) | (_, _, 644..=649, _) | (.., 6011) => &[16, 17, 18, 19],
        (.., 3528..=3589) | (.., 2200..=2204) => &[16, 17, 18, 19],
        (_, 50 | 56..=58 | 63 | 67, ..) => &[13, 15, 16, 18, 19],
        _ => return None,
    })
}

/// Checks the check digit of ISO/IEC 7812.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| {
        let value = u32::from(*digit) << (place % 2);
        sum + if value > 9 { value - 9 } else { value }
    });
    sum.is_multiple_of(10) && digits.iter().any(|digit| digit != digits.first().unwrap_or(&0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_numbers_of_card_issuers_are_recognised() {
        for number in [
            "4111111111111111",
            "4012888888881881",
            "4222222222222",
            "5555555555554444",
            "5105105105105100",
            "2223003122003222",
            "378282246310005",
            "371449635398431",
            "6011111111111117",
            "30569309025904",
            "38520000023237",
            "3530111333300000",
            "6200000000000005",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "3782 822463 10005",
        ] {
            assert_eq!(card(number.as_bytes(), 0, false), Some(0..number.len()), "{number}");
        }
    }

    #[test]
    fn other_numbers_are_not_card_numbers() {
        for text in [
            "4111111111111112",
            "0000000000000000",
            "1763719538123456",
            "20261120101538123",
            "9999999999999999",
            "41111111111111111111",
            "4111111111111111a",
            "4111111111111111.5",
            "4111-1111-1111-1111-1111",
        ] {
            assert_eq!(card(text.as_bytes(), 0, false), None, "{text}");
        }
        assert_eq!(card(b"0.4111111111111111", 2, false), None);
        assert_eq!(card(b"a4111111111111111", 1, false), None);
    }

    #[test]
    fn integers_follow_the_same_rule() {
        assert!(is_card_number(4_111_111_111_111_111) && is_card_number(378_282_246_310_005));
        assert!(!is_card_number(4_111_111_111_111_112) && !is_card_number(1_795_169_738_123_456_789));
    }
}
