//! The names of one log's files.
//!
//! `orders.2026-11-20-000042.log.gz`: stem, what it covers, sequence, extension, compression. A name belongs to this log
//! only if formatting its parsed parts gives the same bytes again. So `app.secret.log` and `app.log.bak` are never taken
//! for segments of `app.log`.

use std::fmt;

use super::label::Label;

/// No log rotates this often. The numbers above are room for successors.
const MAX_SEQUENCE: u64 = u64::MAX / 2;

/// The place of one closed segment in the order in which segments were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    /// What it covers; `None` for a numbered segment, such as `orders.log.1`.
    pub(crate) label: Option<Label>,
    /// Grows with each segment.
    pub(crate) sequence: u64,
}

/// No log keeps this many numbered segments.
const MAX_NUMBER: u64 = 1 << 32;

/// A closed file with a higher number, such as the date 20261120, is no segment of a log.
const MAX_CLOSED_NUMBER: u64 = 1_000_000;

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
    /// Segments are called `orders.log.1` and so on.
    is_numbered: bool,
}

impl Segment {
    /// Returns the segment that follows `newest` and covers what `label` says.
    pub(crate) fn after(newest: Option<Self>, label: Label) -> Self {
        match newest {
            None => Self { label: Some(label), sequence: 1 },
            Some(newest) => Self { label: Some(label).max(newest.label), ..newest.next() },
        }
    }

    /// Returns whether it has a number, which says nothing about when it was closed.
    pub(crate) fn is_numbered(self) -> bool {
        self.label.is_none()
    }

    /// Returns the segment with this number: the newest is 1, and older ones have higher numbers.
    pub(crate) fn numbered(number: u64) -> Self {
        Self { label: None, sequence: u64::MAX - number }
    }

    /// Returns what the next segment must follow: the later label and the higher sequence of the two.
    pub(crate) fn highest(self, other: Self) -> Self {
        Self { label: self.label.max(other.label), sequence: self.sequence.max(other.sequence) }
    }

    /// Returns whether segments can follow it, with a later label and a higher sequence. No other was made by a log.
    pub(crate) fn leaves_room(self) -> bool {
        match self.label {
            Some(label) => label.leaves_room() && self.sequence < MAX_SEQUENCE,
            None => u64::MAX - self.sequence <= MAX_NUMBER,
        }
    }

    /// Returns whether the number of a closed file is too high for a segment, as a date is.
    pub(crate) fn may_be_a_date(self) -> bool {
        let number = u64::MAX - self.sequence;
        self.label.is_none() && (MAX_CLOSED_NUMBER..=MAX_NUMBER).contains(&number)
    }

    /// Returns the segment with the next sequence.
    pub(crate) fn next(self) -> Self {
        Self { sequence: self.sequence.saturating_add(1), ..self }
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
        let (prefix, suffix) = (format!("{stem}."), suffix.to_owned());
        Self { active: active.to_owned(), prefix, suffix, is_numbered: false }
    }

    /// Returns the names of the same log with segments called `orders.log.1`, `orders.log.2` and so on.
    pub(crate) fn numbered(&self) -> Self {
        Self { is_numbered: true, ..self.clone() }
    }

    /// Returns whether segments are called by a number.
    pub(crate) fn is_numbered(&self) -> bool {
        self.is_numbered
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
        let Self { active, prefix, suffix, .. } = self;
        let (sequence, packed) = (segment.sequence, compression.suffix());
        match segment.label {
            Some(label) => format!("{prefix}{label}-{sequence:06}{suffix}{packed}"),
            None => format!("{active}.{}{packed}", u64::MAX - sequence),
        }
    }

    /// Returns the segment and compression that `name` stands for; `None` if it is no segment of this log.
    pub(crate) fn parse(&self, name: &str) -> Option<(Segment, Compression)> {
        if self.is_numbered {
            let rest = name.strip_prefix(self.active.as_str())?.strip_prefix('.')?;
            return Compression::ALL.into_iter().find_map(|compression| {
                let number = rest.strip_suffix(compression.suffix())?.parse().ok().filter(|number| *number > 0)?;
                let segment = Segment::numbered(number);
                (self.segment(segment, compression) == name).then_some((segment, compression))
            });
        }
        let rest = name.strip_prefix(self.prefix.as_str())?;
        Compression::ALL.into_iter().find_map(|compression| {
            let stamp = rest.strip_suffix(compression.suffix())?.strip_suffix(self.suffix.as_str())?;
            let (label, sequence) = stamp.rsplit_once('-')?;
            let segment = Segment { label: Some(Label::parse(label)?), sequence: sequence.parse().ok()? };
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

    /// Returns the name of the file that a forked process writes to until it is closed.
    #[cfg(feature = "sealed")]
    pub(crate) fn writer(&self, process: u32) -> String {
        format!("{}writer-{process}{}", self.prefix, self.suffix)
    }

    /// Returns the names of the log that the file of a forked process belongs to.
    #[cfg(feature = "sealed")]
    pub(crate) fn of_writer(name: &str) -> Option<Self> {
        let suffix = name.rfind('.').map_or("", |dot| &name[dot..]);
        [suffix, ""].into_iter().find_map(|suffix| {
            let (stem, _process) = name.strip_suffix(suffix)?.rsplit_once(".writer-")?;
            let names = Self::new(&format!("{stem}{suffix}"));
            names.is_writer(name).then_some(names)
        })
    }

    /// Returns whether it is the name of a file that a forked process writes to.
    #[cfg(feature = "sealed")]
    pub(crate) fn is_writer(&self, name: &str) -> bool {
        let process =
            || name.strip_prefix(&*self.prefix)?.strip_prefix("writer-")?.strip_suffix(&*self.suffix)?.parse().ok();
        process().is_some_and(|process| self.writer(process) == name)
    }

    /// Returns how long a name of this log can become, in bytes.
    pub(crate) fn longest(&self, compression: Compression) -> usize {
        let last = match self.is_numbered {
            true => Segment::numbered(MAX_NUMBER),
            false => Segment { label: Some(Label::longest()), sequence: u64::MAX },
        };
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

    use super::super::{Calendar, Period, Zone};
    use super::*;
    use crate::record::Timestamp;

    fn label(text: &str) -> Option<Label> {
        Some(Label::parse(text).unwrap())
    }

    fn at() -> Segment {
        Segment { label: label("2026-11-20T101538"), sequence: 42 }
    }

    #[test]
    fn a_segment_is_named_by_what_it_covers_and_its_sequence() {
        let names = SegmentNames::new("orders.log");
        assert_eq!(names.segment(at(), Compression::Plain), "orders.2026-11-20T101538-000042.log");
        assert_eq!(names.segment(at(), Compression::Zstd), "orders.2026-11-20T101538-000042.log.zst");
        assert_eq!(names.temporary(at(), Compression::Gzip), ".orders.2026-11-20T101538-000042.log.gz.tmp");
        assert_eq!(names.lock(), ".orders.log.lock");
        let day = Segment { label: label("2026-11-20"), ..at() };
        assert_eq!(names.segment(day, Compression::Plain), "orders.2026-11-20-000042.log");
        assert_eq!(SegmentNames::new("orders").segment(at(), Compression::Plain), "orders.2026-11-20T101538-000042");
        assert_eq!(SegmentNames::new("a.b.log").segment(at(), Compression::Plain), "a.b.2026-11-20T101538-000042.log");
        assert_eq!(SegmentNames::new(".log").segment(at(), Compression::Plain), ".log.2026-11-20T101538-000042");
    }

    #[test]
    fn numbered_names_have_one_form_each() {
        let names = SegmentNames::new("app.log").numbered();
        assert_eq!(names.segment(Segment::numbered(1), Compression::Plain), "app.log.1");
        assert_eq!(names.segment(Segment::numbered(12), Compression::Gzip), "app.log.12.gz");
        assert_eq!(names.temporary(Segment::numbered(7), Compression::Zstd), ".app.log.7.zst.tmp");
        assert_eq!(names.parse("app.log.12.gz"), Some((Segment::numbered(12), Compression::Gzip)));
        assert_eq!(names.parse_temporary(".app.log.7.zst.tmp"), Some(Segment::numbered(7)));
        for foreign in [
            "app.log",
            "app.log.0",
            "app.log.01",
            "app.log.+1",
            "app.log.1.bak",
            "app.log.1.gz.1",
            "app.log.-1",
            "app.log.18446744073709551616",
            "app.log1",
            "my.app.log.1",
            "app.2026-11-20-000042.log",
            ".app.log.lock",
        ] {
            assert_eq!(names.parse(foreign), None, "{foreign}");
        }
        // Oldest first.
        assert!(Segment::numbered(2) < Segment::numbered(1));
        assert!(Segment::numbered(20_261_121).may_be_a_date() && !Segment::numbered(1000).may_be_a_date());
        assert!(Segment::numbered(1).leaves_room() && !Segment::numbered(u64::MAX).leaves_room());
        assert_eq!(names.longest(Compression::Gzip), ".app.log.4294967296.gz.tmp".len());
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
            "app.2026-11-20T101538-000042.log.bak",
            "app.2026-11-20T101538-000042.log.bz2",
            "app.2026-11-20T101538-000042",
            "app.2026-11-20T101538-42.log",
            "app.2026-11-20T101538-0000042.log",
            "app.2026-11-20T101538-+00042.log",
            "app.2026-11-20T101560-000042.log",
            "app.2026-13-20T101538-000042.log",
            "app.20261120T101538Z-000042.log",
            "app.2026-11-20Z-000042.log",
            "app.2026-11-000042-000042.log",
            "app.2026 11-20T101538-000042.log",
            "app.secret.2026-11-20T101538-000042.log",
            "APP.2026-11-20T101538-000042.log",
            ".app.2026-11-20T101538-000042.log",
        ] {
            assert_eq!(names.parse(foreign), None, "{foreign}");
            assert_eq!(names.parse_temporary(foreign), None, "{foreign}");
            let log = SegmentNames::of_segment(foreign).map(|(names, ..)| names.active);
            assert_ne!(log.as_deref(), Some("app.log"), "{foreign}");
        }
        assert_eq!(names.parse_temporary(".app.2026-11-20T101538-000042.log.gz.tmp"), Some(at()));
        assert_eq!(names.parse_temporary(".app.2026-11-20T101538-000042.log.tmp"), None);
    }

    #[test]
    fn the_next_segment_sorts_last_whatever_the_clock_says() {
        let first = Segment::after(None, label("2026-11-20").unwrap());
        let back = Segment::after(Some(first), label("1970-01-01").unwrap());
        assert_eq!((first.sequence, back.sequence, back.label), (1, 2, label("2026-11-20")));
        assert!(first < back);
    }

    #[test]
    fn what_no_log_made_leaves_no_room() {
        assert!(Segment::after(None, label("2261-12-31").unwrap()).leaves_room() && at().leaves_room());
        for far in [
            Segment { sequence: u64::MAX, ..at() },
            Segment { sequence: u64::MAX / 2, ..at() },
            Segment { label: label("9999-12-31T235959"), ..at() },
            Segment { label: label("2262-01-01"), ..at() },
        ] {
            assert!(!far.leaves_room(), "{far:?}");
        }
    }

    #[test]
    fn the_longest_name_is_that_of_the_last_segment() {
        let names = SegmentNames::new("a.log");
        assert_eq!(names.longest(Compression::Plain), "a.1970-01-01T00b0000-18446744073709551615.log".len());
        assert_eq!(names.longest(Compression::Gzip), ".a.1970-01-01T00b0000-18446744073709551615.log.gz.tmp".len());
    }

    proptest! {
        #[test]
        fn any_name_reads_back(
            active in "[a-zA-Z0-9._-]{1,20}", seconds in 0i64..9_000_000_000, period in 0usize..4, sequence in any::<u64>(),
            compression in 0usize..3,
        ) {
            let names = SegmentNames::new(&active);
            let period = [None, Some(Period::Daily), Some(Period::Monthly), Some(Period::Hours(6))][period];
            let label = Calendar { period, zone: Zone::Utc }.label(Timestamp::from_nanos(seconds * 1_000_000_000));
            let (segment, compression) = (Segment { label: Some(label), sequence }, Compression::ALL[compression]);
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
        fn names_sort_as_they_were_written(times in prop::collection::vec(0i64..4_000_000_000, 2..40), is_daily in any::<bool>()) {
            let names = SegmentNames::new("orders.log");
            let calendar = Calendar { period: is_daily.then_some(Period::Daily), zone: Zone::Utc };
            let mut newest = None;
            let written: Vec<_> = times.into_iter().map(|seconds| {
                newest = Some(Segment::after(newest, calendar.label(Timestamp::from_nanos(seconds * 1_000_000_000))));
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
