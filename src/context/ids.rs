//! Trace and span ids: how they are parsed, made and written.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::values::Timestamp;

/// The id of a trace: 32 lowercase hex digits, never all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(u128);

/// The id of a span: 16 lowercase hex digits, never all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(u64);

impl TraceId {
    /// Parses 32 hex digits. Dashes and upper case are allowed, as in a UUID.
    pub fn parse(text: &str) -> Option<Self> {
        hex::<32>(text, true).filter(|id| *id != 0).map(Self)
    }

    /// Returns an id with only the low half.
    pub(crate) fn of_low_half(low: SpanId) -> Self {
        Self::of_halves(0, low)
    }

    /// Returns the id of both halves. The low one is never zero.
    pub(crate) fn of_halves(high: u64, low: SpanId) -> Self {
        Self(u128::from(high) << 64 | u128::from(low.0))
    }

    /// Returns the high and the low half.
    pub(crate) fn halves(self) -> (u64, u64) {
        ((self.0 >> 64) as u64, self.0 as u64)
    }

    /// Returns `None` for zero.
    pub(super) fn from_number(number: u128) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    /// Returns the number, most significant byte first.
    #[cfg(any(feature = "opentelemetry", feature = "otlp"))]
    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Returns a hash of the id. It is the same in all processes and versions: a service in another language can compute it.
    ///
    /// The finalizer of MurmurHash3, over both halves. Ids made by others may count up, so the digits alone would not do.
    pub(crate) fn hash(self) -> u64 {
        let mix = |mut half: u64| {
            half = (half ^ (half >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
            half = (half ^ (half >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
            half ^ (half >> 33)
        };
        mix(self.0 as u64 ^ mix((self.0 >> 64) as u64))
    }

    /// Returns the 32 digits.
    pub fn digits(self) -> [u8; 32] {
        digits(&self.0.to_be_bytes())
    }
}

impl SpanId {
    /// Parses 16 hex digits of either case.
    pub fn parse(text: &str) -> Option<Self> {
        hex::<16>(text, false).filter(|id| *id != 0).and_then(|id| u64::try_from(id).ok()).map(Self)
    }

    /// Returns `None` for zero.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// Returns the number, most significant byte first.
    #[cfg(any(feature = "opentelemetry", feature = "otlp"))]
    pub(crate) fn bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Returns the 16 digits.
    pub fn digits(self) -> [u8; 16] {
        digits(&self.0.to_be_bytes())
    }
}

fn hex<const DIGITS: usize>(text: &str, dashes: bool) -> Option<u128> {
    match <&[u8; DIGITS]>::try_from(text.as_bytes()) {
        // A dash in it leaves fewer digits.
        Ok(text) => plain_hex(text),
        Err(_) => hex_with_dashes::<DIGITS>(text, dashes),
    }
}

/// The same, of digits only.
fn plain_hex<const DIGITS: usize>(text: &[u8; DIGITS]) -> Option<u128> {
    let (mut number, mut wrong) = (0u128, 0);
    for eight in text.as_chunks().0 {
        let (part, of_part) = eight_digits(*eight);
        wrong |= of_part;
        number = number << 32 | u128::from(part);
    }
    (wrong == 0).then_some(number)
}

/// Each byte of a word.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Returns the number that eight hex digits of either case stand for. The second number is zero if all are digits.
fn eight_digits(text: [u8; 8]) -> (u32, u64) {
    let text = u64::from_be_bytes(text);
    let letters = text >> 6 & EACH;
    let values = (text & (EACH * 0xf)) + letters * 9;
    // Another byte is not what is written for its value.
    let wrong = (values & (EACH * 0xf0)) | (written(values) ^ (text | letters << 5));
    let bytes = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let words = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    ((words | words >> 16) as u32, wrong)
}

/// Returns the lowercase digits of eight values below 16, each in its byte.
fn written(values: u64) -> u64 {
    let letters = (values + EACH * 6) >> 4 & EACH;
    values + EACH * u64::from(b'0') + letters * u64::from(b'a' - b'0' - 10)
}

fn hex_with_dashes<const DIGITS: usize>(text: &str, dashes: bool) -> Option<u128> {
    let mut number = 0u128;
    let mut digits = 0;
    for byte in text.bytes() {
        let digit = VALUES[usize::from(byte)];
        if digit > 0xf {
            if byte == b'-' && dashes {
                continue;
            }
            return None;
        }
        digits += 1;
        if digits > DIGITS {
            return None;
        }
        number = number << 4 | u128::from(digit);
    }
    (digits == DIGITS).then_some(number)
}

/// The value of each hex digit of either case; 0xff for any other byte.
const VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value] as usize] = value as u8;
        values[DIGITS[value].to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
};

/// Returns the value of a hex digit of either case.
pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    Some(VALUES[usize::from(byte)]).filter(|value| *value <= 0xf)
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn digits<const DOUBLE: usize>(number: &[u8]) -> [u8; DOUBLE] {
    let mut text = [b'0'; DOUBLE];
    for (eight, four) in text.as_chunks_mut().0.iter_mut().zip(number.as_chunks().0) {
        let words = u64::from(u32::from_be_bytes(*four));
        let words = (words | words << 16) & 0x0000_ffff_0000_ffff;
        let bytes = (words | words << 8) & 0x00ff_00ff_00ff_00ff;
        *eight = written((bytes | bytes << 4) & (EACH * 0xf)).to_be_bytes();
    }
    text
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Makes ids: random ones, or a fixed sequence from a seed for tests.
#[derive(Debug, Default)]
pub(crate) struct IdSource {
    seeded: Option<AtomicU64>,
}

impl IdSource {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { seeded: Some(AtomicU64::new(seed)) }
    }

    pub(crate) fn trace_id(&self) -> TraceId {
        TraceId(u128::from(self.number()) << 64 | u128::from(self.number()))
    }

    pub(crate) fn span_id(&self) -> SpanId {
        SpanId(self.number())
    }

    /// Returns the next number; never zero.
    #[inline]
    pub(super) fn number(&self) -> u64 {
        let state = match &self.seeded {
            Some(state) => state.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN),
            None => next_state(),
        };
        mix(state).max(1)
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

thread_local! {
    /// A counter with a random start on each thread; zero until first used. It has no destructor, so other
    /// thread-locals' destructors can use it.
    static STATE: Cell<u64> = const { Cell::new(0) };
}

#[inline]
fn next_state() -> u64 {
    STATE
        .try_with(|state| {
            let now = match state.get() {
                0 => random(),
                started => started.wrapping_add(GOLDEN),
            };
            state.set(now);
            now
        })
        .unwrap_or_else(|_| random())
}

#[cold]
fn random() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    // The standard library seeds its hash keys from the system's random numbers, but a forked child inherits them.
    let process = (std::process::id(), Timestamp::now().as_nanos());
    RandomState::new().hash_one((CALLS.fetch_add(1, Ordering::Relaxed), process)).max(1)
}

/// Restarts the sequence in a forked child, on its only thread, so that it does not repeat its parent's ids.
pub(crate) fn start_afresh() {
    let _ = STATE.try_with(|state| state.set(0));
}

/// The finaliser of SplitMix64: a bijection that turns counted inputs into outputs that look random.
#[inline]
fn mix(state: u64) -> u64 {
    let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dashed_or_upper_case_trace_id_is_normalised() {
        let id = TraceId::parse("4BF92F35-77B3-4DA6-A3CE-929D0E0E4736").expect("a UUID");
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(&id.digits(), b"4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn malformed_ids_are_refused() {
        for text in ["", "4bf9", "00000000000000000000000000000000", "4bf92f3577b34da6a3ce929d0e0e473g"] {
            assert_eq!(TraceId::parse(text), None, "{text}");
        }
        assert_eq!(TraceId::parse("4bf92f3577b34da6a3ce929d0e0e47366"), None);
        assert_eq!(SpanId::parse("0000000000000000"), None);
    }

    #[test]
    fn each_byte_in_each_place_is_a_digit_or_refused() {
        let digits = *b"0123456789abcdef";
        for (place, byte) in (0..16).flat_map(|place| (0..=255).map(move |byte| (place, byte))) {
            let mut text = digits;
            text[place] = byte;
            let expected = text.iter().try_fold(0, |id, byte| Some(id << 4 | u64::from(hex_digit(*byte)?)));
            assert_eq!(plain_hex(&text).map(|id| id as u64), expected, "{byte} at {place}");
            if let Some(id) = expected {
                assert_eq!(SpanId(id).digits(), text.map(|byte| byte.to_ascii_lowercase()));
            }
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test")]
    fn made_ids_differ_between_threads_and_calls() {
        let source = IdSource::default();
        let mut ids: Vec<_> = (0..1000).map(|_| source.trace_id()).collect();
        let more = std::thread::spawn(|| (0..1000).map(|_| IdSource::default().trace_id()).collect::<Vec<_>>());
        ids.extend(more.join().expect("thread"));
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
