//! What a segment covers, as its name says.
//!
//! `2026-11-20` is a day, `2026-11` a month, `2026-11-20T13` an hour, `2026-11-20T1345` a minute, and `2026-11-20T134501`
//! the second of the first line, where no period is set. Each is the first moment of the period on a wall clock in the
//! log's zone. When the clock is set back in autumn, the hour that it shows for the second time is `2026-10-25T02b`. So
//! labels sort in the order of time, as text too.

use std::fmt;

use chrono::{
    DateTime, Datelike, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike,
    Utc,
};

/// The parts of a date and time that a label has. Coarse ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precision {
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// The first moment of what a segment covers, on a wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label {
    date: NaiveDate,
    hour: u32,
    /// The clock shows this hour for the second time that day.
    is_repeat: bool,
    /// Within the hour.
    second: u32,
    precision: Precision,
}

/// No clock of a log shows a later year: a timestamp ends in 2262.
const LAST_YEAR: i32 = 2261;

impl Label {
    /// Returns the longest label.
    pub(crate) fn longest() -> Self {
        let date = DateTime::UNIX_EPOCH.date_naive();
        Self { date, hour: 0, is_repeat: true, second: 0, precision: Precision::Second }
    }

    /// Returns the label of what begins at `start`.
    pub(crate) fn of<Z: TimeZone>(start: DateTime<Utc>, precision: Precision, zone: &Z) -> Self {
        let local = start.with_timezone(zone).naive_local();
        let is_repeat = precision >= Precision::Hour && was_shown_before(start, zone);
        let all = Self { date: local.date(), hour: local.hour(), is_repeat, second: 0, precision };
        let second = local.minute() * 60 + local.second();
        match precision {
            Precision::Month => Self { date: local.date().with_day(1).unwrap_or(all.date), hour: 0, ..all },
            Precision::Day => Self { hour: 0, ..all },
            Precision::Hour => all,
            Precision::Minute => Self { second: second / 60 * 60, ..all },
            Precision::Second => Self { second, ..all },
        }
    }

    /// Returns the label that `text` is; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = |from: usize, len: usize| {
            let part = text.get(from..from + len)?;
            part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().ok()).flatten()
        };
        let is_repeat = text.get(13..14) == Some("b");
        let clock = if is_repeat { 14 } else { 13 };
        let precision = match text.len() - usize::from(is_repeat) {
            7 => Precision::Month,
            10 => Precision::Day,
            13 => Precision::Hour,
            15 => Precision::Minute,
            17 => Precision::Second,
            _ => return None,
        };
        let part = |at: Precision, from: usize| if precision >= at { digits(from, 2) } else { Some(0) };
        let day = if precision == Precision::Month { 1 } else { digits(8, 2)? };
        let date = NaiveDate::from_ymd_opt(i32::try_from(digits(0, 4)?).ok()?, digits(5, 2)?, day)?;
        let (hour, minute) = (part(Precision::Hour, 11)?, part(Precision::Minute, clock)?);
        let second = part(Precision::Second, clock + 2)?;
        NaiveTime::from_hms_opt(hour, minute, second)?;
        let label = Self { date, hour, is_repeat, second: minute * 60 + second, precision };
        (label.to_string() == text).then_some(label)
    }

    /// Returns whether a log can have made it and what follows it.
    pub(crate) fn leaves_room(self) -> bool {
        self.date.year() <= LAST_YEAR
    }

    /// Returns which parts of a date and time it has.
    pub(crate) fn precision(self) -> Precision {
        self.precision
    }

    /// Returns when it begins; `None` if that is beyond the calendar.
    pub(crate) fn instant<Z: TimeZone>(self, zone: &Z) -> Option<DateTime<Utc>> {
        let time = NaiveTime::from_num_seconds_from_midnight_opt(self.hour * 3600 + self.second, 0)?;
        let local: NaiveDateTime = self.date.and_time(time);
        match zone.from_local_datetime(&local) {
            MappedLocalTime::Ambiguous(one, other) if self.is_repeat => Some(one.max(other).to_utc()),
            _ => instant_of(local, zone),
        }
    }
}

/// Writes it as a name has it.
impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.date.year(), self.date.month())?;
        if self.precision >= Precision::Day {
            write!(f, "-{:02}", self.date.day())?;
        }
        if self.precision >= Precision::Hour {
            write!(f, "T{:02}{}", self.hour, if self.is_repeat { "b" } else { "" })?;
        }
        if self.precision >= Precision::Minute {
            write!(f, "{:02}", self.second / 60)?;
        }
        if self.precision >= Precision::Second {
            write!(f, "{:02}", self.second % 60)?;
        }
        Ok(())
    }
}

/// Returns whether a wall clock showed the time of `start` before: it was set back in between, by a day at most.
fn was_shown_before<Z: TimeZone>(start: DateTime<Utc>, zone: &Z) -> bool {
    let offset_at = |time: DateTime<Utc>| zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc();
    let now = offset_at(start);
    [30, 60, 120, 180, 24 * 60].into_iter().any(|minutes| {
        let before = start.checked_sub_signed(TimeDelta::minutes(minutes)).map_or(now, offset_at);
        let first = start.checked_sub_signed(TimeDelta::seconds(i64::from(before) - i64::from(now)));
        before > now && first.is_some_and(|first| offset_at(first) == before)
    })
}

/// Returns when a wall clock first shows `local`, or the first later minute that it does show.
pub(crate) fn instant_of<Z: TimeZone>(local: NaiveDateTime, zone: &Z) -> Option<DateTime<Utc>> {
    const LONGEST_GAP_MINUTES: i64 = 25 * 60;
    (0..=LONGEST_GAP_MINUTES).find_map(|minutes| {
        let shown = local.checked_add_signed(TimeDelta::minutes(minutes))?;
        Some(match zone.from_local_datetime(&shown) {
            MappedLocalTime::None => return None,
            MappedLocalTime::Single(time) => time.to_utc(),
            MappedLocalTime::Ambiguous(one, other) => one.min(other).to_utc(),
        })
    })
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Berlin;
    use chrono_tz::{America::Sao_Paulo, Australia::Lord_Howe, Tz};
    use proptest::prelude::*;

    use super::*;

    fn label(time: &str, precision: Precision, zone: Tz) -> String {
        Label::of(time.parse().unwrap(), precision, &zone).to_string()
    }

    #[test]
    fn a_label_has_the_parts_that_its_period_needs() {
        let at = |precision| label("2026-11-20T10:15:38Z", precision, Berlin);
        assert_eq!(at(Precision::Month), "2026-11");
        assert_eq!(at(Precision::Day), "2026-11-20");
        assert_eq!(at(Precision::Hour), "2026-11-20T11");
        assert_eq!(at(Precision::Minute), "2026-11-20T1115");
        assert_eq!(at(Precision::Second), "2026-11-20T111538");
        assert_eq!(label("2026-11-20T23:30:00Z", Precision::Day, Berlin), "2026-11-21");
    }

    #[test]
    fn promise_27_an_hour_that_the_clock_shows_twice_has_two_labels() {
        assert_eq!(label("2026-10-25T00:30:00Z", Precision::Hour, Berlin), "2026-10-25T02");
        assert_eq!(label("2026-10-25T01:30:00Z", Precision::Hour, Berlin), "2026-10-25T02b");
        assert_eq!(label("2026-10-25T01:30:00Z", Precision::Minute, Berlin), "2026-10-25T02b30");
        assert_eq!(label("2026-10-25T01:30:00Z", Precision::Day, Berlin), "2026-10-25");
        assert_eq!(label("2026-04-04T15:10:00Z", Precision::Minute, Lord_Howe), "2026-04-05T01b40");
    }

    #[test]
    fn a_text_that_is_no_label_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-1",
            "2026-02-29",
            "2026-11-20T24",
            "2026-11-20T1",
            "2026-11-20T1360",
            "2026-11-20b",
            "2026-11-20T13c45",
            "2026-11-20T134560",
            "20261120T101538Z",
            "2026-11-20t13",
            "+026-11-20",
            "2026-11-20T13é",
            "2026é11",
        ] {
            assert_eq!(Label::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn promise_27_labels_sort_as_time_passes_and_read_back(
            days in 0i64..30_000, minutes in prop::collection::vec(0i64..180, 2..40), precision in 0usize..5, zone in 0usize..4,
        ) {
            use Precision::{Day, Hour, Minute, Month, Second};
            let precision = [Month, Day, Hour, Minute, Second][precision];
            let zone = [Berlin, Lord_Howe, Sao_Paulo, Tz::UTC][zone];
            let mut at = DateTime::from_timestamp(days * 86_400, 0).unwrap();
            let mut before: Option<Label> = None;
            for step in minutes {
                at += TimeDelta::minutes(step);
                let label = Label::of(at, precision, &zone);
                let text = label.to_string();
                prop_assert!(before.is_none_or(|before| before <= label && before.to_string() <= text), "{text}");
                prop_assert_eq!(Label::parse(&text), Some(label));
                prop_assert!(label.instant(&zone).unwrap() <= at, "{}", text);
                if precision == Second {
                    prop_assert_eq!(label.instant(&zone).unwrap(), at);
                }
                before = Some(label);
            }
        }
    }
}
