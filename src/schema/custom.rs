//! JSON objects with keys of the user's own: a description for the engine, in the user's code.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::TimeFormat;
use super::engine::{
    AS_JSON, AS_TEXT, Engine, Layout, Mark, Place, Spelling, Stage, Syntax, TOP, Takes, UNDER, is_number, is_text,
};
use super::host::hostname;
use super::json;
use super::level::LevelFormat;
use super::object::{described, is_reserved};
use crate::record::{OwnedValue, Record, Value};

/// JSON objects with keys of your own.
///
/// You name the keys, in their order; the engine of the built-in schemas writes the lines. It escapes, redacts and cuts
/// values, keeps each key unique, and is about as fast as with a built-in schema. A field with the name of a key, or
/// of a part of one, as `trace` beside `trace.id`, is called `fields.` and its name. What the description leaves out is at the end of the line, so nothing is lost: the fields,
/// `message`, `error`, `request_id`, and the marks of lines that were cut or held back.
///
/// ```
/// use spanline::schema::{Custom, TimeFormat};
/// use spanline::{Output, Stdout};
///
/// let schema = Custom::new("timestamp", |line| {
///     line.level("log.level")
///         .message("message")
///         .constant("dataset", "orders")
///         .value("slow", |record| record.fields().any(|(name, _)| name == "slow_query").into())
///         .object("trace", |trace| trace.trace_id("id").span_id("span"))
///         .object("attributes", |attributes| attributes.fields())
/// });
/// let output = Output::new(Stdout::new()).schema(schema.time(TimeFormat::EpochMillis));
/// # let _ = output;
/// ```
pub struct Custom {
    options: Options,
    engine: Engine,
}

#[derive(Clone)]
struct Options {
    time_key: &'static str,
    time: TimeFormat,
    members: Members,
}

/// The members of an object, in their order.
///
/// A key that is named twice is at its last place.
#[derive(Clone, Default)]
#[must_use = "it describes nothing unless it is returned"]
pub struct Members(Vec<Member>);

#[derive(Clone)]
enum Member {
    Value {
        key: &'static str,
        shows: Shows,
        /// The values of a user's field of this key that may stand there in lines without the member.
        fits: Option<fn(&Value<'_>) -> bool>,
        add: Arc<dyn Fn(Layout, &'static str) -> Layout + Send + Sync>,
    },
    Object(&'static str, Members),
    Fields,
}

/// What a member shows, where the rest of the line depends on that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Message,
    Error,
    ErrorMessage,
    Stack,
    Request,
    Service,
    Trace,
    Span,
    Level,
    Thread,
    Other,
}

impl Custom {
    /// Creates a schema whose lines begin with the time, under `time_key`, and have these members.
    pub fn new(time_key: &'static str, describe: impl FnOnce(Members) -> Members) -> Self {
        let members = describe(Members::default());
        Self { options: Options { time_key, time: TimeFormat::default(), members }, engine: Engine::default() }
    }

    /// Sets how the time is spelled.
    pub fn time(mut self, time: impl Into<TimeFormat>) -> Self {
        self.options.time = time.into();
        self
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom").field("members", &self.options.members).finish_non_exhaustive()
    }
}

/// Shows the keys.
impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().filter_map(Member::key)).finish()
    }
}

/// Defines methods of [`Members`]: what each shows, what fits its place, and how it is added.
macro_rules! members {
    ($($(#[$doc:meta])* $name:ident: $shows:ident, $fits:expr, $add:expr;)*) => {
        $($(#[$doc])* pub fn $name(self, key: &'static str) -> Self {
            self.member(key, Shows::$shows, $fits, $add)
        })*
    };
    (private $($name:ident: $shows:ident, $fits:expr, $add:expr;)*) => {
        $(fn $name(self, key: &'static str) -> Self {
            self.member(key, Shows::$shows, $fits, $add)
        })*
    };
}

impl Members {
    members! {
        /// Adds the event's text, or what stands for it: its error, its name, or its span.
        message: Message, None, |layout, key| layout.message(key, AS_TEXT);
        /// Adds the level in upper case.
        level: Level, None, Layout::level;
        /// Adds the target.
        target: Other, None, Layout::target;
        /// Adds the name that the program gave the event.
        event_name: Other, Some(is_text), |layout, key| layout.event_name(key);
        /// Adds the source file of the call site.
        file: Other, Some(is_text), Layout::file;
        /// Adds the line in the source file.
        line: Other, Some(is_number), Layout::line;
        /// Adds the module path of the call site.
        module: Other, Some(is_text), Layout::module;
        /// Adds the name of the service.
        service: Service, None, Layout::service;
        /// Adds the number of the thread.
        thread_id: Thread, Some(is_number), Layout::thread_id;
        /// Adds the name of the thread, if it has one.
        thread_name: Thread, Some(is_text), |layout, key| layout.thread_name(true, key);
        /// Adds the error as an object with its message and its sources.
        error: Error, None, Layout::error;
        /// Adds the error's message.
        error_message: ErrorMessage, Some(is_text), |layout, key| layout.error_message(key);
        /// Adds the error's type.
        error_type: Other, Some(is_text), |layout, key| layout.error_type(key);
        /// Adds the error's sources and the backtrace as a text.
        stack: Stack, Some(is_text), |layout, key| layout.stack_text(key);
        /// Adds the field `request_id`.
        request_id: Request, None, |layout, key| layout.request(key, AS_JSON);
        /// Adds the id of the trace.
        trace_id: Trace, None, Layout::trace;
        /// Adds the id of the innermost span.
        span_id: Span, None, Layout::span;
        /// Adds the id of the span around the innermost one.
        parent_span_id: Other, None, Layout::parent;
        /// Adds the names of the spans as an array, outermost first.
        spans: Other, None, Layout::span_names;
        /// Adds the process id.
        pid: Other, None, |layout, key| layout.number(key, Stage::Log, |_| Some(std::process::id().into()));
        /// Adds the machine's name.
        hostname: Other, None, |layout, key| layout.text(key, Stage::Log, |_| Some(hostname().into()));
    }

    /// Adds the level.
    pub fn level_as(self, key: &'static str, format: LevelFormat) -> Self {
        self.member(key, Shows::Level, None, move |layout, key| layout.level_as(key, format))
    }

    /// Adds the same value to all lines; an absent value adds nothing.
    pub fn constant(self, key: &'static str, value: impl Into<OwnedValue>) -> Self {
        let value = Arc::new(value.into());
        self.member(key, Shows::Other, None, move |layout, key| {
            let value = Arc::clone(&value);
            layout.put(key, Stage::Log, move |_, out| put(&value, out))
        })
    }

    /// Adds a value that `value` makes of each record; an absent value adds nothing.
    ///
    /// It runs on the worker. It must use only the record: the same record must give the same value.
    pub fn value(self, key: &'static str, value: impl Fn(&Record<'_>) -> OwnedValue + Send + Sync + 'static) -> Self {
        let value = Arc::new(value);
        self.member(key, Shows::Other, None, move |layout, key| {
            let value = Arc::clone(&value);
            layout.put(key, Stage::Event(Mark::Any), move |parts, out| put(&value(parts.record), out))
        })
    }

    /// Adds an object with the members that `describe` names, in lines where it has any.
    pub fn object(self, key: &'static str, describe: impl FnOnce(Self) -> Self) -> Self {
        self.push(Member::Object(key, describe(Self::default())))
    }

    /// Adds the users' fields: those of the event, of its spans and context variables, and static ones.
    ///
    /// Without it, they are at the end of the line. Only the first place counts.
    pub fn fields(self) -> Self {
        self.push(Member::Fields)
    }

    members! { private
        truncated: Other, None, Layout::truncated;
        original_bytes: Other, None, Layout::original_bytes;
        held_back: Other, Some(|_| true), |layout, key| layout.held_back_as(key);
        backtrace: Other, Some(is_text), |layout, key| layout.backtrace_as(key);
    }

    fn member(
        self,
        key: &'static str,
        shows: Shows,
        fits: Option<fn(&Value<'_>) -> bool>,
        add: impl Fn(Layout, &'static str) -> Layout + Send + Sync + 'static,
    ) -> Self {
        self.push(Member::Value { key, shows, fits, add: Arc::new(add) })
    }

    fn push(mut self, member: Member) -> Self {
        self.0.retain(|other| other.key().is_none() || other.key() != member.key());
        self.0.push(member);
        self
    }

    /// Returns whether any member, also one of an object, has a property.
    fn any(&self, has: &dyn Fn(&Member) -> bool) -> bool {
        self.0.iter().any(|member| has(member) || matches!(member, Member::Object(_, inside) if inside.any(has)))
    }

    fn shows(&self, what: Shows) -> bool {
        self.any(&|member| matches!(member, Member::Value { shows, .. } if *shows == what))
    }

    fn has_key(&self, key: &str) -> bool {
        self.0.iter().any(|member| member.key() == Some(key))
    }

    /// Returns the members that the fields stand beside.
    fn around_fields(&self) -> Option<&Self> {
        let of_object = |member: &Member| matches!(member, Member::Object(_, inside) if inside.has_fields());
        match self.0.iter().find(|member| matches!(member, Member::Fields) || of_object(member))? {
            Member::Object(_, inside) => inside.around_fields(),
            _ => Some(self),
        }
    }

    fn has_fields(&self) -> bool {
        self.any(&|member| matches!(member, Member::Fields))
    }

    /// Adds the members to a layout. `around_fields`: those that the fields stand beside.
    fn add(&self, mut layout: Layout, around_fields: &Self) -> Layout {
        let is_around = std::ptr::eq(self, around_fields);
        let mut fields = is_around;
        for member in &self.0 {
            layout = match member {
                Member::Value { key, fits, add, .. } => match add(layout, key).no_field() {
                    layout if !is_around => layout,
                    layout => fits.iter().fold(layout, |layout, fits| layout.or_field(key, *fits)),
                },
                Member::Object(key, inside) => layout.object(key, |layout| inside.add(layout, around_fields)),
                Member::Fields if std::mem::take(&mut fields) => {
                    layout.fields(TOP).static_fields(TOP).fields(UNDER).static_fields(UNDER)
                }
                Member::Fields => layout,
            };
        }
        layout
    }
}

impl Member {
    fn key(&self) -> Option<&'static str> {
        match self {
            Self::Value { key, .. } | Self::Object(key, _) => Some(key),
            Self::Fields => None,
        }
    }
}

/// Adds a member under a key.
type AddMember = fn(Members, &'static str) -> Members;

/// Appends a value, if there is one.
fn put(value: &OwnedValue, out: &mut Vec<u8>) -> bool {
    let value = value.as_value();
    value.iter().for_each(|value| json::put_value(out, value));
    value.is_some()
}

impl Options {
    /// Returns the description with what it leaves out. `record`: any record, which has the log's marks.
    fn completed(&self, record: &Record<'_>) -> Members {
        let mut members = self.members.clone();
        members.0.retain(|member| member.key() != Some(self.time_key));
        if !members.has_fields() {
            members = members.fields();
        }
        // The stack has the sources, and the message has what they led to.
        let has_error =
            members.shows(Shows::Error) || members.shows(Shows::ErrorMessage) && members.shows(Shows::Stack);
        let has_backtrace = record.statics.backtraces.is_none() || members.shows(Shows::Stack);
        let left_out: [(bool, &'static str, AddMember); 7] = [
            (members.shows(Shows::Message), "log.log.log.message", Members::message),
            (has_error, "log.log.log.error", Members::error),
            (members.shows(Shows::Request), "log.log.log.request_id", Members::request_id),
            (false, "log.log.log.truncated", Members::truncated),
            (false, "log.log.log.original_bytes", Members::original_bytes),
            (!record.statics.holds_back, "log.log.log.held_back", Members::held_back),
            (has_backtrace, "log.log.log.backtrace", Members::backtrace),
        ];
        for (_, longest, add) in left_out.into_iter().filter(|(is_there, ..)| !is_there) {
            let key = self.free_key(longest, &members);
            members = add(members, key);
        }
        members
    }

    /// Returns the key with the fewest `log.` before it that is not taken.
    fn free_key(&self, longest: &'static str, members: &Members) -> &'static str {
        let shorter = |key: &&'static str| key.strip_prefix("log.");
        let keys: Vec<_> = std::iter::successors(Some(longest), shorter).filter(|key| *key != self.time_key).collect();
        keys.iter().rev().copied().find(|key| !members.has_key(key)).unwrap_or(keys.first().copied().unwrap_or(longest))
    }

    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(&self, record: &Record<'_>) -> Layout {
        let members = self.completed(record);
        let around_fields = members.around_fields().unwrap_or(&members);
        let mut keys: Vec<Cow<'_, str>> = around_fields.0.iter().filter_map(Member::key).map(Cow::Borrowed).collect();
        keys.extend(std::ptr::eq(around_fields, &members).then_some(Cow::Borrowed(self.time_key)));
        let mut under = String::from("fields");
        while keys.iter().any(|key| key.strip_prefix(&under).is_some_and(|rest| rest.starts_with('.'))) {
            under.insert_str(0, "log.");
        }
        let prefix = format!("{under}.");
        keys.push(Cow::Owned(under));
        let place = move |name: &str, _| Place::Group(if is_reserved(name, &keys) { UNDER } else { TOP });
        let mut head = b"{".to_vec();
        json::put_str(&mut head, self.time_key);
        head.extend_from_slice(b":\"");
        let layout = Layout::new(&String::from_utf8_lossy(&head), place)
            .time(self.time)
            .roles(Takes {
                service: members.shows(Shows::Service),
                trace: members.shows(Shows::Trace),
                span: members.shows(Shows::Span),
                level: members.shows(Shows::Level),
            })
            .spelling(UNDER, Spelling::prefixed(Syntax::JSON, prefix));
        members.add(layout, around_fields)
    }
}

described!(
    Custom,
    wants_thread: |options| options.members.shows(Shows::Thread),
    wants_local_time: |options| options.time.is_local()
);
