//! The ids among a request's headers, and why some were rejected.

use super::formats::{Format, Headers};
use super::trace_context::{TRACEPARENT, TRACESTATE, TraceContext};
use crate::context::{TraceParent, read_request_id, read_state};
use crate::error::Error;

/// What the headers of a request contain, and which of them were rejected.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    pub(crate) context: TraceContext,
    pub(crate) parent_rejected: Option<Error>,
    pub(crate) state_rejected: Option<Error>,
    /// The first rejected header of another format than W3C.
    pub(crate) format_rejected: Option<Error>,
    pub(crate) request_rejected: Option<Error>,
}

impl Incoming {
    /// Parses the headers of the formats, in this order until one names a trace, and the request id.
    ///
    /// `values`: returns the values of a header.
    pub(crate) fn read<'a, I: Iterator<Item = &'a [u8]>>(
        formats: &[Format],
        request_name: &str,
        values: impl Fn(&str) -> I,
    ) -> Self {
        let mut incoming = Self::default();
        let mut state = None;
        for format in formats {
            if incoming.context.trace_id().is_some() {
                break;
            }
            if *format == Format::W3c {
                state = incoming.read_w3c(&values);
                continue;
            }
            match read_format(*format, &values) {
                Ok(context) => incoming.context = context,
                Err(error) => incoming.format_rejected = incoming.format_rejected.or(Some(error)),
            }
        }
        let request_id = match only_value(request_name, values(request_name), read_request_id) {
            Ok(id) => id.map(str::to_owned),
            Err(error) => {
                incoming.request_rejected = Some(error);
                None
            }
        };
        incoming.context = incoming.context.with_rest(state, request_id);
        incoming
    }

    /// Parses `traceparent` and `tracestate`. Returns the latter, if it belongs to a trace.
    fn read_w3c<'a, I: Iterator<Item = &'a [u8]>>(&mut self, values: &impl Fn(&str) -> I) -> Option<String> {
        match only_value(TRACEPARENT, values(TRACEPARENT), TraceParent::parse) {
            Ok(Some(parent)) => self.context = TraceContext::default().with_parent(parent),
            Ok(None) => {}
            Err(error) => self.parent_rejected = Some(error),
        }
        let mut first = &[][..];
        let state =
            read_state(values(TRACESTATE).inspect(|state| first = if first.is_empty() { *state } else { first }));
        match state {
            // A state without its trace means nothing.
            Ok(state) => state.filter(|_| self.context.trace_id().is_some()),
            Err(why) => {
                self.state_rejected = Some(malformed(TRACESTATE, first, why));
                None
            }
        }
    }
}

/// A header of another format is not longer than this. Datadog's tags have at most 512 bytes, the others fewer.
const MAX_HEADER_BYTES: usize = 1024;

/// Parses the headers of a format. The context is empty when they name no trace.
fn read_format<'a, I: Iterator<Item = &'a [u8]>>(
    format: Format,
    values: &impl Fn(&str) -> I,
) -> Result<TraceContext, Error> {
    let mut headers: Headers<'a> = Headers::default();
    for (name, place) in format.headers().iter().zip(&mut headers) {
        *place = only_value(name, values(name), |value| match std::str::from_utf8(value) {
            _ if value.len() > MAX_HEADER_BYTES => Err("it is longer than 1024 bytes"),
            Ok(text) if text.is_ascii() => Ok(text),
            _ => Err("it is not ASCII"),
        })?;
    }
    let ids = format.read(&headers).map_err(|why| {
        let (name, value) =
            format.headers().iter().copied().zip(headers).find(|(_, value)| value.is_some()).unwrap_or_default();
        malformed(name, value.unwrap_or_default().as_bytes(), why)
    })?;
    Ok(ids.map_or_else(TraceContext::default, |ids| TraceContext::default().with_ids(ids)))
}

/// Parses the only value of a header, without the white space around it.
fn only_value<'a, T>(
    name: &str,
    mut values: impl Iterator<Item = &'a [u8]>,
    read: impl FnOnce(&'a [u8]) -> Result<T, &'static str>,
) -> Result<Option<T>, Error> {
    let Some(value) = values.next() else { return Ok(None) };
    let value = value.trim_ascii();
    if values.next().is_some() {
        return Err(malformed(name, value, "the header is present more than once"));
    }
    read(value).map(Some).map_err(|why| malformed(name, value, why))
}

/// An error shows at most this many bytes of a malformed value.
const SHOWN_BYTES: usize = 64;

pub(super) fn malformed(name: &str, value: &[u8], why: &str) -> Error {
    let shown = value.get(..SHOWN_BYTES).unwrap_or(value);
    let more = if shown.len() < value.len() { "…" } else { "" };
    Error::invalid(format!("{name} `{}{more}`: {why}", shown.escape_ascii()))
}
