//! Lines over time, counted by ClickHouse.

use super::columns::level_of;
use super::condition::{Condition, LEVEL, has_time};
use super::engine::Engine;
use crate::stats::Timeline;

/// The second of a line's time, rounded down.
pub(super) fn second() -> String {
    floor("time", 1_000_000_000)
}

/// Returns a number divided and rounded down; ClickHouse rounds towards zero.
fn floor(number: &str, by: i64) -> String {
    format!("(intDiv({number}, {by}) - ({number} % {by} < 0))")
}

/// Returns what counts the distinct steps of each length.
pub(super) fn distinct_steps() -> String {
    let distinct = |length: &i64| format!("toUInt64(uniqExact({}))", floor(&second(), *length));
    Timeline::lengths().iter().map(distinct).collect::<Vec<_>>().join(", ")
}

/// Returns what counts the lines of each level in steps of a length, and what groups them.
pub(super) fn steps(length: i64) -> (String, &'static str) {
    let step = floor(&second(), length);
    (format!("toInt64({step} * {length}) AS step, toUInt8({LEVEL}) AS rank, toUInt64(count())"), "GROUP BY step, rank")
}

impl Engine {
    /// Returns the lines over time that meet a condition.
    ///
    /// # Errors
    /// The node fails.
    pub(crate) fn timeline(&self, condition: &Condition) -> Result<Timeline, String> {
        let timed = condition.and(has_time());
        let lengths = Timeline::lengths().len();
        let distinct = self.rows(&self.select(&distinct_steps(), &timed, ""), |row| {
            (0..lengths).map(|_| row.u64()).collect::<std::io::Result<Vec<_>>>()
        })?;
        Timeline::counted(distinct.first().map_or(&[][..], Vec::as_slice), |length| {
            let (what, group) = steps(length);
            self.rows(&self.select(&what, &timed, group), |row| Ok((row.i64()?, level_of(row.u8()?), row.u64()?)))
        })
    }

    /// Returns how many lines that meet a condition have no time.
    ///
    /// # Errors
    /// The node fails.
    pub(crate) fn count_without_time(&self, condition: &Condition) -> Result<u64, String> {
        self.count(&condition.and(format!("NOT {}", has_time())))
    }
}
