//! The thread that sends requests and waits for answers.
//!
//! It has one request at a time. Its time is bounded, and dropping the [`Client`] interrupts it. What it logs, or its
//! libraries log, does not return to the sink.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::task::Waker;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::http::{HeaderMap, HeaderValue, Response as Incoming, header};
use ureq::{Agent, Body};

use super::address::{Address, shown_target};
use super::api::{Response, said};
use super::guarded::Guarded;
use super::settings::{Auth, Compression, Settings};
use super::shown::Hidden;
use crate::error::Error;
use crate::process::{self, Mark};
use crate::sink::OwnThreads;
use crate::sync::after;

/// The longest answer that is read, and more for each line of the batch: one of a bulk request names each.
const MAX_ANSWER_BYTES: u64 = 256 << 10;
const MAX_ANSWER_BYTES_PER_LINE: u64 = 1 << 10;

/// The most that is shown of the cause of a failure.
const MOST_CAUSE_CHARS: usize = 300;

/// How often a server is asked whether it has stored a batch.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Level 1: a log is compressed on its way, not for years.
#[cfg(feature = "gzip")]
const GZIP_LEVEL: flate2::Compression = flate2::Compression::new(1);
#[cfg(feature = "zstd")]
const ZSTD_LEVEL: i32 = 1;

/// The thread, and the channel to it.
pub(super) struct Client {
    requests: Option<Sender<Request>>,
    answers: Receiver<Answer>,
    agent: Guarded<Agent>,
}

/// One batch to be sent.
pub(super) struct Request {
    pub(super) body: Vec<u8>,
    pub(super) content_type: &'static str,
    pub(super) query: Option<String>,
    pub(super) reads_body: bool,
    /// How many lines it has.
    pub(super) lines: usize,
    /// The server says whether it wants the body before it is sent.
    pub(super) expects: bool,
    pub(super) waker: Waker,
}

/// What became of a request.
pub(super) struct Answer {
    pub(super) result: Result<Response, Failure>,
    /// When the server wants the next request.
    pub(super) retry_after: Option<Duration>,
    /// The request's body, to be filled again.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
pub(super) struct Failure {
    pub(super) error: Error,
    /// The connection broke after the request had begun: the server may not want a body this large.
    pub(super) is_broken: bool,
}

impl Client {
    /// Starts the thread. It ends with the client.
    pub(super) fn start(settings: &Arc<Settings>, own: &OwnThreads) -> Result<Self, Error> {
        let mark = Mark::new().map_err(|error| Error::io("open a socket", error))?;
        let agent = settings.agent()?;
        let guarded = Guarded::new(agent.clone(), &mark);
        let (requests, wanted) = channel::<Request>();
        let (results, answers) = channel();
        let (own, settings) = (own.clone(), Arc::clone(settings));
        let mut exchange = Exchange { settings, agent: guarded, secrets: None, is_warm: false, refuses_expect: false };
        let run = move || {
            own.mark_thread();
            while let Ok(mut request) = wanted.recv() {
                let answer = exchange.run(&mut request);
                if results.send(answer).is_err() {
                    break;
                }
                request.waker.wake();
            }
        };
        process::spawn("spanline-http", run)
            .map_err(|error| Error::io("start the thread that sends requests", error))?;
        Ok(Self { requests: Some(requests), answers, agent: Guarded::new(agent, &mark) })
    }

    /// Returns whether the program has closed its descriptors. Then it answers no more.
    pub(super) fn is_lost(&self) -> bool {
        self.agent.is_lost()
    }

    /// Gives the thread a request. It has none.
    pub(super) fn send(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // If the thread has ended, there is no answer either.
            let _ = requests.send(request);
        }
    }

    /// Returns the answer, if it has come; an error if none will come.
    pub(super) fn answer(&self) -> Result<Option<Answer>, Error> {
        match self.answers.try_recv() {
            Ok(answer) => Ok(Some(answer)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Error::retry("the thread that sends requests has ended")),
        }
    }
}

/// Interrupts a request, and ends the thread.
impl Drop for Client {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(agent) = self.agent.get() {
            agent.clone().shutdown();
        }
    }
}

/// The thread's side.
struct Exchange {
    settings: Arc<Settings>,
    agent: Guarded<Agent>,
    /// Headers with secrets; `None` until they are read, or read again.
    secrets: Option<Vec<(String, String)>>,
    /// A request was answered, so its connection may be used again.
    is_warm: bool,
    /// The server, or a proxy, has answered 417: it does not know `Expect`.
    refuses_expect: bool,
}

impl Exchange {
    /// Sends a request until it has an answer, at most until its time is over.
    fn run(&mut self, request: &mut Request) -> Answer {
        let deadline = after(Instant::now(), self.settings.timeout);
        let mut body = std::mem::take(&mut request.body);
        let compressed = self.compressed(&body);
        let sent = match &compressed {
            Ok(compressed) => compressed.as_deref().unwrap_or(&body),
            Err(error) => return Answer { result: Err(failure(error.to_string())), retry_after: None, body },
        };
        let mut retry_after = None;
        let mut result = self.deliver(request, sent, deadline, &mut retry_after);
        if let (Ok(response), Some(_)) = (&result, &self.settings.acknowledgements)
            && response.is_success()
        {
            result = self.await_stored(response);
        }
        if let Ok(response) = &mut result {
            response.hidden = self.hidden();
        }
        body.clear();
        Answer { result, retry_after, body }
    }

    /// Sends a request, again at once where the connection was old or the credentials are new.
    fn deliver(
        &mut self,
        request: &Request,
        body: &[u8],
        deadline: Instant,
        retry_after: &mut Option<Duration>,
    ) -> Result<Response, Failure> {
        let mut has_new_secrets = false;
        loop {
            let url = self.settings.address.url(request.query.as_deref());
            let was_warm = std::mem::take(&mut self.is_warm);
            match self.post(&url, request, body, deadline) {
                Err(error) if was_warm && is_broken(&error) => {
                    // The server has closed a connection that nobody used, just before it was used.
                }
                Err(error) => {
                    let is_broken = is_broken(&error);
                    let error = self.error(error);
                    // They may be the cause, and be right by the next time.
                    self.secrets = None;
                    return Err(Failure { error, is_broken });
                }
                Ok((head, mut response)) => {
                    // Some servers answer 403 to a token that they do not know.
                    if matches!(response.status, 401 | 403) && !has_new_secrets {
                        let before = self.secrets.take();
                        has_new_secrets = self.read_secrets()? != before.as_deref().unwrap_or_default();
                        if has_new_secrets {
                            continue;
                        }
                    }
                    if response.status == 417 && request.expects && !std::mem::replace(&mut self.refuses_expect, true) {
                        continue;
                    }
                    if !response.is_success() {
                        *retry_after = retry_after_of(&head);
                    }
                    if let (300..=399, Some(target)) = (response.status, head.get(header::LOCATION)) {
                        let target = shown_target(&String::from_utf8_lossy(target.as_bytes()));
                        response.body = format!("redirected to {target}; set this URL if it is right").into_bytes();
                    }
                    return Ok(response);
                }
            }
        }
    }

    /// Sends a request once.
    fn post(
        &mut self,
        url: &str,
        request: &Request,
        body: &[u8],
        deadline: Instant,
    ) -> Result<(HeaderMap, Response), ureq::Error> {
        let secrets = self.read_secrets().map_err(|failure| ureq::Error::Other(failure.error.into()))?.to_vec();
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ureq::Error::Timeout(ureq::Timeout::Global));
        }
        let Some(agent) = self.agent.get() else {
            return Err(ureq::Error::Io(io::Error::new(
                ErrorKind::NotFound,
                "the program has closed the log's descriptors",
            )));
        };
        let mut post = agent.post(url);
        let has_type = self.settings.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if !has_type {
            post = post.header(header::CONTENT_TYPE, request.content_type);
        }
        match self.settings.compression {
            Compression::None => {}
            #[cfg(feature = "gzip")]
            Compression::Gzip => post = post.header(header::CONTENT_ENCODING, "gzip"),
            #[cfg(feature = "zstd")]
            Compression::Zstd => post = post.header(header::CONTENT_ENCODING, "zstd"),
        }
        if request.expects && !self.refuses_expect {
            post = post.header(header::EXPECT, "100-continue");
        }
        for (name, value) in self.settings.headers.iter().chain(&secrets) {
            post = post.header(name, value);
        }
        let mut response = post.config().timeout_global(Some(left)).build().send(body)?;
        self.read(&mut response, request)
    }

    /// Reads an answer. Where its status says all, a body that breaks off does no harm.
    fn read(&mut self, response: &mut Incoming<Body>, request: &Request) -> Result<(HeaderMap, Response), ureq::Error> {
        let (status, head) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        let most = MAX_ANSWER_BYTES.saturating_add(MAX_ANSWER_BYTES_PER_LINE.saturating_mul(request.lines as u64));
        let limited = response.body_mut().with_config().limit(most).reader();
        let read = { limited }.read_to_end(&mut body);
        self.is_warm = read.is_ok();
        if let Err(error) = read
            && request.reads_body
        {
            return Err(ureq::Error::from(error));
        }
        let is_page = head.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        Ok((head, Response { status, body, is_page, hidden: Hidden::default() }))
    }

    /// Asks the server until it has stored a batch.
    fn await_stored(&mut self, response: &Response) -> Result<Response, Failure> {
        let Some(asked) = self.settings.acknowledgements.clone() else { return Err(failure("no acknowledgements")) };
        let answer = response.json();
        let Some(id) = answer.get("ackId").and_then(serde_json::Value::as_u64) else {
            return Err(failure("the answer has no ackId; enable indexer acknowledgement for the token"));
        };
        let deadline = after(Instant::now(), asked.timeout);
        let mut patience = after(Instant::now(), self.settings.timeout);
        let body = format!("{{\"acks\":[{id}]}}");
        loop {
            let request = Request {
                body: Vec::new(),
                content_type: "application/json",
                query: None,
                reads_body: true,
                lines: 0,
                expects: false,
                waker: Waker::noop().clone(),
            };
            let asked_at = Instant::now();
            match self.ask(&asked.address, &request, body.as_bytes(), deadline) {
                Ok((_, response)) if response.is_success() => {
                    let stored = response.json().pointer(&format!("/acks/{id}")).and_then(serde_json::Value::as_bool);
                    if stored == Some(true) {
                        return Ok(response);
                    }
                    patience = after(asked_at, self.settings.timeout);
                }
                // Sending the batch again would store it twice, so a failure alone is no reason.
                _ if asked_at < patience => {}
                Ok((_, mut response)) => {
                    response.hidden = self.hidden();
                    return Err(failure(format!("asked for the acknowledgement: {}", said(&response))));
                }
                Err(error) => return Err(Failure { error: self.error(error), is_broken: false }),
            }
            if Instant::now() >= deadline {
                return Err(failure(format!("the batch was not stored within {:?}", asked.timeout)));
            }
            std::thread::park_timeout(ASK_EVERY);
        }
    }

    fn ask(
        &mut self,
        address: &Address,
        request: &Request,
        body: &[u8],
        deadline: Instant,
    ) -> Result<(HeaderMap, Response), ureq::Error> {
        let longest = after(Instant::now(), self.settings.timeout);
        let compression = self.settings.compression;
        // The question is not compressed.
        let settings = Arc::make_mut(&mut self.settings);
        settings.compression = Compression::None;
        let result = self.post(&address.url(None), request, body, deadline.min(longest));
        Arc::make_mut(&mut self.settings).compression = compression;
        result
    }

    /// Returns the headers with secrets.
    fn read_secrets(&mut self) -> Result<&[(String, String)], Failure> {
        let not_read = |error| Failure { error, is_broken: false };
        if self.secrets.is_none() {
            let headers = self.settings.auth.iter().map(header_of).collect::<Result<Vec<_>, _>>().map_err(not_read)?;
            self.secrets = Some(headers);
        }
        Ok(self.secrets.as_deref().unwrap_or_default())
    }

    /// Returns what no text may show.
    fn hidden(&self) -> Hidden {
        Hidden::new(self.secrets.iter().flatten().chain(&self.settings.headers), self.settings.secrets())
    }

    /// Describes a failure. The server, or a proxy, may have made a part of the cause.
    fn error(&self, error: ureq::Error) -> Error {
        let doing = format!("send lines to {}", self.settings.address.shown());
        let cause = match error {
            ureq::Error::Io(error) => return Error::io(doing, error),
            ureq::Error::Timeout(_) => {
                return Error::io(doing, io::Error::new(ErrorKind::TimedOut, format!("no answer in time: {error}")));
            }
            // One of this sink, about a secret.
            ureq::Error::Other(error) => return Error::retry(doing).with_source(error),
            ureq::Error::ConnectProxyFailed(why) => why,
            error => error.to_string(),
        };
        let cause: String = self.hidden().shown(&cause).chars().take(MOST_CAUSE_CHARS).collect();
        Error::retry(doing).with_source(cause)
    }

    /// Returns the body compressed, if that is set.
    fn compressed(&self, body: &[u8]) -> io::Result<Option<Vec<u8>>> {
        match self.settings.compression {
            Compression::None => {
                let _ = body;
                Ok(None)
            }
            #[cfg(feature = "gzip")]
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 4), GZIP_LEVEL);
                io::Write::write_all(&mut encoder, body)?;
                encoder.finish().map(Some)
            }
            #[cfg(feature = "zstd")]
            Compression::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL).map(Some),
        }
    }
}

fn failure(why: impl Into<String>) -> Failure {
    Failure { error: Error::retry(why), is_broken: false }
}

/// Reads a secret, and makes a header of it.
fn header_of(auth: &Auth) -> Result<(String, String), Error> {
    match auth {
        Auth::Header { name, before, secret } => {
            let value = format!("{before}{}", secret.read()?);
            if HeaderValue::from_str(&value).is_err() {
                let what = format!("{secret:?} for the header {name} has characters that no header may have");
                return Err(Error::retry(format!("{what}; expected one line of text")));
            }
            Ok((name.clone(), value))
        }
        Auth::Basic { user, password } => {
            let text = BASE64_STANDARD.encode(format!("{user}:{}", password.read()?));
            Ok(("Authorization".to_owned(), format!("Basic {text}")))
        }
    }
}

/// Returns whether the connection broke. A timeout is none: the server may be at work.
fn is_broken(error: &ureq::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    let kinds = [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof];
    matches!(error, ureq::Error::Io(error) if kinds.contains(&error.kind()))
}

/// Returns how long the server wants to be left alone, from seconds or a date.
fn retry_after_of(head: &HeaderMap) -> Option<Duration> {
    let text = head.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // The formats of dates that RFC 9110, section 5.6.7, asks a client to read.
    let old = |format| chrono::NaiveDateTime::parse_from_str(text, format).ok().map(|at| at.and_utc());
    let at = chrono::DateTime::parse_from_rfc2822(text).ok().map(|at| at.to_utc());
    let at = at.or_else(|| old("%A, %d-%b-%y %H:%M:%S GMT")).or_else(|| old("%a %b %e %H:%M:%S %Y"))?;
    let now = crate::record::Timestamp::now().to_datetime();
    (at - now).to_std().ok()
}
