//! How long one file is written to: the setting, and its text.
//!
//! `boundaries` knows when a period begins and ends.

use std::fmt;
use std::str::FromStr;

use chrono::Weekday;

use crate::advice::{quoted, unknown};
use crate::error::Error;

/// The longest time during which one file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Period {
    /// Until the minute ends.
    Minutely,
    /// For this many minutes, counted from midnight. They divide a day evenly: 5, 15, 90 …, at most 720.
    Minutes(u32),
    /// Until the hour ends.
    Hourly,
    /// For this many hours, counted from midnight: 1, 2, 3, 4, 6, 8 or 12.
    Hours(u32),
    /// Until midnight.
    Daily,
    /// Until this time of day.
    DailyAt {
        /// 0 to 23.
        hour: u32,
        /// 0 to 59.
        minute: u32,
    },
    /// Until Sunday begins, as in `tracing-appender` and `logrotate`.
    Weekly,
    /// Until this weekday begins.
    WeeklyOn(Weekday),
    /// Until the month ends.
    Monthly,
}

const DAYS: [(Weekday, &str); 7] = [
    (Weekday::Mon, "monday"),
    (Weekday::Tue, "tuesday"),
    (Weekday::Wed, "wednesday"),
    (Weekday::Thu, "thursday"),
    (Weekday::Fri, "friday"),
    (Weekday::Sat, "saturday"),
    (Weekday::Sun, "sunday"),
];

/// `minutely`, `every 15 minutes`, `hourly`, `every 6 hours`, `daily`, `daily at 03:30`, `weekly`, `weekly on monday` or
/// `monthly`; [`FromStr`] reads it back.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Minutely => "minutely",
            Self::Minutes(minutes) => &format!("every {minutes} minutes"),
            Self::Hourly => "hourly",
            Self::Hours(hours) => &format!("every {hours} hours"),
            Self::Daily => "daily",
            Self::DailyAt { hour, minute } => &format!("daily at {hour:02}:{minute:02}"),
            Self::Weekly => "weekly",
            Self::WeeklyOn(day) => {
                let name = DAYS.iter().find(|(known, _)| known == day).map_or("", |(_, name)| name);
                &format!("weekly on {name}")
            }
            Self::Monthly => "monthly",
        };
        f.pad(text)
    }
}

/// Reads `minutely`, `every 15 minutes`, `hourly`, `every 6 hours`, `daily`, `daily at 03:30` (00:00 to 23:59), `weekly`,
/// `weekly on monday` or `monthly`. `03:30` alone is `daily at 03:30`.
///
/// ```
/// use spanline::sink::{Period, Weekday};
///
/// assert_eq!("daily at 03:30".parse::<Period>()?, Period::DailyAt { hour: 3, minute: 30 });
/// assert_eq!("every 15 minutes".parse::<Period>()?, Period::Minutes(15));
/// assert_eq!("weekly on monday".parse::<Period>()?, Period::WeeklyOn(Weekday::Mon));
/// # Ok::<(), spanline::Error>(())
/// ```
impl FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let period = match text {
            "minutely" => Some(Self::Minutely),
            "hourly" => Some(Self::Hourly),
            "daily" => Some(Self::Daily),
            "weekly" => Some(Self::Weekly),
            "monthly" => Some(Self::Monthly),
            _ => daily_at(text).or_else(|| weekly_on(text)).or_else(|| every(text)),
        };
        let Some(period) = period else {
            let names = [
                "minutely",
                "every N minutes",
                "hourly",
                "every N hours",
                "daily",
                "daily at HH:MM (00:00 to 23:59)",
                "weekly",
                "weekly on monday (or another day)",
                "monthly",
            ];
            return Err(Error::invalid(unknown("period", text, names, ALIASES)));
        };
        match period.mistake() {
            Some(mistake) => Err(Error::invalid(format!("period {}: {mistake}", quoted(text)))),
            None => Ok(period),
        }
    }
}

fn daily_at(text: &str) -> Option<Period> {
    let (hour, minute) = text.strip_prefix("daily at ").unwrap_or(text).split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = two_digits(hour) && two_digits(minute);
    let period = Period::DailyAt { hour: hour.parse().ok()?, minute: minute.parse().ok()? };
    (is_time && period.mistake().is_none()).then_some(period)
}

fn weekly_on(text: &str) -> Option<Period> {
    let day = text.strip_prefix("weekly on ")?;
    DAYS.iter().find(|(_, name)| *name == day).map(|(day, _)| Period::WeeklyOn(*day))
}

fn every(text: &str) -> Option<Period> {
    let (number, unit) = text.strip_prefix("every ")?.split_once(' ')?;
    let number = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok()).flatten()?;
    match unit {
        "minutes" => Some(Period::Minutes(number)),
        "hours" => Some(Period::Hours(number)),
        _ => None,
    }
}

/// What people call a period, and its name.
const ALIASES: &[(&str, &str)] = &[
    ("minute", "minutely"),
    ("hour", "hourly"),
    ("day", "daily"),
    ("midnight", "daily"),
    ("nightly", "daily"),
    ("week", "weekly"),
    ("month", "monthly"),
];

#[cfg(feature = "serde")]
impl serde::Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Period {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Period {
    /// Returns why there is no such period; `None` if there is.
    pub(crate) fn mistake(self) -> Option<String> {
        let divides = |part: u32, whole: u32| part > 0 && part <= whole / 2 && whole.is_multiple_of(part);
        match self {
            Self::DailyAt { .. } if self.time_of_day().is_none() => {
                Some(format!("{self} is no time of day; expected 00:00 to 23:59"))
            }
            Self::Minutes(minutes) if !divides(minutes, 24 * 60) => Some(format!(
                "{minutes} minutes do not divide a day evenly; expected 1 to 720 minutes, such as 5, 10, 15, 30 or 90"
            )),
            Self::Hours(hours) if !divides(hours, 24) => {
                Some(format!("{hours} hours do not divide a day evenly; expected 1, 2, 3, 4, 6, 8 or 12, or `daily`"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_reads_back_from_its_text() {
        let daily_at = Period::DailyAt { hour: 3, minute: 30 };
        for (period, text) in [
            (Period::Minutely, "minutely"),
            (Period::Minutes(15), "every 15 minutes"),
            (Period::Hourly, "hourly"),
            (Period::Hours(6), "every 6 hours"),
            (Period::Daily, "daily"),
            (daily_at, "daily at 03:30"),
            (Period::Weekly, "weekly"),
            (Period::WeeklyOn(Weekday::Mon), "weekly on monday"),
            (Period::WeeklyOn(Weekday::Sun), "weekly on sunday"),
            (Period::Monthly, "monthly"),
        ] {
            assert_eq!(period.to_string(), text);
            assert_eq!(text.parse::<Period>().unwrap(), period);
            #[cfg(feature = "serde")]
            {
                let json = serde_json::to_string(&period).unwrap();
                assert_eq!(json, format!("\"{period}\""));
                assert_eq!(serde_json::from_str::<Period>(&json).unwrap(), period);
            }
        }
        for text in [
            "",
            "Daily",
            "daily at",
            "daily at 3:30",
            "daily at 24:00",
            "daily at 03:60",
            "daily at +3:30",
            "weekly on",
            "weekly on mon",
            "every minutes",
            "every +5 minutes",
            "every 5 days",
            "x\n",
        ] {
            let error = text.parse::<Period>().unwrap_err();
            assert!(error.is_invalid() && error.to_string().contains("one of: minutely, every N minutes"), "{error}");
        }
    }

    #[test]
    fn a_period_that_does_not_divide_a_day_is_refused() {
        for text in ["every 0 minutes", "every 7 minutes", "every 1440 minutes", "every 5 hours", "every 24 hours"] {
            let error = text.parse::<Period>().unwrap_err();
            assert!(
                error.is_invalid() && error.to_string().contains("do not divide a day evenly; expected"),
                "{error}"
            );
        }
        assert_eq!("03:30".parse::<Period>().unwrap(), Period::DailyAt { hour: 3, minute: 30 });
        assert_eq!("every 720 minutes".parse::<Period>().unwrap(), Period::Minutes(720));
    }
}
