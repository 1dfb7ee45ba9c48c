//! The schema: describes to the engine the lines that a text describes.

use super::nodes::{has_fields, named, remove, shown, uses};
use super::parse::{Group, Node, Placeholder, Tint, parse};
use super::part::{Part, Setting, TEXT};
use super::write::Brush;
use crate::context::Context;
use crate::error::Error;
use crate::record::{Record, Value};
use crate::schema::Schema;
use crate::schema::color::{Color, auto_color};
use crate::schema::edit::Edits;
use crate::schema::engine::{Brackets, Engine, Layout, Mark, Parts, Place, Spelling, Stage, Syntax, TOP, Takes, UNDER};
use crate::schema::host::program_name;
use crate::schema::level::LevelFormat;
use crate::schema::palette::Palette;
use crate::schema::plain::{PLAIN, put_plain};
use crate::schema::time_format::Zone;

/// Lines as a text describes them, as in Python's `logging`, loguru or Java's logback.
///
/// ```
/// use spanline::schema::Template;
///
/// let template = Template::new(
///     "{time:%Y-%m-%d %H:%M:%S,%3f} | {level:<8} | [{file}:{line}] | {target}.{function} | {message} {fields}",
/// )?;
/// # Ok::<(), spanline::Error>(())
/// ```
///
/// The colour format of a classic Python set-up is one line:
///
/// ```
/// # use spanline::schema::Template;
/// let template = Template::new("{time|green} {module|cyan}.{function|cyan} {process|magenta} {level:<8|level} {message|bold}")?;
/// # Ok::<(), spanline::Error>(())
/// ```
///
/// | write | for |
/// |---|---|
/// | `{time:%H:%M:%S%.3f}` | the time in one of [chrono's formats](chrono::format::strftime); `{time}` has date and milliseconds |
/// | `{level}`, `{target}`, `{message}` | what describes the event |
/// | `{module}`, `{file}`, `{line}` | the place of the call site |
/// | `{function}`, `{spans}` | the innermost span's name (`tracing` knows no other function); the names of all spans |
/// | `{thread}`, `{thread_id}`, `{process}`, `{pid}`, `{service}` | where it runs; `process` is the program's name |
/// | `{trace_id}`, `{span_id}`, `{error}`, `{backtrace}` | ids and errors |
/// | `{user_id}` | a field of the event, else of the inner span, else of the outer span, else a static one |
/// | `{.line}` | a field that is named like something else |
/// | `{fields}` | all fields that the template does not name, as `key=value` |
/// | `{request_id:-none}` | a value with a default |
/// | `{level:<8}`, `{target:>20.20}`, `{user_id:*^9}`, `{line:04}` | width, alignment (`<`, `>`, `^`) with another fill, and cut; numbers are on the right |
/// | `{level\|bold red}`, `{message\|level}` | a [`Style`](crate::schema::Style), or the style of the level |
/// | `{?request_id}[{request_id}]{/}` | text that is in the line only if the line has the field |
/// | `{:<30}{file}:{line}{/}`, `{\|dim}…{/}` | a width or a style for several parts |
/// | `{{`, `}}` | braces |
///
/// A space before `{fields}` is in the line only if fields follow. Values are escaped, so each stays on its line.
///
/// An edit that removes a field removes it from everywhere in the line. Other edits apply to `{fields}`.
#[derive(Debug)]
pub struct Template {
    color: Color,
    options: Options,
    engine: Engine,
}

/// What the lines show.
#[derive(Debug)]
struct Options {
    nodes: Vec<Node>,
    setting: Setting,
    is_colored: bool,
    palette: Palette,
}

impl Template {
    /// Creates the schema from a text. Times are local.
    ///
    /// # Errors
    /// When the text is no template; the error names the column and what to write.
    pub fn new(text: &str) -> Result<Self, Error> {
        let options = Options {
            nodes: parse(text)?,
            setting: Setting { zone: Zone::Local, process: program_name(), level: LevelFormat::Upper },
            is_colored: false,
            palette: Palette::default(),
        };
        Ok(Self { color: Color::Auto, options, engine: Engine::default() })
    }

    /// Writes times in UTC.
    #[must_use]
    pub fn utc(mut self) -> Self {
        self.options.setting.zone = Zone::Utc;
        self
    }

    /// Writes the times of a zone that is this many minutes east of UTC.
    ///
    /// # Errors
    /// When the offset is a day or more.
    pub fn offset_minutes(mut self, minutes: i32) -> Result<Self, Error> {
        self.options.setting.zone = Zone::offset_minutes(minutes)?;
        Ok(self)
    }

    /// Writes the times of the zone with this name, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// When there is no such zone; the error suggests the nearest one.
    #[cfg(feature = "time-zones")]
    pub fn time_zone(mut self, name: &str) -> Result<Self, Error> {
        self.options.setting.zone = Zone::named(name)?;
        Ok(self)
    }

    /// Sets `{process}`, which is the program's name by default.
    #[must_use]
    pub fn process_name(mut self, name: impl Into<String>) -> Self {
        self.options.setting.process = name.into();
        self
    }

    /// Sets how `{level}` is spelled: in upper case by default.
    #[must_use]
    pub fn level(mut self, level: LevelFormat) -> Self {
        self.options.setting.level = level;
        self
    }

    /// Sets when to colour.
    #[must_use]
    pub fn color(mut self, color: Color) -> Self {
        self.color = color;
        self.options.is_colored = color == Color::Always;
        self
    }

    /// Sets the colours of the levels.
    #[must_use]
    pub fn palette(mut self, palette: Palette) -> Self {
        self.options.palette = palette;
        self
    }
}

impl Options {
    /// Describes the lines.
    fn layout(&self) -> Layout {
        let shown = shown(&self.nodes);
        let shows = |part: Part| shown.contains(&part);
        let shows_error = shows(Part::Error);
        let is_shown = named(&shown);
        let place = move |name: &str, _| match name {
            _ if is_shown.iter().any(|shown| shown == name) => Place::Hidden,
            _ if KEYS.contains(&name) || name.starts_with("fields.") => Place::Group(UNDER),
            _ => Place::Group(TOP),
        };
        let fields = Syntax {
            before: " ".into(),
            name: |name, out| put_plain(&Value::Str(name), out),
            between: "=".into(),
            form: PLAIN,
        };
        let layout = Layout::new("", place)
            .tail(None)
            .end(b"")
            .spelling(TOP, Spelling::with(fields.clone()))
            .spelling(UNDER, Spelling::prefixed(fields.clone(), "fields."))
            .roles(Takes {
                service: shows(Part::Service),
                trace: shows(Part::TraceId),
                span: shows(Part::SpanId),
                level: true,
            });
        let brush = Brush { palette: self.is_colored.then(|| self.palette.clone()), tints: Vec::new() };
        let mut lines = Lines {
            layout: Some(layout),
            text: Vec::new(),
            setting: self.setting.clone(),
            shown,
            syntax: fields.clone(),
            has_message: false,
        };
        lines.add(&self.nodes, &brush);
        lines.flush();
        let layout = lines.layout.take().unwrap_or_else(|| Layout::new("", |_, _| Place::Hidden));
        let has_fields = has_fields(&self.nodes);
        layout.when(!has_fields, |layout| layout.syntax(fields).inserts()).when(!has_fields || shows_error, |layout| {
            // Tells the engine that no line with an error has to show it elsewhere.
            layout.members(Stage::Event(Mark::Error), |_, _| true)
        })
    }
}

/// The names of what `{fields}` shows besides fields: a user's field of such a name is marked.
const KEYS: [&str; 9] =
    ["message", "error", "request_id", "truncated", "original_bytes", "held_back", "backtrace", "trace_id", "span_id"];

/// A description in the making.
struct Lines {
    layout: Option<Layout>,
    /// Text that is not added yet.
    text: Vec<u8>,
    setting: Setting,
    shown: Vec<Part>,
    syntax: Syntax,
    has_message: bool,
}

impl Lines {
    fn with(&mut self, add: impl FnOnce(Layout) -> Layout) {
        self.layout = self.layout.take().map(add);
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.members(Stage::Log, move |_, out| out.extend_from_slice(&text));
        }
    }

    fn members(&mut self, stage: Stage, put: impl Fn(&Parts<'_>, &mut Vec<u8>) + Send + 'static) {
        self.with(|layout| {
            layout.members(stage, move |parts, out| {
                put(parts, out);
                true
            })
        });
    }

    fn add(&mut self, nodes: &[Node], brush: &Brush) {
        for node in nodes {
            match node {
                Node::Text(text) => self.text.extend_from_slice(text.as_bytes()),
                Node::Fields(tint) => {
                    let has_space = self.text.last() == Some(&b' ');
                    if has_space {
                        self.text.pop();
                    }
                    self.tinted(tint.as_ref(), brush, |lines, _| lines.add_fields(has_space));
                }
                Node::Group(Group { condition: None, spec, tint, nodes }) if spec.is_empty() => {
                    self.tinted(tint.as_ref(), brush, |lines, brush| lines.add(nodes, brush));
                }
                Node::Group(group) => {
                    self.flush();
                    let (group, brush, setting) = (group.clone(), brush.clone(), self.setting.clone());
                    self.members(Stage::Event(Mark::Any), move |parts, out| group.put(parts, &setting, &brush, out));
                }
                Node::Value(placeholder) => {
                    self.tinted(placeholder.tint.as_ref(), brush, |lines, _| lines.add_value(placeholder));
                }
            }
        }
    }

    /// Adds what `add` adds in a style.
    fn tinted(&mut self, tint: Option<&Tint>, brush: &Brush, add: impl FnOnce(&mut Self, &Brush)) {
        let Some(tint) = tint.filter(|_| brush.palette.is_some()) else { return add(self, brush) };
        let inner = brush.with(tint);
        match tint {
            Tint::Style(style) => self.text.extend_from_slice(style.begin().as_bytes()),
            Tint::Level => {
                self.flush();
                let inner = inner.clone();
                self.members(Stage::CallSite, move |parts, out| inner.begin(parts, out));
            }
        }
        add(self, &inner);
        self.flush();
        self.members(Stage::CallSite, move |parts, out| inner.end(parts, out));
    }

    fn add_value(&mut self, placeholder: &Placeholder) {
        self.flush();
        if placeholder.part == Part::Message && placeholder.spec.is_empty() && !self.has_message {
            self.has_message = true;
            return self.with(|layout| layout.syntax(Syntax::unnamed("", TEXT)).message("", TEXT));
        }
        let (placeholder, setting) = (placeholder.clone(), self.setting.clone());
        let stage = match placeholder.part.stage() {
            // A line without a context has the default or the padding.
            Stage::Shape | Stage::Context if !placeholder.is_bare() => Stage::Event(Mark::Any),
            stage => stage,
        };
        self.members(stage, move |parts, out| placeholder.put(parts, &setting, out));
    }

    /// Adds all fields that the template does not name, each behind a space. `has_space`: the text before ended with one.
    fn add_fields(&mut self, has_space: bool) {
        // Another character before the fields takes the place of the first space.
        let open = if has_space { None } else { self.text.pop() };
        self.flush();
        let fields = self.syntax.clone();
        let shows = |part: Part| self.shown.contains(&part);
        let [message, error] = [Part::Message, Part::Error].map(|part| !shows(part));
        let request = !shows(Part::Field("request_id".to_owned()));
        let [trace, span] = [Part::TraceId, Part::SpanId].map(&shows);
        let add = |layout: Layout| {
            layout
                .syntax(fields)
                .when(message, |layout| layout.message("message", PLAIN))
                .when(error, |layout| {
                    layout.value("error", Stage::Event(Mark::Error), |parts| parts.error).or_field("error", |_| true)
                })
                .own_fields(TOP)
                .own_fields(UNDER)
                .when(!shows(Part::Backtrace), Layout::backtrace)
                .held_back()
                .truncation()
                .inserts()
                .context_fields(TOP)
                .context_fields(UNDER)
                .when(request, |layout| layout.request("request_id", PLAIN))
                // Where the template shows one of the ids, both are taken from the event's fields.
                .when(span && !trace, |layout| {
                    layout.text("trace_id", Stage::Context, |parts| {
                        let is_own = parts.record.context().and_then(Context::trace_id).is_none();
                        let id = parts.trace.filter(|_| is_own)?;
                        Some(String::from_utf8_lossy(&id.digits()).into_owned().into())
                    })
                })
                .when(trace && !span, |layout| {
                    layout.text("span_id", Stage::Context, |parts| {
                        let is_own = parts.record.context().and_then(Context::span_id).is_none();
                        let id = parts.span.filter(|_| is_own)?;
                        Some(String::from_utf8_lossy(&id.digits()).into_owned().into())
                    })
                })
                .static_fields(TOP)
                .static_fields(UNDER)
        };
        let plain = Syntax::unnamed("", PLAIN);
        let layout = self.layout.take();
        self.layout = layout.map(|layout| {
            let layout = layout.syntax(plain);
            match open {
                Some(_) => layout.always_enclosed("", Brackets { open, close: b"" }, add),
                None => layout.enclosed("", Brackets::NONE, add),
            }
        });
    }
}

impl Schema for Template {
    fn wants_local_time(&self) -> bool {
        self.options.setting.zone == Zone::Local && uses(&self.options.nodes, &[Part::Time])
    }

    fn wants_thread(&self) -> bool {
        uses(&self.options.nodes, &[Part::Thread, Part::ThreadId])
    }

    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        self.engine.render(record, out, || self.options.layout());
        // Nothing is before the space that separates the fields.
        if matches!(self.options.nodes.first(), Some(Node::Fields(_))) && out.get(start) == Some(&b' ') {
            out.remove(start);
        }
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        remove(&mut self.options.nodes, edits);
        self.engine.edit(edits);
        true
    }

    fn forked(&mut self) {
        self.engine.forget();
    }

    fn terminal(&mut self, is_terminal: bool) {
        if self.color == Color::Auto {
            self.options.is_colored = auto_color(is_terminal, |name| std::env::var_os(name));
        }
    }
}
