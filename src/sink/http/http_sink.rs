//! The sink.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::address::Address;
use super::api::{Api, Batch, Item, Origin, Response, Verdict};
use super::client::{Answer, Client, Request};
use super::pace::Pace;
use super::plain::Plain;
#[cfg(any(feature = "gzip", feature = "zstd"))]
use super::settings::Compression;
use super::settings::{Auth, Settings};
use crate::error::Error;
use crate::sink::{Control, Lines, Next, OwnThreads, Profile, Secret, Sink};
use crate::sync::after;

/// Sends lines in HTTP requests. A line is written when the server has answered its batch with 2xx.
///
/// The page [*HTTP sinks*](crate::docs::http_sinks) has the set-up of servers, and what can be delivered twice.
///
/// ```
/// use spanline::Output;
/// use spanline::sink::{Http, Secret};
///
/// let sink = Http::new("https://collector.example/ingest").bearer(Secret::file("/run/secrets/collector-token"));
/// # let _ = Output::new(sink);
/// ```
///
/// # Blocking
/// A thread sends the requests, so no request delays an order to the sink or the end of the log.
pub struct Http {
    /// The first setting that is wrong. [`Control::Open`] returns it.
    wrong: Option<Error>,
    settings: Arc<Settings>,
    limits: Limits,
    api: Box<dyn Api>,
    origin: Origin,
    own: OwnThreads,
    client: Option<Client>,
    sent: Option<Sent>,
    /// The last line of a batch that failed: the same batch is sent again.
    resend_to: Option<u64>,
    pace: Pace,
    /// An empty body, to be filled again.
    spare: Vec<u8>,
}

/// How large batches are.
#[derive(Clone, Copy, Debug)]
struct Limits {
    lines: usize,
    bytes: usize,
    linger: Duration,
}

/// A batch that is on its way.
struct Sent {
    ids: Vec<u64>,
    /// An answer that has not come then does not come.
    until: Instant,
}

impl Http {
    /// The most lines of a batch.
    pub const DEFAULT_BATCH_LINES: usize = 5_000;
    /// The most bytes of a batch. Common servers take 1 MiB.
    pub const DEFAULT_BATCH_BYTES: usize = 1 << 20;
    /// How long lines wait for a full batch.
    pub const DEFAULT_LINGER: Duration = Duration::from_secs(1);
    /// The time for a connection, with its TLS handshake.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// The time for a whole request, from the connection to the end of the answer.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
    /// The longest pause that a server may ask for with `Retry-After`.
    pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

    /// Sends NDJSON to a URL. A user and a password in it become basic authentication.
    ///
    /// Opening the log fails if it is no URL of HTTP. It does not fail if the server is away.
    pub fn new(url: impl AsRef<str>) -> Self {
        Self::with(url.as_ref(), Plain::ndjson(), |address| address)
    }

    /// Makes a sink of an API. `at` completes the address.
    pub(in crate::sink) fn with(url: &str, api: impl Api + 'static, at: impl FnOnce(Address) -> Address) -> Self {
        let (parsed, wrong) = match Address::parse(url) {
            Ok(parsed) => (parsed, None),
            Err(error) => ((Address::nowhere(), None), Some(error)),
        };
        let (address, credentials) = parsed;
        let lines = Self::DEFAULT_BATCH_LINES;
        Self {
            wrong,
            settings: Arc::new(Settings::new(at(address), credentials)),
            limits: Limits { lines, bytes: Self::DEFAULT_BATCH_BYTES, linger: Self::DEFAULT_LINGER },
            api: Box::new(api),
            origin: Origin::new(),
            own: OwnThreads::new(),
            client: None,
            sent: None,
            resend_to: None,
            pace: Pace::default(),
            spare: Vec::new(),
        }
    }

    /// Sends the lines as a JSON array. Presets have their own bodies.
    pub fn json_array(self) -> Self {
        self.plain("json_array", Plain::json_array())
    }

    /// Sends the lines with a text before the first, between two, and after the last: `("{\"logs\":[", ",", "]}")`. The
    /// content type is `application/json` unless a header sets another. Presets have their own bodies.
    pub fn template(self, before: impl AsRef<str>, between: impl AsRef<str>, after: impl AsRef<str>) -> Self {
        self.plain("template", Plain::template(before.as_ref(), between.as_ref(), after.as_ref()))
    }

    fn plain(mut self, setting: &str, plain: Plain) -> Self {
        if self.is_of("http", setting) {
            self.api = Box::new(plain);
        }
        self
    }

    /// Returns whether the sink is one for this API. If not, the setting is a mistake.
    pub(super) fn is_of(&mut self, api: &str, setting: &str) -> bool {
        let own = self.api.name();
        if own != api {
            self.fail(Error::invalid(format!("{setting} is for {api}, but the sink is {own}; remove the setting")));
        }
        own == api
    }

    /// Sets the batches: at most `lines` lines and `bytes` bytes of lines, and a larger line alone. Lines wait up to
    /// `linger` for a full batch.
    pub fn batch(mut self, lines: usize, bytes: usize, linger: Duration) -> Self {
        self.limits = Limits { lines, bytes, linger };
        self
    }

    /// Adds a header to each request. No text of the log shows its value.
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let header = (name.into(), value.into());
        self.set(|settings| settings.headers.push(header))
    }

    /// Adds a header whose value is secret. It is read again after a status of 401.
    pub fn secret_header(self, name: impl Into<String>, value: Secret) -> Self {
        let name = name.into();
        self.set(|settings| settings.auth.push(Auth::Header { name, before: "", secret: value }))
    }

    /// Sends a token with each request: `Authorization: Bearer …`. It is read again after a status of 401.
    pub fn bearer(self, token: Secret) -> Self {
        self.authorize(Auth::Header { name: "Authorization".to_owned(), before: "Bearer ", secret: token })
    }

    /// Sends a user and a password with each request. The password is read again after a status of 401.
    pub fn basic(self, user: impl Into<String>, password: Secret) -> Self {
        let user = user.into();
        self.authorize(Auth::Basic { user, password })
    }

    /// Compresses bodies with gzip.
    #[cfg(feature = "gzip")]
    pub fn gzip(self) -> Self {
        self.compression(Compression::Gzip)
    }

    /// Compresses bodies with zstd.
    #[cfg(feature = "zstd")]
    pub fn zstd(self) -> Self {
        self.compression(Compression::Zstd)
    }

    /// Sets the time for a connection, with its TLS handshake; [`DEFAULT_CONNECT_TIMEOUT`](Self::DEFAULT_CONNECT_TIMEOUT)
    /// by default.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.connect_timeout = timeout)
    }

    /// Sets the time for a whole request, [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT) by default. Afterwards, the batch is
    /// sent again.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.timeout = timeout)
    }

    /// Sends requests through a proxy: `http://user:password@proxy.example:3128`. The variables `HTTP_PROXY` and
    /// `HTTPS_PROXY` do not count.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        match Address::parse(&url) {
            Ok((address, _)) => self.set(|settings| settings.proxy = Some((url, address))),
            Err(error) => {
                self.wrong.get_or_insert(error.of("proxy"));
                self
            }
        }
    }

    /// Trusts only the certificates in a PEM file. By default, the sink trusts those of Mozilla's list. The file is read
    /// for each new client: at the start and after [`Handle::reopen`](crate::Handle::reopen).
    pub fn root_certificates(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.set(|settings| settings.roots = Some(path))
    }

    /// Shows a certificate to the server. Both files are PEM, read as those of
    /// [`root_certificates`](Self::root_certificates).
    pub fn client_certificate(self, certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let identity = (certificates.into(), key.into());
        self.set(|settings| settings.identity = Some(identity))
    }

    /// Sends bodies of another API.
    pub(super) fn api(mut self, api: impl Api + 'static) -> Self {
        self.api = Box::new(api);
        self
    }

    /// Checks the settings, without a connection.
    #[cfg(feature = "config")]
    pub(crate) fn check_settings(&self) -> Result<(), Error> {
        match &self.wrong {
            Some(error) => Err(Error::invalid(format!("{error:#}"))),
            None => self.settings.check(),
        }
    }

    /// Notes a setting that is wrong, unless another one is.
    pub(super) fn fail(&mut self, error: Error) {
        self.wrong.get_or_insert(error);
    }

    #[cfg(any(feature = "gzip", feature = "zstd"))]
    pub(super) fn compression(self, compression: Compression) -> Self {
        self.set(|settings| settings.compression = compression)
    }

    /// Sets the one header `Authorization`.
    pub(super) fn authorize(self, auth: Auth) -> Self {
        self.set(|settings| {
            settings.auth.retain(|other| !other.is_authorization());
            settings.auth.push(auth);
        })
    }

    /// Returns a random text that names this sink in this process.
    pub(super) fn instance(&self) -> &str {
        &self.origin.instance
    }

    pub(in crate::sink) fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    /// Acts on what became of a batch.
    fn settle(&mut self, lines: &mut Lines, sent: &Sent, answer: Answer) -> Result<Next, Error> {
        self.spare = answer.body;
        // One large line may have made it large.
        self.spare.shrink_to(2 * Self::DEFAULT_BATCH_BYTES);
        let Some((first, last)) = sent.range() else { return Ok(Next::Done) };
        let response = match answer.result {
            Ok(response) => response,
            Err(failure) => {
                self.pace.expects |= failure.is_broken;
                return Err(self.again(lines, last, failure.error));
            }
        };
        self.pace.answered(answer.retry_after.map(|pause| pause.min(Self::MAX_RETRY_AFTER)));
        let verdict = if response.is_page && response.is_success() && !self.api.takes_any_answer() {
            Verdict::Retry(format!("status {}: a page for browsers; another server answers", response.status))
        } else {
            self.api.judge(&response, sent.ids.len())
        };
        let address = || self.settings.address.shown();
        match verdict {
            Verdict::Written => lines.acknowledge(first..=last),
            Verdict::Each(items) => return self.settle_each(lines, sent, items, &response),
            #[cfg(feature = "otlp")]
            Verdict::Partly { rejected, why } => {
                // The server does not say which: the last ones stand for them.
                let at = sent.ids.len().saturating_sub(usize::try_from(rejected).unwrap_or(usize::MAX));
                let refused = sent.ids.get(at..).unwrap_or_default();
                for id in refused {
                    lines.reject(*id..=*id, format!("{}: {why}", address()));
                }
                lines.acknowledge(first..=last);
            }
            Verdict::Retry(why) => {
                let error = Error::retry(format!("{} did not take the lines: {why}", address()));
                return Err(self.again(lines, last, error));
            }
            Verdict::Rejected(why) => {
                // The worker offers half of them, down to one.
                let error = Error::rejected(format!("{} rejects a line: {why}", address()));
                lines.give_back(first..=last);
                return Err(error);
            }
        }
        self.pace.succeeded();
        Ok(Next::Done)
    }

    /// Acts on what became of each line.
    fn settle_each(
        &mut self,
        lines: &mut Lines,
        sent: &Sent,
        items: Vec<Item>,
        response: &Response,
    ) -> Result<Next, Error> {
        let Some((first, last)) = sent.range() else { return Ok(Next::Done) };
        let mut retried = Vec::new();
        let mut failed = None;
        for (id, item) in sent.ids.iter().zip(items) {
            match item {
                Item::Written => {}
                Item::Rejected(why) => {
                    lines.reject(*id..=*id, format!("{} rejects a line: {why}", self.settings.address.shown()));
                }
                Item::Retry(why) => {
                    retried.push(*id);
                    failed = Some(why);
                }
            }
        }
        let Some(why) = failed else {
            lines.acknowledge(first..=last);
            self.pace.succeeded();
            return Ok(Next::Done);
        };
        for id in sent.ids.iter().filter(|id| retried.binary_search(id).is_err()) {
            lines.acknowledge(*id..=*id);
        }
        let count = retried.len();
        if 2 * count < sent.ids.len() {
            // The server is well. What is wrong is about these lines.
            self.pace.succeeded();
        }
        let address = self.settings.address.shown();
        let error = Error::retry(format!("{address} did not take {count} lines: status {}: {why}", response.status));
        let error = self.again(lines, last, error);
        // Newer lines come along: those that the server never takes do not hold them up.
        self.resend_to = None;
        Err(error)
    }

    /// The batch is sent again, after a pause.
    fn again(&mut self, lines: &mut Lines, last: u64, error: Error) -> Error {
        self.resend_to = Some(last);
        self.pace.reconnect.failed(Instant::now());
        lines.give_back(..=last);
        error
    }

    /// Sends the lines that are offered.
    fn send(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let client = match &self.client {
            Some(client) => client,
            None => match Client::start(&self.settings, &self.own) {
                Ok(client) => self.client.insert(client),
                Err(error) => {
                    self.pace.reconnect.failed(Instant::now());
                    return Err(error);
                }
            },
        };
        let mut batch = Batch { body: std::mem::take(&mut self.spare), ..Batch::default() };
        // A batch that failed has the same lines when it is sent again: some servers then know it.
        while let Some(id) = lines.first().map(|line| line.id).filter(|id| self.api.unfit(lines) == Some(*id)) {
            lines.reject(id..=id, "the line is not of the sink's own schema; remove the schema of the output");
        }
        let is_again = self.resend_to.take().filter(|last| lines.first().is_some_and(|line| line.id <= *last));
        let end = is_again.map_or(u64::MAX, |last| last + 1).min(self.api.unfit(lines).unwrap_or(u64::MAX));
        let (api, origin) = (&mut self.api, &self.origin);
        lines.until(end, |lines| api.fill(lines, origin, &mut batch));
        if batch.ids.is_empty() {
            return Ok(Next::Done);
        }
        let query = self.api.query(&batch, &self.origin);
        client.send(Request {
            body: batch.body,
            content_type: self.api.content_type(),
            query,
            reads_body: self.api.reads_body(),
            lines: batch.ids.len(),
            expects: self.pace.expects,
            waker: lines.waker(),
        });
        lines.hand_over(batch.line_bytes);
        // Twice, as the thread may send a request again; and the time for acknowledgements.
        let stored = self.settings.acknowledgements.as_ref().map_or(Duration::ZERO, |asked| asked.timeout);
        let until = after(Instant::now(), self.settings.timeout.saturating_mul(2).saturating_add(stored));
        self.sent = Some(Sent { ids: batch.ids, until });
        Ok(Next::Later(until))
    }
}

impl Sent {
    fn range(&self) -> Option<(u64, u64)> {
        Some((*self.ids.first()?, *self.ids.last()?))
    }
}

impl Sink for Http {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        if self.client.as_ref().is_some_and(Client::is_lost) {
            self.client = None;
        }
        if self.client.is_none()
            && let Some(sent) = self.sent.take()
        {
            // The order to connect again has interrupted it, or the program has closed its connection.
            self.resend_to = sent.ids.last().copied();
            lines.give_back(..);
        }
        if let Some((client, sent)) = self.client.as_ref().zip(self.sent.take()) {
            match client.answer() {
                Ok(None) if Instant::now() < sent.until => {
                    let until = sent.until;
                    self.sent = Some(sent);
                    return Ok(Next::Later(until));
                }
                Ok(Some(answer)) => return self.settle(lines, &sent, answer),
                Ok(None) | Err(_) => {
                    // Neither an answer nor its timeout has come: the thread is stuck. Another one takes over.
                    self.client = None;
                    let last = sent.ids.last().copied().unwrap_or_default();
                    let error = Error::retry(format!("{}: no answer", self.settings.address.shown()));
                    return Err(self.again(lines, last, error));
                }
            }
        }
        if lines.is_empty() {
            return Ok(Next::Done);
        }
        match self.pace.wait(Instant::now(), lines.ends_at()) {
            Some(at) => Ok(Next::Later(at)),
            None => self.send(lines),
        }
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Open => {
                if let Some(error) = self.wrong.take() {
                    return Err(error);
                }
                self.settings.check()?;
            }
            // Somebody waits.
            Control::Flush => self.pace.reconnect.hurry(),
            Control::Reopen => {
                self.pace = Pace::default();
                // A batch on its way gets no answer, and is sent again.
                self.client = None;
            }
            Control::Close => self.client = None,
            Control::Forked => {
                // Its thread and its connections are the parent's: not a word to the server.
                std::mem::forget(self.client.take());
                (self.sent, self.resend_to, self.pace) = (None, None, Pace::default());
                self.origin = Origin::new();
            }
            _ => {}
        }
        Ok(())
    }

    fn profile(&self) -> Profile {
        let Limits { lines, bytes, linger } = self.limits;
        let profile = Profile::new(self.api.name()).batch(lines, bytes, linger).own_threads(&self.own);
        match self.api.schema() {
            Some(schema) => profile.schema(schema),
            None => profile,
        }
    }
}

/// Shows no secret.
impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("settings", &self.settings).field("limits", &self.limits).finish_non_exhaustive()
    }
}
