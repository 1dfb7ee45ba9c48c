//! The SQL of a question, and what the tool judges.

use std::io::{self, Write};

use super::address::Address;
use super::answers::{self, Query};
use super::condition::{Condition, has_time};
use super::counts::{distinct_steps, steps};
use super::engine::{Portion, select, statement};
use super::table::Tables;
use crate::entry::Part;
use crate::escape::escaped_text;
use crate::stats::{Questions, Timeline};

/// What is asked.
pub(crate) enum Explanation<'q> {
    /// For lines, in an order.
    Lines(Portion<'q>),
    /// How many lines there are.
    Count(&'q Condition),
    /// For lines over time.
    Timeline(&'q Condition),
    /// For all that `stats` prints.
    Answer(&'q Condition, &'q Questions),
}

/// Writes the queries of a question, without asking it.
pub(crate) fn explain(output: &mut impl Write, address: &Address, explanation: &Explanation<'_>) -> io::Result<()> {
    let tables = Tables::new(address);
    let select = |Query { what, condition, behind }: Query| select(&tables, &what, &condition, &behind);
    let (condition, queries) = match explanation {
        Explanation::Lines(portion) => (portion.condition, vec![statement(address, *portion)]),
        Explanation::Count(condition) => (*condition, vec![select(query("toUInt64(count())", condition, ""))]),
        Explanation::Timeline(condition) => (*condition, timeline(condition).map(select).into()),
        Explanation::Answer(condition, questions) => {
            (*condition, answer(condition, questions).into_iter().map(select).collect())
        }
    };
    for query in queries {
        query.lines().try_for_each(|line| writeln!(output, "{}", escaped_text(line)))?;
        writeln!(output)?;
    }
    match condition.judged() {
        [] => writeln!(output, "-- ClickHouse judges all conditions"),
        judged => writeln!(output, "-- spanline judges {} of these lines", judged.join(", ")),
    }
}

fn query(what: impl Into<String>, condition: &Condition, behind: impl Into<String>) -> Query {
    Query { what: what.into(), condition: condition.clone(), behind: behind.into() }
}

/// The second query has the shortest step of which there are few enough, as the first one tells.
fn timeline(condition: &Condition) -> [Query; 2] {
    let timed = condition.and(has_time());
    let (what, group) = steps(Timeline::lengths().first().copied().unwrap_or(1));
    [query(distinct_steps(), &timed, ""), query(what, &timed, group)]
}

fn answer(condition: &Condition, questions: &Questions) -> Vec<Query> {
    let since = questions.window.since(0);
    let first = [
        answers::totals(condition),
        answers::services(condition),
        answers::traces(condition, since),
        query("toUInt64(count())", &answers::errors(condition, since), ""),
        answers::top(condition, Part::Message, questions.top),
        answers::top(condition, Part::Target, questions.top),
    ];
    first.into_iter().chain(timeline(condition)).collect()
}
