//! The levels of lines: their names and numbers.
//!
//! The names are those of the library's schemas and their synonyms: syslog's keywords (RFC 5424), Python's `logging`,
//! Serilog, zap, log4j and `java.util.logging`.

#[cfg(feature = "collect")]
use tracing::Level;

/// The level of a line, least severe first. The library has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LineLevel {
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

/// How a number stands for a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Not at all: the same number means different levels in different loggers.
    #[default]
    Unknown,
    /// 10 (TRACE) to 60 (FATAL).
    Bunyan,
    /// 10 (DEBUG) to 50 (CRITICAL).
    Python,
    /// 7 (DEBUG) to 0 (EMERGENCY).
    Syslog,
    /// 1 (TRACE) to 24 (FATAL).
    Otel,
}

impl LineLevel {
    /// Returns the level that has a name, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::of_bytes(name.as_bytes())
    }

    /// Returns the level that has a name, in any case.
    pub(crate) fn of_bytes(name: &[u8]) -> Option<Self> {
        // Most names are these.
        match name {
            b"INFO" => return Some(Self::Info),
            b"DEBUG" => return Some(Self::Debug),
            b"ERROR" => return Some(Self::Error),
            b"WARN" => return Some(Self::Warn),
            _ => {}
        }
        // Longer than all names below.
        let mut lower = [0; 16];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"trace" | b"verbose" | b"finest" | b"finer" => Self::Trace,
            b"debug" | b"dbg" | b"fine" => Self::Debug,
            b"info" | b"information" | b"informational" => Self::Info,
            b"notice" => Self::Notice,
            b"warn" | b"warning" => Self::Warn,
            b"error" | b"err" | b"severe" => Self::Error,
            b"critical" | b"crit" => Self::Critical,
            b"alert" => Self::Alert,
            b"fatal" | b"panic" | b"dpanic" => Self::Fatal,
            b"emergency" | b"emerg" => Self::Emergency,
            _ => return None,
        })
    }

    /// Returns the level that a number stands for. A number between two levels is not read.
    pub(crate) fn numbered(number: &str, numbers: Numbers) -> Option<Self> {
        let number: u8 = number.parse().ok()?;
        if numbers == Numbers::Otel {
            return Self::of_otel(number.into()).map(|(level, _)| level);
        }
        Some(match (numbers, number) {
            (Numbers::Bunyan, 10) => Self::Trace,
            (Numbers::Bunyan, 20) | (Numbers::Python, 10) | (Numbers::Syslog, 7) => Self::Debug,
            (Numbers::Bunyan, 30) | (Numbers::Python, 20) | (Numbers::Syslog, 6) => Self::Info,
            (Numbers::Python, 25) | (Numbers::Syslog, 5) => Self::Notice,
            (Numbers::Bunyan, 40) | (Numbers::Python, 30) | (Numbers::Syslog, 4) => Self::Warn,
            (Numbers::Bunyan, 50) | (Numbers::Python, 40) | (Numbers::Syslog, 3) => Self::Error,
            (Numbers::Python, 50) | (Numbers::Syslog, 2) => Self::Critical,
            (Numbers::Syslog, 1) => Self::Alert,
            (Numbers::Bunyan, 60) => Self::Fatal,
            (Numbers::Syslog, 0) => Self::Emergency,
            (Numbers::Python, 5) => Self::Trace,
            _ => return None,
        })
    }

    /// Returns the level of OpenTelemetry's severity, and whether the number says no more than that.
    pub(crate) fn of_otel(number: u64) -> Option<(Self, bool)> {
        Some(match number {
            1..=4 => (Self::Trace, number == 1),
            5..=8 => (Self::Debug, number == 5),
            10 => (Self::Notice, true),
            9..=12 => (Self::Info, number == 9),
            13..=16 => (Self::Warn, number == 13),
            18 => (Self::Critical, true),
            19 => (Self::Alert, true),
            17..=20 => (Self::Error, number == 17),
            21..=24 => (Self::Fatal, number == 21),
            _ => return None,
        })
    }

    /// Returns the nearest level of `tracing`.
    #[cfg(feature = "collect")]
    pub(crate) fn tracing(self) -> Level {
        match self {
            Self::Trace => Level::TRACE,
            Self::Debug => Level::DEBUG,
            Self::Info | Self::Notice => Level::INFO,
            Self::Warn => Level::WARN,
            Self::Error | Self::Critical | Self::Alert | Self::Fatal | Self::Emergency => Level::ERROR,
        }
    }

    /// Returns the name of a level that `tracing` lacks.
    #[cfg(feature = "collect")]
    pub(crate) fn name(self) -> Option<&'static str> {
        (self.tracing().as_str() != self.as_str()).then_some(self.as_str())
    }

    /// The names of all levels, as people type them.
    #[cfg(feature = "find")]
    pub(crate) const NAMES: [&str; 10] =
        ["trace", "debug", "info", "notice", "warn", "error", "critical", "alert", "fatal", "emergency"];

    /// All levels, least severe first.
    #[cfg(feature = "find")]
    pub(crate) const ALL: [Self; 10] = [
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

    /// Returns the name in capitals.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
            Self::Alert => "ALERT",
            Self::Fatal => "FATAL",
            Self::Emergency => "EMERGENCY",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_numbers_only_where_they_are_known() {
        assert_eq!(LineLevel::named("Warning"), Some(LineLevel::Warn));
        assert_eq!(LineLevel::named("INFO"), Some(LineLevel::Info));
        assert_eq!(LineLevel::named("loud"), None);
        #[cfg(feature = "find")]
        assert!(
            LineLevel::NAMES.iter().all(|name| LineLevel::named(name).unwrap().as_str().eq_ignore_ascii_case(name))
        );
        assert_eq!(LineLevel::numbered("20", Numbers::Bunyan), Some(LineLevel::Debug));
        assert_eq!(LineLevel::numbered("20", Numbers::Python), Some(LineLevel::Info));
        assert_eq!(LineLevel::numbered("20", Numbers::Unknown), None);
        assert_eq!(LineLevel::numbered("35", Numbers::Python), None);
        assert_eq!((LineLevel::of_otel(22), LineLevel::of_otel(0)), (Some((LineLevel::Fatal, false)), None));
    }
}
