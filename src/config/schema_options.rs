//! The options of each schema.

use tracing::Level;

use super::zones;
use crate::schema::{
    Bunyan, Color, Console, Datadog, Ecs, Flat, Gcp, Gelf, Lambda, Logfmt, Nested, Otel, Palette, Pino, Schema,
    SpanFields, Splunk, Style, Template,
};
use crate::settings::{Key, Kind, On, Section, Value};

const THREAD_ID: &str = "Adds the number of the thread.";
const THREAD_NAME: &str = "Adds the thread's name.";
const FILE: &str = "Adds the source file of the call site.";
const LINE: &str = "Adds the line in the source file.";
const MODULE: &str = "Adds the module path of the call site.";
const SAMPLED: &str = "What lines say about whether their trace is sampled, where nothing else does.";

pub(super) fn flat(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Flat::new())
        .time("micros", Flat::time)
        .level_format("upper", Flat::level)
        .flag("pid", "Adds the process id.", Flat::pid)
        .flag("hostname", "Adds the name of the machine.", Flat::hostname)
        .flag("thread_id", THREAD_ID, Flat::thread_id)
        .flag("thread_name", THREAD_NAME, Flat::thread_name)
        .flag("file", FILE, Flat::file)
        .flag("line", LINE, Flat::line)
        .flag("module", MODULE, Flat::module)
        .with(span_fields)
        .done();
    Box::new(schema)
}

fn span_fields(schema: Flat, section: &mut Section<'_>) -> Flat {
    let kind = Kind::OneOf(vec![Kind::Word(vec!["all", "ids_only"]), Kind::Texts]);
    let doc = "Which fields of the spans a line has: `all`, `ids_only`, or those with the names in a list.";
    let expected = kind.expected();
    let fields = section.value(Key::new("span_fields", kind, "all", doc), |node| match &node.value {
        Value::Text(text) if text == "all" => Ok(SpanFields::All),
        Value::Text(text) if text == "ids_only" => Ok(SpanFields::IdsOnly),
        Value::List(nodes) => {
            let names: Option<Vec<String>> = nodes.iter().map(|node| node.text().map(str::to_owned)).collect();
            names.map(SpanFields::Named).ok_or_else(|| format!("a name is no text; expected {expected}"))
        }
        _ => Err(format!("found {}; expected {expected}", node.shown())),
    });
    fields.into_iter().fold(schema, Flat::span_fields)
}

pub(super) fn nested(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Nested::new())
        .time("micros", Nested::time)
        .level_format("upper", Nested::level)
        .flag("thread_id", THREAD_ID, Nested::thread_id)
        .flag("thread_name", THREAD_NAME, Nested::thread_name)
        .flag("file", FILE, Nested::file)
        .flag("line", LINE, Nested::line)
        .done();
    Box::new(schema)
}

pub(super) fn ecs(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Ecs::new())
        .rfc3339(Ecs::time)
        .flag("thread_id", THREAD_ID, Ecs::thread_id)
        .flag("thread_name", THREAD_NAME, Ecs::thread_name)
        .done();
    Box::new(schema)
}

pub(super) fn gcp(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Gcp::new())
        .rfc3339(Gcp::time)
        .text("project", "none", "The project's id, which makes trace ids into links.", Gcp::project)
        .bool("trace_sampled", "not set", SAMPLED, Gcp::trace_sampled)
        .flag("error_reporting", "Marks errors for Error Reporting.", Gcp::error_reporting)
        .flag("ops_agent", "Uses the keys that the Ops Agent reads.", Gcp::ops_agent)
        .flag("thread_id", THREAD_ID, Gcp::thread_id)
        .flag("thread_name", THREAD_NAME, Gcp::thread_name)
        .done();
    Box::new(schema)
}

pub(super) fn datadog(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Datadog::new())
        .time("micros", Datadog::time)
        .flag("decimal_ids", "Writes ids as decimal numbers of 64 bits.", Datadog::decimal_ids)
        .flag("thread_name", THREAD_NAME, Datadog::thread_name)
        .flag("file", FILE, Datadog::file)
        .flag("line", LINE, Datadog::line)
        .flag("module", MODULE, Datadog::module)
        .done();
    Box::new(schema)
}

pub(super) fn otel(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Otel::new())
        .bool("trace_sampled", "not set", SAMPLED, Otel::trace_sampled)
        .flag("bare", "Writes the log record alone, without its resource and scope.", Otel::bare)
        .flag("thread_id", THREAD_ID, Otel::thread_id)
        .flag("thread_name", THREAD_NAME, Otel::thread_name)
        .done();
    Box::new(schema)
}

pub(super) fn bunyan(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Bunyan::new())
        .rfc3339(Bunyan::time)
        .flag("file", FILE, Bunyan::file)
        .flag("line", LINE, Bunyan::line)
        .done();
    Box::new(schema)
}

pub(super) fn pino(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Pino::new())
        .time("epoch_millis", Pino::time)
        .flag("file", FILE, Pino::file)
        .flag("line", LINE, Pino::line)
        .done();
    Box::new(schema)
}

pub(super) fn lambda(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Lambda::new())
        .rfc3339(Lambda::time)
        .flag("file", FILE, Lambda::file)
        .flag("line", LINE, Lambda::line)
        .done();
    Box::new(schema)
}

pub(super) fn gelf(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Gelf::new())
        .flag("thread_id", THREAD_ID, Gelf::thread_id)
        .flag("thread_name", THREAD_NAME, Gelf::thread_name)
        .flag("file", FILE, Gelf::file)
        .flag("line", LINE, Gelf::line)
        .done();
    Box::new(schema)
}

pub(super) fn splunk(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Splunk::new())
        .text("index", "the token's", "The index that stores the events.", Splunk::index)
        .text("sourcetype", Splunk::DEFAULT_SOURCETYPE, "The source type of the events.", Splunk::sourcetype)
        .flag("thread_id", THREAD_ID, Splunk::thread_id)
        .flag("thread_name", THREAD_NAME, Splunk::thread_name)
        .flag("file", FILE, Splunk::file)
        .flag("line", LINE, Splunk::line)
        .done();
    Box::new(schema)
}

pub(super) fn logfmt(section: &mut Section<'_>) -> Box<dyn Schema> {
    let schema = section
        .on(Logfmt::new())
        .time("micros", Logfmt::time)
        .level_format("lower", Logfmt::level)
        .flag("thread_id", THREAD_ID, Logfmt::thread_id)
        .flag("thread_name", THREAD_NAME, Logfmt::thread_name)
        .flag("file", FILE, Logfmt::file)
        .flag("line", LINE, Logfmt::line)
        .done();
    Box::new(schema)
}

pub(super) fn console(section: &mut Section<'_>) -> Box<dyn Schema> {
    of_console(section, Console::new())
}

pub(super) fn compact(section: &mut Section<'_>) -> Box<dyn Schema> {
    of_console(section, Console::new().compact())
}

pub(super) fn pretty(section: &mut Section<'_>) -> Box<dyn Schema> {
    of_console(section, Console::new().pretty())
}

fn of_console(section: &mut Section<'_>, console: Console) -> Box<dyn Schema> {
    let schema = section
        .on(console)
        .colors(Console::color, Console::palette)
        .flag("fold", "Shows the fields of spans only in the first line of each.", Console::fold)
        .flag("since_start", "Shows the time since the first line.", Console::since_start)
        .flag("since_last", "Shows the time since the last line.", Console::since_last)
        .flag("utc", "Shows times in UTC.", Console::utc)
        .flag("date", "Shows the date too.", Console::date)
        .flag("file", FILE, Console::file)
        .flag("line", LINE, Console::line)
        .flag("module", MODULE, Console::module)
        .flag("function", "Adds the function's name, where it is known.", Console::function)
        .flag("thread_id", THREAD_ID, Console::thread_id)
        .flag("thread_name", THREAD_NAME, Console::thread_name)
        .flag("pid", "Adds the process id.", Console::pid)
        .flag("service", "Adds the service's name.", Console::service)
        .flag("static_fields", "Adds the static fields.", Console::static_fields)
        .done();
    Box::new(schema)
}

/// Reads the options of a template; `None` only if there is no template without a mistake.
pub(super) fn template(section: &mut Section<'_>, template: Template) -> Option<Box<dyn Schema>> {
    let doc = "Writes the times of a zone that is this many minutes east of UTC.";
    let template = match section.count(Key::new("offset_minutes", Kind::Integer, "local", doc)) {
        None => template,
        Some(minutes) => match template.offset_minutes(minutes) {
            Ok(template) => template,
            Err(error) => {
                section.refuse("offset_minutes", &error);
                // The other options are checked all the same.
                Template::new("{message}").ok()?
            }
        },
    };
    let doc = "Writes the times of the zone with this name, such as `Europe/Berlin`: feature `time-zones`.";
    let _name = zones::time_zone(section, "local", doc);
    #[cfg(feature = "time-zones")]
    let template = match _name {
        Some(name) => template.time_zone(&name).ok()?,
        None => template,
    };
    let schema = section
        .on(template)
        .flag("utc", "Writes times in UTC; by default, they are local.", Template::utc)
        .text("process_name", "the program's name", "What `{process}` shows.", Template::process_name)
        .level_format("upper", Template::level)
        .colors(Template::color, Template::palette)
        .done();
    Some(Box::new(schema))
}

impl<T> On<'_, '_, T> {
    /// Reads the colours of lines for people.
    fn colors(self, color: impl FnOnce(T, Color) -> T, set: impl FnOnce(T, Palette) -> T) -> Self {
        let when = "When to colour: `auto` asks the terminal, `NO_COLOR` and `CLICOLOR_FORCE`.";
        let colors = [("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)];
        self.word("color", "auto", &colors, when, color).with(|target, section| {
            let key = Key::new("palette", Kind::Section("palette"), "the usual colours", "Colours and styles.");
            match section.inner(key, palette) {
                Some(palette) => set(target, palette),
                None => target,
            }
        })
    }

    /// Reads a style.
    fn style(
        self,
        name: &'static str,
        default: &'static str,
        doc: &'static str,
        set: impl FnOnce(T, Style) -> T,
    ) -> Self {
        self.with(|target, section| {
            let Some(words) = section.text(Key::new(name, Kind::Form("bold red"), default, doc)) else { return target };
            match Style::parse(&words) {
                Ok(style) => set(target, style),
                Err(error) => {
                    section.refuse(name, &error);
                    target
                }
            }
        })
    }
}

/// Reads colours.
pub(super) fn palette(section: &mut Section<'_>) -> Palette {
    let plain = section.bool(Key::new("plain", Kind::Bool, "false", "Begins without colours."));
    let palette = if plain == Some(true) { Palette::plain() } else { Palette::default() };
    section
        .on(palette)
        .style("error", "bold red", "The level ERROR.", |palette, style| palette.level(Level::ERROR, style))
        .style("warn", "yellow", "The level WARN.", |palette, style| palette.level(Level::WARN, style))
        .style("info", "green", "The level INFO.", |palette, style| palette.level(Level::INFO, style))
        .style("debug", "blue", "The level DEBUG.", |palette, style| palette.level(Level::DEBUG, style))
        .style("trace", "magenta", "The level TRACE.", |palette, style| palette.level(Level::TRACE, style))
        .style("time", "dim", "The time.", Palette::time)
        .style("target", "dim", "The target, and file and line.", Palette::target)
        .style("message", "bold", "The message.", Palette::message)
        .style("name", "dim", "The names of fields.", Palette::name)
        .style("ids", "dim", "The names of spans, ids, and what else stands at the end.", Palette::ids)
        .done()
}
