//! Sizes in bytes: as numbers in code, as `8 MiB` in configuration and messages.
//!
//! Every limit of the crate that counts bytes takes `impl Into<ByteSize>`. `u64` is the only integer with a conversion:
//! with a second one, the compiler could not infer the type of a plain literal.

use std::fmt;
use std::str::FromStr;

use crate::advice::{expected, nearest, quoted};
use crate::error::Error;

/// The units that text can name, and their size in bytes.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

/// What people call a unit, and its name.
const ALIASES: [(&str, &str); 8] = [
    ("k", "KiB"),
    ("m", "MiB"),
    ("g", "GiB"),
    ("t", "TiB"),
    ("bytes", "B"),
    ("kbytes", "kB"),
    ("mbytes", "MB"),
    ("gbytes", "GB"),
];

/// A size in bytes.
///
/// Settings such as [`Output::queue_bytes`](crate::Output::queue_bytes) take a plain number or a parsed size:
///
/// ```
/// use spanline::{ByteSize, RollingFile};
///
/// let size: ByteSize = "100 MB".parse()?;
/// assert_eq!(size.as_u64(), 100_000_000);
/// let from_config = RollingFile::new("logs/orders.log").rotate_bytes(size);
/// let in_code = RollingFile::new("logs/orders.log").rotate_bytes(100 << 20);
/// # Ok::<(), spanline::Error>(())
/// ```
///
/// Text is a whole number and an optional unit: `512`, `64 KiB`, `8MiB`, `100 MB`. `kB`, `MB`, `GB` and `TB` are powers
/// of 1,000. `KiB`, `MiB`, `GiB` and `TiB` are powers of 1,024. Upper and lower case are equal. `Display` prints the
/// same form, exactly.
///
/// With the feature `serde`, a size deserializes from such a text or from a number, and serializes as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// Creates a size from a number of bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Returns the number of bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The size as a `usize`, if it lies in `min..=max`. `setting` names the limit.
    ///
    /// # Errors
    /// Names the setting, the size found and the bounds.
    pub(crate) fn within(self, setting: &str, min: u64, max: u64) -> Result<usize, Error> {
        let fits = (min..=max).contains(&self.0).then(|| usize::try_from(self.0).ok()).flatten();
        fits.ok_or_else(|| Error::invalid(format!("{setting} is {self}; expected {} to {}", Self(min), Self(max))))
    }
}

impl From<u64> for ByteSize {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

impl From<ByteSize> for u64 {
    fn from(size: ByteSize) -> Self {
        size.0
    }
}

impl FromStr for ByteSize {
    type Err = Error;

    /// # Errors
    /// The text is no size, or the size does not fit into a `u64`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let trimmed = text.trim();
        let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = trimmed.split_at(digits);
        let unit = unit.trim_start();
        let factor = match unit {
            "" => Some(1),
            _ => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor),
        };
        let (false, Some(factor)) = (number.is_empty(), factor) else {
            let names = UNITS.iter().map(|(name, _)| (*name, *name));
            let meant = nearest(unit, 1, names.chain(ALIASES.iter().copied())).filter(|_| !number.is_empty());
            let units = UNITS.map(|(name, _)| name).join(", ");
            let form = format!("a whole number and an optional unit ({units}), such as `8 MiB`");
            let form = expected(meant.map(|meant| quoted(&format!("{number} {meant}"))), &form);
            return Err(Error::invalid(format!("{} is not a size{form}", quoted(text))));
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        bytes.map(Self).ok_or_else(|| {
            Error::invalid(format!(
                "the size `{}` is too large; expected at most {} bytes",
                text.escape_debug(),
                u64::MAX
            ))
        })
    }
}

/// Prints the unit that gives the smallest whole number.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().filter(|(_, factor)| self.0.is_multiple_of(*factor) && self.0 >= *factor);
        let (name, factor) = exact.max_by_key(|(_, factor)| *factor).copied().unwrap_or(("B", 1));
        write!(f, "{} {name}", self.0 / factor)
    }
}

#[cfg(feature = "serde")]
mod in_serde {
    use serde::de::{Deserialize, Deserializer, Unexpected, Visitor};
    use serde::ser::{Serialize, Serializer};

    use super::{ByteSize, fmt};

    impl Serialize for ByteSize {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for ByteSize {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(NumberOrText)
        }
    }

    struct NumberOrText;

    impl Visitor<'_> for NumberOrText {
        type Value = ByteSize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of bytes, or a size such as \"8 MiB\"")
        }

        fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
            Ok(ByteSize(bytes))
        }

        fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
            u64::try_from(bytes).map(ByteSize).map_err(|_| E::invalid_value(Unexpected::Signed(bytes), &self))
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ByteSize, E> {
            text.parse().map_err(E::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_and_an_optional_unit() {
        let sizes = [
            ("512", 512),
            ("0", 0),
            ("512 B", 512),
            ("64 KiB", 64 << 10),
            ("64kib", 64 << 10),
            ("8MiB", 8 << 20),
            (" 8  MiB ", 8 << 20),
            ("100MB", 100_000_000),
            ("2 kB", 2_000),
            ("3 GiB", 3 << 30),
            ("4TB", 4_000_000_000_000),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in sizes {
            assert_eq!(text.parse::<ByteSize>().expect(text), ByteSize(bytes), "{text}");
        }
    }

    #[test]
    fn the_error_says_what_was_expected() {
        for text in ["", "MiB", "8 M", "-1", "1.5 GiB", "8 MiB!", "1_000", "８ MiB", "0x10", "8 MiB 1"] {
            let error = text.parse::<ByteSize>().expect_err(text);
            let said = error.to_string();
            assert!(error.is_invalid() && said.contains(text) && said.contains("such as `8 MiB`"), "{said}");
        }
        for text in ["18446744073709551616", "17000000 TiB", "99999999999999999999999999 B"] {
            assert!(text.parse::<ByteSize>().expect_err(text).to_string().contains("too large"), "{text}");
        }
    }

    #[test]
    fn a_size_prints_exactly_and_parses_back() {
        let sizes = [
            (0, "0 B"),
            (1, "1 B"),
            (1_000, "1 kB"),
            (1_024, "1 KiB"),
            (1_025, "1025 B"),
            (8 << 20, "8 MiB"),
            (100_000_000, "100 MB"),
            (1_000_000_000_000, "1 TB"),
            (3 << 29, "1536 MiB"),
            (u64::MAX, "18446744073709551615 B"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(ByteSize(bytes).to_string(), text);
            assert_eq!(text.parse::<ByteSize>().expect(text), ByteSize(bytes));
        }
    }
}
