//! Time zones by name, which need the feature `time-zones`.

use crate::settings::{Key, Kind, Section};

/// Checks that there is a zone with this name.
///
/// # Errors
/// There is none. The text suggests the nearest one.
#[cfg(feature = "time-zones")]
pub(super) fn check(name: &str) -> Result<(), String> {
    crate::time_zone::named(name).map(drop)
}

/// # Errors
/// The feature is off.
#[cfg(not(feature = "time-zones"))]
pub(super) fn check(name: &str) -> Result<(), String> {
    Err(format!("the zone {} {}", crate::advice::quoted(name), super::words::needs_feature("time-zones")))
}

/// Reads the key `time_zone`.
pub(super) fn time_zone(section: &mut Section<'_>, default: &'static str, doc: &'static str) -> Option<String> {
    let name = section.text(Key::new("time_zone", Kind::Form("Europe/Berlin"), default, doc))?;
    match check(&name) {
        Ok(()) => Some(name),
        Err(mistake) => {
            section.mistake("time_zone", mistake);
            None
        }
    }
}
