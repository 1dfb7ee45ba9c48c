//! What was measured: the values of all rounds, and the one that is reported of them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::child::Sample;
use crate::plan::Point;

#[derive(Default)]
pub struct Results {
    values: BTreeMap<(Point, String, String), Rounds>,
}

/// One metric of one peer at one point.
struct Rounds {
    unit: String,
    values: Vec<f64>,
}

/// A line of the JSON report.
#[derive(Serialize)]
struct Row<'a> {
    peer: &'a str,
    work: &'static str,
    sink: &'static str,
    threads: usize,
    /// Steps a second; null is full speed.
    rate: Option<u64>,
    metric: &'a str,
    value: f64,
    unit: &'a str,
}

impl Results {
    pub fn add(&mut self, peer: &str, point: Point, samples: Vec<Sample>) {
        for sample in samples {
            let rounds = self.values.entry((point, peer.to_owned(), sample.metric));
            let rounds = rounds.or_insert(Rounds { unit: sample.unit, values: Vec::new() });
            rounds.values.push(sample.value);
        }
    }

    /// The median of the rounds, or the largest where a metric says how bad it gets.
    pub fn of(&self, peer: &str, point: Point, metric: &str) -> Option<f64> {
        let rounds = self.values.get(&(point, peer.to_owned(), metric.to_owned()))?;
        Some(rounds.value(metric))
    }

    /// A list of objects, one for each value.
    pub fn to_json(&self) -> String {
        let row = |((point, peer, metric), rounds): (&(Point, String, String), &Rounds)| {
            let row = Row {
                peer,
                work: point.work.name(),
                sink: if point.to_file { "file" } else { "null" },
                threads: point.threads,
                rate: point.rate,
                metric,
                value: rounds.value(metric),
                unit: &rounds.unit,
            };
            serde_json::to_string(&row).expect("a row is JSON")
        };
        let rows: Vec<_> = self.values.iter().map(row).collect();
        format!("[\n  {}\n]\n", rows.join(",\n  "))
    }
}

impl Rounds {
    fn value(&self, metric: &str) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let (first, last) = ((sorted.len() - 1) / 2, sorted.len() / 2);
        match metric {
            "call_max" | "reach_max" | "lines_lost" | "resident_peak" | "idle_switches" => sorted[sorted.len() - 1],
            _ => f64::midpoint(sorted[first], sorted[last]),
        }
    }
}
