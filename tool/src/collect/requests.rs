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
use super::bodies::{self, Body, Coding, Unread};
use super::documents::Documents;
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
    // Any page that somebody on this machine visits can send such requests here.
    if shared.checks.token.is_none() && head.headers.contains_key(header::ORIGIN) {
        return refusal(StatusCode::FORBIDDEN, "expected a sender that is no browser, or the token; add --token-file");
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
    let source = source(kind, body, coding, sender, shared).await?;
    let (lines, refused) = source.write(shared).await?;
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

/// Decompresses a body.
async fn source(kind: Kind, mut body: Body, coding: Coding, sender: &str, shared: &Shared) -> Result<Source, Refusal> {
    let limits = &shared.limits;
    if coding != Coding::Identity {
        let Ok(_turn) = timeout(limits.write_timeout, shared.memory.turn()).await else {
            return unread(Unread::NoMemory, limits);
        };
        let (bytes, max_body) = (std::mem::take(&mut body.bytes), limits.max_body_bytes);
        let bytes = tokio::task::spawn_blocking(move || bodies::decompress(bytes, coding, max_body)).await;
        let replaced = bytes.unwrap_or(Err(Unread::Broken)).and_then(|bytes| body.replace(bytes, &shared.bodies));
        replaced.or_else(|why| unread(why, limits))?;
    }
    let max_line = limits.max_line_bytes;
    Ok(Source { kind, body, documents: None, is_done: false, max_line, sender: sender.to_owned() })
}

/// A body that is parsed piece by piece: records can be much larger than their text.
struct Source {
    kind: Kind,
    body: Body,
    /// Set once the body was looked at.
    documents: Option<Documents>,
    is_done: bool,
    max_line: usize,
    sender: String,
}

impl Source {
    /// Writes all lines, and parses the next ones meanwhile. Returns how many there were, and how many are no records.
    async fn write(self, shared: &Shared) -> Result<(u64, u64), Refusal> {
        let (mut lines, mut refused) = (0, 0);
        let (mut batch, mut source) = self.next(shared).await?;
        loop {
            (lines, refused) = (lines + batch.lines, refused + batch.refused());
            let next = async {
                match source {
                    Some(source) => source.next(shared).await.map(Some),
                    None => Ok(None),
                }
            };
            let (written, next) = tokio::join!(write_all(batch, shared), next);
            written?;
            match next? {
                Some(next) => (batch, source) = next,
                None => return Ok((lines, refused)),
            }
        }
    }

    /// Parses what is handed over at once, and takes memory for it. Returns also what is left.
    async fn next(mut self, shared: &Shared) -> Result<(Batch, Option<Self>), Refusal> {
        let limits = &shared.limits;
        let bytes = if self.kind == Kind::Ndjson { 0 } else { self.body.bytes.len() };
        let Ok(turn) = timeout(limits.write_timeout, shared.memory.turn_for(bytes)).await else {
            return unread(Unread::NoMemory, limits);
        };
        let parsed = tokio::task::spawn_blocking(move || {
            let batch = self.parse();
            (batch, (!self.is_done).then_some(self))
        });
        let Ok((parsed, left)) = parsed.await else {
            return refusal(StatusCode::BAD_REQUEST, "the body cannot be read");
        };
        let mut batch = parsed.or_else(|why| refusal(StatusCode::BAD_REQUEST, why.to_string()))?;
        if timeout(limits.write_timeout, batch.take_memory(&shared.memory)).await.is_err() {
            return unread(Unread::NoMemory, limits);
        }
        drop(turn);
        Ok((batch, left))
    }

    /// Parses the next lines, or a whole request of OTLP.
    fn parse(&mut self) -> Result<Batch, parse::Refused> {
        let now = Timestamp::now();
        let bytes = &self.body.bytes;
        let records = match self.kind {
            Kind::Ndjson => {
                let mut batch = Batch::default();
                let documents = self.documents.get_or_insert_with(|| Documents::of(bytes));
                while !batch.is_full() {
                    let Some(line) = documents.next(bytes) else {
                        self.is_done = true;
                        break;
                    };
                    let kept = line.get(..self.max_line).unwrap_or(line);
                    let original_bytes = (kept.len() < line.len()).then_some(line.len() as u64);
                    batch.add(&Frame { bytes: kept, original_bytes }, Format::Json, &self.sender, now);
                }
                return Ok(batch);
            }
            Kind::OtlpProtobuf => parse::otlp_protobuf(bytes, now)?,
            Kind::OtlpJson => parse::otlp_json(bytes, now)?,
        };
        let batch = Batch::of_request(records, bytes.len());
        // Its records have it.
        self.is_done = true;
        Ok(batch)
    }
}

/// Writes a batch, in parts if it is large.
async fn write_all(batch: Batch, shared: &Shared) -> Result<(), Refusal> {
    for part in batch.parts() {
        part.count_in(&shared.counts);
        if !matches!(shared.writer.write(part).await, Outcome::Written) {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "an output has not written the lines; send them again");
        }
    }
    Ok(())
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
