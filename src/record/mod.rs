//! What is captured of one event: typed values in a compact binary form, and how to read them again.
//!
//! The thread that logs writes the form (`capture`), a queue carries it, and the worker's [`Schema`](crate::schema::Schema)
//! reads it through [`Record`]. Nothing else knows the form. A field's key is either an index into the call site's
//! declared fields or a name carried along, so that fields no call site declares (context variables, loss notices)
//! need nothing new.

mod backtrace;
mod capture;
mod form;
mod json;
mod kind;
mod notice;
mod owned;
mod time;
mod value;

pub use crate::context::{Context, ContextKey, SpanId, SpanView, TraceId};
pub use json::{Json, json};
pub use owned::OwnedValue;
pub use time::Timestamp;
pub use value::{ErrorChain, Value};

pub(crate) use backtrace::backtrace;
pub(crate) use capture::{Capture, Scratch, begin_anew, discard, is_formatting};
pub(crate) use form::{Fields, HELD_MARK, Key, Raw, merge, plain_name, put_named, put_raw};
pub(crate) use notice::notice_metadata;
pub(crate) use time::Clock;
#[cfg(feature = "tower")]
pub(crate) use value::prefix;

use tracing::{Level, Metadata};

/// One captured event, as a schema sees it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(crate) meta: &'static Metadata<'static>,
    pub(crate) time: Timestamp,
    pub(crate) fields: &'a [u8],
    pub(crate) context: Option<Context<'a>>,
    pub(crate) statics: &'a Statics,
    /// Whether it came through the `log` crate: target, file and line are then among the fields.
    pub(crate) is_log: bool,
    /// Longer texts are cut to this many bytes; `usize::MAX` unless the line came out too long.
    pub(crate) max_value_bytes: usize,
    /// How much there was before the line came out too long.
    pub(crate) original_bytes: Option<u64>,
}

/// What every line carries, whatever the event: set once in the builder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statics {
    pub(crate) service: Option<String>,
    pub(crate) fields: Vec<(String, OwnedValue)>,
    /// Whether records may carry a backtrace.
    pub(crate) backtraces: bool,
    /// Whether records may have been held back.
    pub(crate) holds_back: bool,
}

impl Statics {
    /// What each line has of them, keys aside that are the log's own.
    pub(crate) fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| name.len() + value.text_bytes());
        self.service.as_ref().map_or(0, String::len) + fields.sum::<usize>()
    }
}

/// The thread that logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Thread<'a> {
    /// The number in the standard library's `ThreadId`.
    pub id: u64,
    /// The thread's name, where it has one.
    pub name: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// When the event happened, by the clock of the thread that logged.
    pub fn timestamp(&self) -> Timestamp {
        self.time
    }

    /// How severe it is.
    pub fn level(&self) -> Level {
        *self.meta.level()
    }

    /// What part of the program it is from: a module path unless the call site says otherwise.
    pub fn target(&self) -> &'a str {
        match self.log_text("log.target") {
            Some(target) => target,
            None => self.meta.target(),
        }
    }

    /// Source file of the call site.
    pub fn file(&self) -> Option<&'a str> {
        if self.is_log { self.log_text("log.file") } else { self.meta.file() }
    }

    /// Line in the source file, from 1.
    pub fn line(&self) -> Option<u32> {
        if !self.is_log {
            return self.meta.line();
        }
        match self.log_value("log.line")? {
            Value::U64(line) => u32::try_from(line).ok(),
            _ => None,
        }
    }

    /// Module path of the call site.
    pub fn module_path(&self) -> Option<&'a str> {
        if self.is_log { self.log_text("log.module_path") } else { self.meta.module_path() }
    }

    /// The event's text, its field `message`.
    pub fn message(&self) -> Option<Value<'a>> {
        self.fields().filter(|(name, _)| *name == "message").map(|(_, value)| value).last()
    }

    /// The event's own fields in the order of the call site, `message` among them.
    ///
    /// A name can come twice (`a = 1, a = 2`): the last counts. Whether something had to be cut,
    /// [`original_bytes`](Self::original_bytes) says.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let (meta, is_log) = (self.meta, self.is_log);
        let limit = self.max_value_bytes;
        Fields::new(self.fields)
            .filter_map(move |(key, value)| Some((key.name(meta)?, value.cut_to(limit))))
            .filter(move |(name, _)| !(is_log && name.starts_with("log.")))
    }

    /// Bytes of the texts before anything was cut, at least; `None` when nothing was.
    pub fn original_bytes(&self) -> Option<u64> {
        self.original_bytes.or_else(|| (self.refused_bytes() > 0).then(|| self.all_bytes()))
    }

    /// Bytes of the texts, those that were cut at capture among them.
    pub(crate) fn all_bytes(&self) -> u64 {
        let own = Fields::new(self.fields).filter(|(key, _)| *key != Key::Thread).map(|(_, value)| value.text_bytes());
        let spans = self.context.iter().flat_map(Context::spans);
        let kept: usize = own.chain(spans.map(|span| span.fields().map(|(_, value)| value.text_bytes()).sum())).sum();
        kept as u64 + self.refused_bytes()
    }

    fn refused_bytes(&self) -> u64 {
        let mut own = Fields::new(self.fields);
        let own = std::iter::from_fn(|| own.next_raw()).map(|(key, value)| match (key, value) {
            (Key::Cut, Raw::Value(Value::U64(refused))) => refused,
            _ => 0,
        });
        own.chain(self.context.iter().flat_map(Context::spans).map(|span| span.refused_bytes())).sum()
    }

    /// What the spans around the event hand down; `None` outside any span.
    pub fn context(&self) -> Option<&Context<'a>> {
        self.context.as_ref()
    }

    /// The thread that logged, when an output asked for it.
    pub fn thread(&self) -> Option<Thread<'a>> {
        form::thread(self.fields)
    }

    /// The calls that led to the event, one frame after the other, where they were asked for:
    /// [`Builder::backtrace`](crate::Builder::backtrace). Several lines.
    pub fn backtrace(&self) -> Option<&'a str> {
        let (_, value) = Fields::new(self.fields).find(|(key, _)| *key == Key::Backtrace)?;
        value.cut_to(self.max_value_bytes).as_str()
    }

    /// Whether it was held back until an error of its request asked for it:
    /// [`Builder::flight_recorder`](crate::Builder::flight_recorder).
    pub fn is_held_back(&self) -> bool {
        self.statics.holds_back && Fields::new(self.fields).any(|(key, _)| key == Key::Held)
    }

    /// The service's name, from the builder.
    pub fn service(&self) -> Option<&'a str> {
        self.statics.service.as_deref()
    }

    /// Names and values that every line carries unless the event or its context has a field of that name.
    pub fn static_fields(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        self.statics.fields.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_value()?)))
    }

    fn log_text(&self, name: &str) -> Option<&'a str> {
        match self.log_value(name)? {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    fn log_value(&self, name: &str) -> Option<Value<'a>> {
        if !self.is_log {
            return None;
        }
        Fields::new(self.fields).find(|(key, _)| key.name(self.meta) == Some(name)).map(|(_, value)| value)
    }
}
