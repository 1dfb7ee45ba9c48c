//! Times in chrono's formats. What is the same for a whole second is rendered once for it.

use std::cell::RefCell;
use std::fmt::{Display, Write};

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Local, TimeZone, Utc};

use crate::record::Timestamp;
use crate::schema::time_format::Zone;

/// A format of times.
#[derive(Clone, Debug)]
pub(super) struct TimeText {
    chunks: Vec<Chunk>,
    /// The last second, and its text for each chunk.
    second: RefCell<(Option<i64>, Vec<String>)>,
}

#[derive(Clone, Debug)]
enum Chunk {
    /// The same for a whole second.
    Second(String),
    /// This many digits of the part of a second.
    Digits(usize),
    /// Another way to spell the part of a second.
    Each(String),
}

/// Formats with a part of a second that have a fixed width: a point or nothing, then digits.
const DIGITS: [(&str, &str, usize); 7] = [
    ("%f", "", 9),
    ("%3f", "", 3),
    ("%6f", "", 6),
    ("%9f", "", 9),
    ("%.3f", ".", 3),
    ("%.6f", ".", 6),
    ("%.9f", ".", 9),
];

/// The most characters of one specifier, as in `%:::z`.
const MAX_SPECIFIER: usize = 5;

const NANOS: i64 = 1_000_000_000;

impl TimeText {
    /// Reads a format. Returns the place of a specifier that chrono does not know as an error.
    pub(super) fn new(format: &str) -> Result<Self, usize> {
        let mut chunks = Vec::new();
        let mut at = 0;
        while let Some(rest) = format.get(at..).filter(|rest| !rest.is_empty()) {
            let next = if rest.starts_with('%') { specifier(rest).ok_or(at)? } else { until_percent(rest) };
            let text = rest.get(..next).unwrap_or(rest);
            at += text.len();
            match (DIGITS.iter().find(|(name, ..)| *name == text), chunks.last_mut()) {
                (Some((_, point, digits)), _) => {
                    if !point.is_empty() {
                        chunks.push(Chunk::Second((*point).to_owned()));
                    }
                    chunks.push(Chunk::Digits(*digits));
                }
                (None, _) if matches!(text, "%.f" | "%+") => chunks.push(Chunk::Each(text.to_owned())),
                (None, Some(Chunk::Second(before))) => before.push_str(text),
                (None, _) => chunks.push(Chunk::Second(text.to_owned())),
            }
        }
        Ok(Self { chunks, second: RefCell::default() })
    }

    /// Appends a time.
    pub(super) fn put(&self, time: Timestamp, zone: Zone, out: &mut Vec<u8>) {
        let (second, part) = (time.as_nanos().div_euclid(NANOS), time.as_nanos().rem_euclid(NANOS));
        let mut cache = self.second.borrow_mut();
        let (last, texts) = &mut *cache;
        let is_each = self.chunks.iter().any(|chunk| matches!(chunk, Chunk::Each(_)));
        if *last != Some(second) || is_each {
            texts.clear();
            let utc = time.to_datetime();
            match zone {
                Zone::Utc => render(&self.chunks, &utc, texts),
                Zone::Local => render(&self.chunks, &utc.with_timezone(&Local), texts),
                Zone::Fixed(offset) => render(&self.chunks, &utc.with_timezone(&offset), texts),
                #[cfg(feature = "time-zones")]
                Zone::Named(zone) => render(&self.chunks, &utc.with_timezone(&zone), texts),
            }
            *last = Some(second);
        }
        for (chunk, text) in self.chunks.iter().zip(texts) {
            match chunk {
                Chunk::Digits(digits) => put_digits(part, *digits, out),
                Chunk::Second(_) | Chunk::Each(_) => out.extend_from_slice(text.as_bytes()),
            }
        }
    }
}

/// Appends the first `digits` of the nine decimals of a second.
fn put_digits(nanos: i64, digits: usize, out: &mut Vec<u8>) {
    let (mut all, mut rest) = ([b'0'; 9], nanos);
    for place in all.iter_mut().rev() {
        *place += (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(all.get(..digits).unwrap_or_default());
}

/// Renders the text of each chunk but the digits.
fn render<Z: TimeZone<Offset: Display>>(chunks: &[Chunk], time: &DateTime<Z>, texts: &mut Vec<String>) {
    texts.extend(chunks.iter().map(|chunk| match chunk {
        Chunk::Digits(_) => String::new(),
        Chunk::Second(format) | Chunk::Each(format) => text(time, format).unwrap_or_default(),
    }));
}

fn text<Z: TimeZone<Offset: Display>>(time: &DateTime<Z>, format: &str) -> Option<String> {
    let mut text = String::new();
    write!(text, "{}", time.format(format)).ok()?;
    Some(text)
}

fn until_percent(text: &str) -> usize {
    text.find('%').unwrap_or(text.len())
}

/// Returns the length of the specifier that a text begins with, if chrono knows it and can write it.
fn specifier(text: &str) -> Option<usize> {
    let ends = text.char_indices().map(|(at, char)| at + char.len_utf8()).take(MAX_SPECIFIER).skip(1);
    let is_known = |end: &usize| {
        let name = text.get(..*end).unwrap_or_default();
        // chrono only reads `%#z`.
        name != "%#z" && !StrftimeItems::new(name).any(|item| matches!(item, Item::Error))
    };
    let end = ends.into_iter().find(is_known)?;
    self::text(&DateTime::<Utc>::UNIX_EPOCH, text.get(..end)?).map(|_| end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The text of a second is reused, and the result is chrono's.
        #[test]
        fn every_time_is_written_as_chrono_writes_it(
            times in proptest::collection::vec(prop_oneof![any::<i64>(), 0..3 * NANOS, -NANOS..NANOS], 1..10),
            format in "(%Y|%m|%d|%H|%M|%S|%f|%3f|%6f|%9f|%\\.f|%\\.3f|%\\.6f|%\\.9f|%z|%:z|%::z|%\\+|%e|%-d|%j|%s|%%|é|[:,. ]){0,8}",
        ) {
            let text = TimeText::new(&format).unwrap();
            for nanos in times {
                let time = Timestamp::from_nanos(nanos);
                let mut out = Vec::new();
                text.put(time, Zone::Utc, &mut out);
                let utc: DateTime<Utc> = time.to_datetime();
                prop_assert_eq!(String::from_utf8(out).unwrap(), utc.format(&format).to_string());
            }
        }

        #[test]
        fn no_format_panics(format in "(%|[a-zA-Z.:#0-9+-]|\\PC){0,12}") {
            if let Ok(text) = TimeText::new(&format) {
                text.put(Timestamp::from_nanos(1), Zone::Utc, &mut Vec::new());
            }
        }
    }

    #[test]
    fn a_wrong_specifier_has_its_place() {
        assert_eq!(TimeText::new("%H:%Q").err(), Some(3));
        assert_eq!(TimeText::new("é%").err(), Some(2));
        assert_eq!(TimeText::new("%#z").err(), Some(0));
    }
}
