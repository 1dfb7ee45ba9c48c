//! The messages of syslog, which the sink `Syslog` brings along.
//!
//! Sources: RFC 5424, with the element of OpenTelemetry's *Trace Context in non-OTLP Log Formats*; RFC 3164, and for
//! `/dev/log` what glibc's `syslog(3)` sends, which lacks the host. No message has a raw control character, so a newline ends
//! it.

use std::borrow::Cow;

use chrono::Local;

use super::clock::ClockText;
use super::engine::{Brackets, Engine, Layout, Mark, Parts, Place, Spelling, Stage, Syntax, TOP, Takes, UNDER};
use super::host::{hostname, program_name};
use super::json::{self, Form};
use super::level::LineLevel;
use super::plain::{MESSAGE, PLAIN, put_plain};
use super::time_format::Rfc3339;
use super::{Edits, Schema};
use crate::context::{SpanId, TraceId};
use crate::record::{Record, Timestamp, Value};

/// Which syslog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SyslogFormat {
    #[default]
    Rfc5424,
    Rfc3164,
    /// RFC 3164 without the host, as `/dev/log` takes it.
    Local,
}

/// What is in the messages besides the events.
#[derive(Clone, Debug)]
pub(crate) struct SyslogSettings {
    pub(crate) format: SyslogFormat,
    pub(crate) facility: u8,
    /// `None`: the service, else the program's name.
    pub(crate) app_name: Option<String>,
    /// `None`: the event's name.
    pub(crate) message_id: Option<String>,
    /// The name of spanline's element of structured data.
    pub(crate) element: String,
    pub(crate) has_bom: bool,
}

/// Renders messages.
pub(crate) struct SyslogMessage {
    settings: SyslogSettings,
    engine: Engine,
    clock: ClockText,
    /// A second and its text, for RFC 3164.
    second: (i64, String),
    /// What comes between the time and the message's id; empty until it is known.
    header: String,
    /// The service in the header.
    service: Option<String>,
}

/// RFC 5424's limits of the parts of a header.
const MAX_HOST: usize = 255;
const MAX_APP_NAME: usize = 48;
const MAX_PROCESS: usize = 128;
const MAX_MESSAGE_ID: usize = 32;
const MAX_NAME: usize = 32;

const NANOS: i64 = 1_000_000_000;

/// A user's field of such a name is marked.
const KEYS: [&str; 7] = ["message", "error", "request_id", "truncated", "original_bytes", "held_back", "backtrace"];
const KEYS_OF_IDS: [&str; 3] = ["target", "trace_id", "span_id"];

/// Parameters of an element.
const PARAMETERS: Syntax = Syntax {
    before: Cow::Borrowed(" "),
    name: |name, out| out.extend_from_slice(printable(name, MAX_NAME).as_bytes()),
    between: Cow::Borrowed("="),
    form: VALUE,
};

const VALUE: Form = Form::Own(|value, out| put_parameter(&json::text_of(value), out));

/// Fields behind the message.
const FIELDS: Syntax = Syntax {
    before: Cow::Borrowed(" "),
    name: |name, out| put_plain(&Value::Str(name), out),
    between: Cow::Borrowed("="),
    form: PLAIN,
};

const END_OF_ELEMENT: Brackets = Brackets { open: None, close: b"]" };

impl SyslogMessage {
    pub(crate) fn new(settings: SyslogSettings) -> Self {
        Self {
            settings,
            engine: Engine::default(),
            clock: ClockText::new(String::new(), " ", Rfc3339::micros().into()),
            second: (i64::MIN, String::new()),
            header: String::new(),
            service: None,
        }
    }

    /// Prepares what comes between the time and the message's id.
    fn prepare_header(&mut self, record: &Record<'_>) {
        let SyslogSettings { format, app_name, .. } = &self.settings;
        self.service = record.service().map(ToOwned::to_owned);
        let app_name = app_name.as_deref().or(record.service()).map_or_else(program_name, ToOwned::to_owned);
        let app_name = printable(&app_name, MAX_APP_NAME);
        let (host, process) = (hostname(), std::process::id().to_string());
        let (host, process) = (printable(&host, MAX_HOST), printable(&process, MAX_PROCESS));
        // RFC 3164 ends a tag at the first of these.
        let tag = app_name.replace([':', '[', ']'], "_");
        self.header = match format {
            SyslogFormat::Rfc5424 => format!("{host} {app_name} {process} "),
            SyslogFormat::Rfc3164 => format!("{host} {tag}[{process}]:"),
            SyslogFormat::Local => format!("{tag}[{process}]:"),
        };
    }

    /// Returns the time as RFC 3164 has it, with a space.
    fn second(&mut self, time: Timestamp) -> &str {
        let second = time.as_nanos().div_euclid(NANOS);
        if self.second.0 != second {
            let local = time.to_datetime().with_timezone(&Local);
            self.second = (second, format!("{} ", local.format("%b %e %H:%M:%S")));
        }
        &self.second.1
    }
}

impl SyslogSettings {
    /// Describes what follows the header.
    fn layout(&self) -> Layout {
        let is_structured = self.format == SyslogFormat::Rfc5424;
        let place = move |name: &str, _| match name {
            _ if KEYS.contains(&name) || name.starts_with("fields.") => Place::Group(UNDER),
            _ if !is_structured && KEYS_OF_IDS.contains(&name) => Place::Group(UNDER),
            _ => Place::Group(TOP),
        };
        Layout::new("", place)
            .tail(None)
            .end(b"")
            .spelling(TOP, Spelling::with(FIELDS))
            .spelling(UNDER, Spelling::prefixed(FIELDS, "fields."))
            .roles(Takes { service: is_structured, trace: true, span: true, level: true })
            .when(is_structured, |layout| self.elements(layout))
            .syntax(Syntax::unnamed(" ", PLAIN))
            .message("message", MESSAGE)
            .syntax(FIELDS)
            .value("error", Stage::Event(Mark::Error), |parts| parts.error)
            .or_field("error", |_| true)
            .own_fields(TOP)
            .own_fields(UNDER)
            .held_back()
            .truncation()
            .inserts()
            .context_fields(TOP)
            .context_fields(UNDER)
            .static_fields(TOP)
            .static_fields(UNDER)
            .when(!is_structured, |layout| ids(layout.target("target").request("request_id", PLAIN)))
            .backtrace()
    }

    /// Adds the structured data.
    fn elements(&self, layout: Layout) -> Layout {
        layout
            .syntax(Syntax::unnamed("[opentelemetry", VALUE))
            .enclosed("", END_OF_ELEMENT, |layout| ids(layout.syntax(PARAMETERS)))
            .syntax(Syntax::unnamed(format!("[{}", self.element), VALUE))
            .enclosed("", END_OF_ELEMENT, |layout| {
                layout
                    .syntax(PARAMETERS)
                    .level("level")
                    .target("target")
                    .service("service")
                    .request("request_id", VALUE)
                    .span_path("spans")
            })
    }
}

/// Adds the ids of trace and span.
fn ids(layout: Layout) -> Layout {
    layout.text("trace_id", Stage::Context, |parts| digits(parts.trace.map(TraceId::digits))).text(
        "span_id",
        Stage::Context,
        |parts: &Parts<'_>| digits(parts.span.map(SpanId::digits)),
    )
}

fn digits<'a, const DIGITS: usize>(digits: Option<[u8; DIGITS]>) -> Option<Cow<'a, str>> {
    digits.map(|digits| String::from_utf8_lossy(&digits).into_owned().into())
}

impl Schema for SyslogMessage {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        if self.header.is_empty() || self.service.as_deref() != record.service() {
            self.prepare_header(record);
        }
        let priority = u64::from(self.settings.facility) * 8 + LineLevel::of(record).syslog();
        out.push(b'<');
        json::put_int(out, priority);
        if self.settings.format == SyslogFormat::Rfc5424 {
            out.extend_from_slice(b">1 ");
            out.extend_from_slice(self.clock.text(record.timestamp()));
            out.extend_from_slice(self.header.as_bytes());
            let id = self.settings.message_id.as_deref().or(record.event_name()).unwrap_or_default();
            out.extend_from_slice(printable(id, MAX_MESSAGE_ID).as_bytes());
            out.push(b' ');
        } else {
            out.push(b'>');
            out.extend_from_slice(self.second(record.timestamp()).as_bytes());
            out.extend_from_slice(self.header.as_bytes());
        }
        let start = out.len();
        self.engine.render(record, out, || self.settings.layout());
        if self.settings.has_bom && self.settings.format == SyslogFormat::Rfc5424 {
            put_bom(out, start);
        }
    }

    fn wants_local_time(&self) -> bool {
        self.settings.format != SyslogFormat::Rfc5424
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.engine.edit(edits);
        true
    }

    fn forked(&mut self) {
        self.engine.forget();
        self.header.clear();
    }
}

/// Marks a message that is not ASCII as UTF-8. `start`: where the structured data begins.
fn put_bom(out: &mut Vec<u8>, start: usize) {
    let Some(rest) = out.get(start..) else { return };
    let mut is_escaped = false;
    // The first bracket without an escape that a space follows ends the last element.
    let end = rest.windows(2).position(|pair| {
        let is_end = !is_escaped && pair == b"] ";
        is_escaped = !is_escaped && pair.first() == Some(&b'\\');
        is_end
    });
    let message = start + end.map_or(rest.len(), |end| end + 2);
    if out.get(message..).is_some_and(|message| !message.is_ascii()) {
        out.splice(message..message, *b"\xEF\xBB\xBF");
    }
}

/// Appends a parameter's value in quotes, with the escapes of RFC 5424. Control characters are shown as Rust escapes them.
fn put_parameter(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut put = |char: char| {
        if matches!(char, '"' | '\\' | ']') {
            out.push(b'\\');
        }
        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    };
    for char in text.chars() {
        if json::is_unsafe(char) { char.escape_default().for_each(&mut put) } else { put(char) }
    }
    out.push(b'"');
}

/// Returns a name as RFC 5424 has it: printable ASCII, bounded, not empty. Names of elements and parameters have no `=`, `]`
/// and `"` either, and the same holds for all.
fn printable(text: &str, max: usize) -> Cow<'_, str> {
    let is_plain = |char: char| char.is_ascii_graphic() && !matches!(char, '=' | ']' | '"');
    if text.is_empty() {
        return "-".into();
    }
    if text.len() <= max && text.chars().all(is_plain) {
        return text.into();
    }
    text.chars().take(max).map(|char| if is_plain(char) { char } else { '_' }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped_and_names_are_plain() {
        let mut out = Vec::new();
        put_parameter("a\"b\\c]d\ne\u{1b}ü", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), r#""a\"b\\c\]d\\ne\\u{1b}ü""#);
        assert_eq!(printable("", 9), "-");
        assert_eq!(printable("order service=ü]\"", 48), "order_service____");
        assert_eq!(printable("0123456789", 4), "0123");
    }

    #[test]
    fn the_mark_of_utf_8_stands_between_the_elements_and_the_message() {
        let marked = |text: &str| {
            let mut out = b"<14>1 - ] ".to_vec();
            let start = out.len();
            out.extend_from_slice(text.as_bytes());
            put_bom(&mut out, start);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(marked("[a b=\"c\"] ascii"), "<14>1 - ] [a b=\"c\"] ascii");
        assert_eq!(marked("[a b=\"ü\"] ascii"), "<14>1 - ] [a b=\"ü\"] ascii");
        assert_eq!(marked("[a b=\"\\] \\\\\"] ü ] ü"), "<14>1 - ] [a b=\"\\] \\\\\"] \u{feff}ü ] ü");
    }
}
