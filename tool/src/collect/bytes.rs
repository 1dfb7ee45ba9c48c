//! Settings of the command line that are sizes and times.

use std::time::Duration;

use spanline::ByteSize;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("min", 60_000), ("m", 60_000), ("h", 3_600_000)];

/// Parses a time such as `30s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a number and a unit, such as 500ms, 30s, 10m or 1h".to_owned();
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(expected)?;
    let number: u64 = digits.parse().map_err(|_| expected())?;
    match number.checked_mul(millis) {
        Some(millis @ 1..=31_536_000_000) => Ok(Duration::from_millis(millis)),
        _ => Err("expected a time from 1ms to a year".into()),
    }
}

/// Parses a size such as `256 KiB`, from `MIN` to 1 GiB.
pub(super) fn size<const MIN: u64>(text: &str) -> Result<usize, String> {
    let size: ByteSize = text.parse().map_err(|error: spanline::Error| error.to_string())?;
    let (least, most) = (ByteSize::new(MIN), ByteSize::new(1 << 30));
    match usize::try_from(size.as_u64()) {
        Ok(bytes) if (least..=most).contains(&size) => Ok(bytes),
        _ => Err(format!("{size} is out of bounds; expected {least} to {most}")),
    }
}

/// Returns a number with its thousands apart: `1,204`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units_and_bounds() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2min"), duration("2m"));
        for wrong in ["", "30", "s", "-1s", "1.5s", "0s", "9999999h", "30 s", "30d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size::<1024>("64 KiB"), Ok(65_536));
        assert_eq!(size::<1024>("10").unwrap_err(), "10 B is out of bounds; expected 1 KiB to 1 GiB");
        assert!(size::<1024>("2GiB").is_err() && size::<1024>("much").is_err());
    }

    #[test]
    fn thousands_are_apart() {
        let numbers = [0, 12, 999, 1_204, 100_000, 1_234_567];
        assert_eq!(numbers.map(grouped), ["0", "12", "999", "1,204", "100,000", "1,234,567"]);
    }
}
