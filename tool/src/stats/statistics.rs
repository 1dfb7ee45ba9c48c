//! What is counted of each line.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::answer::Answer;
use super::distinct::Distinct;
use super::level_counts::LevelCounts;
use super::losses::Losses;
use super::names::{Names, OTHERS, short_name};
use super::quantiles::{Measure, Values};
use super::recent::{Recent, Window};
use super::runs::Disk;
use super::timeline::Timeline;
use super::top::Top;
use crate::entry::{Entry, Part, Value};
use crate::loggers::LineLevel;
use crate::loggers::time::NANOS;
use crate::query::Filter;
use crate::scan::{Place, Visit};

/// More services than these are one, `…`.
pub(crate) const MAX_SERVICES: usize = 4096;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Questions {
    /// Which lines count.
    pub(crate) filter: Filter,
    pub(crate) window: Window,
    /// How many of the recent errors are shown.
    pub(crate) errors: usize,
    /// How many of the most frequent texts are shown.
    pub(crate) top: usize,
    pub(crate) measures: Vec<Arc<Measure>>,
    pub(crate) disk: Arc<Disk>,
    /// The services that have a row each: [`MAX_SERVICES`].
    pub(crate) services: Names,
}

/// The counts of one thread.
#[derive(Clone)]
pub(crate) struct Stats<'q> {
    questions: &'q Questions,
    /// Whether each line counts.
    takes_all: bool,
    services: Services,
    lines: u64,
    /// The first and the last time, in nanoseconds since 1970.
    times: Option<(i64, i64)>,
    traces: Distinct,
    recent: Recent,
    messages: Top,
    targets: Top,
    timeline: Timeline,
    measures: Vec<Values>,
    losses: Losses,
}

impl<'q> Stats<'q> {
    pub(crate) fn new(questions: &'q Questions) -> Self {
        let values = |measure: &Arc<Measure>| Values::new(Arc::clone(measure), Arc::clone(&questions.disk));
        Self {
            questions,
            takes_all: questions.filter.is_empty(),
            services: Services::default(),
            lines: 0,
            times: None,
            traces: Distinct::new(Arc::clone(&questions.disk)),
            recent: Recent::new(questions.window, questions.errors),
            messages: Top::default(),
            targets: Top::default(),
            timeline: Timeline::default(),
            measures: questions.measures.iter().map(values).collect(),
            losses: Losses::default(),
        }
    }

    /// Puts together what all threads have counted.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub(crate) fn merge(questions: &Questions, all: Vec<Self>) -> io::Result<Answer> {
        let mut answer = Answer::default();
        let (mut traces, mut recent, mut messages, mut targets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut values, mut losses) = (Vec::new(), Vec::new());
        for one in all {
            answer.lines += one.lines;
            answer.times = answer.times.into_iter().chain(one.times).reduce(joined);
            one.services.add_to(&mut answer.services);
            answer.timeline.merge(one.timeline);
            traces.push(one.traces);
            recent.push(one.recent);
            messages.push(one.messages);
            targets.push(one.targets);
            values.push(one.measures.into_iter());
            losses.push(one.losses);
        }
        let newest = answer.times.map_or(i64::MIN, |(_, last)| last.div_euclid(NANOS));
        let since = questions.window.since(newest);
        answer.recent_since = answer.times.map(|_| since);
        answer.traces = Distinct::count(traces, u32::try_from(since.max(1)).unwrap_or(u32::MAX))?;
        answer.recent = Recent::merge(recent, since);
        answer.messages = Top::merge(messages, questions.top);
        answer.targets = Top::merge(targets, questions.top);
        answer.losses = Losses::merge(losses);
        for measure in &questions.measures {
            let values = values.iter_mut().filter_map(Iterator::next).collect();
            answer.measures.push((Arc::clone(measure), Values::merge(measure, values)?));
        }
        Ok(answer)
    }
}

fn joined(one: (i64, i64), other: (i64, i64)) -> (i64, i64) {
    (one.0.min(other.0), one.1.max(other.1))
}

impl Visit for Stats<'_> {
    fn visit(&mut self, entry: &Entry<'_>, place: Place) {
        if !self.takes_all && !self.questions.filter.matches(entry) {
            return;
        }
        self.lines += 1;
        if !entry.is_record() {
            return;
        }
        let (time, level) = (entry.time(), entry.level());
        self.services.add(entry.part(Part::Service), level, &self.questions.services);
        let second = time.map(|time| time.div_euclid(NANOS));
        if let Some((time, second)) = time.zip(second) {
            self.times = Some(self.times.map_or((time, time), |times| joined(times, (time, time))));
            self.timeline.add(second, level);
            if level.is_some_and(|level| level >= LineLevel::Error) {
                self.recent.add(time, place, entry.line(), entry.is_cut());
            }
        }
        self.add_trace(entry, second.and_then(|second| u32::try_from(second).ok()).unwrap_or(0));
        if let Some(message) = entry.part(Part::Message) {
            self.messages.add(message);
        }
        if let Some(target) = entry.part(Part::Target) {
            self.targets.add(target);
            if target.is_text_of("spanline") {
                self.losses.add(entry);
            }
        }
        self.measures.iter_mut().for_each(|values| values.add(entry));
    }
}

impl Stats<'_> {
    fn add_trace(&mut self, entry: &Entry<'_>, second: u32) {
        let spelling = entry.spelling(Part::Trace);
        if spelling.is_some_and(|spelling| self.traces.knows(spelling, second)) {
            return;
        }
        match spelling.filter(|spelling| are_lower_digits(spelling)) {
            Some(trace) => self.traces.add(trace, second),
            None => {
                let Some(trace) = entry.text(Part::Trace) else { return };
                self.traces.add(trace.to_ascii_lowercase().as_bytes(), second);
            }
        }
        if let Some(spelling) = spelling {
            self.traces.know(spelling, second);
        }
    }
}

/// Returns whether an id is the same in lower case, and in all spellings: as nearly all are.
fn are_lower_digits(id: &[u8]) -> bool {
    id.iter().fold(true, |are, byte| are & matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The counts of each service. Lines without one are of the service with the empty name.
#[derive(Clone, Debug, Default)]
struct Services {
    counts: Vec<(String, LevelCounts)>,
    places: HashMap<String, usize>,
    /// The place of the service of the last line, which most often is that of the next one.
    last: usize,
    /// How JSON spells it.
    spelling: Option<Vec<u8>>,
}

impl Services {
    #[inline]
    fn add(&mut self, service: Option<Value<'_>>, level: Option<LineLevel>, names: &Names) {
        let spelling = service.and_then(Value::json_text);
        if spelling.is_none() || self.spelling.as_deref() != spelling {
            self.find(service, names);
        }
        if let Some((_, counts)) = self.counts.get_mut(self.last) {
            counts.add(level);
        }
    }

    /// Finds the place of a service that may not be that of the last line.
    fn find(&mut self, service: Option<Value<'_>>, names: &Names) {
        let name = service.map(Value::shown).unwrap_or_default();
        if self.counts.get(self.last).is_none_or(|(last, _)| **last != *name) {
            self.last = self.place(short_name(&name), names);
        }
        self.spelling = service.and_then(Value::json_text).map(<[u8]>::to_vec);
    }

    fn place(&mut self, name: &str, names: &Names) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let name = if names.admits(name) { name } else { OTHERS };
        let next = self.counts.len();
        let place = *self.places.entry(name.to_owned()).or_insert(next);
        if place == next {
            self.counts.push((name.to_owned(), LevelCounts::default()));
        }
        place
    }

    fn add_to(self, sum: &mut std::collections::BTreeMap<String, LevelCounts>) {
        for (name, counts) in self.counts {
            *sum.entry(name).or_default() += counts;
        }
    }
}
