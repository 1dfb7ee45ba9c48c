//! What was counted in all lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::distinct::Distinctness;
use super::level_counts::LevelCounts;
use super::quantiles::{Measure, Quantiles};
use super::recent::RecentErrors;
use super::timeline::Timeline;
use super::top::TopTexts;

/// The answer to all questions.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// How many lines meet the conditions, with those that are no records.
    pub(crate) lines: u64,
    /// The first and the last time, in nanoseconds since 1970.
    pub(crate) times: Option<(i64, i64)>,
    pub(crate) services: BTreeMap<String, LevelCounts>,
    pub(crate) traces: Distinctness,
    pub(crate) timeline: Timeline,
    pub(crate) messages: TopTexts,
    pub(crate) targets: TopTexts,
    /// From which second on lines are recent; `None` if no line has a time.
    pub(crate) recent_since: Option<i64>,
    pub(crate) recent: RecentErrors,
    pub(crate) measures: Vec<(Arc<Measure>, Vec<Quantiles>)>,
    /// Service, reason and number of lines that were reported as lost.
    pub(crate) losses: Vec<(String, String, u64)>,
}
