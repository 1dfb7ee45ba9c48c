//! OTLP/HTTP: log records for a collector of OpenTelemetry.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#otlphttp> and, for the variables,
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>. In one point the sink does not follow the protocol, which
//! drops a request for any other status than 429, 502, 503 and 504: it does so only for a status about the lines.

use std::fmt;
use std::time::Duration;

use super::Http;
use super::address::decoded;
use super::api::{Api, Batch, Origin, Response, Verdict, by_status, each_line};
use super::settings::Compression;
use crate::error::Error;
use crate::schema::protobuf::{put_varint, take, take_bytes, take_varint, varint_bytes};
use crate::schema::{Otel, OtelLine, OtelProtobuf, Schema};
use crate::sink::{Control, Lines, Next, Profile, Secret, Sink};

const PATH: &str = "/v1/logs";
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";

/// Sends lines to a collector of OpenTelemetry, in protobuf by default. A line is written when the collector has answered
/// its batch with 2xx.
///
/// The service and the static fields form the resource, and the target is the scope. All else is as in
/// [`schema::Otel`](crate::schema::Otel).
///
/// ```
/// use spanline::Output;
/// use spanline::sink::{Otlp, Secret};
///
/// let token = Secret::file("/run/secrets/collector-token");
/// let sink = Otlp::new("https://collector.example:4318").requests(|http| http.gzip().bearer(token));
/// # let _ = Output::new(sink);
/// ```
pub struct Otlp(Http);

impl Otlp {
    /// Sends log records to a collector. The URL's path is `/v1/logs` unless it has another.
    pub fn new(url: impl AsRef<str>) -> Self {
        Self(Http::with(url.as_ref(), Protobuf, |address| address.or_path(PATH)))
    }

    /// Reads the variables `OTEL_EXPORTER_OTLP_ENDPOINT`, `…_HEADERS`, `…_TIMEOUT`, `…_COMPRESSION`, `…_PROTOCOL`,
    /// `…_CERTIFICATE`, `…_CLIENT_CERTIFICATE` and `…_CLIENT_KEY`. Those that begin with `OTEL_EXPORTER_OTLP_LOGS` win. The
    /// default is `http://localhost:4318`.
    ///
    /// Opening the log fails if a value cannot be used, such as the protocol `grpc`.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let setting = |name: &str| {
            let names = [format!("OTEL_EXPORTER_OTLP_LOGS_{name}"), format!("OTEL_EXPORTER_OTLP_{name}")];
            names.into_iter().find_map(|name| variable(&name).map(|value| (name, value)))
        };
        let sink = match (variable("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"), variable("OTEL_EXPORTER_OTLP_ENDPOINT")) {
            // Its path is the whole path.
            (Some(url), _) => Http::with(&url, Protobuf, |address| address),
            (None, base) => {
                Http::with(base.as_deref().unwrap_or(DEFAULT_ENDPOINT), Protobuf, |address| address.below(PATH))
            }
        };
        let mut sink = Self(sink);
        let wrong = |name: &str, value: &str, expected: &str| {
            Error::invalid(format!("{name} is {value:?}; expected {expected}"))
        };
        if let Some((name, value)) = setting("PROTOCOL") {
            match value.as_str() {
                "http/protobuf" => {}
                "http/json" => sink = sink.json(),
                _ => sink.0.fail(wrong(&name, &value, "http/protobuf or http/json")),
            }
        }
        if let Some((name, value)) = setting("COMPRESSION") {
            match value.as_str() {
                "none" => {}
                "gzip" => sink = sink.requests(|http| http.compression(Compression::Gzip)),
                _ => sink.0.fail(wrong(&name, &value, "gzip or none")),
            }
        }
        if let Some((name, value)) = setting("TIMEOUT") {
            match value.trim().parse() {
                Ok(millis) => sink = sink.requests(|http| http.timeout(Duration::from_millis(millis))),
                Err(_) => sink.0.fail(wrong(&name, &value, "milliseconds, such as 10000")),
            }
        }
        for pair in
            setting("HEADERS").iter().flat_map(|(_, value)| value.split(',')).filter(|pair| !pair.trim().is_empty())
        {
            match pair.split_once('=') {
                Some((name, value)) => {
                    let (name, value) = (decoded(name.trim()), Secret::text(decoded(value.trim())));
                    sink = sink.requests(|http| http.secret_header(name, value));
                }
                // It may be a secret.
                None => {
                    sink.0.fail(Error::invalid("a header in OTEL_EXPORTER_OTLP_HEADERS has no =; expected name=value"));
                }
            }
        }
        if let Some((_, path)) = setting("CERTIFICATE") {
            sink = sink.requests(|http| http.root_certificates(path));
        }
        if let (Some((_, certificate)), Some((_, key))) = (setting("CLIENT_CERTIFICATE"), setting("CLIENT_KEY")) {
            sink = sink.requests(|http| http.client_certificate(certificate, key));
        }
        sink
    }

    /// Sends JSON instead of protobuf.
    pub fn json(self) -> Self {
        Self(self.0.api(JsonLines))
    }

    /// Changes the settings of requests, by the methods of [`Http`]: compression, headers, timeouts, certificates, batches.
    pub fn requests(self, change: impl FnOnce(Http) -> Http) -> Self {
        Self(change(self.0))
    }
}

impl Sink for Otlp {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        self.0.write(lines)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        self.0.control(control)
    }

    fn profile(&self) -> Profile {
        self.0.profile()
    }
}

/// Shows no secret.
impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Otlp").field(&self.0).finish()
    }
}

/// Records in protobuf.
struct Protobuf;

/// `ExportLogsServiceRequest.resource_logs`, and each field of bytes of a message.
const RESOURCE_LOGS: u8 = 0x0a;
const RESOURCE: u8 = 0x0a;
const SCOPE_LOGS: u8 = 0x12;
const SCOPE: u8 = 0x0a;
const RECORD: u8 = 0x12;

impl Api for Protobuf {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn unfit(&self, lines: &Lines) -> Option<u64> {
        lines.iter().find(|line| OtelLine::split(line.bytes).is_none()).map(|line| line.id)
    }

    fn fill(&mut self, lines: &Lines, _: &Origin, batch: &mut Batch) {
        let mut parts = Vec::new();
        for line in lines.iter() {
            batch.ids.push(line.id);
            batch.line_bytes += line.bytes.len();
            parts.extend(OtelLine::split(line.bytes));
        }
        for of_resource in parts.chunk_by(|one, next| one.resource == next.resource) {
            let scopes: Vec<_> = of_resource.chunk_by(|one, next| one.scope == next.scope).collect();
            let bytes = scopes.iter().map(|records| sized(scope_bytes(records))).sum::<usize>();
            let resource = of_resource.first().map_or(&[][..], |line| line.resource);
            put_head(&mut batch.body, RESOURCE_LOGS, sized(resource.len()) + bytes);
            put_head(&mut batch.body, RESOURCE, resource.len());
            batch.body.extend_from_slice(resource);
            for records in scopes {
                let scope = records.first().map_or(&[][..], |line| line.scope);
                put_head(&mut batch.body, SCOPE_LOGS, scope_bytes(records));
                put_head(&mut batch.body, SCOPE, scope.len());
                batch.body.extend_from_slice(scope);
                for line in records {
                    put_head(&mut batch.body, RECORD, line.record.len());
                    batch.body.extend_from_slice(line.record);
                }
            }
        }
    }

    fn content_type(&self) -> &'static str {
        "application/x-protobuf"
    }

    fn reads_body(&self) -> bool {
        true
    }

    fn judge(&mut self, response: &Response, _: usize) -> Verdict {
        match by_status(response) {
            Verdict::Written => partial_success(response).unwrap_or(Verdict::Written),
            verdict => verdict,
        }
    }

    fn schema(&self) -> Option<Box<dyn Schema>> {
        Some(Box::new(OtelProtobuf::new()))
    }
}

/// Returns the bytes of a `ScopeLogs`.
fn scope_bytes(lines: &[OtelLine<'_>]) -> usize {
    let scope = lines.first().map_or(0, |line| line.scope.len());
    sized(scope) + lines.iter().map(|line| sized(line.record.len())).sum::<usize>()
}

/// Returns the bytes of a field with its tag and length.
fn sized(bytes: usize) -> usize {
    1 + varint_bytes(bytes as u64) + bytes
}

/// Appends the tag and the length of a field.
fn put_head(out: &mut Vec<u8>, tag: u8, bytes: usize) {
    out.push(tag);
    put_varint(out, bytes as u64);
}

/// Reads `ExportLogsServiceResponse.partial_success`.
fn partial_success(response: &Response) -> Option<Verdict> {
    let mut body = &*response.body;
    let mut partial: &[u8] = &[];
    while let Some((number, value)) = field(&mut body) {
        if let (1, Field::Bytes(bytes)) = (number, value) {
            partial = bytes;
        }
    }
    let (mut rejected, mut why) = (0_i64, String::new());
    while let Some((number, value)) = field(&mut partial) {
        match (number, value) {
            (1, Field::Number(lines)) => rejected = lines.cast_signed(),
            (2, Field::Bytes(text)) => why = response.shown(&String::from_utf8_lossy(text)),
            _ => {}
        }
    }
    // No server rejects a negative number of lines.
    let rejected = u64::try_from(rejected).ok().filter(|rejected| *rejected > 0)?;
    Some(Verdict::Partly { rejected, why })
}

enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// Takes one field of a message.
fn field<'b>(bytes: &mut &'b [u8]) -> Option<(u64, Field<'b>)> {
    let tag = take_varint(bytes)?;
    let value = match tag & 7 {
        0 => Field::Number(take_varint(bytes)?),
        1 => Field::Bytes(take(bytes, 8)?),
        2 => Field::Bytes(take_bytes(bytes)?),
        5 => Field::Bytes(take(bytes, 4)?),
        _ => return None,
    };
    Some((tag >> 3, value))
}

/// Lines of the schema `Otel`: each is a whole request with one record.
struct JsonLines;

const BEFORE: &[u8] = b"{\"resourceLogs\":[";
const AFTER: &[u8] = b"]}";

/// Returns the `ResourceLogs` of a line.
fn inner(line: &[u8]) -> Option<&[u8]> {
    line.trim_ascii_end().strip_prefix(BEFORE)?.strip_suffix(AFTER)
}

impl Api for JsonLines {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn unfit(&self, lines: &Lines) -> Option<u64> {
        lines.iter().find(|line| inner(line.bytes).is_none()).map(|line| line.id)
    }

    fn fill(&mut self, lines: &Lines, _: &Origin, batch: &mut Batch) {
        batch.body.extend_from_slice(BEFORE);
        let mut is_first = true;
        each_line(lines, batch, |_, line, body| {
            if let Some(inner) = inner(line) {
                if !std::mem::take(&mut is_first) {
                    body.push(b',');
                }
                body.extend_from_slice(inner);
            }
        });
        batch.body.extend_from_slice(AFTER);
    }

    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn reads_body(&self) -> bool {
        true
    }

    fn judge(&mut self, response: &Response, _: usize) -> Verdict {
        let verdict = by_status(response);
        if verdict != Verdict::Written {
            return verdict;
        }
        let answer = response.json();
        let rejected = answer.pointer("/partialSuccess/rejectedLogRecords");
        // 64-bit numbers are texts.
        let rejected =
            rejected.and_then(|number| number.as_u64().or_else(|| number.as_str()?.parse().ok())).unwrap_or(0);
        let why =
            answer.pointer("/partialSuccess/errorMessage").and_then(serde_json::Value::as_str).unwrap_or_default();
        if rejected > 0 { Verdict::Partly { rejected, why: response.shown(why) } } else { Verdict::Written }
    }

    fn schema(&self) -> Option<Box<dyn Schema>> {
        Some(Box::new(Otel::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(variables: &[(&str, &str)]) -> (String, String) {
        let find =
            |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        let mut sink = Otlp::from_variables(find);
        let opened = sink.control(Control::Open).map_or_else(|error| format!("{error:#}"), |()| String::new());
        (format!("{sink:?}"), opened)
    }

    #[test]
    fn variables_are_read_as_specified() {
        let (default, opened) = shown(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]);
        assert!(default.contains("\"http://localhost:4318/v1/logs\"") && opened.is_empty(), "{default} {opened}");
        let (base, _) = shown(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://a.example/base/")]);
        assert!(base.contains("\"https://a.example/base/v1/logs\""), "{base}");
        let (logs, opened) = shown(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a.example"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://b.example/in"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter%202, other = x"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/ca.pem"),
        ]);
        for expected in ["http://b.example/in", "api-key", "other", "2.5s", "Gzip", "/etc/ca.pem"] {
            assert!(logs.contains(expected), "{expected}: {logs}");
        }
        assert!(opened.is_empty() && !logs.contains("hunter"), "{opened} {logs}");
    }

    #[test]
    fn values_that_cannot_be_used_fail_the_start() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "lz4"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "collector"),
        ] {
            let (_, opened) = shown(&[(name, value)]);
            assert!(opened.contains("expected") && !opened.contains("hunter2"), "{name}: {opened}");
        }
    }

    #[test]
    fn a_partial_success_names_the_number_of_lines() {
        let body = [0x0a, 7, 0x08, 3, 0x12, 3, b'w', b'h', b'y'];
        let read = |body: &[u8]| partial_success(&Response { status: 200, body: body.to_vec(), ..Response::default() });
        assert_eq!(read(&body), Some(Verdict::Partly { rejected: 3, why: "why".to_owned() }));
        let negative = [&[0x0a, 11, 0x08][..], &[0xff; 9], &[1]].concat();
        for none in [&[][..], &[0x0a, 0], &[0x0a, 2, 0x08, 0], &[0xff], &[0x0a, 200, 1], &negative] {
            assert_eq!(read(none), None);
        }
    }
}
