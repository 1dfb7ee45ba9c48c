//! Summarizes the requests and their lines, from the log's counters and from its files.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;

use reqwest::StatusCode;
use serde_json::Value;
use spanline::metrics::Metrics;
use spanline::read::{self, Lines};

use crate::client::Answer;

/// The results of a run.
#[derive(Debug)]
pub(crate) struct Summary {
    answers: BTreeMap<StatusCode, usize>,
    metrics: Metrics,
    /// Lines of this run in the files.
    lines: usize,
    request_ids: HashSet<String>,
    /// Closed segments with lines of this run.
    segments: usize,
    /// The request with the highest status, and its lines in all services.
    sample: Option<(String, Vec<Value>)>,
}

impl Summary {
    /// Reads the lines of this `run` back from `orders.log` and its closed segments.
    pub(crate) fn new(
        answers: &[Answer],
        metrics: Metrics,
        log_dir: &Path,
        run: &str,
    ) -> Result<Self, spanline::Error> {
        let mut counts = BTreeMap::new();
        for answer in answers {
            *counts.entry(answer.status).or_default() += 1;
        }
        let worst = answers.iter().max_by_key(|answer| answer.status);
        let sample = worst.map(|answer| (answer.request_id.clone(), Vec::new()));
        let request_ids = HashSet::new();
        let mut summary = Self { answers: counts, metrics, lines: 0, request_ids, segments: 0, sample };
        for segment in read::segments(log_dir.join("orders.log"))? {
            let lines = summary.read(segment.lines(), run)?;
            summary.segments += usize::from(lines > 0 && !segment.is_active());
        }
        if let Some((_, lines)) = &mut summary.sample {
            // Lines that were held back are written later than they were logged.
            lines.sort_by(|one, other| text(&one["timestamp"]).cmp(text(&other["timestamp"])));
        }
        Ok(summary)
    }

    /// Counts the lines of this run. Other lines are of earlier runs, or torn by a crash.
    fn read(&mut self, mut lines: Lines, run: &str) -> Result<usize, spanline::Error> {
        let before = self.lines;
        while let Some(line) = lines.next_line()? {
            let Ok(line) = serde_json::from_slice::<Value>(line) else { continue };
            if line["run"] != run {
                continue;
            }
            self.lines += 1;
            let Some(request_id) = line["request_id"].as_str() else { continue };
            self.request_ids.insert(request_id.to_owned());
            match &mut self.sample {
                Some((sample, lines)) if sample == request_id => lines.push(line),
                _ => {}
            }
        }
        Ok(self.lines - before)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "requests: {}", self.answers.values().sum::<usize>())?;
        for (status, count) in &self.answers {
            write!(f, ", {count} × {}", status.as_u16())?;
        }
        writeln!(f)?;
        for output in &self.metrics.outputs {
            write!(f, "{}: {} lines written", output.name, output.written.total())?;
            write!(f, ", {} dropped", output.dropped.total())?;
            for (reason, lines) in output.dropped.reasons() {
                write!(f, " ({reason}: {})", lines.total())?;
            }
            writeln!(f, ", {} held back, {} secrets redacted", output.held_back.total(), output.redacted)?;
        }
        let (lines, requests, segments) = (self.lines, self.request_ids.len(), self.segments);
        writeln!(f, "read back: {lines} lines of {requests} requests, {segments} segments made")?;
        let Some((request_id, lines)) = &self.sample else { return Ok(()) };
        let mut by_service: Vec<(&str, usize)> = Vec::new();
        for line in lines {
            let service = text(&line["service"]);
            match by_service.iter_mut().find(|(name, _)| *name == service) {
                Some((_, count)) => *count += 1,
                None => by_service.push((service, 1)),
            }
        }
        let by_service: Vec<_> = by_service.iter().map(|(service, count)| format!("{count} of {service}")).collect();
        let trace_id = lines.first().map_or("", |line| text(&line["trace_id"]));
        writeln!(f, "request_id {request_id}, trace_id {trace_id}: {}", by_service.join(", "))?;
        for line in lines {
            let spans: Vec<_> = line["spans"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let time = text(&line["timestamp"]).get(11..26).unwrap_or_default();
            write!(f, "  {time} {:<9} {:<5} ", text(&line["service"]), text(&line["level"]))?;
            writeln!(f, "{:<29} {}", spans.join(" > "), text(&line["message"]))?;
        }
        Ok(())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
