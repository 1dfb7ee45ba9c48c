//! The lines of the log's own, of requests and closing spans, whose fields a back end may have its own keys for.
//!
//! Such a line is not prepared: there is one for each request or span, and its keys are those of its fields and its span's.

use super::layout::{Layout, Mark, Stage, TOP};
use super::parts::Parts;
use crate::record::{Kind, Value};
use crate::schema::json::Form;
use crate::schema::object::is_reserved;
use crate::schema::resolved_fields::{Origin, ResolvedField};

/// The stage of members that only these lines have.
const OF_OWN: Stage = Stage::Event(Mark::Own);

/// What a layout shows of these lines.
#[derive(Default)]
pub(super) struct OwnLines(Vec<OwnMember>);

/// A member that only lines of a kind have.
struct OwnMember {
    kind: Kind,
    key: &'static str,
    /// The fields that it shows.
    names: Vec<&'static str>,
}

impl OwnLines {
    /// Returns whether lines of a kind have members that others lack.
    pub(super) fn differ(&self, kind: Kind) -> bool {
        self.0.iter().any(|member| member.kind == kind)
    }

    /// Returns whether a member shows a field of a line.
    pub(super) fn has(&self, kind: Kind, field: &ResolvedField<'_>) -> bool {
        let is_of_line = match field.origin {
            Origin::Event => true,
            // The request's span describes it.
            Origin::Span => kind == Kind::Request,
            _ => false,
        };
        is_of_line && self.0.iter().any(|member| member.kind == kind && member.names.contains(&field.name))
    }
}

impl Layout {
    /// Shows fields of requests under other keys: pairs of key and name.
    pub(in crate::schema) fn request_fields(self, fields: &[(&'static str, &'static str)]) -> Self {
        fields.iter().fold(self, |layout, (key, name)| layout.request_field(key, name, |value| value))
    }

    /// Shows a field of requests under another key, with its value converted.
    pub(in crate::schema) fn request_field(
        self,
        key: &'static str,
        name: &'static str,
        convert: fn(Value<'_>) -> Value<'_>,
    ) -> Self {
        let form = self.form();
        self.request_member(key, &[name], move |parts, out| {
            parts.of_request(name).is_some_and(|value| form.put(&convert(value), out))
        })
    }

    /// Adds a member to lines of requests, which shows the fields of these names.
    pub(in crate::schema) fn request_member(
        self,
        key: &'static str,
        names: &[&'static str],
        put: impl Fn(&Parts<'_>, &mut Vec<u8>) -> bool + Send + 'static,
    ) -> Self {
        self.own_member(Kind::Request, key, names, put)
    }

    /// Shows the host of requests: its name, and its port if there is one.
    pub(in crate::schema) fn host_of_request(self, name: &'static str, port: &'static str) -> Self {
        let form = self.form();
        self.request_field(name, "host", |host| host_and_port(host).0).request_member(port, &[], move |parts, out| {
            let port = parts.of_request("host").and_then(|host| host_and_port(host).1);
            port.is_some_and(|port| form.put(&port.into(), out))
        })
    }

    /// Adds the request's id to lines of requests.
    pub(in crate::schema) fn id_of_request(self, key: &'static str, form: Form) -> Self {
        self.request_member(key, &[], move |parts, out| {
            let id = parts.request.filter(|_| parts.record.site_kind() == Kind::Request);
            id.is_some_and(|(id, _)| form.put(&id, out))
        })
    }

    /// Shows the duration of requests and of closed spans under another key, with its microseconds converted.
    pub(in crate::schema) fn duration(self, key: &'static str, convert: fn(Value<'_>) -> Value<'_>) -> Self {
        let form = self.form();
        self.request_field(key, "latency_us", convert).own_member(
            Kind::SpanClose,
            key,
            &["duration_us"],
            move |parts, out| {
                let is_close = parts.record.site_kind() == Kind::SpanClose;
                let duration = parts.record.field("duration_us").filter(|_| is_close);
                duration.is_some_and(|value| form.put(&convert(value), out))
            },
        )
    }

    fn own_member(
        mut self,
        kind: Kind,
        key: &'static str,
        names: &[&'static str],
        put: impl Fn(&Parts<'_>, &mut Vec<u8>) -> bool + Send + 'static,
    ) -> Self {
        self.own_lines.0.push(OwnMember { kind, key, names: names.to_vec() });
        self.put(key, OF_OWN, put)
    }

    /// Returns whether the key of a field at the top level is that of a member of such a line.
    pub(super) fn meets_own_member(&self, kind: Kind, name: &str) -> bool {
        let key = self.key(TOP, name);
        self.own_lines.0.iter().any(|member| member.kind == kind && is_reserved(&key, &[member.key]))
    }
}

impl<'a> Parts<'a> {
    /// Returns a field of a request from its line or its span; `None` in other lines.
    pub(in crate::schema) fn of_request(&self, name: &str) -> Option<Value<'a>> {
        let record = self.record;
        if record.site_kind() != Kind::Request {
            return None;
        }
        let own = record.field(name);
        let of_span = || {
            let span = record.context()?.spans().find(|span| !span.is_hidden())?;
            span.last_field(name).map(|value| value.truncated_to(record.max_value_bytes))
        };
        own.or_else(of_span)
    }

    /// Returns whether the status of a request, of HTTP or gRPC, says that the server has failed.
    ///
    /// Source: OpenTelemetry's semantic conventions, which name the codes of gRPC.
    pub(in crate::schema) fn is_fault_of_server(&self) -> bool {
        let has = |name: &str, is_fault: fn(u64) -> bool| matches!(self.of_request(name), Some(Value::U64(status)) if is_fault(status));
        has("status", |status| status >= 500) || has("grpc_status", |status| matches!(status, 2 | 4 | 12..=15))
    }
}

/// Splits a host into its name and its port. An IPv6 address has brackets if there is a port.
fn host_and_port(host: Value<'_>) -> (Value<'_>, Option<u16>) {
    let Value::Str(text) = host else { return (host, None) };
    let split = text.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse().ok()?)));
    match split.filter(|(name, _)| !name.contains(':') || name.ends_with(']')) {
        Some((name, port)) => (Value::Str(name), Some(port)),
        None => (host, None),
    }
}

/// Returns microseconds as nanoseconds.
pub(in crate::schema) fn micros_as_nanos(micros: Value<'_>) -> Value<'_> {
    match micros {
        Value::U64(micros) => Value::U64(micros.saturating_mul(1000)),
        value => value,
    }
}

/// Returns microseconds as seconds with decimals.
pub(in crate::schema) fn micros_as_seconds(micros: Value<'_>) -> Value<'_> {
    match micros {
        Value::U64(micros) => Value::F64(micros as f64 / 1_000_000.0),
        value => value,
    }
}

/// Returns microseconds as milliseconds with decimals.
pub(in crate::schema) fn micros_as_millis(micros: Value<'_>) -> Value<'_> {
    match micros {
        Value::U64(micros) => Value::F64(micros as f64 / 1000.0),
        value => value,
    }
}
