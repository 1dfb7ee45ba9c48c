//! SegmentNames of files: those of a log read back, all others are foreign.

use chrono::{DateTime, Utc};

use crate::input::{parts, text};
use crate::label::{Label, Precision};
use crate::name::{Compression, Segment, SegmentNames};

pub fn segments(data: &[u8]) {
    let mut parts = parts(data);
    let active = file_name(parts.next());
    let other = file_name(parts.next());
    let numbers = parts.next().unwrap_or_default();
    let names = SegmentNames::new(&active);
    for name in [&other, &active, &names.lock()] {
        judge(&names, &active, name);
    }

    let mut bytes = [0; 16];
    bytes.iter_mut().zip(numbers).for_each(|(to, from)| *to = *from);
    let [seconds, sequence] = [0, 8].map(|at| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()));
    let precisions = [Precision::Month, Precision::Day, Precision::Hour, Precision::Minute, Precision::Second];
    let precision = precisions[(sequence % 5) as usize];
    let label = Label::of(DateTime::from_timestamp_nanos(seconds.cast_signed()), precision, &Utc);
    let oldest = Label::of(DateTime::UNIX_EPOCH, Precision::Month, &Utc);
    let newest = (sequence > 1).then(|| Segment { label: Some(oldest), sequence: sequence - 1 });
    let segment = Segment::after(newest, label);
    for compression in Compression::ALL {
        let name = names.segment(segment, compression);
        assert_eq!(names.parse(&name), Some((segment, compression)), "{name:?} of {active:?}");
        judge(&names, &active, &name);
        let temporary = names.temporary(segment, compression);
        assert_eq!(
            names.parse_temporary(&temporary),
            (compression != Compression::Plain).then_some(segment),
            "{temporary:?}"
        );
        assert_eq!(names.parse(&temporary), None, "{temporary:?} of {active:?}");
        assert!(!name.contains('/') && name != active && name != names.lock() && temporary != name);
        // Neither is there a way in between.
        for at in (0..name.len()).filter(|at| name.is_char_boundary(*at)) {
            judge(&names, &active, &name[at..]);
            judge(&names, &active, &format!("{}{}", &name[..at], other));
            judge(&names, &active, &format!("{}{}{}", &name[..at], other, &name[at..]));
        }
    }
    let next = Segment::after(Some(segment), oldest);
    assert!(segment < next || sequence == u64::MAX);
}

/// A name that a file can have.
fn file_name(part: Option<&[u8]>) -> String {
    let name = text(part.unwrap_or_default()).replace(['/', '\0'], "");
    if matches!(name.as_str(), "" | "." | "..") { "a".to_owned() } else { name }
}

/// Whatever is taken for a segment has the name of one, as somebody else reads the rule.
fn judge(names: &SegmentNames, active: &str, name: &str) {
    if let Some(segment) = names.parse_temporary(name) {
        let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp")).unwrap();
        assert_eq!(names.parse(inner).map(|(segment, _)| segment), Some(segment));
        assert!(inner.ends_with(".gz") || inner.ends_with(".zst"));
    }
    let Some((segment, compression)) = names.parse(name) else { return };
    assert_eq!(names.segment(segment, compression), name);
    let (stem, extension) = match active.rfind('.') {
        Some(dot) if dot > 0 => active.split_at(dot),
        _ => (active, ""),
    };
    let packed = match compression {
        Compression::Plain => "",
        Compression::Gzip => ".gz",
        Compression::Zstd => ".zst",
    };
    let middle = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(packed)?.strip_suffix(extension)).unwrap();
    let (label, sequence) = middle.strip_prefix('.').and_then(|middle| middle.rsplit_once('-')).unwrap();
    assert!(sequence.len() >= 6 && sequence.bytes().all(|byte| byte.is_ascii_digit()), "{name:?} of {active:?}");
    let shape: String = label.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    let (date, clock) = shape.split_once('T').unwrap_or((&shape, ""));
    assert!(matches!(date, "0000-00" | "0000-00-00"), "{name:?} of {active:?}");
    assert!(matches!(clock.replacen('b', "", 1).as_str(), "" | "00" | "0000" | "000000"), "{name:?} of {active:?}");
}
