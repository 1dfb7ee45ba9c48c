//! When the active file's time is over, and how its segment is called.

use chrono::{DateTime, Local, TimeZone, Utc};

use super::label::{Label, Precision};
use super::period::Period;
use crate::record::Timestamp;
#[cfg(feature = "time-zones")]
use crate::time_zone::NamedZone;

/// Lines of several threads arrive slightly out of order. A time further back than this means that the clock stepped.
const STEP_NANOS: i64 = 60_000_000_000;

/// The time zone of boundaries and names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Zone {
    #[default]
    Utc,
    Local,
    #[cfg(feature = "time-zones")]
    Named(NamedZone),
}

impl Zone {
    /// Returns the setting of a file that has chosen it; `None` for the default.
    pub(crate) fn setting(self) -> Option<&'static str> {
        match self {
            Self::Utc => None,
            Self::Local => Some("local_time"),
            #[cfg(feature = "time-zones")]
            Self::Named(_) => Some("time_zone"),
        }
    }
}

/// How time is divided between segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calendar {
    pub(crate) period: Option<Period>,
    pub(crate) zone: Zone,
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
    calendar: Calendar,
    /// The earliest time known to be in the period and the period's end, in nanoseconds.
    span: Option<(i64, i64)>,
}

impl Calendar {
    /// Returns the label of the segment that a line of `time` begins.
    pub(crate) fn label(self, time: Timestamp) -> Label {
        match self.zone {
            Zone::Utc => self.label_in(time, &Utc),
            Zone::Local => self.label_in(time, &Local),
            #[cfg(feature = "time-zones")]
            Zone::Named(zone) => self.label_in(time, &zone),
        }
    }

    fn label_in<Z: TimeZone>(self, time: Timestamp, zone: &Z) -> Label {
        let time = time.to_datetime();
        match self.period {
            Some(period) => period.label(time, zone),
            None => Label::of(time, Precision::Second, zone),
        }
    }

    /// Returns when the segment with this label began.
    pub(crate) fn start(self, label: Label) -> Option<Timestamp> {
        let start = match self.zone {
            Zone::Utc => label.instant(&Utc),
            Zone::Local => label.instant(&Local),
            #[cfg(feature = "time-zones")]
            Zone::Named(zone) => label.instant(&zone),
        };
        start.map(Timestamp::from)
    }

    /// Returns when the period with this label ends. Where the label has another precision, other settings made it, and
    /// the later end counts.
    pub(crate) fn end(self, label: Label) -> Option<Timestamp> {
        let start = self.start(label)?;
        let made_by = match label.precision() {
            Precision::Second => None,
            Precision::Minute => Some(Period::Minutely),
            Precision::Hour => Some(Period::Hourly),
            Precision::Day => Some(Period::Daily),
            Precision::Month => Some(Period::Monthly),
        };
        let end = |period| Self { period, ..self }.end_after(start).map(Timestamp::from_nanos);
        end(self.period).max(end(made_by)).or(Some(start))
    }

    /// Returns the first end of a period after `time`, in nanoseconds.
    fn end_after(self, time: Timestamp) -> Option<i64> {
        let time: DateTime<Utc> = time.to_datetime();
        let end = match self.zone {
            Zone::Utc => self.period?.boundary_after(time, &Utc),
            Zone::Local => self.period?.boundary_after(time, &Local),
            #[cfg(feature = "time-zones")]
            Zone::Named(zone) => self.period?.boundary_after(time, &zone),
        };
        end?.timestamp_nanos_opt()
    }
}

impl Schedule {
    /// Creates a schedule that has not begun.
    pub(crate) fn new(calendar: Calendar) -> Self {
        Self { calendar, span: None }
    }

    /// Sets the active file's period to that of `time`; without a time, the first line decides.
    pub(crate) fn begin(&mut self, time: Option<Timestamp>) {
        self.span = time.map(|time| (time.as_nanos(), self.calendar.end_after(time).unwrap_or(i64::MAX)));
    }

    /// Returns whether there is no boundary.
    pub(crate) fn is_endless(&self) -> bool {
        self.calendar.period.is_none()
    }

    /// Returns the label of the active file; `time` stands for its first line if none is known.
    pub(crate) fn label(&self, time: Timestamp) -> Label {
        self.calendar.label(self.span.map_or(time, |(from, _)| Timestamp::from_nanos(from)))
    }

    /// Returns what `time` means for the active file.
    pub(crate) fn state_at(&self, time: Timestamp) -> PeriodState {
        let now = time.as_nanos();
        match self.span {
            _ if self.is_endless() => PeriodState::Current,
            None => PeriodState::ClockSteppedBack,
            Some((_, end)) if now >= end => PeriodState::Over,
            Some((from, _)) if now < from.saturating_sub(STEP_NANOS) => PeriodState::ClockSteppedBack,
            Some(_) => PeriodState::Current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse::<DateTime<Utc>>().unwrap().into()
    }

    fn daily() -> Schedule {
        Schedule::new(Calendar { period: Some(Period::Daily), zone: Zone::Utc })
    }

    #[test]
    fn a_schedule_turns_once_and_follows_the_clock_back() {
        let mut schedule = daily();
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
        let mut schedule = Schedule::new(Calendar::default());
        schedule.begin(Some(Timestamp::from_nanos(0)));
        assert_eq!(schedule.state_at(Timestamp::from_nanos(i64::MAX)), PeriodState::Current);
    }

    #[test]
    fn a_segment_is_called_by_the_period_of_its_first_line() {
        let mut schedule = daily();
        assert_eq!(schedule.label(at("2026-11-20T10:00:00Z")).to_string(), "2026-11-20");
        schedule.begin(Some(at("2026-11-20T10:00:00Z")));
        assert_eq!(schedule.label(at("2026-11-23T08:00:00Z")).to_string(), "2026-11-20");
        let mut endless = Schedule::new(Calendar::default());
        endless.begin(Some(at("2026-11-20T10:00:01.5Z")));
        assert_eq!(endless.label(at("2026-11-23T08:00:00Z")).to_string(), "2026-11-20T100001");
    }

    #[test]
    fn the_end_of_a_label_is_that_of_its_period() {
        let label = |calendar: Calendar| calendar.label(at("2026-11-20T10:15:38Z"));
        let daily = Calendar { period: Some(Period::Daily), zone: Zone::Utc };
        assert_eq!(daily.end(label(daily)), Some(at("2026-11-21T00:00:00Z")));
        assert_eq!(daily.start(label(daily)), Some(at("2026-11-20T00:00:00Z")));
        let none = Calendar::default();
        assert_eq!(none.end(label(none)), Some(at("2026-11-20T10:15:38Z")));
        assert_eq!(none.end(label(daily)), Some(at("2026-11-21T00:00:00Z")));
        assert_eq!(daily.end(label(none)), Some(at("2026-11-21T00:00:00Z")));
    }
}
