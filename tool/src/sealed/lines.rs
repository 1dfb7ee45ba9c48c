//! Sealed logs among those that commands read.

use spanline::read::{Lines, Segment};
use spanline::sealed::Key;

use crate::escape::escaped;
use crate::report::Report;

/// Returns lines that also come from sealed segments, if there is a key.
pub(crate) fn with_key(lines: Lines, key: Option<&Key>) -> Lines {
    key.into_iter().fold(lines, Lines::key)
}

/// Returns whether a segment is sealed. What fails here fails again, and is reported, when the segment is opened.
pub(crate) fn is_sealed(segment: &Segment) -> bool {
    segment.is_sealed().unwrap_or(false)
}

/// Warns of files that are not sealed, where others of the log are: they look like the others once they are printed.
pub(crate) fn warn_of_plain(segments: &[Segment], report: &Report) {
    let (sealed, plain): (Vec<_>, Vec<_>) = segments.iter().partition(|segment| is_sealed(segment));
    if sealed.is_empty() {
        return;
    }
    for segment in plain.into_iter().filter(|segment| segment.bytes() > 0) {
        let path = escaped(segment.path());
        report.note(&format!(
            "warning: {path} is not sealed, as other files of its log are; anybody may have written it"
        ));
    }
}
