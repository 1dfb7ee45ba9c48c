//! The queries of `stats`, as `--explain` shows them.

use super::condition::{Condition, IS_RECORD, LEVEL, has, has_time};
use super::counts::second;
use crate::entry::Part;

/// What is asked of the lines that meet a condition.
pub(super) struct Query {
    pub(super) what: String,
    pub(super) condition: Condition,
    pub(super) behind: String,
}

fn query(what: impl Into<String>, condition: Condition, behind: impl Into<String>) -> Query {
    Query { what: what.into(), condition, behind: behind.into() }
}

/// The number of lines, of those with a time, and the first and the last time.
pub(super) fn totals(condition: &Condition) -> Query {
    let timed = has_time();
    query(
        format!(
            "toUInt64(count()), toUInt64(countIf({timed})), toInt64(minIf(time, {timed})), toInt64(maxIf(time, {timed}))"
        ),
        condition.clone(),
        "",
    )
}

/// The number of lines of each service and level.
pub(super) fn services(condition: &Condition) -> Query {
    let what = format!("service, toUInt8({LEVEL}) AS rank, toUInt64(count())");
    query(what, condition.and(IS_RECORD), "GROUP BY service, rank ORDER BY service, rank")
}

/// The number of distinct traces, and of those with a line since a second.
pub(super) fn traces(condition: &Condition, since: i64) -> Query {
    let second = second();
    let is_active = format!("{} AND {second} >= {} AND {second} <= {}", has_time(), since.max(1), u32::MAX);
    let what = format!("toUInt64(uniqExact(trace_id)), toUInt64(uniqExactIf(trace_id, {is_active}))");
    query(what, condition.and(IS_RECORD).and(has(Part::Trace)), "")
}

/// Returns the condition of errors since a second.
pub(super) fn errors(condition: &Condition, since: i64) -> Condition {
    condition.and(IS_RECORD).and(has_time()).and(format!("{LEVEL} >= 6")).and(format!("{} >= {since}", second()))
}

/// The texts of a part that occur most often.
pub(super) fn top(condition: &Condition, part: Part, most: usize) -> Query {
    let column = super::columns::column_of(part);
    let behind = format!("GROUP BY {column} ORDER BY number DESC, {column} LIMIT {most}");
    query(format!("{column}, toUInt64(count()) AS number"), condition.and(IS_RECORD).and(has(part)), behind)
}

/// Returns the condition of the lines in which a log reports losses.
pub(super) fn losses(condition: &Condition) -> Condition {
    condition.and(IS_RECORD).and("target = 'spanline'")
}
