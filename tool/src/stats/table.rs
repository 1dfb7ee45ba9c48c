//! Tables, and the numbers and times in them.

use std::io::{self, Write};

use chrono::Local;
use spanline::record::Timestamp;

use crate::counted::plural;
use crate::loggers::time::NANOS;

/// Writes rows whose first column is a text, and all others numbers.
pub(super) fn write_table(output: &mut impl Write, headings: &[String], rows: &[Vec<String>]) -> io::Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(headings.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    for row in [headings].into_iter().chain(rows.iter().map(Vec::as_slice)) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let padding = " ".repeat(width - cell.chars().count());
            if column == 0 {
                line = format!("{cell}{padding}");
            } else {
                line.push_str("  ");
                line.push_str(&padding);
                line.push_str(cell);
            }
        }
        writeln!(output, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Returns a number with commas between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number of lines, such as `1 line`.
pub(crate) fn lines_text(lines: u64) -> String {
    format!("{} {}", grouped(lines), plural(lines, "line", "lines"))
}

/// Returns a second since 1970 as a date and a time in the zone of this machine.
pub(crate) fn time_text(second: i64) -> String {
    let time = Timestamp::from_nanos(second.saturating_mul(NANOS)).to_datetime().with_timezone(&Local);
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Returns a time span, in nanoseconds, in its largest whole unit.
pub(crate) fn span_text(nanos: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400, "d"), (3600, "h"), (60, "m")];
    let seconds = nanos.div_euclid(NANOS);
    let unit = UNITS.into_iter().find(|(unit, _)| seconds % unit == 0 && seconds >= *unit);
    let (unit, name) = unit.unwrap_or((1, "s"));
    format!("{}{name}", seconds / unit)
}
