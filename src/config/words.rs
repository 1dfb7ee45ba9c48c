//! Values that several sections read: filters, permissions, levels of lines, times.

use super::zones;
use crate::advice::unknown;
use crate::error::Error;
use crate::filter::FilterSetting;
use crate::schema::{LevelFormat, Rfc3339, TimeFormat};
use crate::settings::{Key, Kind, On, Section, Zoned};

/// Returns what to do about a setting whose feature is off.
pub(super) fn needs_feature(feature: &str) -> String {
    format!(
        "needs the feature `{feature}` of spanline, which this program is built without; build it with that feature"
    )
}

/// Says what to do about a setting that this system does not have.
pub(super) const NEEDS_UNIX: &str = "is not available on this system; remove it, or set it in an overlay for others";

/// Notes a key that only Unix has, and refuses it elsewhere if it is set.
#[cfg(not(unix))]
pub(super) fn refuse_off_unix(section: &mut Section<'_>, key: Key) {
    let name = key.name;
    if section.ask(key).is_some() && !section.walk().is_check {
        section.mistake(name, NEEDS_UNIX);
    }
}

/// Notes a key whose feature is off, and refuses it if it is set.
#[allow(dead_code, reason = "with all features, nothing is refused")]
pub(super) fn refuse_without(section: &mut Section<'_>, key: Key, feature: &str) {
    let name = key.name;
    if section.walk().is_check {
        section.bool(key);
    } else if section.ask(key).is_some() {
        section.mistake(name, needs_feature(feature));
    }
}

/// Reads a filter. A mistake in it is reported at its place.
pub(super) fn filter(section: &mut Section<'_>, key: Key) -> Option<String> {
    let name = key.name;
    let text = section.text(key)?;
    if let Err(error) = FilterSetting::new(&text).parse() {
        section.refuse(name, &error);
    }
    Some(text)
}

impl<T> On<'_, '_, T> {
    /// Reads a filter.
    pub(super) fn filter(
        self,
        name: &'static str,
        default: &'static str,
        doc: &'static str,
        set: impl FnOnce(T, String) -> T,
    ) -> Self {
        self.with(|target, section| match filter(section, Key::new(name, Kind::Filter, default, doc)) {
            Some(text) => set(target, text),
            None => target,
        })
    }

    /// Reads permissions, as octal digits.
    #[cfg(unix)]
    pub(super) fn mode(
        self,
        name: &'static str,
        default: &'static str,
        doc: &'static str,
        set: impl FnOnce(T, u32) -> T,
    ) -> Self {
        self.with(|target, section| {
            let Some(text) = section.text(Key::new(name, Kind::Form("640"), default, doc)) else { return target };
            match u32::from_str_radix(&text, 8) {
                Ok(mode) => set(target, mode),
                Err(_) => {
                    section.mistake(
                        name,
                        format!("{} is no mode; expected octal digits, such as `640`", crate::advice::quoted(&text)),
                    );
                    target
                }
            }
        })
    }

    /// Reads a time format that may be a number.
    pub(super) fn time(self, default: &'static str, set: impl FnOnce(T, TimeFormat) -> T) -> Self {
        let doc = "How times are written: `millis`, `micros` or `nanos` of RFC 3339, with `local`, an offset such as \
                   `+02:00` or a name such as `Europe/Berlin` (feature `time-zones`) behind it for another zone than \
                   UTC; or `epoch_seconds`, `epoch_millis`, `epoch_micros`, `epoch_nanos`.";
        self.with(|target, section| match section.text(Key::new("time", Kind::Form("millis local"), default, doc)) {
            Some(text) => match EPOCHS.iter().find(|(name, _)| *name == text) {
                Some((_, format)) => set(target, *format),
                None => match rfc3339(&text, true) {
                    Ok(format) => set(target, format.into()),
                    Err(message) => {
                        section.mistake("time", message);
                        target
                    }
                },
            },
            None => target,
        })
    }

    /// Reads a time format of RFC 3339.
    pub(super) fn rfc3339(self, set: impl FnOnce(T, Rfc3339) -> T) -> Self {
        let doc = "How times are written: `millis`, `micros` or `nanos` of RFC 3339, with `local`, an offset such as \
                   `+02:00` or a name such as `Europe/Berlin` (feature `time-zones`) behind it for another zone than UTC.";
        self.with(|target, section| match section.text(Key::new("time", Kind::Form("millis local"), "micros", doc)) {
            Some(text) => match rfc3339(&text, false) {
                Ok(format) => set(target, format),
                Err(message) => {
                    section.mistake("time", message);
                    target
                }
            },
            None => target,
        })
    }

    /// Reads how levels are spelled.
    pub(super) fn level_format(self, default: &'static str, set: impl FnOnce(T, LevelFormat) -> T) -> Self {
        self.word("level", default, &LEVEL_FORMATS, "How levels are spelled.", set)
    }
}

const LEVEL_FORMATS: [(&str, LevelFormat); 6] = [
    ("upper", LevelFormat::Upper),
    ("lower", LevelFormat::Lower),
    ("bunyan", LevelFormat::Bunyan),
    ("opentelemetry", LevelFormat::OpenTelemetry),
    ("python", LevelFormat::Python),
    ("syslog", LevelFormat::Syslog),
];

const EPOCHS: [(&str, TimeFormat); 4] = [
    ("epoch_seconds", TimeFormat::EpochSeconds),
    ("epoch_millis", TimeFormat::EpochMillis),
    ("epoch_micros", TimeFormat::EpochMicros),
    ("epoch_nanos", TimeFormat::EpochNanos),
];

const PRECISIONS: [(&str, Rfc3339); 3] =
    [("millis", Rfc3339::millis()), ("micros", Rfc3339::micros()), ("nanos", Rfc3339::nanos())];

fn rfc3339(text: &str, may_be_epoch: bool) -> Result<Rfc3339, String> {
    let (precision, zone) = text.split_once(' ').unwrap_or((text, "utc"));
    let Some((_, format)) = PRECISIONS.iter().find(|(name, _)| *name == precision) else {
        let epochs = EPOCHS.iter().filter(|_| may_be_epoch).map(|(name, _)| *name);
        let names = PRECISIONS.iter().map(|(name, _)| *name).chain(epochs);
        return Err(unknown("time format", precision, names, &[("rfc3339", "micros"), ("iso8601", "micros")]));
    };
    match Zoned::parse(zone) {
        Some(Zoned::Utc) => Ok(*format),
        Some(Zoned::Local) => Ok(format.local()),
        Some(Zoned::Minutes(minutes)) => format.offset_minutes(minutes).map_err(|error: Error| error.to_string()),
        None => {
            zones::check(zone)
                .map_err(|mistake| format!("{mistake}, or `utc`, `local` or an offset such as `+02:00`"))?;
            #[cfg(feature = "time-zones")]
            let format = &format.time_zone(zone).map_err(|error| error.to_string())?;
            Ok(*format)
        }
    }
}
