//! Requests with lines: `POST /` and `/logs` with NDJSON or an array, `POST /v1/logs` with OTLP.
//!
//! The answer 200 means that all outputs have written the lines. Otherwise it is 503 with `Retry-After`, and the sender
//! sends them again.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use spanline::record::Timestamp;
use tokio::time::timeout;

use super::batch::{Batch, Format};
use super::bodies::{self, Coding, Unread};
use super::documents;
use super::limits::Limits;
use super::parse;
use super::server::Shared;
use super::splitter::Frame;
use super::writer::Outcome;

/// When a sender should try again.
const RETRY_AFTER: &str = "1";

pub(super) type Answer = Response<Full<Bytes>>;

/// What a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Or JSON in another form.
    Ndjson,
    OtlpProtobuf,
    OtlpJson,
}

/// Why a request is turned away.
#[derive(Debug)]
struct Refusal(StatusCode, String);

fn refusal<T>(status: StatusCode, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(status, text.into()))
}

/// Answers a request. Also returns whether lines came with it.
pub(super) async fn answer(request: Request<Incoming>, sender: &str, shared: &Arc<Shared>) -> (Answer, bool) {
    match write(request, sender, shared).await {
        Ok(answer) => (answer, true),
        Err(Refusal(status, text)) => {
            if !status.is_server_error() {
                shared.counts.turned_away.add(1);
                shared.reporter.complain("request", &format!("answered {} to {sender}: {text}", status.as_u16()));
            }
            (error(status, &text), false)
        }
    }
}

async fn write(request: Request<Incoming>, sender: &str, shared: &Arc<Shared>) -> Result<Answer, Refusal> {
    let (head, body) = request.into_parts();
    let value = |name: header::HeaderName| head.headers.get(name).map(HeaderValue::as_bytes);
    if let Some(token) = &shared.checks.token
        && !token.is_in(value(header::AUTHORIZATION))
    {
        return refusal(StatusCode::UNAUTHORIZED, "expected the header Authorization with Bearer and the token");
    }
    let kind = kind(&head.method, head.uri.path(), &head.headers)?;
    let Some(coding) = Coding::of(value(header::CONTENT_ENCODING)) else {
        return refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "expected Content-Encoding identity, gzip, deflate or zstd",
        );
    };
    let limits = &shared.limits;
    let length = value(header::CONTENT_LENGTH).and_then(|length| std::str::from_utf8(length).ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limits.max_body_bytes as u64) {
        return unread(Unread::TooLarge, limits);
    }
    let body = bodies::read(body, limits.max_body_bytes, limits.line_timeout, &shared.bodies).await;
    let body = body.or_else(|why| unread(why, limits))?;
    let Ok(turn) = timeout(limits.write_timeout, shared.memory.turn()).await else {
        return unread(Unread::NoMemory, limits);
    };
    let (max_body, max_line, from) = (limits.max_body_bytes, limits.max_line_bytes, sender.to_owned());
    let parsed = tokio::task::spawn_blocking(move || {
        let bytes = bodies::decompress(body.bytes, coding, max_body);
        bytes.map(|bytes| batch(kind, &bytes, max_line, &from))
    });
    let Ok(parsed) = parsed.await else {
        return refusal(StatusCode::BAD_REQUEST, "the body cannot be read");
    };
    let mut batch = match parsed.or_else(|why| unread(why, limits))? {
        Ok(batch) => batch,
        Err(why) => return refusal(StatusCode::BAD_REQUEST, why.to_string()),
    };
    let (lines, refused) = (batch.lines, batch.refused());
    if lines > 0 {
        if timeout(limits.write_timeout, batch.take_memory(&shared.memory)).await.is_err() {
            return unread(Unread::NoMemory, limits);
        }
        drop(turn);
        batch.count_in(&shared.counts);
        if !matches!(shared.writer.write(batch).await, Outcome::Written) {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "an output has not written the lines; send them again");
        }
    }
    Ok(match kind {
        // An ExportLogsServiceResponse without fields: everything was taken.
        Kind::OtlpProtobuf => reply(StatusCode::OK, "application/x-protobuf", ""),
        Kind::OtlpJson => reply(StatusCode::OK, "application/json", "{}"),
        Kind::Ndjson => {
            let text = json!({ "accepted": lines - refused, "refused": refused }).to_string();
            reply(StatusCode::OK, "application/json", text)
        }
    })
}

fn kind(method: &Method, path: &str, headers: &HeaderMap) -> Result<Kind, Refusal> {
    let is_otlp = match path {
        "/" | "/logs" => false,
        "/v1/logs" => true,
        _ => return refusal(StatusCode::NOT_FOUND, "expected the path / or /logs for NDJSON, or /v1/logs for OTLP"),
    };
    if method != Method::POST {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "expected POST");
    }
    if !is_otlp {
        return Ok(Kind::Ndjson);
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-protobuf" => Ok(Kind::OtlpProtobuf),
        "application/json" => Ok(Kind::OtlpJson),
        _ => refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "expected Content-Type application/x-protobuf or application/json",
        ),
    }
}

/// Parses a body.
fn batch(kind: Kind, bytes: &[u8], max_line: usize, sender: &str) -> Result<Batch, parse::Refused> {
    let now = Timestamp::now();
    let mut batch = Batch::default();
    match kind {
        Kind::OtlpProtobuf => batch.extend(parse::otlp_protobuf(bytes, now)?, bytes.len()),
        Kind::OtlpJson => batch.extend(parse::otlp_json(bytes, now)?, bytes.len()),
        Kind::Ndjson => {
            documents::each(bytes, |line| {
                let kept = line.get(..max_line).unwrap_or(line);
                let original_bytes = (kept.len() < line.len()).then_some(line.len() as u64);
                batch.add(&Frame { bytes: kept, original_bytes }, Format::Json, sender, now);
            });
        }
    }
    Ok(batch)
}

fn unread<T>(why: Unread, limits: &Limits) -> Result<T, Refusal> {
    let most = limits.max_body_bytes;
    match why {
        Unread::TooLarge => refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("expected at most {most} bytes, also after decompression; send smaller batches"),
        ),
        Unread::TimedOut => refusal(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
        Unread::Ended => refusal(StatusCode::BAD_REQUEST, "the body ended early"),
        Unread::NoMemory => refusal(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once; send it again"),
        Unread::Broken => refusal(StatusCode::BAD_REQUEST, "the body is not compressed as Content-Encoding says"),
    }
}

fn error(status: StatusCode, text: &str) -> Answer {
    let mut answer = reply(status, "application/json", json!({ "error": text }).to_string());
    let headers = answer.headers_mut();
    match status {
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        _ => {}
    }
    answer
}

fn reply(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
