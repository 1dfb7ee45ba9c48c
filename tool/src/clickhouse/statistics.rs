//! The answer of `stats`, counted by ClickHouse; or by the tool, if it has to judge lines or to read fields.

use super::answers::{self, Query};
use super::columns::level_of;
use super::condition::Condition;
use super::engine::{Engine, Order, Portion};
use super::rows::RowReader;
use crate::entry::{Entry, Parser, Part};
use crate::inputs::Stored;
use crate::loggers::time::NANOS;
use crate::scan::{Place, Visit};
use crate::stats::{
    Answer, Distinctness, Losses, MAX_RECENT_BYTES, OTHERS, Questions, RecentEntry, RecentErrors, Stats, TopTexts,
    short_name,
};

/// Returns the answer to all questions.
///
/// # Errors
/// The node fails, or a temporary file.
pub(crate) fn answer(engine: &Engine, questions: &Questions, condition: &Condition) -> Result<Answer, String> {
    if condition.is_exact() && questions.measures.is_empty() {
        counted(engine, questions, condition)
    } else {
        read(engine, questions, condition)
    }
}

/// Reads all lines that may be meant.
fn read(engine: &Engine, questions: &Questions, condition: &Condition) -> Result<Answer, String> {
    let mut stats = Stats::new(questions);
    let mut at = 0;
    each(engine, Portion { condition, order: Order::Logs, limit: None }, |entry, _| {
        stats.visit(entry, Place { input: 0, at });
        at += 1;
    })?;
    Stats::merge(questions, vec![stats]).map_err(|error| error.to_string())
}

/// Calls `take` with each line that is a part of the lines, and its own time.
pub(crate) fn each(
    engine: &Engine,
    portion: Portion<'_>,
    mut take: impl FnMut(&Entry<'_>, Option<i64>),
) -> Result<(), String> {
    let mut lines = engine.lines(portion)?;
    let (mut line, mut parser) = (Vec::new(), Parser::default());
    while let Some(stored) = lines.read(&mut line)? {
        parser.settle(stored.settled);
        parser.stored(stored.own_time);
        parser.read_line(&line, stored.is_cut);
        let entry = parser.entry(&line);
        take(&entry, entry.time());
    }
    Ok(())
}

/// Lets ClickHouse count.
fn counted(engine: &Engine, questions: &Questions, condition: &Condition) -> Result<Answer, String> {
    let mut answer = Answer::default();
    let run = |Query { what, condition, behind }: Query| engine.select(&what, &condition, &behind);
    let totals =
        engine.rows(&run(answers::totals(condition)), |row| Ok((row.u64()?, row.u64()?, row.i64()?, row.i64()?)))?;
    let (lines, timed, first, last) = totals.first().copied().unwrap_or_default();
    answer.lines = lines;
    answer.times = (timed > 0).then_some((first, last));
    let newest = answer.times.map_or(i64::MIN, |(_, last)| last.div_euclid(NANOS));
    let since = questions.window.since(newest);
    answer.recent_since = answer.times.map(|_| since);
    let services = run(answers::services(condition));
    for (service, rank, lines) in engine.rows(&services, |row| Ok((row.text()?, row.u8()?, row.u64()?)))? {
        let name = short_name(&service);
        let name = if questions.services.admits(name) { name } else { OTHERS };
        answer.services.entry(name.to_owned()).or_default().add_lines(level_of(rank), lines);
    }
    let traces = engine.rows(&run(answers::traces(condition, since)), |row| Ok((row.u64()?, row.u64()?)))?;
    let (ids, active) = traces.first().copied().unwrap_or_default();
    answer.traces = Distinctness { ids, active, error: 0 };
    answer.recent = recent(engine, questions, &answers::errors(condition, since))?;
    let top = |part| -> Result<TopTexts, String> {
        let read = |row: &mut RowReader<&[u8]>| Ok((short_name(&row.text()?).to_owned(), row.u64()?));
        Ok(TopTexts { texts: engine.rows(&run(answers::top(condition, part, questions.top)), read)?, error: 0 })
    };
    answer.messages = top(Part::Message)?;
    answer.targets = top(Part::Target)?;
    answer.timeline = engine.timeline(&condition.and(super::condition::IS_RECORD))?;
    let mut losses = Losses::default();
    let reported = answers::losses(condition);
    each(engine, Portion { condition: &reported, order: Order::Logs, limit: None }, |entry, _| losses.add(entry))?;
    answer.losses = Losses::merge(vec![losses]);
    Ok(answer)
}

/// Returns the newest errors.
fn recent(engine: &Engine, questions: &Questions, condition: &Condition) -> Result<RecentErrors, String> {
    let count = engine.count(condition)?;
    let mut recent = RecentErrors { count, entries: Vec::new() };
    let (limit, mut bytes) = (Some(questions.errors as u64), 0);
    each(engine, Portion { condition, order: Order::Newest, limit }, |entry, time| {
        let line = entry.line().to_vec();
        bytes += line.len();
        if recent.entries.is_empty() || bytes <= MAX_RECENT_BYTES {
            let place = Place::default();
            recent.entries.push(RecentEntry { time: time.unwrap_or_default(), place, line, is_cut: entry.is_cut() });
        }
    })?;
    Ok(recent)
}
