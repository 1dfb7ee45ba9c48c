//! The limits on closed segments.

use std::time::Duration;

use crate::record::Timestamp;

/// Limits retention; a segment beyond any limit is removed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retention {
    pub(crate) files: Option<usize>,
    pub(crate) age: Option<Duration>,
    pub(crate) bytes: Option<u64>,
}

impl Retention {
    /// Returns whether every segment stays.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.files.is_none() && self.age.is_none() && self.bytes.is_none()
    }

    /// Returns the setting that limits retention, if one does.
    pub(crate) fn name(&self) -> Option<&'static str> {
        let files = self.files.map(|_| "keep_files");
        files.or(self.age.map(|_| "keep_for")).or(self.bytes.map(|_| "keep_bytes"))
    }

    /// Returns when the oldest of the segments that stay becomes too old; `None` if that never happens.
    ///
    /// `closed` and `surplus`: as for [`surplus`](Self::surplus), and what that has returned.
    pub(crate) fn expiry(&self, closed: &[(Timestamp, u64)], surplus: &[usize]) -> Option<Timestamp> {
        let age = i64::try_from(self.age?.as_nanos()).ok()?;
        let stays = closed.iter().enumerate().filter(|(place, _)| surplus.binary_search(place).is_err());
        let oldest = stays.map(|(_, (time, _))| time.as_nanos()).min()?;
        Some(Timestamp::from_nanos(oldest.checked_add(age)?.checked_add(1)?))
    }

    /// Returns the places of the segments beyond a limit, in order.
    ///
    /// `closed`: when each segment was closed and its size in bytes, oldest first by name. Without a time, no segment is too
    /// old. Times need not be in order, because the clock may have been wrong: each segment is judged by its time.
    pub(crate) fn surplus(&self, closed: &[(Timestamp, u64)], now: Option<Timestamp>) -> Vec<usize> {
        let oldest = self.age.zip(now).map(|(age, now)| {
            Timestamp::from_nanos(now.as_nanos().saturating_sub(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)))
        });
        let (mut files, mut total, mut is_full) = (0, 0u64, false);
        let mut surplus = Vec::new();
        for (place, (time, bytes)) in closed.iter().enumerate().rev() {
            let is_old = oldest.is_some_and(|oldest| *time < oldest);
            if !is_old {
                files += 1;
                total = total.saturating_add(*bytes);
                is_full |=
                    self.files.is_some_and(|limit| files > limit) || self.bytes.is_some_and(|limit| total > limit);
            }
            if is_old || is_full {
                surplus.push(place);
            }
        }
        surplus.reverse();
        surplus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many of five segments are surplus: the first ones.
    fn surplus(retention: Retention) -> usize {
        let closed: Vec<_> = (1..=5).map(|n| (Timestamp::from_nanos(n * 100_000_000_000), 10)).collect();
        let surplus = retention.surplus(&closed, Some(Timestamp::from_nanos(500_000_000_000)));
        assert!(surplus.iter().copied().eq(0..surplus.len()), "{surplus:?}");
        surplus.len()
    }

    #[test]
    fn promise_25_a_wrong_time_of_one_segment_costs_no_other() {
        let second = |n: i64| Timestamp::from_nanos(n * 1_000_000_000);
        let closed = [100, 101, 3, 102, 1].map(|time| (second(time), 10));
        let retention = Retention { age: Some(Duration::from_secs(60)), ..Retention::default() };
        assert_eq!(retention.surplus(&closed, Some(second(110))), [2, 4]);
        // What is removed for its age takes no place of the others.
        assert_eq!(Retention { files: Some(2), ..retention }.surplus(&closed, Some(second(110))), [0, 2, 4]);
        assert_eq!(Retention { bytes: Some(30), ..retention }.surplus(&closed, Some(second(110))), [2, 4]);
    }

    #[test]
    fn a_segment_beyond_any_limit_is_removed() {
        let none = Retention::default();
        assert_eq!(surplus(none), 0);
        assert_eq!(surplus(Retention { files: Some(2), ..none }), 3);
        assert_eq!(surplus(Retention { files: Some(0), ..none }), 5);
        assert_eq!(surplus(Retention { files: Some(9), ..none }), 0);
        assert_eq!(surplus(Retention { bytes: Some(39), ..none }), 2);
        assert_eq!(surplus(Retention { bytes: Some(50), ..none }), 0);
        assert_eq!(surplus(Retention { age: Some(Duration::from_secs(100)), ..none }), 3);
        assert_eq!(surplus(Retention { age: Some(Duration::MAX), ..none }), 0);
        let all = Retention { files: Some(4), age: Some(Duration::from_secs(200)), bytes: Some(40) };
        assert_eq!(surplus(all), 2);
    }

    #[test]
    fn a_segment_expires_when_it_is_older_than_the_limit() {
        let second = |n: i64| Timestamp::from_nanos(n * 1_000_000_000);
        let closed = [(second(7), 1), (second(5), 1)];
        let retention = Retention { age: Some(Duration::from_secs(60)), ..Retention::default() };
        let expiry = retention.expiry(&closed, &[]).unwrap();
        assert_eq!(expiry.as_nanos(), second(65).as_nanos() + 1);
        assert_eq!(retention.surplus(&closed[1..], Some(second(65))).len(), 0);
        assert_eq!(retention.surplus(&closed[1..], Some(expiry)).len(), 1);
        assert_eq!(retention.expiry(&[], &[]), None);
        assert_eq!(Retention::default().expiry(&closed, &[]), None);
        assert_eq!(Retention { age: Some(Duration::MAX), ..retention }.expiry(&closed, &[]), None);
    }

    #[test]
    fn without_a_time_no_segment_is_too_old() {
        let retention = Retention { age: Some(Duration::ZERO), ..Retention::default() };
        assert_eq!(retention.surplus(&[(Timestamp::default(), 1)], None).len(), 0);
    }
}
