//! What one line says of a trace: ids, the span, and how long it took.

use crate::entry::{Entry, Number, Part, Value};
use crate::loggers::LineLevel;

/// Longer ids, names and messages are cut.
pub(super) const MAX_ID_BYTES: usize = 64;
const MAX_NAME_BYTES: usize = 128;
const MAX_MESSAGE_BYTES: usize = 300;

/// More spans around a line do not count.
pub(super) const MAX_DEPTH: usize = 64;

/// The ids of a line, as they are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) trace: Option<String>,
    pub(super) request: Option<String>,
    pub(super) span: Option<String>,
    pub(super) parent: Option<String>,
}

impl Ids {
    /// Returns the ids of the trace and of the request. Those of spans take longer to find.
    pub(super) fn of(entry: &Entry<'_>) -> Self {
        if !entry.is_record() {
            return Self::default();
        }
        let of_spans = |name| entry.span_field(name).map(Value::shown);
        let trace = entry.text(Part::Trace).or_else(|| of_spans("trace_id")).filter(|id| !is_zero(id));
        let request = entry.text(Part::Request).or_else(|| of_spans("request_id"));
        Self {
            trace: trace.map(|id| hex(&id)),
            request: request.map(|id| cut(&id, MAX_ID_BYTES).to_owned()),
            ..Self::default()
        }
    }

    /// Returns all ids.
    pub(super) fn all_of(entry: &Entry<'_>) -> Self {
        Self::of(entry).with_spans(entry)
    }

    /// Adds the ids of the span and its parent.
    pub(super) fn with_spans(self, entry: &Entry<'_>) -> Self {
        if !entry.is_record() {
            return self;
        }
        let (span, parent) = (entry.span_id(), entry.parent_span_id());
        Self { span: span.map(|id| hex(&id)), parent: parent.map(|id| hex(&id)), ..self }
    }
}

/// Returns an id of a trace or a span as it is compared: in lower case.
pub(super) fn hex(id: &str) -> String {
    cut(id, MAX_ID_BYTES).to_ascii_lowercase()
}

fn is_zero(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'0' || byte == b'-')
}

/// What a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Something happened.
    Event,
    /// The span opened.
    New,
    /// The span was entered or exited.
    Pass,
    /// The span closed after this many nanoseconds.
    Close(i64),
    /// The request of the span was finished after this many nanoseconds.
    Finished(i64),
}

/// A line of the trace.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) ids: Ids,
    pub(super) service: Option<String>,
    /// The names of the spans, the outermost first.
    pub(super) names: Vec<String>,
    /// What the outermost span handles, such as `POST /orders`.
    pub(super) about: Option<String>,
    pub(super) level: Option<LineLevel>,
    pub(super) moment: Moment,
    pub(super) message: String,
    /// The error and its sources.
    pub(super) error: Option<String>,
}

impl Told {
    pub(super) fn of(entry: &Entry<'_>, ids: Ids) -> Self {
        let message = entry.text(Part::Message).unwrap_or_default();
        let names = entry.span_names(MAX_DEPTH).iter().map(|name| cut(name, MAX_NAME_BYTES).to_owned()).collect();
        let moment = moment(entry, &message);
        let status = || entry.field("status").or_else(|| entry.field("http.response.status_code"))?.number();
        let about = about(entry).map(|about| match (moment, status()) {
            (Moment::Finished(_), Some(Number::Integer(status))) => format!("{about} {status}"),
            _ => about,
        });
        Self {
            ids,
            service: entry.text(Part::Service).map(|name| cut(&name, MAX_NAME_BYTES).to_owned()),
            names,
            about,
            level: entry.level(),
            moment,
            message: cut(&message, MAX_MESSAGE_BYTES).to_owned(),
            error: error(entry),
        }
    }
}

/// Returns whether a line has a text anywhere. Faster than to look for several keys.
fn mentions(entry: &Entry<'_>, text: &str) -> bool {
    memchr::memmem::find(entry.line(), text.as_bytes()).is_some()
}

/// Returns the method and the route of a request.
fn about(entry: &Entry<'_>) -> Option<String> {
    if !mentions(entry, "method") {
        return None;
    }
    let field = |names: [&str; 3]| names.into_iter().find_map(|name| entry.field(name)?.text());
    let method = field(["method", "http.request.method", "http.method"])?;
    let route = field(["route", "http.route", "url.path"]).or_else(|| entry.field("path")?.text())?;
    Some(cut(&format!("{method} {route}"), MAX_NAME_BYTES).to_owned())
}

/// Returns the message of the error, followed by its sources.
fn error(entry: &Entry<'_>) -> Option<String> {
    const OBJECTS: [&str; 3] = ["error", "err", "exception"];
    const TEXTS: [&str; 5] = ["error.message", "exception.message", "error_message", "errorMessage", "exception"];
    if !mentions(entry, "err") && !mentions(entry, "exception") {
        return None;
    }
    let object = OBJECTS.into_iter().find_map(|name| {
        let value = entry.field(name)?;
        let mut text = value.text().or_else(|| value.member("message")?.text())?.into_owned();
        for source in value.member("chain").into_iter().flat_map(Value::items).take(8) {
            text.push_str(": ");
            text.push_str(cut(&source.shown(), MAX_MESSAGE_BYTES));
        }
        Some(text)
    });
    let text = object.or_else(|| TEXTS.iter().find_map(|name| Some(entry.field(name)?.text()?.into_owned())));
    text.filter(|text| !text.is_empty()).map(|text| cut(&text, MAX_MESSAGE_BYTES).to_owned())
}

/// Returns what a line stands for: the library's own lines have durations, in the units of their schemas.
fn moment(entry: &Entry<'_>, message: &str) -> Moment {
    match message {
        "new" | "enter" | "exit" if entry.field("busy_us").is_some() => match message {
            "new" => Moment::New,
            _ => Moment::Pass,
        },
        "close" => match close(entry) {
            Some(nanos) => Moment::Close(nanos),
            None => Moment::Event,
        },
        "request finished" => match request(entry) {
            Some(nanos) => Moment::Finished(nanos),
            None => Moment::Event,
        },
        _ => Moment::Event,
    }
}

/// Returns the nanoseconds of a span that closed.
fn close(entry: &Entry<'_>) -> Option<i64> {
    let library = || {
        entry.field("busy_us")?;
        scaled(entry, "duration_us", 1e3)
            .or_else(|| scaled(entry, "event.duration", 1.0))
            .or_else(|| scaled(entry, "duration", 1.0))
    };
    // `tracing_subscriber`'s `FmtSpan::CLOSE`.
    let fmt = || {
        let (busy, idle) = (entry.field("time.busy")?.text()?, entry.field("time.idle")?.text()?);
        span_of_text(&busy)?.checked_add(span_of_text(&idle)?)
    };
    library().or_else(fmt)
}

/// Returns the nanoseconds of a request.
fn request(entry: &Entry<'_>) -> Option<i64> {
    let of_google = || {
        let latency = entry.field("httpRequest.latency")?.text()?;
        nanos(latency.strip_suffix('s')?.parse::<f64>().ok()? * 1e9)
    };
    scaled(entry, "latency_us", 1e3)
        .or_else(|| scaled(entry, "event.duration", 1.0))
        .or_else(|| scaled(entry, "responseTime", 1e6))
        .or_else(|| scaled(entry, "http.server.request.duration", 1e9))
        .or_else(|| scaled(entry, "duration", 1.0))
        .or_else(of_google)
}

/// Returns a number of some unit in nanoseconds.
fn scaled(entry: &Entry<'_>, name: &str, unit: f64) -> Option<i64> {
    nanos(match entry.field(name)?.number()? {
        Number::Integer(integer) => integer as f64 * unit,
        Number::Float(float) => float * unit,
    })
}

/// Takes at most a century for a duration.
fn nanos(nanos: f64) -> Option<i64> {
    (0.0..3.2e18).contains(&nanos).then_some(nanos as i64)
}

/// Reads `1.25ms` as `Duration`'s `Debug` writes it.
fn span_of_text(text: &str) -> Option<i64> {
    let digits = text.find(|char: char| !char.is_ascii_digit() && char != '.')?;
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = match unit {
        "ns" => 1.0,
        "µs" | "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return None,
    };
    nanos(number.parse::<f64>().ok()? * unit)
}

/// Returns the beginning of a text.
pub(super) fn cut(text: &str, max_bytes: usize) -> &str {
    let mut end = max_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Returns an id of a line that somebody passes: that of its trace, of its request, or of its span.
pub(crate) fn id_of(entry: &Entry<'_>) -> Option<String> {
    let ids = Ids::all_of(entry);
    ids.trace.or(ids.request).or(ids.span)
}

/// Returns all ids of a line, as they are compared: those of the trace, the request, the span and its parent.
pub(crate) fn ids_of(entry: &Entry<'_>) -> impl Iterator<Item = String> + use<> {
    let Ids { trace, request, span, parent } = Ids::all_of(entry);
    [trace, request, span, parent].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Parser;

    fn told(line: &str) -> Told {
        let mut parser = Parser::default();
        parser.read(line.as_bytes());
        let entry = parser.entry(line.as_bytes());
        Told::of(&entry, Ids::all_of(&entry))
    }

    #[test]
    fn durations_are_read_in_the_units_of_each_schema() {
        for (line, moment) in [
            (r#"{"message":"close","duration_us":1500,"busy_us":1}"#, Moment::Close(1_500_000)),
            (
                r#"{"@timestamp":"2026-11-20T10:00:00Z","log.level":"INFO","message":"close","ecs.version":"1.6.0","event.duration":1500000,"labels":{"busy_us":"1"}}"#,
                Moment::Close(1_500_000),
            ),
            (
                r#"{"timestamp":"2026-11-20T10:00:00Z","level":"INFO","fields":{"message":"close","time.busy":"1.25ms","time.idle":"3.00µs"},"target":"x","span":{"name":"a"},"spans":[{"name":"a"}]}"#,
                Moment::Close(1_253_000),
            ),
            (r#"{"message":"request finished","latency_us":7}"#, Moment::Finished(7000)),
            (r#"{"message":"request finished","responseTime":1.5}"#, Moment::Finished(1_500_000)),
            (r#"{"message":"request finished","httpRequest":{"latency":"0.25s"}}"#, Moment::Finished(250_000_000)),
            (r#"{"message":"new","duration_us":0,"busy_us":0}"#, Moment::New),
            (r#"{"message":"exit","duration_us":0,"busy_us":0}"#, Moment::Pass),
            (r#"{"message":"close","reason":"idle"}"#, Moment::Event),
            (r#"{"message":"close","duration_us":-5,"busy_us":1}"#, Moment::Event),
            (r#"{"message":"close","duration_us":1e300,"busy_us":1}"#, Moment::Event),
        ] {
            assert_eq!(told(line).moment, moment, "{line}");
        }
    }

    #[test]
    fn ids_and_names_are_read_from_each_form() {
        let ids = |line: &str| {
            let Told { ids, names, .. } = told(line);
            (ids.span.unwrap_or_default(), ids.parent.unwrap_or_default(), names.join(">"))
        };
        let expected = |span: &str, parent: &str, names: &str| (span.to_owned(), parent.to_owned(), names.to_owned());
        assert_eq!(
            ids(r#"{"message":"x","span_id":"AB","parent_span_id":"cd","spans":["a","b"]}"#),
            expected("ab", "cd", "a>b")
        );
        assert_eq!(
            ids(
                r#"{"status":"info","timestamp":"2026-11-20T10:00:00Z","logger.name":"x","dd.span_id":"255","message":"x"}"#
            ),
            expected("00000000000000ff", "", "")
        );
        assert_eq!(
            ids(
                r#"{"timeUnixNano":"1","body":{"stringValue":"x"},"spanId":"01","attributes":[{"key":"spans","value":{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}}}]}"#
            ),
            expected("01", "", "a>b")
        );
        assert_eq!(
            ids(r#"{"version":"1.1","short_message":"x","_span_id":"1","_spans":"a:b"}"#),
            expected("1", "", "a>b")
        );
        assert_eq!(ids("level=info msg=x span_id=1 spans=a:b"), expected("1", "", "a>b"));
        assert_eq!(ids(r#"{"msg":"x","spanId":"0000000000000000","parentSpanId":"1"}"#), expected("", "1", ""));
    }
}
