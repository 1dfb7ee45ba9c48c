//! All that is looked for, in one pass.

use super::clocks::Clocks;
use super::field_types::FieldTypes;
use super::finding::{Finding, Seen};
use super::ids::Ids;
use super::noise::{Noise, Site};
use super::requests::Requests;
use super::silence::Silence;
use super::sizes::Sizes;
use crate::counted::{counted, plural};
use crate::entry::{Entry, Form, Part};
use crate::loggers::time::NANOS;
use crate::query::{Expression, Filter};
use crate::scan::{Place, Visit};
use crate::stats::{Losses, Names, short_name};

/// What is looked at, and what counts as trouble.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) filter: Filter,
    /// Which line says how a request ended.
    pub(crate) end: Expression,
    /// How long a service has to be silent, in seconds.
    pub(crate) gap: i64,
    /// The services that are looked at.
    pub(crate) services: Names,
    /// The fields that are looked at.
    pub(crate) fields: Names,
}

impl Settings {
    pub(crate) fn new(filter: Filter, end: Expression, gap: i64) -> Self {
        Self { filter, end, gap, services: Names::new(MAX_SERVICES), fields: Names::new(MAX_FIELDS) }
    }
}

/// More services are not looked at.
const MAX_SERVICES: usize = 64;

/// More fields are not looked at.
const MAX_FIELDS: usize = 4096;

/// What one thread has found.
pub(crate) struct Examination<'s> {
    settings: &'s Settings,
    lines: Lines,
    newest: i64,
    sizes: Sizes,
    types: FieldTypes,
    ids: Ids,
    requests: Requests,
    clocks: Clocks,
    silence: Silence,
    noise: Noise,
    losses: Losses,
}

/// Lines that are no proper records.
#[derive(Debug, Default)]
struct Lines {
    broken: Seen,
    text: Seen,
    records: u64,
    repeated: Seen,
    without_time: Seen,
    without_level: Seen,
    not_utf8: Seen,
}

impl<'s> Examination<'s> {
    pub(crate) fn new(settings: &'s Settings) -> Self {
        Self {
            settings,
            lines: Lines::default(),
            newest: i64::MIN,
            sizes: Sizes::default(),
            types: FieldTypes::default(),
            ids: Ids::default(),
            requests: Requests::default(),
            clocks: Clocks::default(),
            silence: Silence::default(),
            noise: Noise::default(),
            losses: Losses::default(),
        }
    }

    /// Puts together what all threads have found, the worst first, and the call sites that write most.
    pub(crate) fn findings(all: Vec<Self>, settings: &'s Settings) -> (Vec<Finding>, Vec<Site>) {
        let mut sum = Self::new(settings);
        let mut losses = Vec::new();
        for one in all {
            sum.newest = sum.newest.max(one.newest);
            sum.lines.merge(one.lines);
            sum.sizes.merge(one.sizes);
            sum.types.merge(one.types);
            sum.ids.merge(one.ids);
            sum.requests.merge(one.requests);
            sum.clocks.merge(one.clocks);
            sum.silence.merge(one.silence);
            sum.noise.merge(one.noise);
            losses.push(one.losses);
        }
        let mut findings: Vec<_> = Losses::merge(losses).into_iter().map(lost).collect();
        findings.extend(sum.lines.findings());
        findings.extend(sum.types.findings());
        findings.extend(sum.sizes.findings());
        findings.extend(sum.requests.findings(sum.newest));
        findings.extend(sum.silence.findings(settings.gap));
        findings.extend(sum.clocks.findings());
        findings.extend(sum.ids.findings());
        (findings, sum.noise.noisiest())
    }
}

fn lost((service, reason, lines): (String, String, u64)) -> Finding {
    let service = if service.is_empty() { "-".to_owned() } else { service };
    Finding {
        kind: "lost",
        count: lines,
        text: format!("the service `{service}` has lost {}: {reason}", counted(lines, "line", "lines")),
        advice: "see docs/loss.md for the reason",
        example: None,
    }
}

impl Visit for Examination<'_> {
    fn visit(&mut self, entry: &Entry<'_>, place: Place) {
        if !self.settings.filter.matches(entry) {
            return;
        }
        self.sizes.add(place, entry);
        self.lines.add(entry, place);
        if !entry.is_record() {
            return;
        }
        let view = entry.view();
        let service = short_name(view.text(Part::Service).unwrap_or_default());
        let services = &self.settings.services;
        let second = view.time.map(|time| time.div_euclid(NANOS));
        if let Some((time, second)) = view.time.zip(second) {
            self.newest = self.newest.max(second);
            self.silence.add(service, second, services);
            if let Some(trace) = view.text(Part::Trace) {
                self.clocks.add(trace, service, time);
            }
        }
        if entry.form() == Form::Json {
            for field in entry.fields(&view) {
                self.types.add(entry, place, (&field.name, field.value), &self.settings.fields);
            }
        }
        self.ids.add(entry, place, service, services);
        self.requests.add(entry, place, second, &self.settings.end);
        self.noise.add(entry);
        if view.text(Part::Target) == Some("spanline") {
            self.losses.add(entry);
        }
    }
}

impl Lines {
    fn add(&mut self, entry: &Entry<'_>, place: Place) {
        let line = entry.line();
        match entry.form() {
            Form::Broken => return self.broken.add(place, line),
            Form::Text if line.trim_ascii().is_empty() => return,
            Form::Text => return self.text.add(place, line),
            _ => self.records += 1,
        }
        if str::from_utf8(line).is_err() {
            self.not_utf8.add(place, line);
        }
        if entry.repeated_key().is_some() {
            self.repeated.add(place, line);
        }
        if entry.time().is_none() {
            self.without_time.add(place, line);
        }
        if entry.level().is_none() {
            self.without_level.add(place, line);
        }
    }

    fn merge(&mut self, other: Self) {
        self.records += other.records;
        self.broken.merge(other.broken);
        self.text.merge(other.text);
        self.repeated.merge(other.repeated);
        self.without_time.merge(other.without_time);
        self.without_level.merge(other.without_level);
        self.not_utf8.merge(other.not_utf8);
    }

    fn findings(self) -> impl Iterator<Item = Finding> {
        let Self { broken, text, records, repeated, without_time, without_level, not_utf8 } = self;
        let all = counted(records, "record", "records");
        let of = |seen: &Seen, verbs: (&str, &str), what: &str| {
            format!("{} of {all} {} {what}", seen.count, plural(seen.count, verbs.0, verbs.1))
        };
        let (have, are) = (("has", "have"), ("is", "are"));
        let (repeated_text, utf8_text) = (of(&repeated, have, "a key twice"), of(&not_utf8, are, "not UTF-8"));
        let (time_text, level_text) = (of(&without_time, have, "no time"), of(&without_level, have, "no level"));
        let begin = ("line that begins as a record, and is none", "lines that begin as a record, and are none");
        let broken_text = counted(broken.count, begin.0, begin.1);
        let plain_text = format!("{} of plain text", counted(text.count, "line", "lines"));
        let text = if records > 0 { text } else { Seen::default() };
        [
            broken.finding("broken", broken_text, "look for several writers of one file, crashes, and full disks"),
            text.finding("plain_text", plain_text, "send panics and the output of other libraries to the log too"),
            not_utf8.finding("not_utf8", utf8_text, "readers refuse such lines, or replace the bytes"),
            repeated.finding(
                "duplicate_key",
                repeated_text,
                "rename one of them: readers keep one value, or refuse the line",
            ),
            without_time.finding("no_time", time_text, "log a time as RFC 3339 has it"),
            without_level.finding("no_level", level_text, "log a level under a usual name, such as `level`"),
        ]
        .into_iter()
        .flatten()
    }
}
