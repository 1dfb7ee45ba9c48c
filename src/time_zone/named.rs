//! Zones of the IANA database, which is part of the program: `Europe/Berlin` means the same on every machine.

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::advice::{expected, nearest, quoted};

/// A zone of the database.
pub(crate) type NamedZone = Tz;

/// Returns the zone with this name.
///
/// # Errors
/// There is none. The text suggests the nearest one, also for the name of a city alone.
pub(crate) fn named(name: &str) -> Result<NamedZone, String> {
    let wrong = |_| {
        let whole = TZ_VARIANTS.iter().map(|zone| (zone.name(), zone.name()));
        let city = |zone: &'static Tz| Some((zone.name().rsplit_once('/')?.1, zone.name()));
        let meant = nearest(name, 2, whole).or_else(|| nearest(name, 1, TZ_VARIANTS.iter().filter_map(city)));
        let example = "the name of a zone, such as `Europe/Berlin`";
        format!("unknown time zone {}{}", quoted(name), expected(meant.map(quoted), example))
    };
    name.parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_zone_suggests_the_nearest_one() {
        assert_eq!(named("Europe/Berlin"), Ok(chrono_tz::Europe::Berlin));
        assert_eq!(named("UTC"), Ok(chrono_tz::UTC));
        for (found, meant) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("Los_Angeles", "America/Los_Angeles"),
        ] {
            let text = named(found).unwrap_err();
            assert!(text.contains(&format!("did you mean `{meant}`?")), "{text}");
        }
        for found in ["Mars/Phobos", "", "../../etc/passwd", "\u{1b}[2J", &"x".repeat(100_000)] {
            let text = named(found).unwrap_err();
            assert!(text.starts_with("unknown time zone `") && text.len() < 200, "{text}");
            assert!(text.ends_with("; expected the name of a zone, such as `Europe/Berlin`"), "{text}");
        }
    }
}
