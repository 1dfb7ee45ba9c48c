//! Where periods begin and end, on the wall clock of a zone.
//!
//! A daily file lasts 23 or 25 hours when daylight saving changes. A boundary that the change skips moves to the first
//! minute after the gap. A boundary that occurs twice counts the first time only, except that of periods up to an hour.

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, Offset, TimeDelta, TimeZone, Utc, Weekday};

use super::label::{Label, Precision, instant_of};
use super::period::Period;

const MINUTES_OF_DAY: u32 = 24 * 60;

impl Period {
    /// Returns the first boundary later than `time`; `None` if the calendar ends before it.
    pub(super) fn boundary_after<Z: TimeZone>(self, time: DateTime<Utc>, zone: &Z) -> Option<DateTime<Utc>> {
        if let Some(minutes) = self.minutes() {
            return next_multiple(minutes, time, zone);
        }
        let at = self.time_of_day()?;
        let today = time.with_timezone(zone).date_naive();
        let day = |n: u32| match self {
            Self::Monthly => today.with_day(1)?.checked_add_months(Months::new(n)),
            _ => {
                let (step, back) = match self.weekday() {
                    Some(first) => (7, today.weekday().days_since(first)),
                    None => (1, 1),
                };
                today.checked_sub_days(Days::new(back.into()))?.checked_add_days(Days::new((n * step).into()))
            }
        };
        let boundaries = (0..4).filter_map(|n| instant_of(day(n)?.and_time(at), zone));
        boundaries.into_iter().find(|boundary| *boundary > time)
    }

    /// Returns when the period that `time` belongs to began.
    pub(super) fn start_of<Z: TimeZone>(self, time: DateTime<Utc>, zone: &Z) -> DateTime<Utc> {
        let nominal = match self.minutes() {
            Some(minutes) => TimeDelta::minutes(minutes.into()),
            None if self == Self::Monthly => TimeDelta::days(31),
            None if self.weekday().is_some() => TimeDelta::days(7),
            None => TimeDelta::days(1),
        };
        // A change of the zone can make a period longer.
        for factor in [1, 2, 4, 60] {
            let from = time.checked_sub_signed(nominal * factor);
            let first = from.and_then(|from| self.boundary_after(from, zone)).filter(|first| *first <= time);
            let Some(mut start) = first else { continue };
            while let Some(next) = self.boundary_after(start, zone).filter(|next| *next <= time) {
                start = next;
            }
            return start;
        }
        time
    }

    /// Returns the label of the period that `time` belongs to.
    pub(super) fn label<Z: TimeZone>(self, time: DateTime<Utc>, zone: &Z) -> Label {
        Label::of(self.start_of(time, zone), self.precision(), zone)
    }

    /// Returns the parts of a date that tell its periods apart.
    pub(super) fn precision(self) -> Precision {
        match self.minutes() {
            Some(minutes) if minutes.is_multiple_of(60) => Precision::Hour,
            Some(_) => Precision::Minute,
            None if self == Self::Monthly => Precision::Month,
            None => Precision::Day,
        }
    }

    /// Returns its length, if that is part of a day.
    fn minutes(self) -> Option<u32> {
        match self {
            Self::Minutely => Some(1),
            Self::Hourly => Some(60),
            Self::Minutes(minutes) => Some(minutes),
            Self::Hours(hours) => Some(hours.saturating_mul(60)),
            _ => None,
        }
    }

    fn weekday(self) -> Option<Weekday> {
        match self {
            Self::Weekly => Some(Weekday::Sun),
            Self::WeeklyOn(day) => Some(day),
            _ => None,
        }
    }

    pub(super) fn time_of_day(self) -> Option<NaiveTime> {
        match self {
            Self::DailyAt { hour, minute } => NaiveTime::from_hms_opt(hour, minute, 0),
            _ => Some(NaiveTime::MIN),
        }
    }
}

/// Returns the next instant at which a whole multiple of `minutes` has passed since local midnight.
fn next_multiple<Z: TimeZone>(minutes: u32, time: DateTime<Utc>, zone: &Z) -> Option<DateTime<Utc>> {
    let minutes = minutes.clamp(1, MINUTES_OF_DAY);
    let offset_at =
        |time: DateTime<Utc>| i64::from(zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc());
    let (offset, step) = (offset_at(time), i64::from(minutes) * 60);
    let local = time.timestamp().checked_add(offset)?;
    let next = DateTime::from_timestamp((local.div_euclid(step) + 1) * step - offset, 0)?;
    let change = offset_at(next) - offset;
    if change == 0 || (change < 0 && minutes <= 60) {
        return Some(next);
    }
    // The clock is set in between: the first later multiple that it shows.
    let from = DateTime::from_timestamp((local.div_euclid(step) + 1) * step, 0)?.naive_utc();
    let multiples = (0..3).filter_map(|n| from.checked_add_signed(TimeDelta::minutes((n * minutes).into())));
    multiples.filter_map(|multiple| instant_of(multiple, zone)).find(|instant| *instant > time)
}

#[cfg(test)]
mod tests {
    use std::fmt;

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
    fn boundaries_of_several_minutes_and_hours_begin_at_midnight() {
        let from = "2026-11-20T10:15:38Z";
        assert_eq!(boundaries(Period::Minutes(15), from, &Utc, 2), ["11-20 10:30+00:00", "11-20 10:45+00:00"]);
        assert_eq!(boundaries(Period::Minutes(90), from, &Utc, 2), ["11-20 10:30+00:00", "11-20 12:00+00:00"]);
        assert_eq!(
            boundaries(Period::Hours(6), from, &Utc, 3),
            ["11-20 12:00+00:00", "11-20 18:00+00:00", "11-21 00:00+00:00"]
        );
        assert_eq!(boundaries(Period::Hours(6), from, &Berlin, 2), ["11-20 12:00+01:00", "11-20 18:00+01:00"]);
    }

    #[test]
    fn boundaries_of_several_hours_stay_on_the_wall_clock() {
        let from = "2026-03-28T22:30:00Z";
        assert_eq!(
            boundaries(Period::Hours(2), from, &Berlin, 3),
            ["03-29 00:00+01:00", "03-29 03:00+02:00", "03-29 04:00+02:00"]
        );
        assert_eq!(boundaries(Period::Hours(6), from, &Berlin, 2), ["03-29 00:00+01:00", "03-29 06:00+02:00"]);
        let from = "2026-10-24T22:30:00Z";
        assert_eq!(boundaries(Period::Hours(2), from, &Berlin, 2), ["10-25 02:00+02:00", "10-25 04:00+01:00"]);
        assert_eq!(boundaries(Period::Hours(6), from, &Berlin, 2), ["10-25 06:00+01:00", "10-25 12:00+01:00"]);
        assert_eq!(
            boundaries(Period::Minutes(30), "2026-10-25T00:10:00Z", &Berlin, 4),
            ["10-25 02:30+02:00", "10-25 02:00+01:00", "10-25 02:30+01:00", "10-25 03:00+01:00"]
        );
        // 02:15 is skipped.
        assert_eq!(
            boundaries(Period::Minutes(45), "2026-03-29T00:40:00Z", &Berlin, 2),
            ["03-29 03:00+02:00", "03-29 03:45+02:00"]
        );
    }

    #[test]
    fn boundaries_of_weekdays_and_months() {
        let from = "2026-11-20T10:15:38Z";
        assert_eq!(
            boundaries(Period::WeeklyOn(Weekday::Fri), from, &Utc, 2),
            ["11-27 00:00+00:00", "12-04 00:00+00:00"]
        );
        assert_eq!(boundaries(Period::WeeklyOn(Weekday::Mon), from, &Utc, 1), ["11-23 00:00+00:00"]);
        assert_eq!(
            boundaries(Period::Monthly, from, &Utc, 3),
            ["12-01 00:00+00:00", "01-01 00:00+00:00", "02-01 00:00+00:00"]
        );
        assert_eq!(boundaries(Period::Monthly, "2026-01-31T23:30:00Z", &Berlin, 1), ["03-01 00:00+01:00"]);
        assert_eq!(boundaries(Period::Monthly, "2026-12-01T00:00:00Z", &Utc, 1), ["01-01 00:00+00:00"]);
    }

    #[test]
    fn a_period_is_called_by_its_first_moment() {
        let label = |period: Period| period.label(utc("2026-11-20T10:15:38Z"), &Berlin).to_string();
        assert_eq!(label(Period::Minutely), "2026-11-20T1115");
        assert_eq!(label(Period::Minutes(15)), "2026-11-20T1115");
        assert_eq!(label(Period::Minutes(90)), "2026-11-20T1030");
        assert_eq!(label(Period::Hourly), "2026-11-20T11");
        assert_eq!(label(Period::Hours(6)), "2026-11-20T06");
        assert_eq!(label(Period::Daily), "2026-11-20");
        assert_eq!(label(Period::DailyAt { hour: 12, minute: 0 }), "2026-11-19");
        assert_eq!(label(Period::Weekly), "2026-11-15");
        assert_eq!(label(Period::WeeklyOn(Weekday::Mon)), "2026-11-16");
        assert_eq!(label(Period::WeeklyOn(Weekday::Fri)), "2026-11-20");
        assert_eq!(label(Period::Monthly), "2026-11");
    }

    const ANY: [Period; 13] = [
        Period::Minutely,
        Period::Minutes(5),
        Period::Minutes(30),
        Period::Minutes(90),
        Period::Hourly,
        Period::Hours(2),
        Period::Hours(12),
        Period::Daily,
        Period::DailyAt { hour: 2, minute: 30 },
        Period::Weekly,
        Period::WeeklyOn(Weekday::Wed),
        Period::WeeklyOn(Weekday::Mon),
        Period::Monthly,
    ];

    proptest! {
        #[test]
        fn any_boundary_is_later_and_near(nanos in any::<i64>(), which in 0..ANY.len()) {
            let period = ANY[which];
            let time = DateTime::from_timestamp_nanos(nanos);
            for boundary in [period.boundary_after(time, &Berlin), period.boundary_after(time, &Utc)] {
                let ahead = boundary.unwrap() - time;
                prop_assert!(ahead > TimeDelta::zero() && ahead <= TimeDelta::days(31) + TimeDelta::hours(1));
            }
        }

        #[test]
        fn any_time_belongs_to_the_period_that_began_last(minutes in 0i64..60_000_000, which in 0..ANY.len(), zone in 0usize..3) {
            let (period, zone) = (ANY[which], [Berlin, Lord_Howe, chrono_tz::Tz::UTC][zone]);
            let time = DateTime::from_timestamp(minutes * 60, 0).unwrap();
            let start = period.start_of(time, &zone);
            prop_assert!(start <= time);
            let end = period.boundary_after(time, &zone).unwrap();
            prop_assert_eq!(period.boundary_after(start, &zone).unwrap(), end);
            prop_assert_eq!(period.start_of(start, &zone), start);
            prop_assert!(period.label(start, &zone) <= period.label(end, &zone));
        }
    }
}
