//! The columns of the table, and what an entry has in them.

use super::rows::Row;
use crate::entry::{Entry, Form, Part};
use crate::loggers::LineLevel;
use crate::loggers::time::NANOS;
use crate::trace::ids_of;

/// The names and types, in the order of the bytes of a row.
pub(super) const COLUMNS: [(&str, &str); 20] = [
    ("day", "Date"),
    ("time", "Int64"),
    ("place", "Int64"),
    ("present", "UInt8"),
    ("level", LEVELS),
    ("form", FORMS),
    ("settled", FORMS),
    ("is_cut", "UInt8"),
    ("service", "String"),
    ("target", "String"),
    ("message", "String"),
    ("request_id", "String"),
    ("trace_id", "String"),
    ("ids", "Array(String)"),
    ("log", "String"),
    ("sequence", "UInt64"),
    ("segment", "UInt64"),
    ("at", "UInt64"),
    ("loaded", "DateTime"),
    ("line", "String"),
];

const LEVELS: &str = "Enum8('none' = 0, 'trace' = 1, 'debug' = 2, 'info' = 3, 'notice' = 4, 'warn' = 5, 'error' = 6, \
     'critical' = 7, 'alert' = 8, 'fatal' = 9, 'emergency' = 10)";

const FORMS: &str = "Enum8('json' = 1, 'logfmt' = 2, 'syslog' = 3, 'pipe' = 4, 'text' = 5, 'broken' = 6)";

/// What stands for no time.
pub(super) const NO_TIME: i64 = i64::MIN;

/// The bits of the column `present`: what the line has, also as an empty text.
pub(super) const HAS_TIME: u8 = 1;

/// Returns the bit of a part.
pub(super) fn bit_of(part: Part) -> u8 {
    match part {
        Part::Service => 2,
        Part::Target => 4,
        Part::Message => 8,
        Part::Request => 16,
        Part::Trace => 32,
    }
}

/// Returns the column of a part.
pub(super) fn column_of(part: Part) -> &'static str {
    part.name()
}

/// Returns the number of a form in its column.
pub(super) fn number_of(form: Form) -> u8 {
    match form {
        Form::Json => 1,
        Form::Logfmt => 2,
        Form::Syslog => 3,
        Form::Pipe => 4,
        Form::Text => 5,
        Form::Broken => 6,
    }
}

/// Returns the form with a number.
pub(super) fn form_of(number: u8) -> Form {
    const RECORDS: [Form; 4] = [Form::Json, Form::Logfmt, Form::Syslog, Form::Pipe];
    let record = number.checked_sub(1).and_then(|place| RECORDS.get(usize::from(place)));
    record.copied().unwrap_or(if number == 6 { Form::Broken } else { Form::Text })
}

/// Returns the number of a level in its column.
pub(super) fn rank_of(level: Option<LineLevel>) -> u8 {
    level.map_or(0, |level| level as u8 + 1)
}

/// Returns the level with a number.
pub(super) fn level_of(rank: u8) -> Option<LineLevel> {
    LineLevel::ALL.get(usize::from(rank.checked_sub(1)?)).copied()
}

/// Where a line is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'l> {
    pub(super) log: &'l str,
    /// The number of its segment in the log.
    pub(super) sequence: u64,
    /// The id of its segment.
    pub(super) segment: u64,
    /// When it is loaded, in seconds since 1970.
    pub(super) loaded: u32,
}

/// The times of the lines of a segment so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// The last one.
    pub(super) last: i64,
    /// The latest one: a line is merged with those of other logs at this time.
    pub(super) latest: i64,
}

impl Default for Times {
    fn default() -> Self {
        Self { last: NO_TIME, latest: NO_TIME }
    }
}

/// Adds the row of an entry. Returns its day.
pub(super) fn put_row(
    row: &mut Row,
    entry: &Entry<'_>,
    (at, settled): (u64, Form),
    times: &mut Times,
    origin: Origin<'_>,
) -> u16 {
    let time = entry.time();
    times.last = time.unwrap_or(times.last);
    times.latest = times.latest.max(times.last);
    let texts = Part::ALL.map(|part| (part, entry.text(part)));
    let has = |present: u8, part: Part| present | bit_of(part);
    let present = texts.iter().filter(|(_, text)| text.is_some()).map(|(part, _)| *part).fold(0, has);
    let day = day_of(times.last);
    row.u16(day);
    row.i64(times.last);
    row.i64(times.latest);
    row.u8(present | if time.is_some() { HAS_TIME } else { 0 });
    row.u8(rank_of(entry.level()));
    row.u8(number_of(entry.form()));
    row.u8(number_of(settled));
    row.u8(u8::from(entry.is_cut()));
    for (part, text) in &texts {
        let text = text.as_deref().unwrap_or_default();
        // Ids of traces are the same in any case.
        if *part == Part::Trace { row.bytes(text.to_ascii_lowercase().as_bytes()) } else { row.bytes(text.as_bytes()) }
    }
    row.texts(&ids_of(entry).collect::<Vec<_>>());
    row.bytes(origin.log.as_bytes());
    row.u64(origin.sequence);
    row.u64(origin.segment);
    row.u64(at);
    row.u32(origin.loaded);
    row.bytes(entry.line());
    day
}

/// Returns the day since 1970 of a time in UTC; the first one for what a `Date` cannot hold.
fn day_of(time: i64) -> u16 {
    // ClickHouse 18.16 ends on 2105-12-31.
    const LAST: i64 = 49_672;
    let day = time.div_euclid(NANOS * 86_400);
    if (0..=LAST).contains(&day) { u16::try_from(day).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_levels_have_the_numbers_of_their_columns() {
        for form in [Form::Json, Form::Logfmt, Form::Syslog, Form::Pipe, Form::Text, Form::Broken] {
            assert_eq!(form_of(number_of(form)), form);
            let name = format!("'{}' = {}", format!("{form:?}").to_lowercase(), number_of(form));
            assert!(FORMS.contains(&name), "{name}");
        }
        for level in LineLevel::ALL {
            assert_eq!(level_of(rank_of(Some(level))), Some(level));
            let name = format!("'{}' = {}", level.as_str().to_lowercase(), rank_of(Some(level)));
            assert!(LEVELS.contains(&name), "{name}");
        }
        assert_eq!((level_of(0), rank_of(None)), (None, 0));
    }
}
