//! What happens to a record when its queue is full, and how a configuration spells it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::advice::unknown;
use crate::error::Error;

/// What happens to a record when the queue has no room for it.
///
/// As text, in a configuration for example, it is `shed`, `drop_newest`, `block` (with
/// [`DEFAULT_MAX_WAIT`](Self::DEFAULT_MAX_WAIT)), or `block` with the longest wait, as in `block 250ms`. Units are
/// `ns`, `us`, `ms` and `s`. With the feature `serde`, it serializes as that text.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use spanline::Overflow;
///
/// let overflow: Overflow = "block 250ms".parse()?;
/// assert_eq!(overflow, Overflow::Block { max_wait: Duration::from_millis(250) });
/// assert_eq!(overflow.to_string(), "block 250ms");
/// # Ok::<(), spanline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// Refuses less important lines early: TRACE and DEBUG above half full, INFO above 80 %, WARN and ERROR only when
    /// the queue is full. Never waits.
    #[default]
    Shed,
    /// Refuses every line when the queue is full. Never waits.
    DropNewest,
    /// Parks the logging thread until there is room, also on an async executor. Refuses the line after `max_wait`.
    Block {
        /// The longest that a call may wait; [`Self::DEFAULT_MAX_WAIT`] is a good value.
        max_wait: Duration,
    },
}

impl Overflow {
    /// The default wait of [`Overflow::Block`]: long enough for a disk to catch up, too short to fail a request.
    pub const DEFAULT_MAX_WAIT: Duration = Duration::from_millis(100);

    /// Waits for room, at most [`Self::DEFAULT_MAX_WAIT`].
    pub fn block() -> Self {
        Overflow::Block { max_wait: Self::DEFAULT_MAX_WAIT }
    }
}

/// Units of a duration, with their nanoseconds, largest first.
const UNITS: [(&str, u128); 4] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max_wait = match self {
            Overflow::Shed => return f.write_str("shed"),
            Overflow::DropNewest => return f.write_str("drop_newest"),
            Overflow::Block { max_wait } => max_wait.as_nanos(),
        };
        // The last unit divides everything.
        let unit = UNITS.into_iter().find(|(_, nanos)| max_wait.is_multiple_of(*nanos));
        let (name, nanos) = unit.unwrap_or(("ns", 1));
        write!(f, "block {}{name}", max_wait / nanos)
    }
}

impl FromStr for Overflow {
    type Err = Error;

    /// Parses the text that `Display` writes.
    ///
    /// # Errors
    /// The text is no overflow, or its duration has no unit or is too long.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = match text {
            "shed" => Some(Overflow::Shed),
            "drop_newest" => Some(Overflow::DropNewest),
            "block" => Some(Overflow::block()),
            _ => text
                .strip_prefix("block ")
                .and_then(|wait| parse_duration(wait.trim_start()))
                .map(|max_wait| Overflow::Block { max_wait }),
        };
        let names = ["shed", "drop_newest", "block", "block 100ms"];
        parsed.ok_or_else(|| Error::invalid(unknown("overflow", text, names, ALIASES)))
    }
}

/// What people call an overflow, and its name.
const ALIASES: &[(&str, &str)] = &[
    ("drop", "drop_newest"),
    ("discard", "drop_newest"),
    ("newest", "drop_newest"),
    ("wait", "block"),
    ("blocking", "block"),
];

/// Parses a whole number with a unit, such as `100ms`.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let (_, nanos) = UNITS.into_iter().find(|(unit, _)| text.get(digits.len()..) == Some(unit))?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = digits.parse::<u128>().ok()?.checked_mul(nanos)?;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
}

#[cfg(feature = "serde")]
impl serde::Serialize for Overflow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Overflow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_overflow_reads_back_as_the_same_overflow() {
        let waits = [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_micros(1_500),
            Overflow::DEFAULT_MAX_WAIT,
            Duration::from_secs(90),
            Duration::MAX,
        ];
        let blocks = waits.map(|max_wait| Overflow::Block { max_wait });
        for overflow in [Overflow::Shed, Overflow::DropNewest].into_iter().chain(blocks) {
            assert_eq!(overflow.to_string().parse::<Overflow>().unwrap(), overflow, "{overflow}");
        }
        assert_eq!(Overflow::block().to_string(), "block 100ms");
        assert_eq!("block".parse::<Overflow>().unwrap(), Overflow::block());
    }

    #[test]
    fn a_text_that_is_no_overflow_is_refused_with_what_was_expected() {
        let too_long = format!("block {}s", u128::MAX);
        for text in ["", "Shed", "drop", "block 100", "block ms", "block -1s", "block 1.5s", "block 1h", &too_long] {
            let error = text.parse::<Overflow>().unwrap_err();
            assert!(error.is_invalid());
            assert!(error.to_string().ends_with("xpected one of: shed, drop_newest, block, block 100ms"), "{error}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serde_reads_and_writes_the_same_text() {
        let json = serde_json::to_string(&Overflow::block()).unwrap();
        assert_eq!(json, r#""block 100ms""#);
        assert_eq!(serde_json::from_str::<Overflow>(&json).unwrap(), Overflow::block());
        assert!(serde_json::from_str::<Overflow>(r#""never""#).unwrap_err().to_string().contains("drop_newest"));
    }
}
