//! The answer for people.

use std::io::{self, Write};

use super::answer::Answer;
use super::level_counts::LevelCounts;
use super::quantiles::{QUANTILES, Quantiles};
use super::table::lines_text;
use super::table::{grouped, span_text, time_text, write_table};
use super::top::TopTexts;
use crate::counted::plural;
use crate::escape::escaped_text;
use crate::loggers::LineLevel;
use crate::loggers::time::NANOS;

/// The levels that have a column also if no line has them: those of `tracing`.
const USUAL: [LineLevel; 5] = [LineLevel::Trace, LineLevel::Debug, LineLevel::Info, LineLevel::Warn, LineLevel::Error];

/// How many characters the line over time has at most.
const SPARKS: usize = 60;

/// How many services and groups have a row.
const MAX_ROWS: usize = 20;

impl Answer {
    /// Writes everything except the recent errors. `lately`: what is recent, such as `in the last 5m`.
    pub(crate) fn write(&self, output: &mut impl Write, lately: &str) -> io::Result<()> {
        self.write_services(output)?;
        self.write_traces(output, lately)?;
        self.write_errors(output)?;
        write_top(output, "message", &self.messages)?;
        write_top(output, "target", &self.targets)?;
        for (measure, quantiles) in &self.measures {
            write_quantiles(output, &measure.field, measure.by.as_deref(), quantiles)?;
        }
        self.write_losses(output)
    }

    fn write_services(&self, output: &mut impl Write) -> io::Result<()> {
        let mut sum = LevelCounts::default();
        self.services.values().for_each(|counts| sum += *counts);
        let (levels, has_others) = service_columns(&sum);
        let mut headings = vec!["service".to_owned()];
        headings.extend(levels.iter().map(|level| level.as_str().to_lowercase()));
        headings.extend(has_others.then(|| "no level".to_owned()));
        headings.push("total".to_owned());
        let row = |name: &str, counts: &LevelCounts| {
            let mut row = vec![name.to_owned()];
            row.extend(levels.iter().map(|level| grouped(counts.of(*level))));
            row.extend(has_others.then(|| grouped(counts.without)));
            row.push(grouped(counts.total()));
            row
        };
        let mut services: Vec<_> = self.services.iter().collect();
        services.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.total()));
        let mut rows: Vec<_> = services.iter().take(MAX_ROWS).map(|(name, counts)| row(&shown(name), counts)).collect();
        if let Some(rest) = services.get(MAX_ROWS..).filter(|rest| !rest.is_empty()) {
            let mut counts = LevelCounts::default();
            rest.iter().for_each(|(_, one)| counts += **one);
            rows.push(row(&format!("({} more)", rest.len()), &counts));
        }
        if rows.len() != 1 {
            rows.push(row("all", &sum));
        }
        write_table(output, &headings, &rows)
    }

    fn write_traces(&self, output: &mut impl Write, lately: &str) -> io::Result<()> {
        let traces = self.traces;
        let about = if traces.error > 0 { "≈ " } else { "" };
        let (ids, active) = (grouped(traces.ids), grouped(traces.active));
        write!(output, "\n{about}{ids} {}, {active} of them active {lately}", plural(traces.ids, "trace", "traces"))?;
        if traces.error > 0 {
            write!(output, " (standard error {}.{:02} %)", traces.error / 100, traces.error % 100)?;
        }
        writeln!(output)
    }

    /// Writes the share of errors over time.
    fn write_errors(&self, output: &mut impl Write) -> io::Result<()> {
        let (seconds, steps) = self.timeline.steps(SPARKS, None);
        let rate = |counts: &LevelCounts| counts.errors() as f64 / counts.total().max(1) as f64;
        let Some(worst) = steps.iter().max_by(|one, other| rate(&one.counts).total_cmp(&rate(&other.counts))) else {
            return Ok(());
        };
        let most = rate(&worst.counts);
        let bar = |counts: &LevelCounts| spark(rate(counts), most, counts.total() > 0);
        let bars: String = steps.iter().map(|step| bar(&step.counts)).collect();
        let all: u64 = steps.iter().map(|step| step.counts.errors()).sum();
        let lines: u64 = steps.iter().map(|step| step.counts.total()).sum();
        writeln!(
            output,
            "\nerrors: {} of {} with a time ({})\n  {bars}  each {}, at most {} at {}",
            grouped(all),
            lines_text(lines),
            percent(all as f64 / lines.max(1) as f64),
            span_text(seconds * NANOS),
            percent(most),
            time_text(worst.second),
        )
    }

    fn write_losses(&self, output: &mut impl Write) -> io::Result<()> {
        if self.losses.is_empty() {
            return Ok(());
        }
        let total = self.losses.iter().fold(0_u64, |total, (_, _, lines)| total.saturating_add(*lines));
        writeln!(output, "\nlost, as reported in the logs: {}", lines_text(total))?;
        let rows: Vec<_> = self
            .losses
            .iter()
            .map(|(service, reason, lines)| vec![shown(service), shown(reason), grouped(*lines)])
            .collect();
        write_table(output, &["service", "reason", "lines"].map(str::to_owned), &rows)
    }
}

/// Returns the character for a share of the largest one; a dot where nothing was logged.
fn spark(rate: f64, most: f64, is_any: bool) -> char {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if !is_any {
        return '·';
    }
    let place = if most > 0.0 { (rate / most * 7.0).ceil() as usize } else { 0 };
    BARS.get(place).copied().unwrap_or('█')
}

fn write_top(output: &mut impl Write, what: &str, top: &TopTexts) -> io::Result<()> {
    if top.texts.is_empty() {
        return Ok(());
    }
    let about = if top.error > 0 { "≥ " } else { "" };
    let rows: Vec<_> = top.texts.iter().map(|(text, count)| (format!("{about}{}", grouped(*count)), text)).collect();
    let width = rows.iter().map(|(count, _)| count.chars().count()).max().unwrap_or(0).max("lines".len());
    writeln!(output, "\n{:>width$}  {what}", "lines")?;
    for (count, text) in rows {
        writeln!(output, "{count:>width$}  {}", shown(text))?;
    }
    if top.error > 0 {
        writeln!(output, "(too many different ones: a count may be up to {} too low)", grouped(top.error))?;
    }
    Ok(())
}

fn write_quantiles(output: &mut impl Write, field: &str, by: Option<&str>, quantiles: &[Quantiles]) -> io::Result<()> {
    let field = escaped_text(field);
    let Some(first) = quantiles.first() else {
        return writeln!(output, "\n{field}: no line has a number under this name");
    };
    let about = if first.error > 0.0 { format!(" (≈, within {})", percent(first.error)) } else { String::new() };
    writeln!(output, "\n{field}{about}")?;
    let (headings, rows) = quantile_rows(by, quantiles, MAX_ROWS);
    write_table(output, &headings, &rows)?;
    match quantiles.len().saturating_sub(MAX_ROWS) {
        0 => Ok(()),
        more => writeln!(output, "({more} more groups: --json has all of them)"),
    }
}

/// Returns the levels that have a column, and whether lines without a level have one.
pub(super) fn service_columns(sum: &LevelCounts) -> (Vec<LineLevel>, bool) {
    let levels = LineLevel::ALL.into_iter().filter(|level| USUAL.contains(level) || sum.of(*level) > 0);
    (levels.collect(), sum.without > 0)
}

/// Returns the headings and the rows of a table of quantiles, at most this many.
pub(super) fn quantile_rows(by: Option<&str>, quantiles: &[Quantiles], most: usize) -> (Vec<String>, Vec<Vec<String>>) {
    let mut headings =
        vec![by.map(escaped_text).unwrap_or_default(), "lines".to_owned(), "mean".to_owned(), "min".to_owned()];
    headings.extend(QUANTILES.map(|quantile| format!("p{}", quantile * 100.0)));
    headings.push("max".to_owned());
    let row = |one: &Quantiles| {
        let group = match &one.group {
            Some(group) => shown(group),
            None if by.is_some() => "(none)".to_owned(),
            None => String::new(),
        };
        let summary = one.summary;
        let mut row =
            vec![group, grouped(summary.count), number(summary.sum / summary.count as f64), number(summary.min)];
        row.extend(one.values.map(number));
        row.push(number(summary.max));
        row
    };
    (headings, quantiles.iter().take(most).map(row).collect())
}

/// Returns a text that does not control the terminal.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { escaped_text(text) }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Returns a number with up to three digits behind the point.
fn number(value: f64) -> String {
    if value.abs() >= 1e15 || value != 0.0 && value.abs() < 1e-3 {
        return format!("{value:e}");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
