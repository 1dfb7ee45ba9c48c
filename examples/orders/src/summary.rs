//! What became of the requests and of their lines, from the log's own counters and from its files.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use serde_json::Value;
use spanline::metrics::Metrics;

use crate::client::Answer;

/// What a run has done, to be read by the person who started it.
#[derive(Debug)]
pub(crate) struct Summary {
    answers: BTreeMap<StatusCode, usize>,
    metrics: Metrics,
    /// Of this run, in the files.
    lines: usize,
    request_ids: HashSet<String>,
    /// Closed ones that have lines of this run.
    segments: usize,
    /// The request that went worst, and its lines in all services.
    sample: Option<(String, Vec<Value>)>,
}

impl Summary {
    /// Reads the lines of this `run` back from `orders.log` and the closed segments beside it.
    pub(crate) fn new(answers: &[Answer], metrics: Metrics, log_dir: &Path, run: &str) -> io::Result<Self> {
        let mut counts = BTreeMap::new();
        for answer in answers {
            *counts.entry(answer.status).or_default() += 1;
        }
        let worst = answers.iter().max_by_key(|answer| answer.status);
        let sample = worst.map(|answer| (answer.request_id.clone(), Vec::new()));
        let request_ids = HashSet::new();
        let mut summary = Self { answers: counts, metrics, lines: 0, request_ids, segments: 0, sample };
        for segment in closed_segments(log_dir)? {
            let lines = summary.read(&segment, run)?;
            summary.segments += usize::from(lines > 0);
        }
        summary.read(&log_dir.join("orders.log"), run)?;
        if let Some((_, lines)) = &mut summary.sample {
            // What was held back is written later than it was logged.
            lines.sort_by(|one, other| text(&one["timestamp"]).cmp(text(&other["timestamp"])));
        }
        Ok(summary)
    }

    /// Counts the lines of this run in one file. The files may hold lines of earlier ones, even torn by a crash.
    fn read(&mut self, file: &Path, run: &str) -> io::Result<usize> {
        let before = self.lines;
        for line in BufReader::new(File::open(file)?).split(b'\n') {
            let Ok(line) = serde_json::from_slice::<Value>(&line?) else { continue };
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

/// `orders.<time>-<number>.log`: names that sort as they were written.
fn closed_segments(log_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let files = fs::read_dir(log_dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let is_segment = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("orders.2") && name.ends_with(".log")
    };
    let mut segments: Vec<_> = files.into_iter().filter(is_segment).collect();
    segments.sort();
    Ok(segments)
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
