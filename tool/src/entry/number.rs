//! Numbers, with all digits of integers.

use std::cmp::Ordering;

use super::walk;

/// A JSON number. Integers are exact up to 127 bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    /// Reads a number as JSON spells it.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let text = walk::is_number(bytes).then(|| str::from_utf8(bytes).ok())??;
        text.parse().map(Self::Integer).or_else(|_| text.parse().map(Self::Float)).ok()
    }

    /// Returns it if it is a number of things.
    pub(crate) fn as_count(self) -> Option<u64> {
        match self {
            Self::Integer(integer) => u64::try_from(integer).ok(),
            Self::Float(_) => None,
        }
    }

    pub(crate) fn as_float(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Float(float) => float,
        }
    }

    /// Compares two numbers: integers by all digits, others as doubles.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(&other)),
            (one, other) => one.as_float().partial_cmp(&other.as_float()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_compared_by_all_digits() {
        let compare = |one: &str, other: &str| {
            Number::of(one.as_bytes()).unwrap().compare(Number::of(other.as_bytes()).unwrap()).unwrap()
        };
        assert_eq!(compare("9007199254740993", "9007199254740992"), Ordering::Greater);
        assert_eq!(compare("18446744073709551615", "-1"), Ordering::Greater);
        assert_eq!(compare("1e3", "1000"), Ordering::Equal);
        assert_eq!(compare("0.5", "1"), Ordering::Less);
        assert_eq!(compare("1e400", "1"), Ordering::Greater);
        for not in ["", "-", "01", "1.", "+1", "0x1", "1 ", "NaN", "inf"] {
            assert_eq!(Number::of(not.as_bytes()), None, "{not}");
        }
    }
}
