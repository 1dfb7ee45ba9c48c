//! One captured event, as a schema sees it.

use std::fmt;

use tracing::{Level, Metadata};

use super::kind::Kind;
use super::own::{SERVICE, is_own, is_relayed};
use super::statics::Statics;
use super::thread::Thread;
use crate::context::{Context, SpanMoment};
use crate::values::{FieldNames, Fields, Key, Raw, Timestamp, Value, first_value_of, values_of};

/// One captured event, as a schema sees it.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub(crate) meta: &'static Metadata<'static>,
    pub(crate) time: Timestamp,
    pub(crate) fields: &'a [u8],
    pub(crate) context: Option<Context<'a>>,
    pub(crate) statics: &'a Statics,
    /// Whether it came through the `log` crate. Target, file and line are then among the fields.
    pub(crate) is_log: bool,
    /// Longer texts are cut to this many bytes; `usize::MAX` unless the line came out too long.
    pub(crate) max_value_bytes: usize,
    /// The size of all texts before the line came out too long.
    pub(crate) original_bytes: Option<u64>,
}

impl<'a> Record<'a> {
    /// Returns when the event happened, by the clock of the logging thread.
    pub fn timestamp(&self) -> Timestamp {
        self.time
    }

    /// Returns the event's severity.
    pub fn level(&self) -> Level {
        *self.meta.level()
    }

    /// Returns the event's target: the module path unless the call site names another.
    pub fn target(&self) -> &'a str {
        match self.log_text("log.target") {
            Some(target) => target,
            None => self.meta.target(),
        }
    }

    /// Returns what the line reports.
    pub fn kind(&self) -> Kind {
        let of_site = self.site_kind();
        if of_site != Kind::SpanClose {
            return of_site;
        }
        let message = first_value_of(self.fields, self.meta, "message");
        let moment = message.as_ref().and_then(Value::as_str).and_then(SpanMoment::of_message);
        moment.map_or(of_site, Kind::of_span)
    }

    /// Returns what the lines of the call site report: the close of a span for all lines of a span, which have the same
    /// keys.
    pub(crate) fn site_kind(&self) -> Kind {
        Kind::of_site(self.meta)
    }

    /// Returns the name that the program gave the event: `event!(name: "order.paid", …)`.
    ///
    /// Returns `None` for tracing's default name (`event src/main.rs:7`), for records of the `log` crate, and for the
    /// log's own lines.
    pub fn event_name(&self) -> Option<&'static str> {
        let (meta, name) = (self.meta, self.meta.name());
        let is_default = name.strip_prefix("event ").is_some_and(|place| {
            let Some(file) = meta.file() else { return true };
            let line = place.strip_prefix(file).and_then(|line| line.strip_prefix(':'));
            line.is_some_and(|line| line.parse() == Ok(meta.line().unwrap_or_default()))
        });
        (self.site_kind() == Kind::Event && !self.is_log && !is_default).then_some(name)
    }

    /// Returns the source file of the call site; `None` for the log's own lines, such as those of requests.
    pub fn file(&self) -> Option<&'a str> {
        if self.is_log { self.log_text("log.file") } else { self.program_site()?.file() }
    }

    /// Returns the line in the source file, counted from 1.
    pub fn line(&self) -> Option<u32> {
        if !self.is_log {
            return self.program_site()?.line();
        }
        match self.log_value("log.line")? {
            Value::U64(line) => u32::try_from(line).ok(),
            _ => None,
        }
    }

    /// Returns the module path of the call site.
    pub fn module_path(&self) -> Option<&'a str> {
        if self.is_log { self.log_text("log.module_path") } else { self.program_site()?.module_path() }
    }

    /// Returns the event's text: its field `message`.
    pub fn message(&self) -> Option<Value<'a>> {
        self.field("message")
    }

    /// Returns the event's own field of a name.
    pub fn field(&self, name: &str) -> Option<Value<'a>> {
        Some(values_of(self.fields, self.meta, name).last()?.truncated_to(self.max_value_bytes))
    }

    /// Returns the value that a line shows for a field: that of the event, else of the innermost span or context variable
    /// that has it, else of a static field. `service` is also the [service](Self::service).
    pub fn lookup(&self, name: &str) -> Option<Value<'a>> {
        let of_spans = || self.context.as_ref()?.spans().find_map(|span| span.last_field(name));
        let is_static = |(other, _): &(&str, Value<'a>)| *other == name;
        let of_log = || Some(self.static_fields().filter(is_static).last()?.1);
        let of_service = || self.service().filter(|_| name == "service").map(Value::Str);
        self.field(name).or_else(of_spans).or_else(of_log).or_else(of_service)
    }

    /// Returns the event's own fields in the order of the call site, `message` included.
    ///
    /// Where an event uses a name again (`a = 1, a = 2`), the last keeps it and the others have a number: `a_2`. Of several
    /// `message`, the macro's text keeps it.
    /// [`original_bytes`](Self::original_bytes) tells whether a text was cut.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let (mut names, is_log) = (FieldNames::of(self.meta), self.is_log);
        let limit = self.max_value_bytes;
        Fields::new(self.fields)
            .filter_map(move |(key, value)| Some((names.name(key)?, value.truncated_to(limit))))
            .filter(move |(name, _)| !(is_log && name.starts_with("log.")))
    }

    /// Returns at least how many bytes the texts had before they were cut; `None` when none was cut.
    pub fn original_bytes(&self) -> Option<u64> {
        self.original_bytes.or_else(|| (self.truncated_bytes() > 0).then(|| self.all_bytes()))
    }

    /// Returns the bytes of all texts, including those that were lost during the capture.
    pub(crate) fn all_bytes(&self) -> u64 {
        let own = Fields::new(self.fields).filter(|(key, _)| *key != Key::Thread).map(|(_, value)| value.text_bytes());
        let spans = self.context.iter().flat_map(Context::spans);
        let captured: usize =
            own.chain(spans.map(|span| span.fields().map(|(_, value)| value.text_bytes()).sum())).sum();
        captured as u64 + self.truncated_bytes()
    }

    fn truncated_bytes(&self) -> u64 {
        let mut own = Fields::new(self.fields);
        let own = std::iter::from_fn(|| own.next_raw()).map(|(key, value)| match (key, value) {
            (Key::Truncated, Raw::Value(Value::U64(bytes))) => bytes,
            _ => 0,
        });
        own.chain(self.context.iter().flat_map(Context::spans).map(|span| span.truncated_bytes())).sum()
    }

    /// Returns the context from the spans around the event; `None` outside any span.
    pub fn context(&self) -> Option<&Context<'a>> {
        self.context.as_ref()
    }

    /// Returns the thread that logged, if an output asked for it; always for a panic.
    pub fn thread(&self) -> Option<Thread<'a>> {
        Thread::among(self.fields)
    }

    /// Returns the calls that led to the event, if [`Builder::backtrace`](crate::Builder::backtrace) asked for them.
    ///
    /// The text has several lines, innermost frame first.
    pub fn backtrace(&self) -> Option<&'a str> {
        let (_, value) = Fields::new(self.fields).find(|(key, _)| *key == Key::Backtrace)?;
        value.truncated_to(self.max_value_bytes).as_str()
    }

    /// Returns whether records of the call site may have a backtrace.
    pub(crate) fn may_have_backtrace(&self) -> bool {
        self.statics.backtraces.is_some_and(|most| self.level() <= most || self.site_kind() == Kind::Panic)
    }

    /// Returns whether [`Builder::flight_recorder`](crate::Builder::flight_recorder) held the event back until an error of
    /// its request.
    pub fn is_held_back(&self) -> bool {
        self.statics.holds_back && Fields::new(self.fields).any(|(key, _)| key == Key::HeldBack)
    }

    /// Returns the service's name: of a [relayed](crate::Handle::relay) record its own, else the one set in the builder.
    pub fn service(&self) -> Option<&'a str> {
        let own = if self.is_relayed() { self.log_text(SERVICE) } else { None };
        own.or(self.statics.service.as_deref())
    }

    /// Returns whether another program made the record.
    pub(crate) fn is_relayed(&self) -> bool {
        self.is_log && is_relayed(self.meta)
    }

    /// Returns the fields that every line has, unless the event or its context has a field of the same name.
    pub fn static_fields(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        self.statics.fields.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_value()?)))
    }

    /// Returns the call site, unless it is in this crate's source.
    fn program_site(&self) -> Option<&'static Metadata<'static>> {
        (!is_own(self.meta)).then_some(self.meta)
    }

    fn log_text(&self, name: &str) -> Option<&'a str> {
        match self.log_value(name)? {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    fn log_value(&self, name: &str) -> Option<Value<'a>> {
        if self.is_log { first_value_of(self.fields, self.meta, name) } else { None }
    }
}

/// Shows level, target and message.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("level", &self.level())
            .field("target", &self.target())
            .field("message", &self.message())
            .finish_non_exhaustive()
    }
}
