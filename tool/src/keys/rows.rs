//! The rows of the list: lines, in their order or below their requests.

use std::collections::{HashMap, VecDeque};

use super::kept::Kept;
use crate::escape::escaped_text;

/// A row, which may need several of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// The line with this number.
    Line(u64),
    /// What stands above the lines of a request.
    Group(String),
}

impl Row {
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Line(number) => Some(*number),
            Self::Group(_) => None,
        }
    }
}

/// Returns the rows for the lines with these numbers, in their order.
pub(super) fn plain(numbers: &VecDeque<u64>) -> Vec<Row> {
    numbers.iter().copied().map(Row::Line).collect()
}

/// Returns them by request. The request that logged last is the last one; lines without a request are the first ones.
pub(super) fn grouped(numbers: &VecDeque<u64>, kept: &Kept) -> Vec<Row> {
    let mut groups: HashMap<Option<&str>, Vec<u64>> = HashMap::new();
    for line in numbers.iter().filter_map(|number| kept.line(*number)) {
        groups.entry(line.group.as_deref()).or_default().push(line.number);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable_by_key(|(id, numbers)| (id.is_some(), numbers.last().copied()));
    let mut rows = Vec::with_capacity(numbers.len() + groups.len());
    for (id, numbers) in groups {
        let name = id.map_or_else(|| "no request".to_owned(), |id| format!("request {}", escaped_text(id)));
        let lines = if numbers.len() == 1 { "line" } else { "lines" };
        rows.push(Row::Group(format!("{name}: {} {lines}", numbers.len())));
        rows.extend(numbers.into_iter().map(Row::Line));
    }
    rows
}
