//! Counts over time as bars.

use std::io::{self, Write};

use super::level_counts::LevelCounts;
use super::table::{grouped, time_text, write_table};
use super::timeline::Step;
use crate::loggers::LineLevel;
use crate::show::{Ink, Paint};

/// How wide the longest bar is, in characters.
const WIDTH: usize = 48;

/// The parts of a bar, from the left: what they are made of, and their levels. Characters differ, so that bars can be read
/// without colours.
const PARTS: [(char, LineLevel, LineLevel); 4] = [
    ('█', LineLevel::Error, LineLevel::Emergency),
    ('▓', LineLevel::Warn, LineLevel::Warn),
    ('▒', LineLevel::Info, LineLevel::Notice),
    ('░', LineLevel::Trace, LineLevel::Debug),
];

/// Writes a row for each step: its time, a bar, all lines, warnings, and errors.
pub(crate) fn write_bars(output: &mut impl Write, steps: &[Step], paint: Paint) -> io::Result<()> {
    let most = steps.iter().map(|step| step.counts.total()).max().unwrap_or(0);
    let headings = ["", "lines", "warn", "error"].map(str::to_owned);
    let numbers = |step: &Step| {
        let counts = &step.counts;
        ["", &grouped(counts.total()), &grouped(counts.of(LineLevel::Warn)), &grouped(counts.errors())]
            .map(str::to_owned)
            .to_vec()
    };
    let rows: Vec<_> = steps.iter().map(numbers).collect();
    let mut table = Vec::new();
    write_table(&mut table, &headings, &rows)?;
    let table = String::from_utf8_lossy(&table);
    let mut lines = table.lines();
    let heading = lines.next().unwrap_or_default();
    writeln!(output, "{:19}  {:WIDTH$}{heading}", "time", "█ error ▓ warn ▒ info ░ debug, trace")?;
    for (step, numbers) in steps.iter().zip(lines) {
        let mut bar = String::new();
        let length = put_bar(&mut bar, &step.counts, most, paint);
        let padding = " ".repeat(WIDTH.saturating_sub(length));
        writeln!(output, "{}  {bar}{padding}{numbers}", time_text(step.second))?;
    }
    Ok(())
}

/// Writes a bar, and returns its length in characters. Each part that has lines has a character at least, if there is room.
fn put_bar(out: &mut String, counts: &LevelCounts, most: u64, paint: Paint) -> usize {
    let length = |lines: u64| (lines as f64 / most.max(1) as f64 * WIDTH as f64).ceil() as usize;
    let whole = length(counts.total());
    let mut used = 0;
    for (char, least, greatest) in PARTS {
        let levels = LineLevel::ALL.into_iter().filter(|level| (least..=greatest).contains(level));
        let lines: u64 = levels.map(|level| counts.of(level)).sum();
        let part = length(lines).min(whole - used);
        if part > 0 {
            let text = char.to_string().repeat(part);
            paint.put(out, Ink::Level(least), &text);
        }
        used += part;
    }
    // Lines without a level.
    out.push_str(&"·".repeat(whole - used));
    whole
}
