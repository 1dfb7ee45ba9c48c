//! The levels of lines: those of `tracing`, those that a field names, and how back ends call them.
//!
//! Sources, column by column: syslog's severities are those of RFC 5424 and GELF 1.1; OpenTelemetry's numbers those of the
//! log data model, appendix B; the others are in the documentation of the back ends.

use tracing::Level;

use crate::record::{Record, Value};

/// How a line spells its level.
///
/// ```
/// use spanline::schema::{Flat, LevelFormat};
///
/// Flat::new().level(LevelFormat::Lower); // "level":"info"
/// Flat::new().level(LevelFormat::Python); // "level":20
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LevelFormat {
    /// In upper case: `WARN`.
    #[default]
    Upper,
    /// In lower case: `warn`.
    Lower,
    /// The number of Bunyan and Pino: 10 (TRACE) to 60 (FATAL).
    Bunyan,
    /// The number of OpenTelemetry: 1 (TRACE) to 21 (FATAL).
    OpenTelemetry,
    /// The number of Python's `logging`: 5 (TRACE) to 50 (CRITICAL).
    Python,
    /// The number of syslog: 7 (DEBUG) to 1 (ALERT).
    Syslog,
}

/// The level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineLevel {
    Trace,
    Debug,
    Info,
    Notice,
    Warn,
    Error,
    Critical,
    Alert,
    Fatal,
    Emergency,
}

/// In the order of [`LineLevel`]: the names of Gcp, Datadog and Lambda, and the numbers of syslog, OpenTelemetry, Bunyan and
/// Python. Syslog's 0 would be shown on all terminals, so no level has it. Datadog takes a status that begins with `f` for
/// an emergency.
#[rustfmt::skip]
const TABLE: [(&str, &str, [&str; 3], [u64; 4]); 10] = [
    ("TRACE",     "trace",     ["DEBUG",     "trace",     "TRACE"], [7, 1,  10, 5]),
    ("DEBUG",     "debug",     ["DEBUG",     "debug",     "DEBUG"], [7, 5,  20, 10]),
    ("INFO",      "info",      ["INFO",      "info",      "INFO"],  [6, 9,  30, 20]),
    ("NOTICE",    "notice",    ["NOTICE",    "notice",    "INFO"],  [5, 10, 30, 25]),
    ("WARN",      "warn",      ["WARNING",   "warn",      "WARN"],  [4, 13, 40, 30]),
    ("ERROR",     "error",     ["ERROR",     "error",     "ERROR"], [3, 17, 50, 40]),
    ("CRITICAL",  "critical",  ["CRITICAL",  "critical",  "FATAL"], [2, 18, 60, 50]),
    ("ALERT",     "alert",     ["ALERT",     "alert",     "FATAL"], [1, 19, 60, 50]),
    ("FATAL",     "fatal",     ["CRITICAL",  "critical",  "FATAL"], [2, 21, 60, 50]),
    ("EMERGENCY", "emergency", ["EMERGENCY", "emergency", "FATAL"], [1, 21, 60, 50]),
];

/// The field of an event that names the level of its line.
pub(super) const LEVEL_NAME: &str = "level_name";

impl LineLevel {
    const ALL: [Self; 10] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warn,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Fatal,
        Self::Emergency,
    ];

    /// Returns the level that a field names, in any case; `None` if the name is not known.
    pub(super) fn named(value: &Value<'_>) -> Option<Self> {
        let name = value.as_str()?;
        Self::ALL.into_iter().find(|level| level.upper().eq_ignore_ascii_case(name))
    }

    /// Returns the level of a record's line.
    pub(super) fn of(record: &Record<'_>) -> Self {
        let named = record.fields().filter(|(name, _)| *name == LEVEL_NAME).last();
        named.and_then(|(_, value)| Self::named(&value)).unwrap_or_else(|| record.level().into())
    }

    fn row(self) -> &'static (&'static str, &'static str, [&'static str; 3], [u64; 4]) {
        &TABLE[self as usize]
    }

    pub(super) fn upper(self) -> &'static str {
        self.row().0
    }

    pub(super) fn lower(self) -> &'static str {
        self.row().1
    }

    pub(super) fn gcp(self) -> &'static str {
        self.row().2[0]
    }

    pub(super) fn datadog(self) -> &'static str {
        self.row().2[1]
    }

    pub(super) fn lambda(self) -> &'static str {
        self.row().2[2]
    }

    pub(super) fn syslog(self) -> u64 {
        self.row().3[0]
    }

    pub(super) fn otel(self) -> u64 {
        self.row().3[1]
    }

    pub(super) fn bunyan(self) -> u64 {
        self.row().3[2]
    }

    /// Returns the level as a line spells it.
    pub(super) fn spelled(self, format: LevelFormat) -> Value<'static> {
        match format {
            LevelFormat::Upper => Value::Str(self.upper()),
            LevelFormat::Lower => Value::Str(self.lower()),
            LevelFormat::Bunyan => Value::U64(self.bunyan()),
            LevelFormat::OpenTelemetry => Value::U64(self.otel()),
            LevelFormat::Python => Value::U64(self.row().3[3]),
            LevelFormat::Syslog => Value::U64(self.syslog()),
        }
    }
}

impl From<Level> for LineLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warn,
            Level::INFO => Self::Info,
            Level::DEBUG => Self::Debug,
            _ => Self::Trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_has_its_row() {
        for level in LineLevel::ALL {
            assert!(level.upper().eq_ignore_ascii_case(&format!("{level:?}")), "{level:?}");
            assert_eq!(level.lower(), level.upper().to_lowercase());
            assert_eq!(LineLevel::named(&Value::Str(level.lower())), Some(level));
        }
        assert_eq!(LineLevel::named(&Value::Str("LOUD")), None);
        assert_eq!(LineLevel::named(&Value::U64(1)), None);
    }
}
