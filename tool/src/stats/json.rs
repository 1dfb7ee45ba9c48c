//! The answer as JSON.

use serde_json::{Map, Value, json};
use spanline::record::Timestamp;

use super::answer::Answer;
use super::level_counts::LevelCounts;
use super::quantiles::{Measure, QUANTILES, Quantiles};
use super::timeline::Step;
use super::top::TopTexts;
use crate::loggers::LineLevel;
use crate::loggers::time::NANOS;

/// How many steps of time there are at most.
const MAX_STEPS: usize = 1000;

impl Answer {
    /// Returns the answer; `recent_errors` are the entries as objects.
    pub(crate) fn json(&self, recent_errors: &[Value]) -> Value {
        let services: Map<_, _> = self.services.iter().map(|(name, counts)| (name.clone(), levels(counts))).collect();
        let (step_seconds, steps) = self.timeline.steps(MAX_STEPS, None);
        let losses = self
            .losses
            .iter()
            .map(|(service, reason, lines)| json!({ "service": service, "reason": reason, "lines": lines }));
        json!({
            "lines": self.lines,
            "first": self.times.map(|(first, _)| time(first)),
            "last": self.times.map(|(_, last)| time(last)),
            "services": services,
            "traces": {
                "distinct": self.traces.ids,
                "active": self.traces.active,
                "is_estimate": self.traces.error > 0,
                "standard_error": self.traces.error as f64 / 10_000.0,
            },
            "timeline": { "step_seconds": step_seconds, "steps": steps_json(&steps) },
            "messages": top(&self.messages),
            "targets": top(&self.targets),
            "recent_errors": {
                "since": self.recent_since.map(second),
                "count": self.recent.count,
                "entries": recent_errors,
            },
            "fields": self.measures.iter().map(|(of, found)| measure(of, found)).collect::<Vec<_>>(),
            "lost": losses.collect::<Vec<_>>(),
        })
    }
}

/// Returns steps of time with their counts.
pub(crate) fn steps_json(steps: &[Step]) -> Vec<Value> {
    steps.iter().map(|step| json!({ "time": second(step.second), "levels": levels(&step.counts) })).collect()
}

/// Returns the counts of all levels, those that are zero too.
fn levels(counts: &LevelCounts) -> Value {
    let mut levels = Map::new();
    for level in LineLevel::ALL {
        levels.insert(level.as_str().to_lowercase(), counts.of(level).into());
    }
    levels.insert("none".to_owned(), counts.without.into());
    levels.insert("total".to_owned(), counts.total().into());
    Value::Object(levels)
}

fn top(top: &TopTexts) -> Value {
    let texts = top.texts.iter().map(|(text, lines)| json!({ "text": text, "lines": lines }));
    json!({ "top": texts.collect::<Vec<_>>(), "may_lack": top.error })
}

fn measure(measure: &Measure, found: &[Quantiles]) -> Value {
    let group = |one: &Quantiles| {
        let mut group = Map::new();
        if let Some(by) = &measure.by {
            group.insert(by.clone(), one.group.clone().into());
        }
        let summary = one.summary;
        group.insert("lines".to_owned(), summary.count.into());
        group.insert("mean".to_owned(), (summary.sum / summary.count as f64).into());
        group.insert("min".to_owned(), summary.min.into());
        for (quantile, value) in QUANTILES.into_iter().zip(one.values) {
            group.insert(format!("p{}", quantile * 100.0), value.into());
        }
        group.insert("max".to_owned(), summary.max.into());
        Value::Object(group)
    };
    let error = found.first().map_or(0.0, |one| one.error);
    json!({ "field": measure.field, "groups": found.iter().map(group).collect::<Vec<_>>(), "relative_error": error })
}

/// Returns a second since 1970 as RFC 3339 has it.
fn second(second: i64) -> String {
    time(second.saturating_mul(NANOS))
}

fn time(nanos: i64) -> String {
    Timestamp::from_nanos(nanos).to_string()
}
