//! When the active file's time is over.
//!
//! A [`Period`] defines boundaries in time. A [`Schedule`] follows the times of the lines and reports when they pass
//! a boundary. Boundaries follow the wall clock in the chosen zone, so a daily file lasts 23 or 25 hours when daylight
//! saving changes. A boundary that the change skips moves to the first minute after the gap. A boundary that occurs
//! twice counts the first time only.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, Local, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};

use crate::advice::unknown;
use crate::error::Error;
use crate::record::Timestamp;

/// Lines of several threads arrive slightly out of order. A time further back than this means that the clock stepped.
const STEP_NANOS: i64 = 60_000_000_000;

/// The longest time during which one file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Period {
    /// Until the minute ends.
    Minutely,
    /// Until the hour ends.
    Hourly,
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
}

/// `minutely`, `hourly`, `daily`, `daily at 03:30` or `weekly`; [`FromStr`] reads it back.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Minutely => "minutely",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::DailyAt { hour, minute } => return f.pad(&format!("daily at {hour:02}:{minute:02}")),
            Self::Weekly => "weekly",
        })
    }
}

/// Reads `minutely`, `hourly`, `daily`, `daily at 03:30` (00:00 to 23:59) or `weekly`.
///
/// ```
/// use spanline::sink::Period;
///
/// assert_eq!("daily at 03:30".parse::<Period>()?, Period::DailyAt { hour: 3, minute: 30 });
/// # Ok::<(), spanline::Error>(())
/// ```
impl FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let daily_at = || {
            let (hour, minute) = text.strip_prefix("daily at ")?.split_once(':')?;
            let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            let is_time = two_digits(hour) && two_digits(minute);
            let period = Self::DailyAt { hour: hour.parse().ok()?, minute: minute.parse().ok()? };
            (is_time && period.is_valid()).then_some(period)
        };
        let period = match text {
            "minutely" => Some(Self::Minutely),
            "hourly" => Some(Self::Hourly),
            "daily" => Some(Self::Daily),
            "weekly" => Some(Self::Weekly),
            _ => daily_at(),
        };
        period.ok_or_else(|| {
            let names = ["minutely", "hourly", "daily", "daily at HH:MM (00:00 to 23:59)", "weekly"];
            Error::invalid(unknown("period", text, names, ALIASES))
        })
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
    /// Returns whether its time of day exists.
    pub(crate) fn is_valid(self) -> bool {
        self.time_of_day().is_some()
    }

    fn time_of_day(self) -> Option<NaiveTime> {
        match self {
            Self::DailyAt { hour, minute } => NaiveTime::from_hms_opt(hour, minute, 0),
            _ => Some(NaiveTime::MIN),
        }
    }

    /// Returns the first boundary later than `time`; `None` if the calendar ends before it.
    fn boundary_after<Z: TimeZone>(self, time: DateTime<Utc>, zone: &Z) -> Option<DateTime<Utc>> {
        match self {
            Self::Minutely => next_multiple(60, time, zone),
            Self::Hourly => next_multiple(3600, time, zone),
            Self::Daily | Self::DailyAt { .. } => self.next_day(1, time, zone),
            Self::Weekly => self.next_day(7, time, zone),
        }
    }

    /// Returns the first boundary later than `time` among those `step` days apart; steps of seven fall on Sundays.
    fn next_day<Z: TimeZone>(self, step: u64, time: DateTime<Utc>, zone: &Z) -> Option<DateTime<Utc>> {
        let at = self.time_of_day()?;
        let today = time.with_timezone(zone).date_naive();
        let back = if step == 7 { u64::from(today.weekday().num_days_from_sunday()) } else { 1 };
        let first = today.checked_sub_days(Days::new(back))?;
        (0..4)
            .filter_map(|n| first.checked_add_days(Days::new(n * step)))
            .filter_map(|day| instant_of(day.and_time(at), zone))
            .find(|boundary| *boundary > time)
    }
}

/// Returns the next instant whose local time of day is a whole multiple of `seconds`.
fn next_multiple<Z: TimeZone>(seconds: i64, time: DateTime<Utc>, zone: &Z) -> Option<DateTime<Utc>> {
    let offset = i64::from(zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc());
    let local = time.timestamp().checked_add(offset)?;
    DateTime::from_timestamp((local.div_euclid(seconds) + 1) * seconds - offset, 0)
}

/// Returns when a wall clock first shows `local`, or the first later minute that it does show.
fn instant_of<Z: TimeZone>(local: NaiveDateTime, zone: &Z) -> Option<DateTime<Utc>> {
    const LONGEST_GAP_MINUTES: i64 = 25 * 60;
    (0..=LONGEST_GAP_MINUTES).find_map(|minutes| {
        let shown = local.checked_add_signed(TimeDelta::minutes(minutes))?;
        Some(zone.from_local_datetime(&shown).earliest()?.with_timezone(&Utc))
    })
}

/// The time zone of the boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Zone {
    #[default]
    Utc,
    Local,
}

/// What a line's time means for the active file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeriodState {
    /// The time belongs to the file's period.
    Current,
    /// The period is over.
    Over,
    /// The clock stepped back: the period must be determined again.
    ClockSteppedBack,
}

/// Follows the period of the active file.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    period: Option<Period>,
    zone: Zone,
    /// The earliest time known to be in the period and the period's end, in nanoseconds.
    span: Option<(i64, i64)>,
}

impl Schedule {
    /// Creates a schedule that has not begun.
    pub(crate) fn new(period: Option<Period>, zone: Zone) -> Self {
        Self { period, zone, span: None }
    }

    /// Sets the active file's period to that of `time`; without a time, the first line decides.
    pub(crate) fn begin(&mut self, time: Option<Timestamp>) {
        self.span = time.zip(self.period).map(|(time, period)| {
            let at = time.to_datetime();
            let end = match self.zone {
                Zone::Utc => period.boundary_after(at, &Utc),
                Zone::Local => period.boundary_after(at, &Local),
            };
            (time.as_nanos(), end.and_then(|end| end.timestamp_nanos_opt()).unwrap_or(i64::MAX))
        });
    }

    /// Returns whether there is no boundary.
    pub(crate) fn is_endless(&self) -> bool {
        self.period.is_none()
    }

    /// Returns what `time` means for the active file.
    pub(crate) fn state_at(&self, time: Timestamp) -> PeriodState {
        let now = time.as_nanos();
        match self.span {
            None if self.period.is_none() => PeriodState::Current,
            None => PeriodState::ClockSteppedBack,
            Some((_, end)) if now >= end => PeriodState::Over,
            Some((from, _)) if now < from.saturating_sub(STEP_NANOS) => PeriodState::ClockSteppedBack,
            Some(_) => PeriodState::Current,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Berlin;
    use chrono_tz::{Australia::Lord_Howe, Pacific::Apia};
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Returns the first boundaries after `from`, as a wall clock shows them.
    fn boundaries<Z: TimeZone<Offset: fmt::Display>>(period: Period, from: &str, zone: &Z, n: usize) -> Vec<String> {
        let mut at = utc(from);
        let mut next = || {
            at = period.boundary_after(at, zone).unwrap();
            at.with_timezone(zone).format("%m-%d %H:%M%:z").to_string()
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn boundaries_in_utc() {
        let from = "2026-11-20T10:15:38Z";
        let first = |period| boundaries(period, from, &Utc, 1).remove(0);
        assert_eq!(first(Period::Minutely), "11-20 10:16+00:00");
        assert_eq!(first(Period::Hourly), "11-20 11:00+00:00");
        assert_eq!(first(Period::Daily), "11-21 00:00+00:00");
        assert_eq!(first(Period::DailyAt { hour: 10, minute: 15 }), "11-21 10:15+00:00");
        assert_eq!(first(Period::DailyAt { hour: 10, minute: 16 }), "11-20 10:16+00:00");
        assert_eq!(first(Period::Weekly), "11-22 00:00+00:00");
        assert_eq!(boundaries(Period::Weekly, "2026-11-22T00:00:00Z", &Utc, 1), ["11-29 00:00+00:00"]);
        assert_eq!(boundaries(Period::Daily, "2026-11-21T00:00:00Z", &Utc, 1), ["11-22 00:00+00:00"]);
    }

    /// 2026-03-29 in Berlin: 02:00 becomes 03:00.
    #[test]
    fn boundaries_when_summer_time_begins() {
        let from = "2026-03-29T00:30:00Z";
        assert_eq!(boundaries(Period::Hourly, from, &Berlin, 2), ["03-29 03:00+02:00", "03-29 04:00+02:00"]);
        assert_eq!(
            boundaries(Period::Daily, "2026-03-28T12:00:00Z", &Berlin, 2),
            ["03-29 00:00+01:00", "03-30 00:00+02:00"]
        );
        assert_eq!(
            boundaries(Period::DailyAt { hour: 2, minute: 30 }, "2026-03-28T12:00:00Z", &Berlin, 2),
            ["03-29 03:00+02:00", "03-30 02:30+02:00"]
        );
        assert_eq!(
            boundaries(Period::Weekly, "2026-03-28T12:00:00Z", &Berlin, 2),
            ["03-29 00:00+01:00", "04-05 00:00+02:00"]
        );
    }

    /// 2026-10-25 in Berlin: 03:00 becomes 02:00 again.
    #[test]
    fn boundaries_when_summer_time_ends() {
        let from = "2026-10-24T23:30:00Z";
        assert_eq!(
            boundaries(Period::Hourly, from, &Berlin, 3),
            ["10-25 02:00+02:00", "10-25 02:00+01:00", "10-25 03:00+01:00"]
        );
        assert_eq!(
            boundaries(Period::Daily, "2026-10-24T12:00:00Z", &Berlin, 2),
            ["10-25 00:00+02:00", "10-26 00:00+01:00"]
        );
        assert_eq!(
            boundaries(Period::DailyAt { hour: 2, minute: 30 }, "2026-10-24T12:00:00Z", &Berlin, 2),
            ["10-25 02:30+02:00", "10-26 02:30+01:00"]
        );
        assert_eq!(
            boundaries(Period::Weekly, "2026-10-24T12:00:00Z", &Berlin, 2),
            ["10-25 00:00+02:00", "11-01 00:00+01:00"]
        );
    }

    /// Samoa skipped 30 December 2011; Lord Howe changes by half an hour.
    #[test]
    fn boundaries_in_unusual_zones() {
        assert_eq!(
            boundaries(Period::Daily, "2011-12-30T09:00:00Z", &Apia, 2),
            ["12-31 00:00+14:00", "01-01 00:00+14:00"]
        );
        assert_eq!(
            boundaries(Period::Hourly, "2026-10-03T15:10:00Z", &Lord_Howe, 2),
            ["10-04 02:30+11:00", "10-04 03:00+11:00"]
        );
    }

    #[test]
    fn a_schedule_turns_once_and_follows_the_clock_back() {
        let at = |text| Timestamp::from(utc(text));
        let mut schedule = Schedule::new(Some(Period::Daily), Zone::Utc);
        assert_eq!(schedule.state_at(at("2026-11-20T10:00:00Z")), PeriodState::ClockSteppedBack);
        schedule.begin(Some(at("2026-11-20T10:00:00Z")));
        assert_eq!(schedule.state_at(at("2026-11-20T23:59:59Z")), PeriodState::Current);
        assert_eq!(schedule.state_at(at("2026-11-21T00:00:00Z")), PeriodState::Over);
        schedule.begin(Some(at("2027-11-21T00:00:00Z")));
        assert_eq!(schedule.state_at(at("2027-11-20T23:59:01Z")), PeriodState::Current);
        assert_eq!(schedule.state_at(at("2026-11-20T12:00:00Z")), PeriodState::ClockSteppedBack);
        schedule.begin(Some(at("2026-11-20T12:00:00Z")));
        assert_eq!(schedule.state_at(at("2026-11-21T00:00:00Z")), PeriodState::Over);
    }

    #[test]
    fn without_a_period_it_never_turns() {
        let mut schedule = Schedule::new(None, Zone::Utc);
        schedule.begin(Some(Timestamp::from_nanos(0)));
        assert_eq!(schedule.state_at(Timestamp::from_nanos(i64::MAX)), PeriodState::Current);
    }

    #[test]
    fn a_period_reads_back_from_its_text() {
        let daily_at = Period::DailyAt { hour: 3, minute: 30 };
        for period in [Period::Minutely, Period::Hourly, Period::Daily, daily_at, Period::Weekly] {
            assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
            #[cfg(feature = "serde")]
            {
                let json = serde_json::to_string(&period).unwrap();
                assert_eq!(json, format!("\"{period}\""));
                assert_eq!(serde_json::from_str::<Period>(&json).unwrap(), period);
            }
        }
        assert_eq!(daily_at.to_string(), "daily at 03:30");
        for text in
            ["", "Daily", "daily at", "daily at 3:30", "daily at 24:00", "daily at 03:60", "daily at +3:30", "x\n"]
        {
            let error = text.parse::<Period>().unwrap_err();
            assert!(error.is_invalid() && error.to_string().contains("one of: minutely, hourly"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_boundary_is_later_and_near(
            nanos in any::<i64>(), which in 0usize..5, hour in 0u32..24, minute in 0u32..60,
        ) {
            let daily_at = Period::DailyAt { hour, minute };
            let period = [Period::Minutely, Period::Hourly, Period::Daily, daily_at, Period::Weekly][which];
            let time = DateTime::from_timestamp_nanos(nanos);
            for boundary in [period.boundary_after(time, &Berlin), period.boundary_after(time, &Utc)] {
                let ahead = boundary.unwrap() - time;
                prop_assert!(ahead > TimeDelta::zero() && ahead <= TimeDelta::days(7) + TimeDelta::hours(1));
            }
        }
    }
}
