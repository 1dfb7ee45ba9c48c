//! Paths with the date in them: `logs/%Y/%m/app-%d.log`.
//!
//! Each period has a separate file. The path of a file has the parts of its period's [`Label`], and reads back to it. A
//! pattern is right for a period if no two periods have the same path, and if no part is always the same.

use std::path::{Component, Path, PathBuf};

use super::label::{Label, Precision};
use super::period::Period;

/// A path with the date in it, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPattern {
    /// The directory above the first part with a date.
    base: PathBuf,
    parts: Vec<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

/// A part of a date; coarse ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
}

/// Each part, its letter, and the setting for it.
const FIELDS: [(char, Field, &str); 5] = [
    ('Y', Field::Year, "monthly()"),
    ('m', Field::Month, "monthly()"),
    ('d', Field::Day, "daily()"),
    ('H', Field::Hour, "hourly()"),
    ('M', Field::Minute, "minutely()"),
];

/// The parts of a date that a path has shown so far: year, month, day, hour, minute.
pub(crate) type Found = [Option<String>; 5];

impl PathPattern {
    /// Reads a pattern; `None` for a path without a date.
    ///
    /// # Errors
    /// A part of the date is unknown, or the file name is missing.
    pub(crate) fn parse(path: &Path) -> Result<Option<Self>, String> {
        let mut pattern = Self { base: PathBuf::new(), parts: Vec::new() };
        let has_field = |text: &str| FIELDS.iter().any(|(letter, ..)| text.contains(&format!("%{letter}")));
        if !path.to_str().is_some_and(has_field) {
            return Ok(None);
        }
        for component in path.components() {
            let pieces = match component {
                Component::Normal(name) => pieces(name.to_str().unwrap_or_default())?,
                _ => Vec::new(),
            };
            if pattern.parts.is_empty() && !pieces.iter().any(|piece| matches!(piece, Piece::Field(_))) {
                match pieces.first() {
                    // `%%` stands for one.
                    Some(Piece::Text(text)) => pattern.base.push(text),
                    _ => pattern.base.push(component),
                }
            } else {
                pattern.parts.push(pieces);
            }
        }
        let is_taken =
            |pair: &[Piece]| matches!(pair, [Piece::Field(Field::Hour), Piece::Text(text)] if text.starts_with('b'));
        if pattern.parts.iter().any(|pieces| pieces.windows(2).any(is_taken)) {
            return Err(
                "a `b` behind `%H` marks an hour that the clock shows twice; put another character between".to_owned()
            );
        }
        Ok(Some(pattern))
    }

    /// Returns why the pattern does not fit the period; `None` if it does.
    pub(crate) fn mistake(&self, period: Option<Period>) -> Option<String> {
        let has = |field: Field| self.parts.iter().flatten().any(|piece| *piece == Piece::Field(field));
        let Some(period) = period else {
            let finest = FIELDS.iter().rev().find(|(_, field, _)| has(*field));
            let setter = finest.map_or("daily()", |(.., setter)| setter);
            return Some(format!("the path has a date, but no period is set; add `{setter}`"));
        };
        let needed = match period.precision() {
            Precision::Month => Field::Month,
            Precision::Day => Field::Day,
            Precision::Hour => Field::Hour,
            Precision::Minute | Precision::Second => Field::Minute,
        };
        for (letter, field, setter) in FIELDS {
            if field <= needed && !has(field) {
                return Some(format!("two periods would have one path ({period}); expected `%{letter}` in it as well"));
            }
            if field > needed && has(field) {
                return Some(format!("`%{letter}` is always the same ({period}); remove it, or set `{setter}`"));
            }
        }
        None
    }

    /// Returns the directory above the first part with a date.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// Returns the path of a period's file.
    pub(crate) fn path(&self, label: Label) -> PathBuf {
        let shown = label.to_string();
        let names = self.parts.iter().map(|pieces| {
            pieces.iter().fold(String::new(), |name, piece| match piece {
                Piece::Text(text) => name + text,
                Piece::Field(field) => name + &field.of(&shown),
            })
        });
        names.fold(self.base.clone(), |path, name| path.join(name))
    }

    /// Returns how many names follow [`base`](Self::base): directories, and the file.
    pub(crate) fn depth(&self) -> usize {
        self.parts.len()
    }

    /// Returns what is known of the date when the name at this depth is `name`; `None` if the name does not fit.
    pub(crate) fn enter(&self, depth: usize, name: &str, found: &Found) -> Option<Found> {
        let mut found = found.clone();
        let mut rest = name;
        for piece in self.parts.get(depth)? {
            match piece {
                Piece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Piece::Field(field) => {
                    let digits = if *field == Field::Year { 4 } else { 2 };
                    let is_repeat =
                        *field == Field::Hour && rest.get(digits..).is_some_and(|rest| rest.starts_with('b'));
                    let part = rest.get(..digits + usize::from(is_repeat))?;
                    rest = rest.get(part.len()..)?;
                    let known = found.get_mut(*field as usize)?;
                    if known.as_ref().is_some_and(|known| known != part) {
                        return None;
                    }
                    *known = Some(part.to_owned());
                }
            }
        }
        rest.is_empty().then_some(found)
    }

    /// Returns the label of a file whose whole path fits.
    pub(crate) fn label(found: &Found) -> Option<Label> {
        let mut text = String::new();
        for (part, before) in found.iter().flatten().zip(["", "-", "-", "T", ""]) {
            text.push_str(before);
            text.push_str(part);
        }
        Label::parse(&text)
    }
}

impl Field {
    /// Returns this part of a label's text.
    fn of(self, label: &str) -> String {
        let (date, clock) = label.split_once('T').unwrap_or((label, ""));
        let hour = if clock.get(2..3) == Some("b") { 3 } else { 2 };
        let part = match self {
            Self::Year => date.split('-').next(),
            Self::Month => date.split('-').nth(1),
            Self::Day => date.split('-').nth(2),
            Self::Hour => clock.get(..hour),
            Self::Minute => clock.get(hour..hour + 2),
        };
        part.unwrap_or_default().to_owned()
    }
}

fn pieces(name: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut chars = name.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        match chars.next() {
            Some('%') => text.push('%'),
            letter => {
                let field = FIELDS.iter().find(|(known, ..)| Some(*known) == letter).ok_or_else(|| {
                    let found: String = letter.into_iter().collect();
                    let found = crate::advice::quoted(&format!("%{found}"));
                    format!("the path has {found}; expected `%Y`, `%m`, `%d`, `%H` or `%M`, or `%%` for one `%`")
                })?;
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Field(field.1));
            }
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::super::{Calendar, Zone};
    use super::*;
    use crate::record::Timestamp;

    fn pattern(path: &str) -> PathPattern {
        PathPattern::parse(Path::new(path)).unwrap().unwrap()
    }

    #[test]
    fn a_path_without_a_date_is_no_pattern() {
        for path in ["/logs/orders.log", "/logs/100%.log", "/logs/%41%.log", "/logs/%%.log"] {
            assert_eq!(PathPattern::parse(Path::new(path)), Ok(None), "{path}");
        }
        let hour = PathPattern::parse(Path::new("/logs/%Y-%m-%dT%Hbatch.log")).unwrap_err();
        assert!(hour.contains("`b` behind `%H`"), "{hour}");
        for path in ["/logs/%Y-%j.log", "/logs/%Y%", "/%q/%Y.log"] {
            let error = PathPattern::parse(Path::new(path)).unwrap_err();
            assert!(error.contains("expected `%Y`, `%m`, `%d`, `%H` or `%M`"), "{error}");
        }
    }

    #[test]
    fn a_pattern_fits_its_period_only() {
        let mistake = |path: &str, period| pattern(path).mistake(period).unwrap_or_default();
        assert_eq!(mistake("/l/%Y/%m/app-%d.log", Some(Period::Daily)), "");
        assert_eq!(mistake("/l/%Y/%m/app-%d.log", Some(Period::Weekly)), "");
        assert_eq!(mistake("/l/%Y-%m-%dT%H.log", Some(Period::Hours(6))), "");
        assert_eq!(mistake("/l/%Y-%m-%dT%H%M.log", Some(Period::Minutes(15))), "");
        assert_eq!(mistake("/l/%Y-%m.log", Some(Period::Monthly)), "");
        assert!(mistake("/l/app-%d.log", Some(Period::Daily)).contains("expected `%Y`"));
        assert!(mistake("/l/%Y-%m.log", Some(Period::Daily)).contains("two periods would have one path (daily)"));
        assert!(mistake("/l/%Y-%m-%dT%H.log", Some(Period::Daily)).contains("`%H` is always the same (daily)"));
        assert!(mistake("/l/%Y-%m-%d.log", None).contains("add `daily()`"));
        assert!(mistake("/l/%Y-%m-%dT%H.log", None).contains("add `hourly()`"));
    }

    #[test]
    fn a_path_reads_back_to_its_label() {
        for (path, period, expected) in [
            ("/l/%Y/%m/app-%d.log", Period::Daily, "/l/2026/11/app-20.log"),
            ("/l/a%%/%Y%m%d/%H.log", Period::Hourly, "/l/a%/20261120/10.log"),
            ("/l/%Y/%Y-%m-%d.log", Period::WeeklyOn(chrono::Weekday::Mon), "/l/2026/2026-11-16.log"),
            ("/l/%M/%H/%d-%m-%Y", Period::Minutes(15), "/l/15/10/20-11-2026"),
            ("/l/%Y.%m", Period::Monthly, "/l/2026.11"),
        ] {
            let pattern = pattern(path);
            let calendar = Calendar { period: Some(period), zone: Zone::Utc };
            let label = calendar
                .label(Timestamp::from("2026-11-20T10:15:38Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap()));
            let written = pattern.path(label);
            assert_eq!(written, Path::new(expected));
            let below = written.strip_prefix(pattern.base()).unwrap();
            let mut found = Found::default();
            for (depth, name) in below.iter().enumerate() {
                found = pattern.enter(depth, name.to_str().unwrap(), &found).unwrap();
            }
            assert_eq!((PathPattern::label(&found), below.iter().count()), (Some(label), pattern.depth()));
        }
    }

    #[test]
    fn foreign_names_do_not_fit() {
        let pattern = pattern("/l/%Y/app-%Y-%m-%d.log");
        let year = pattern.enter(0, "2026", &Found::default()).unwrap();
        for name in
            ["app-2025-11-20.log", "app-2026-11-20.log.gz", "app-2026-11-2.log", "my-app-2026-11-20.log", "app-2026"]
        {
            assert_eq!(pattern.enter(1, name, &year), None, "{name}");
        }
        let found = pattern.enter(1, "app-2026-13-20.log", &year).unwrap();
        assert_eq!(PathPattern::label(&found), None);
        assert_eq!(pattern.enter(0, "20266", &Found::default()), None);
    }
}
