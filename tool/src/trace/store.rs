//! The spans of a trace, as its lines are read. Memory is bounded, however many lines there are.

use std::collections::HashMap;

use super::line::{Moment, Told};
use super::span::{Event, Parent, Span};

/// More spans are not kept; their lines are counted.
pub(super) const MAX_SPANS: usize = 100_000;

/// Events kept of each span, and as many severe ones again. Further ones are counted.
const MAX_EVENTS: usize = 100;

/// The texts of all events together.
const EVENT_BYTES: usize = 32 << 20;

/// The times of lines that are kept to find gaps.
const MAX_TIMES: usize = 2_000_000;

/// How a span is found again.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    /// Of the trace, by its id.
    Id(Option<usize>, String),
    /// By its name in its parent, without an id.
    Name(usize, usize),
    /// By its name in a service, without an id and without a parent.
    Outermost(Option<usize>, Option<usize>, usize),
    /// The lines outside any span, below a parent elsewhere.
    Outside(Option<usize>, Option<usize>, Option<String>),
}

/// More different names are not kept.
const MAX_NAMES: usize = 100_000;

/// Names with numbers, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) all: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Names {
    fn number(&mut self, name: &str) -> Option<usize> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        if self.all.len() >= MAX_NAMES {
            return None;
        }
        self.all.push(name.to_owned());
        self.numbers.insert(name.to_owned(), self.all.len() - 1);
        Some(self.all.len() - 1)
    }

    /// Puts the names into the order of these numbers. Returns the new number of each.
    fn reorder(&mut self, order: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut new = vec![usize::MAX; self.all.len()];
        let mut all = Vec::with_capacity(self.all.len());
        for number in order {
            if let (Some(place), Some(name)) =
                (new.get_mut(number).filter(|new| **new == usize::MAX), self.all.get(number))
            {
                *place = all.len();
                all.push(name.clone());
            }
        }
        *self = Self { all, numbers: HashMap::new() };
        new
    }

    /// Returns the name with a number.
    pub(super) fn name(&self, number: Option<usize>) -> Option<&str> {
        self.all.get(number?).map(String::as_str)
    }
}

/// What the lines of a trace say.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) spans: Vec<Span>,
    pub(super) traces: Names,
    pub(super) services: Names,
    pub(super) requests: Names,
    pub(super) names: Names,
    /// All lines of the trace.
    pub(super) lines: u64,
    /// Lines of spans above the limit.
    pub(super) left_out: u64,
    found: HashMap<Key, usize>,
    event_bytes: usize,
    times: usize,
}

impl Store {
    /// Adds a line. `time`: its own, or that of the line before it.
    pub(super) fn add(&mut self, told: Told, time: Option<i64>) {
        self.lines += 1;
        if let Some(request) = &told.ids.request {
            self.requests.number(request);
        }
        let place = Place {
            trace: told.ids.trace.as_deref().and_then(|id| self.traces.number(id)),
            service: told.service.as_deref().and_then(|name| self.services.number(name)),
            path: told.names.iter().map_while(|name| self.names.number(name)).collect(),
            time,
        };
        match self.span_of(&told, &place) {
            Some(number) => self.put(number, told, time),
            None => self.left_out += 1,
        }
    }

    /// Numbers traces and services as they come in `order`, so that the order of the files does not matter.
    pub(super) fn renumber(&mut self, order: &[usize]) {
        let spans = || order.iter().filter_map(|number| self.spans.get(*number));
        let traces = self.traces.reorder(spans().filter_map(|span| span.identity.trace));
        let services = self.services.reorder(spans().filter_map(|span| span.identity.service));
        for Span { identity, .. } in &mut self.spans {
            identity.trace = identity.trace.and_then(|number| traces.get(number).copied());
            identity.service = identity.service.and_then(|number| services.get(number).copied());
        }
        self.requests.all.sort_unstable();
    }

    /// Returns the number of the span that a line is in. `None`: it is above the limit.
    fn span_of(&mut self, told: &Told, place: &Place) -> Option<usize> {
        match &told.ids.span {
            Some(id) => self.span_with_id(id, told, place),
            None if place.path.is_empty() => self.outside(told, place),
            None => self.named_span(told, place),
        }
    }

    fn span_with_id(&mut self, id: &str, told: &Told, place: &Place) -> Option<usize> {
        let number = self.span(Key::Id(place.trace, id.to_owned()), place.trace)?;
        let span = self.spans.get_mut(number)?;
        span.identity.id.get_or_insert_with(|| id.to_owned());
        describe(span, place, &place.path, told);
        let Some(parent) = &told.ids.parent else { return Some(number) };
        span.parent = Parent::Id(parent.clone());
        // The parent's name is known, also if it has no line.
        if let Some((_, around)) = place.path.split_last().filter(|(_, around)| !around.is_empty())
            && let Some(number) = self.span(Key::Id(place.trace, parent.clone()), place.trace)
            && let Some(span) = self.spans.get_mut(number)
        {
            span.identity.id.get_or_insert_with(|| parent.clone());
            describe(span, place, around, told);
        }
        Some(number)
    }

    /// Returns the span of a line that has only names. A span of the same name begins anew after it has closed.
    fn named_span(&mut self, told: &Told, place: &Place) -> Option<usize> {
        let mut parent = None;
        for (depth, name) in place.path.iter().enumerate() {
            let key = || match parent {
                Some(parent) => Key::Name(parent, *name),
                None => Key::Outermost(place.trace, place.service, *name),
            };
            let is_over = |span: &Span| span.seen.end.zip(place.time).is_some_and(|(end, time)| time > end);
            if self.found.get(&key()).and_then(|number| self.spans.get(*number)).is_some_and(is_over) {
                self.found.remove(&key());
            }
            let number = self.span(key(), place.trace)?;
            let span = self.spans.get_mut(number)?;
            describe(span, place, place.path.get(..=depth)?, told);
            match (parent, &told.ids.parent) {
                (Some(parent), _) => span.parent = Parent::Span(parent),
                (None, Some(id)) if place.path.len() == 1 => span.parent = Parent::Id(id.clone()),
                _ => {}
            }
            parent = Some(number);
        }
        parent
    }

    /// Returns what stands for the lines of a service outside any span.
    fn outside(&mut self, told: &Told, place: &Place) -> Option<usize> {
        let number = self.span(Key::Outside(place.trace, place.service, told.ids.parent.clone()), place.trace)?;
        let span = self.spans.get_mut(number)?;
        span.is_outside = true;
        span.identity.service = place.service;
        if let Some(parent) = &told.ids.parent {
            span.parent = Parent::Id(parent.clone());
        }
        Some(number)
    }

    fn span(&mut self, key: Key, trace: Option<usize>) -> Option<usize> {
        if let Some(number) = self.found.get(&key) {
            return Some(*number);
        }
        if self.spans.len() >= MAX_SPANS {
            return None;
        }
        let mut span = Span::default();
        span.identity.trace = trace;
        self.spans.push(span);
        self.found.insert(key, self.spans.len() - 1);
        Some(self.spans.len() - 1)
    }

    /// Adds a line to its span.
    fn put(&mut self, number: usize, told: Told, time: Option<i64>) {
        let Some(span) = self.spans.get_mut(number) else { return };
        span.counts.lines += 1;
        if let Some(time) = time {
            span.seen.line(time);
            match told.moment {
                Moment::New => span.seen.start = Some(span.seen.start.map_or(time, |start| start.min(time))),
                Moment::Close(nanos) | Moment::Finished(nanos) => span.seen.ends(time, nanos),
                Moment::Event | Moment::Pass => {}
            }
            if self.times < MAX_TIMES {
                self.times += 1;
                span.times.push(time);
            } else {
                span.has_other_times = true;
            }
        }
        if !matches!(told.moment, Moment::Event | Moment::Finished(_)) {
            return;
        }
        let event = Event {
            time,
            level: told.level,
            message: told.message.into_boxed_str(),
            error: told.error.map(String::into_boxed_str),
        };
        span.counts.errors += u64::from(event.is_error());
        span.counts.warnings += u64::from(event.is_severe() && !event.is_error());
        let limit = if event.is_severe() { 2 * MAX_EVENTS } else { MAX_EVENTS };
        let bytes = event.message.len() + event.error.as_ref().map_or(0, |error| error.len()) + size_of::<Event>();
        if span.events.len() < limit && self.event_bytes + bytes <= EVENT_BYTES {
            self.event_bytes += bytes;
            span.events.push(event);
        } else {
            span.counts.folded += 1;
        }
    }
}

/// Where a line is.
struct Place {
    trace: Option<usize>,
    service: Option<usize>,
    /// The numbers of the names of its spans.
    path: Vec<usize>,
    time: Option<i64>,
}

/// Gives a span its names, unless it has them. `path`: that of the span, of which a line says more.
fn describe(span: &mut Span, place: &Place, path: &[usize], told: &Told) {
    let identity = &mut span.identity;
    identity.service = identity.service.or(place.service);
    if identity.name.is_none() {
        identity.name = path.last().copied();
        identity.path = path.into();
    }
    let is_last = matches!(told.moment, Moment::Finished(_));
    if path.len() == 1 && told.about.is_some() && (is_last || identity.about.is_none()) {
        identity.about.clone_from(&told.about);
    }
}
