//! Lines for people at a terminal: one per event, aligned and coloured, never with a raw control character.

use std::collections::VecDeque;
use std::io::Write;

use chrono::{Local, Utc};

use super::Schema;
use super::color::{Color, auto_color};
use super::edit::Edits;
use super::engine::{Brackets, Engine, Layout, Mark, Parts, Place, Spelling, Stage, Syntax, TOP, Takes, UNDER};
use super::object::switches;
use super::palette::Palette;
use super::plain::{MESSAGE, PLAIN, put_plain, put_text};
use super::resolved_fields::Origin;
use super::style::Style;
use super::table::BuiltIn;
use crate::context::ContextKey;
use crate::record::{Record, Timestamp, Value};

/// Lines for people: time of day, level, target, message, fields; the ids at the end, dimmed.
///
/// ```text
/// 10:15:38.123456 INFO  orders            order loaded  user_id=42 method=GET  request  request_id=r-1 trace_id=4bf92f…
/// ```
///
/// [`compact`](Self::compact) omits the target and the long ids. [`pretty`](Self::pretty) uses several lines per event.
/// [`fold`](Self::fold) shows the spans' fields only once.
#[derive(Debug, Default)]
pub struct Console {
    color: Color,
    is_colored: bool,
    time: Time,
    fold: bool,
    options: Options,
    /// Renders lines with the fields of their context, and lines without.
    engines: [Engine; 2],
    clock: Clock,
    /// Contexts whose fields have been shown.
    shown: VecDeque<ContextKey>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shape {
    #[default]
    Line,
    Compact,
    Pretty,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Time {
    #[default]
    OfDay,
    SinceStart,
    SinceLast,
}

/// What the lines show.
#[derive(Clone, Debug, Default)]
struct Options {
    shape: Shape,
    /// Column of the message: grows with the targets seen, up to a limit.
    target_width: usize,
    palette: Palette,
    utc: bool,
    date: bool,
    shows: Shows,
}

/// What is switched on, besides what every line has.
#[derive(Clone, Copy, Debug, Default)]
struct Shows {
    file: bool,
    line: bool,
    module: bool,
    function: bool,
    thread_id: bool,
    thread_name: bool,
    pid: bool,
    service: bool,
    static_fields: bool,
}

/// The times of lines, and what was written for the last second.
#[derive(Debug, Default)]
struct Clock {
    /// The times of the first line and of the last two.
    times: Option<(Timestamp, Timestamp, Timestamp)>,
    second: Option<i64>,
    text: String,
}

pub(super) const ROWS: &[BuiltIn] = &[
    row("console", || Box::new(Console::new()), || Box::new(reproducible())),
    row("compact", || Box::new(Console::new().compact()), || Box::new(reproducible().compact())),
    row("pretty", || Box::new(Console::new().pretty()), || Box::new(reproducible().pretty())),
];

const fn row(name: &'static str, new: fn() -> Box<dyn Schema>, reproducible: fn() -> Box<dyn Schema>) -> BuiltIn {
    BuiltIn { reproducible, ..BuiltIn::text(name, None, new) }
}

fn reproducible() -> Console {
    Console::new().utc().color(Color::Never)
}

/// At most this many contexts are remembered as shown: more than anyone watches at a time.
const MAX_SHOWN: usize = 256;

/// A longer target does not move the messages of the other lines.
const MAX_TARGET_WIDTH: usize = 32;

impl Console {
    /// Creates the schema: colours if the sink is a terminal, local time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets when to colour.
    pub fn color(mut self, color: Color) -> Self {
        self.color = color;
        self.is_colored = color == Color::Always;
        self
    }

    /// Sets the colours.
    pub fn palette(mut self, palette: Palette) -> Self {
        self.options.palette = palette;
        self
    }

    /// Omits the target, `trace_id` and `span_id`.
    pub fn compact(mut self) -> Self {
        self.options.shape = Shape::Compact;
        self
    }

    /// Uses several lines per event: its message, its own fields, its error with each source and the backtrace, the spans'
    /// fields, then the spans and ids.
    pub fn pretty(mut self) -> Self {
        self.options.shape = Shape::Pretty;
        self
    }

    /// Shows the spans' fields and the long ids only in the first line of a span; later lines show the spans' names and
    /// `request_id`.
    pub fn fold(mut self) -> Self {
        self.fold = true;
        self
    }

    /// Shows the time since the first line instead of the time of day.
    pub fn since_start(mut self) -> Self {
        self.time = Time::SinceStart;
        self
    }

    /// Shows the time since the previous line instead of the time of day.
    pub fn since_last(mut self) -> Self {
        self.time = Time::SinceLast;
        self
    }

    switches! { options:
        /// Shows UTC instead of local time.
        utc,
        /// Shows the date before the time of day.
        date,
    }

    switches! { options.shows:
        /// Shows the source file of the call site behind the target.
        file,
        /// Shows the line in the source file.
        line,
        /// Shows the module path of the call site.
        module,
        /// Shows the function: the innermost span's name, for `tracing` knows no other.
        function,
        /// Shows the number in the standard library's `ThreadId`.
        thread_id,
        /// Shows the thread's name, where it has one.
        thread_name,
        /// Shows the process id.
        pid,
        /// Shows the service.
        service,
        /// Shows the builder's static fields.
        static_fields,
    }

    fn put_time(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        let style = self.options.style(self.is_colored, |palette| &palette.time);
        out.extend_from_slice(style.begin().as_bytes());
        match self.clock.times {
            Some((first, before, now)) if self.time != Time::OfDay => {
                let since = if self.time == Time::SinceStart { first } else { before };
                let micros = now.as_nanos().saturating_sub(since.as_nanos()) / 1000;
                let sign = if micros < 0 { '-' } else { '+' };
                let (seconds, micros) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
                let _ = write!(out, "{:>15} ", format_args!("{sign}{seconds}.{micros:06}").to_string());
            }
            _ => {
                let second = now.as_nanos().div_euclid(NANOS);
                if self.clock.second != Some(second) {
                    let format = if self.options.date { "%Y-%m-%d %H:%M:%S" } else { "%H:%M:%S" };
                    let time = now.to_datetime();
                    let text = match self.options.utc {
                        true => time.with_timezone(&Utc).format(format).to_string(),
                        false => time.with_timezone(&Local).format(format).to_string(),
                    };
                    (self.clock.second, self.clock.text) = (Some(second), text);
                }
                let micros = now.as_nanos().rem_euclid(NANOS) / 1000;
                let _ = write!(out, "{}.{micros:06} ", self.clock.text);
            }
        }
        out.extend_from_slice(style.end().as_bytes());
    }

    /// Returns whether the context's fields have been shown. `again`: the same line is rendered again, shortened.
    fn is_folded(&mut self, record: &Record<'_>, again: bool) -> bool {
        let Some(context) = record.context().filter(|_| self.fold) else { return false };
        let key = context.key();
        if self.shown.contains(&key) {
            return !(again && self.shown.back() == Some(&key));
        }
        if self.shown.len() == MAX_SHOWN {
            self.shown.pop_front();
        }
        self.shown.push_back(key);
        false
    }

    /// Makes the column of the targets wide enough.
    fn fit_target(&mut self, target: &str) {
        let width = &mut self.options.target_width;
        if target.len() > *width && *width < MAX_TARGET_WIDTH {
            let wanted = target.chars().count().min(MAX_TARGET_WIDTH);
            if wanted > *width {
                *width = wanted;
                self.engines.iter_mut().for_each(Engine::forget);
            }
        }
    }
}

const NANOS: i64 = 1_000_000_000;

impl Clock {
    /// Keeps the times of this line and the previous one. `again`: the same line is rendered again, shortened.
    fn keep(&mut self, now: Timestamp, again: bool) {
        self.times = match self.times {
            Some((first, before, _)) if again => Some((first, before, now)),
            Some((first, _, last)) => Some((first, last, now)),
            None => Some((now, now, now)),
        };
    }
}

impl Options {
    /// Returns a style of the palette; the plain one without colours.
    fn style(&self, is_colored: bool, style: impl Fn(&Palette) -> &Style) -> Style {
        if is_colored { style(&self.palette).clone() } else { Style::PLAIN }
    }

    /// Returns whether the lines have the ids of trace and span.
    fn has_ids(&self, is_folded: bool) -> bool {
        !is_folded && self.shape != Shape::Compact
    }

    /// Returns the names of the line's own fields: a user's field of such a name is marked.
    fn keys(&self, is_folded: bool) -> Vec<&'static str> {
        let all = [
            ("message", true),
            ("error", true),
            ("request_id", true),
            ("truncated", true),
            ("original_bytes", true),
            ("held_back", true),
            ("backtrace", true),
            ("trace_id", self.has_ids(is_folded)),
            ("span_id", self.has_ids(is_folded)),
            ("module", self.shows.module),
            ("function", self.shows.function),
            ("thread_id", self.shows.thread_id),
            ("thread_name", true),
            ("pid", self.shows.pid),
            ("service", self.shows.service),
        ];
        all.into_iter().filter(|(_, is_shown)| *is_shown).map(|(name, _)| name).collect()
    }

    /// Describes what follows the time.
    fn layout(&self, is_colored: bool, is_folded: bool) -> Layout {
        let style = |of: fn(&Palette) -> &Style| self.style(is_colored, of);
        let (message, name, ids) = (style(|all| &all.message), style(|all| &all.name), style(|all| &all.ids));
        let levels = if is_colored { self.palette.clone() } else { Palette::plain() };
        let (keys, shows_statics, has_ids) = (self.keys(is_folded), self.shows.static_fields, self.has_ids(is_folded));
        let place = move |name: &str, origin| match origin {
            Origin::Static if !shows_statics => Place::Hidden,
            Origin::Span | Origin::Variable if is_folded => Place::Hidden,
            _ if keys.contains(&name) || name.starts_with("fields.") => Place::Group(UNDER),
            _ => Place::Group(TOP),
        };
        let fields = Syntax {
            before: format!(" {}", name.begin()).into(),
            name: |name, out| put_plain(&Value::Str(name), out),
            between: format!("={}", name.end()).into(),
            form: PLAIN,
        };
        let gap = if self.shape == Shape::Pretty { "\n   " } else { " " };
        let is_line = self.shape != Shape::Pretty;
        Layout::new("", place)
            .tail(None)
            .end(b"")
            .spelling(TOP, Spelling::with(fields.clone()))
            .spelling(UNDER, Spelling::prefixed(fields.clone(), "fields."))
            .roles(Takes { service: self.shows.service, trace: has_ids, span: has_ids, level: true })
            .members(Stage::CallSite, move |parts, out| {
                let style = levels.style_of(parts.record.level());
                let _ = write!(out, "{}{:<5} {}", style.begin(), parts.level.upper(), style.end());
                true
            })
            .when(self.shape != Shape::Compact, |layout| self.target(layout, style(|all| &all.target)))
            .when(self.shows.file || self.shows.line, |layout| self.location(layout, style(|all| &all.target)))
            .syntax(Syntax::unnamed(format!(" {}", message.begin()), PLAIN))
            .enclosed("", Brackets { open: None, close: message.end().as_bytes() }, |layout| {
                layout.syntax(Syntax::unnamed("", PLAIN)).message("message", MESSAGE)
            })
            .syntax(Syntax::unnamed(gap, PLAIN))
            .enclosed("", Brackets::NONE, |layout| {
                layout
                    .syntax(fields.clone())
                    .when(is_line, |layout| {
                        layout
                            .value("error", Stage::Event(Mark::Error), |parts| parts.error)
                            .or_field("error", |_| true)
                    })
                    .own_fields(TOP)
                    .own_fields(UNDER)
                    .when(is_line, Layout::backtrace)
                    .held_back()
                    .truncation()
                    .inserts()
            })
            .when(!is_line, |layout| {
                layout.members(Stage::Event(Mark::Stack), move |parts, out| put_error(parts, out, &name))
            })
            .syntax(Syntax::unnamed(gap, PLAIN))
            .when(!is_folded, |layout| {
                layout.enclosed("", Brackets::NONE, |layout| {
                    layout.syntax(fields.clone()).context_fields(TOP).context_fields(UNDER)
                })
            })
            .syntax(Syntax::unnamed(if is_line { "" } else { gap }, PLAIN))
            .enclosed("", Brackets::NONE, |layout| {
                let (spans, before) = (ids.clone(), if is_line { "  " } else { " " });
                layout
                    .members(Stage::Shape, move |parts, out| put_spans(parts, out, &spans, before))
                    .syntax(Syntax::unnamed(format!(" {}", ids.begin()), PLAIN))
                    .enclosed("", Brackets { open: None, close: ids.end().as_bytes() }, |layout| {
                        layout
                            .syntax(Syntax { before: " ".into(), between: "=".into(), ..fields })
                            .when(self.shows.module, |layout| layout.module("module"))
                            .when(self.shows.function, |layout| {
                                layout.text("function", Stage::Shape, |parts| {
                                    parts.span_names().last().map(|name| (*name).into())
                                })
                            })
                            .when(self.shows.thread_id, |layout| layout.thread_id("thread_id"))
                            .thread_name(self.shows.thread_name, "thread_name")
                            .when(self.shows.pid, |layout| {
                                layout.number("pid", Stage::Log, |_| Some(std::process::id().into()))
                            })
                            .when(self.shows.service, |layout| layout.service("service"))
                            .when(self.shows.static_fields, |layout| layout.static_fields(TOP).static_fields(UNDER))
                            .request("request_id", PLAIN)
                            .when(has_ids, |layout| {
                                let any = |_: &Value<'_>| true;
                                layout
                                    .trace("trace_id")
                                    .or_field("trace_id", any)
                                    .span("span_id")
                                    .or_field("span_id", any)
                            })
                    })
            })
    }

    /// Adds the target, padded to the width of the others.
    fn target(&self, layout: Layout, style: Style) -> Layout {
        let width = self.target_width;
        layout.members(Stage::CallSite, move |parts, out| {
            let target = parts.record.target();
            out.extend_from_slice(style.begin().as_bytes());
            put_text(target, out);
            out.extend_from_slice(style.end().as_bytes());
            out.resize(out.len() + width.saturating_sub(target.chars().count()) + 1, b' ');
            true
        })
    }

    /// Adds file and line of the call site.
    fn location(&self, layout: Layout, style: Style) -> Layout {
        let (file, line) = (self.shows.file, self.shows.line);
        layout.members(Stage::CallSite, move |parts, out| {
            let file = parts.record.file().filter(|_| file);
            let line = parts.record.line().filter(|_| line).map(|line| line.to_string());
            let place: Vec<&str> = file.into_iter().chain(line.as_deref()).collect();
            out.extend_from_slice(style.begin().as_bytes());
            put_text(&place.join(":"), out);
            out.extend_from_slice(style.end().as_bytes());
            out.push(b' ');
            !place.is_empty()
        })
    }
}

/// Appends an error, its sources and the backtrace, each on its own lines.
fn put_error(parts: &Parts<'_>, out: &mut Vec<u8>, style: &Style) -> bool {
    if let Some(error) = &parts.error {
        let _ = write!(out, "\n    {}error{}: ", style.begin(), style.end());
        put_text(parts.error_message().unwrap_or_default(), out);
        if let Value::Error(chain) = error {
            for source in chain.sources() {
                out.extend_from_slice(b"\n      caused by: ");
                put_text(source, out);
            }
        }
    }
    let backtrace = parts.record.backtrace();
    for frame in backtrace.into_iter().flat_map(str::lines) {
        out.extend_from_slice(b"\n    ");
        put_text(frame, out);
    }
    parts.error.is_some() || backtrace.is_some()
}

/// Appends the names of the visible spans, outermost first.
fn put_spans(parts: &Parts<'_>, out: &mut Vec<u8>, style: &Style, before: &str) -> bool {
    let names = parts.span_names();
    let _ = write!(out, "{before}{}", style.begin());
    put_text(&names.join(":"), out);
    out.extend_from_slice(style.end().as_bytes());
    !names.is_empty()
}

impl Schema for Console {
    fn wants_local_time(&self) -> bool {
        !self.options.utc && self.time == Time::OfDay
    }

    fn wants_thread(&self) -> bool {
        self.options.shows.thread_id || self.options.shows.thread_name
    }

    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let again = record.max_value_bytes != usize::MAX;
        self.clock.keep(record.timestamp(), again);
        let is_folded = self.is_folded(record, again);
        self.fit_target(record.target());
        self.put_time(record.timestamp(), out);
        let Self { options, is_colored, engines: [whole, folded], .. } = self;
        let engine = if is_folded { folded } else { whole };
        engine.render(record, out, || options.layout(*is_colored, is_folded));
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.engines.iter_mut().for_each(|engine| engine.edit(edits));
        true
    }

    fn forked(&mut self) {
        self.engines.iter_mut().for_each(Engine::forget);
    }

    fn terminal(&mut self, is_terminal: bool) {
        if self.color == Color::Auto {
            self.is_colored = auto_color(is_terminal, |name| std::env::var_os(name));
        }
    }
}
