//! The periods of a rolling file by name: short forms of [`RollingFile::period`].

use chrono::Weekday;

use super::RollingFile;
use crate::rotation::Period;

impl RollingFile {
    /// Rotates with the first line of a new minute.
    pub fn minutely(self) -> Self {
        self.period(Period::Minutely)
    }

    /// Rotates with the first line of a new hour.
    pub fn hourly(self) -> Self {
        self.period(Period::Hourly)
    }

    /// Rotates with the first line after midnight: of UTC, unless [`local_time`](Self::local_time) is set.
    pub fn daily(self) -> Self {
        self.period(Period::Daily)
    }

    /// Rotates with the first line of a new week, which begins on Sunday, in UTC unless [`local_time`](Self::local_time) is set.
    pub fn weekly(self) -> Self {
        self.period(Period::Weekly)
    }

    /// Rotates with the first line after this weekday has begun.
    pub fn weekly_on(self, day: Weekday) -> Self {
        self.period(Period::WeeklyOn(day))
    }

    /// Rotates with the first line of a new month.
    pub fn monthly(self) -> Self {
        self.period(Period::Monthly)
    }

    /// Rotates every `minutes` minutes, counted from midnight. They must divide a day evenly: 5, 15, 90 …, at most 720.
    pub fn every_minutes(self, minutes: u32) -> Self {
        self.period(Period::Minutes(minutes))
    }

    /// Rotates every `hours` hours, counted from midnight: 1, 2, 3, 4, 6, 8 or 12.
    pub fn every_hours(self, hours: u32) -> Self {
        self.period(Period::Hours(hours))
    }

    /// Rotates with the first line after this time of day: of UTC, unless [`local_time`](Self::local_time) is set.
    pub fn daily_at(self, hour: u32, minute: u32) -> Self {
        self.period(Period::DailyAt { hour, minute })
    }
}
