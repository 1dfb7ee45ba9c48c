//! The books of an output: the lines that were logged, the log's counters, and the lines that are found.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use spanline::metrics::OutputMetrics;

use super::program::Logged;

/// The log's counters of one output, passed from the program to this process.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Counted {
    output: String,
    emitted: u64,
    written: u64,
    dropped: BTreeMap<String, u64>,
    queued: u64,
}

impl From<&OutputMetrics> for Counted {
    fn from(metrics: &OutputMetrics) -> Self {
        let dropped = metrics.dropped.reasons().map(|(reason, lines)| (reason.to_string(), lines.total()));
        Self {
            output: metrics.name.clone(),
            emitted: metrics.emitted.total(),
            written: metrics.written.total(),
            dropped: dropped.collect(),
            queued: metrics.queued.total(),
        }
    }
}

/// The contents of a file or a pipe.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whole lines of orders.
    pub(super) lines: u64,
    /// The number of the next expected order, by client and thread.
    next: BTreeMap<(u64, u64), u64>,
    /// Lines that the log wrote about itself, and the sum of the dropped lines that they report.
    notices: u64,
    told: u64,
    /// Pieces that are no whole line.
    pub(super) torn: u64,
    /// An order that is duplicated or out of order within its thread.
    disorder: Option<String>,
    /// Orders that are missing before a later order of their thread.
    holes: u64,
}

impl Found {
    /// Reads a file from an offset in bytes.
    pub(super) fn in_file(path: &Path, from: u64) -> io::Result<Self> {
        let mut found = Self::default();
        found.read_from(File::open(path)?, from)?;
        Ok(found)
    }

    pub(super) fn read_from(&mut self, mut file: File, from: u64) -> io::Result<()> {
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut text)?;
        self.read(&text);
        Ok(())
    }

    /// Reads text that follows what was read before.
    pub(super) fn read(&mut self, text: &[u8]) {
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let whole = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice::<Value>(line).ok());
            match whole {
                Some(line) if line["target"] == "spanline" => {
                    self.notices += 1;
                    self.told += line["dropped"].as_u64().unwrap_or(0);
                }
                Some(line) => self.count(&line),
                None => self.torn += 1,
            }
        }
    }

    fn count(&mut self, line: &Value) {
        let [client, thread, number] = ["client", "thread", "number"].map(|key| line[key].as_u64());
        let (Some(client), Some(thread), Some(number)) = (client, thread, number) else {
            self.disorder = Some(line.to_string());
            return;
        };
        let next = self.next.entry((client, thread)).or_default();
        match number.checked_sub(*next) {
            Some(missing) => self.holes += missing,
            None => self.disorder = Some(line.to_string()),
        }
        *next = number + 1;
        self.lines += 1;
    }
}

/// How the counters and the lines found must agree.
#[derive(Debug)]
pub(super) enum Rule {
    /// Every written line is found, and every dropped line is reported.
    AllIsThere { torn: u64 },
    /// A pipe that was emptied at the end. Later losses cannot be reported in it.
    AllIsInThePipe,
    /// A pipe whose reader closed it. Its contents are lost.
    NobodyReads,
    /// The process was killed, so there are no counters. Only the last lines may be missing, if any.
    Killed { may_lose_the: Option<Duration> },
}

/// The books of one output.
#[derive(Debug)]
pub(super) struct Books {
    title: String,
    logged: Logged,
    counted: Option<Counted>,
    found: Found,
    rule: Rule,
}

impl Books {
    /// Creates the books of an output.
    ///
    /// `logged`: the lines whose calls have returned.
    pub(super) fn new(output: &str, logged: Logged, counted: &[Counted], found: Found, rule: Rule) -> Self {
        let counted = counted.iter().find(|counted| counted.output == output).cloned();
        Self { title: output.to_owned(), logged, counted, found, rule }
    }

    pub(super) fn when(mut self, when: &str) -> Self {
        self.title = format!("{} {when}", self.title);
        self
    }

    pub(super) fn balance(&self) -> bool {
        let found = &self.found;
        if found.disorder.is_some() {
            return false;
        }
        if let Rule::Killed { may_lose_the } = self.rule {
            return found.holes == 0 && found.torn <= 1 && (may_lose_the.is_some() || self.killed() == 0);
        }
        let Some(counted) = &self.counted else { return false };
        let dropped: u64 = counted.dropped.values().sum();
        let is_there = match self.rule {
            Rule::AllIsThere { torn } => (found.lines, found.told, found.torn) == (counted.written, dropped, torn),
            Rule::AllIsInThePipe => (found.lines, found.torn) == (counted.written, 0),
            Rule::NobodyReads => found.lines <= counted.written && found.torn == 0,
            Rule::Killed { .. } => false,
        };
        counted.emitted == self.logged.iter().sum::<u64>()
            && counted.emitted == counted.written + dropped
            && counted.queued == 0
            && is_there
    }

    /// Returns how many lines were lost with the process. Each thread may have one line written whose call has not returned.
    fn killed(&self) -> u64 {
        let there =
            |at: u64| self.found.next.iter().find(|((_, thread), _)| *thread == at).map_or(0, |(_, next)| *next);
        (0..).zip(self.logged).map(|(thread, logged)| logged.saturating_sub(there(thread))).sum()
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { title, found, .. } = self;
        let logged: u64 = self.logged.iter().sum();
        write!(f, "{title}: ")?;
        if let Some(counted) = &self.counted {
            let dropped: u64 = counted.dropped.values().sum();
            write!(f, "emitted {} = written {} + dropped {dropped}", counted.emitted, counted.written)?;
            let reasons: Vec<_> = counted.dropped.iter().map(|(reason, lines)| format!("{reason} {lines}")).collect();
            if !reasons.is_empty() {
                write!(f, " ({})", reasons.join(", "))?;
            }
        } else {
            write!(f, "logged {logged}")?;
        }
        write!(f, "; found {} lines, {} torn", found.lines, found.torn)?;
        if found.notices > 0 {
            write!(f, ", {} notices of {} dropped", found.notices, found.told)?;
        }
        if let Rule::Killed { may_lose_the } = self.rule {
            write!(f, ", {} lost with the process", self.killed())?;
            if let Some(last) = may_lose_the {
                write!(f, ", of its last {} ms", last.as_millis())?;
            }
        }
        if self.balance() {
            return write!(f, ": balanced");
        }
        write!(f, ": WRONG, {logged} were logged")?;
        found.disorder.as_ref().map_or(Ok(()), |line| write!(f, "; twice or out of order: {line}"))
    }
}
