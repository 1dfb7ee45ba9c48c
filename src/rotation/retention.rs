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
    /// `closed`: as for [`surplus`](Self::surplus), without what that counts.
    pub(crate) fn expiry(&self, closed: &[(Timestamp, u64)]) -> Option<Timestamp> {
        let age = i64::try_from(self.age?.as_nanos()).ok()?;
        let oldest = closed.iter().map(|(time, _)| time.as_nanos()).min()?;
        Some(Timestamp::from_nanos(oldest.checked_add(age)?.checked_add(1)?))
    }

    /// Returns how many segments are beyond a limit, counted from the oldest.
    ///
    /// `closed`: when each segment was closed and its size in bytes, oldest first. Without a time, no segment is too
    /// old.
    pub(crate) fn surplus(&self, closed: &[(Timestamp, u64)], now: Option<Timestamp>) -> usize {
        let oldest = self.age.zip(now).map(|(age, now)| {
            Timestamp::from_nanos(now.as_nanos().saturating_sub(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)))
        });
        let mut total = 0u64;
        let kept = closed.iter().rev().take(self.files.unwrap_or(usize::MAX)).take_while(|(time, bytes)| {
            total = total.saturating_add(*bytes);
            oldest.is_none_or(|oldest| *time >= oldest) && self.bytes.is_none_or(|limit| total <= limit)
        });
        closed.len() - kept.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surplus(retention: Retention) -> usize {
        let closed: Vec<_> = (1..=5).map(|n| (Timestamp::from_nanos(n * 100_000_000_000), 10)).collect();
        retention.surplus(&closed, Some(Timestamp::from_nanos(500_000_000_000)))
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
        let expiry = retention.expiry(&closed).unwrap();
        assert_eq!(expiry.as_nanos(), second(65).as_nanos() + 1);
        assert_eq!(retention.surplus(&closed[1..], Some(second(65))), 0);
        assert_eq!(retention.surplus(&closed[1..], Some(expiry)), 1);
        assert_eq!(retention.expiry(&[]), None);
        assert_eq!(Retention::default().expiry(&closed), None);
        assert_eq!(Retention { age: Some(Duration::MAX), ..retention }.expiry(&closed), None);
    }

    #[test]
    fn without_a_time_no_segment_is_too_old() {
        let retention = Retention { age: Some(Duration::ZERO), ..Retention::default() };
        assert_eq!(retention.surplus(&[(Timestamp::default(), 1)], None), 0);
    }
}
