//! The names of one log's files.
//!
//! `orders.20261120T101538Z-000042.log.gz`: stem, UTC time of closing, sequence, extension, compression. A name belongs
//! to this log only if formatting its parsed parts gives the same bytes again. So `app.secret.log` and `app.log.bak`
//! are never taken for segments of `app.log`.

use std::fmt;

use chrono::{DateTime, NaiveDateTime};

use crate::record::Timestamp;

const TIME: &str = "%Y%m%dT%H%M%SZ";

/// No clock of a log gives a later time: a [`Timestamp`] ends in the year 2262.
const MAX_SECONDS: i64 = i64::MAX / 1_000_000_000;

/// No log rotates this often. The numbers above are room for successors.
const MAX_SEQUENCE: u64 = u64::MAX / 2;

/// The place of one closed segment in the order in which segments were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    /// When it was closed, in seconds since 1970.
    pub(crate) seconds: i64,
    pub(crate) sequence: u64,
}

/// How the bytes of a segment are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Compression {
    /// As they were written.
    Plain,
    /// Compressed with gzip; the name ends in `.gz`.
    Gzip,
    /// Compressed with zstd; the name ends in `.zst`.
    Zstd,
}

/// The names of one log's files, all in one directory.
#[derive(Clone, Debug)]
pub(crate) struct SegmentNames {
    active: String,
    /// `orders.`
    prefix: String,
    /// `.log`, or nothing.
    suffix: String,
}

impl Segment {
    /// Returns the segment that follows `newest` when it is closed at `time`.
    pub(crate) fn after(newest: Option<Self>, time: Timestamp) -> Self {
        let seconds = time.as_nanos().div_euclid(1_000_000_000);
        match newest {
            None => Self { seconds, sequence: 1 },
            Some(newest) => Self { seconds: seconds.max(newest.seconds), ..newest.next() },
        }
    }

    /// Returns what the next segment must follow: the later time and the higher sequence of the two.
    pub(crate) fn highest(self, other: Self) -> Self {
        Self { seconds: self.seconds.max(other.seconds), sequence: self.sequence.max(other.sequence) }
    }

    /// Returns whether segments can follow it, with a later time and a higher sequence. No other was made by a log.
    pub(crate) fn leaves_room(self) -> bool {
        self.seconds < MAX_SECONDS && self.sequence < MAX_SEQUENCE
    }

    /// Returns the segment with the next sequence.
    pub(crate) fn next(self) -> Self {
        Self { sequence: self.sequence.saturating_add(1), ..self }
    }

    /// Returns when it was closed.
    pub(crate) fn time(self) -> Timestamp {
        Timestamp::from_nanos(self.seconds.saturating_mul(1_000_000_000))
    }
}

impl Compression {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Gzip, Self::Zstd];

    fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// Returns the compression that the end of a file name stands for.
    pub(crate) fn of_name(name: &str) -> Self {
        let compressed = [Self::Gzip, Self::Zstd].into_iter().find(|compression| name.ends_with(compression.suffix()));
        compressed.unwrap_or(Self::Plain)
    }
}

/// `plain`, `gzip` or `zstd`.
impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

impl SegmentNames {
    /// Creates the names of one log.
    ///
    /// `active`: the name of the active file, without its directory.
    pub(crate) fn new(active: &str) -> Self {
        let (stem, suffix) = match active.rfind('.') {
            Some(dot) if dot > 0 => active.split_at(dot),
            _ => (active, ""),
        };
        Self { active: active.to_owned(), prefix: format!("{stem}."), suffix: suffix.to_owned() }
    }

    /// Returns the names of the log that the segment `name` belongs to; `None` if it is no segment's name.
    ///
    /// An end such as `.gz` is taken for a compression, not for the extension of the active file.
    pub(crate) fn of_segment(name: &str) -> Option<(Self, Segment, Compression)> {
        Compression::ALL.into_iter().rev().find_map(|compression| {
            let base = name.strip_suffix(compression.suffix())?;
            let extension = base.rfind('.').map_or("", |dot| &base[dot..]);
            [extension, ""].into_iter().find_map(|suffix| {
                let (stem, _stamp) = base.strip_suffix(suffix)?.rsplit_once('.')?;
                let names = Self::new(&format!("{stem}{suffix}"));
                let (segment, compression) = names.parse(name)?;
                Some((names, segment, compression))
            })
        })
    }

    /// Returns the name of the active file that the lock file `name` belongs to.
    pub(crate) fn of_lock(name: &str) -> Option<&str> {
        name.strip_prefix('.')?.strip_suffix(".lock")
    }

    /// Returns the name of the active file.
    pub(crate) fn active(&self) -> &str {
        &self.active
    }

    /// Returns the name of a closed segment.
    pub(crate) fn segment(&self, segment: Segment, compression: Compression) -> String {
        let Self { prefix, suffix, .. } = self;
        let time = DateTime::from_timestamp(segment.seconds, 0).unwrap_or_default().format(TIME);
        format!("{prefix}{time}-{:06}{suffix}{}", segment.sequence, compression.suffix())
    }

    /// Returns the segment and compression that `name` stands for; `None` if it is no segment of this log.
    pub(crate) fn parse(&self, name: &str) -> Option<(Segment, Compression)> {
        let rest = name.strip_prefix(self.prefix.as_str())?;
        Compression::ALL.into_iter().find_map(|compression| {
            let stamp = rest.strip_suffix(compression.suffix())?.strip_suffix(self.suffix.as_str())?;
            let (time, sequence) = stamp.split_once('-')?;
            let seconds = NaiveDateTime::parse_from_str(time, TIME).ok()?.and_utc().timestamp();
            let segment = Segment { seconds, sequence: sequence.parse().ok()? };
            (self.segment(segment, compression) == name).then_some((segment, compression))
        })
    }

    /// Returns the hidden name under which a compressed segment is written.
    pub(crate) fn temporary(&self, segment: Segment, compression: Compression) -> String {
        format!(".{}.tmp", self.segment(segment, compression))
    }

    /// Returns the segment whose compressed file is written under this name; `None` if the name is foreign.
    pub(crate) fn parse_temporary(&self, name: &str) -> Option<Segment> {
        let (segment, compression) = self.parse(name.strip_prefix('.')?.strip_suffix(".tmp")?)?;
        (compression != Compression::Plain).then_some(segment)
    }

    /// Returns the hidden file whose lock holder may rename and remove segments.
    pub(crate) fn lock(&self) -> String {
        format!(".{}.lock", self.active)
    }

    /// Returns how long a name of this log can become, in bytes.
    pub(crate) fn longest(&self, compression: Compression) -> usize {
        let last = Segment { seconds: 0, sequence: u64::MAX };
        let segment = match compression {
            Compression::Plain => self.segment(last, compression),
            _ => self.temporary(last, compression),
        };
        segment.len().max(self.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Segment = Segment { seconds: 1_795_169_738, sequence: 42 };

    #[test]
    fn a_segment_is_named_by_time_and_sequence() {
        let names = SegmentNames::new("orders.log");
        assert_eq!(names.segment(AT, Compression::Plain), "orders.20261120T101538Z-000042.log");
        assert_eq!(names.segment(AT, Compression::Zstd), "orders.20261120T101538Z-000042.log.zst");
        assert_eq!(names.temporary(AT, Compression::Gzip), ".orders.20261120T101538Z-000042.log.gz.tmp");
        assert_eq!(names.lock(), ".orders.log.lock");
        assert_eq!(SegmentNames::new("orders").segment(AT, Compression::Plain), "orders.20261120T101538Z-000042");
        assert_eq!(SegmentNames::new("a.b.log").segment(AT, Compression::Plain), "a.b.20261120T101538Z-000042.log");
        assert_eq!(SegmentNames::new(".log").segment(AT, Compression::Plain), ".log.20261120T101538Z-000042");
    }

    #[test]
    fn neighbours_are_foreign() {
        let names = SegmentNames::new("app.log");
        for foreign in [
            "app.log",
            "app-error.log",
            "app.secret.log",
            "app.log.bak",
            "app.log.1",
            "app.20261120T101538Z-000042.log.bak",
            "app.20261120T101538Z-000042.log.bz2",
            "app.20261120T101538Z-000042",
            "app.20261120T101538Z-42.log",
            "app.20261120T101538Z-0000042.log",
            "app.20261120T101538Z-+00042.log",
            "app.20261120T101560Z-000042.log",
            "app.20261320T101538Z-000042.log",
            "app.20261120T101538-000042.log",
            "app.2026 1120T101538Z-000042.log",
            "app.secret.20261120T101538Z-000042.log",
            "APP.20261120T101538Z-000042.log",
            ".app.20261120T101538Z-000042.log",
        ] {
            assert_eq!(names.parse(foreign), None, "{foreign}");
            assert_eq!(names.parse_temporary(foreign), None, "{foreign}");
            let log = SegmentNames::of_segment(foreign).map(|(names, ..)| names.active);
            assert_ne!(log.as_deref(), Some("app.log"), "{foreign}");
        }
        assert_eq!(names.parse_temporary(".app.20261120T101538Z-000042.log.gz.tmp"), Some(AT));
        assert_eq!(names.parse_temporary(".app.20261120T101538Z-000042.log.tmp"), None);
    }

    #[test]
    fn the_next_segment_sorts_last_whatever_the_clock_says() {
        let first = Segment::after(None, Timestamp::from_nanos(AT.seconds * 1_000_000_000));
        let back = Segment::after(Some(first), Timestamp::from_nanos(0));
        assert_eq!((first.sequence, back.sequence, back.seconds), (1, 2, AT.seconds));
        assert!(first < back);
    }

    #[test]
    fn what_no_log_made_leaves_no_room() {
        let now = Segment::after(None, Timestamp::from_nanos(i64::MAX - 1_000_000_000));
        assert!(now.leaves_room() && AT.leaves_room());
        for far in [
            Segment { sequence: u64::MAX, ..AT },
            Segment { sequence: u64::MAX / 2, ..AT },
            Segment { seconds: 253_402_300_799, ..AT },
            Segment { seconds: 9_300_000_000, ..AT },
        ] {
            assert!(!far.leaves_room(), "{far:?}");
        }
    }

    #[test]
    fn the_longest_name_is_that_of_the_last_segment() {
        let names = SegmentNames::new("a.log");
        assert_eq!(names.longest(Compression::Plain), "a.19700101T000000Z-18446744073709551615.log".len());
        assert_eq!(names.longest(Compression::Gzip), ".a.19700101T000000Z-18446744073709551615.log.gz.tmp".len());
    }

    proptest! {
        #[test]
        fn any_name_reads_back(
            active in "[a-zA-Z0-9._-]{1,20}", seconds in 0i64..9_000_000_000, sequence in any::<u64>(), compression in 0usize..3,
        ) {
            let names = SegmentNames::new(&active);
            let (segment, compression) = (Segment { seconds, sequence }, Compression::ALL[compression]);
            prop_assert_eq!(names.parse(&names.segment(segment, compression)), Some((segment, compression)));
            prop_assert_eq!(names.parse(&active), None);
            let read = names.parse_temporary(&names.temporary(segment, compression));
            prop_assert_eq!(read, (compression != Compression::Plain).then_some(segment));
            if Compression::of_name(&active) == Compression::Plain {
                let (log, ..) = SegmentNames::of_segment(&names.segment(segment, compression)).unwrap();
                prop_assert_eq!(log.active(), names.active());
            }
            let lock = names.lock();
            prop_assert_eq!(SegmentNames::of_lock(&lock), Some(names.active()));
        }

        #[test]
        fn names_sort_as_they_were_written(times in prop::collection::vec(0i64..4_000_000_000, 2..40)) {
            let names = SegmentNames::new("orders.log");
            let mut newest = None;
            let written: Vec<_> = times.into_iter().map(|seconds| {
                newest = Some(Segment::after(newest, Timestamp::from_nanos(seconds * 1_000_000_000)));
                names.segment(newest.unwrap(), Compression::Plain)
            }).collect();
            prop_assert!(written.is_sorted_by(|a, b| a < b));
        }

        #[test]
        fn any_other_name_is_foreign(name in "\\PC{0,40}") {
            let names = SegmentNames::new("orders.log");
            if let Some((segment, compression)) = names.parse(&name) {
                prop_assert_eq!(names.segment(segment, compression), name);
            }
        }
    }
}
