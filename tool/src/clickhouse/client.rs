//! Requests to one node, over HTTP.
//!
//! Source: <https://clickhouse.com/docs/interfaces/http>. An error may come behind a status of 200, as text in the body. So
//! whole answers are asked for with `wait_end_of_query`, and [streams](super::lines) have a last row that says that they are
//! whole.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Response;

use super::address::Address;

/// How long a node may take no bytes of a request.
const WRITE: Duration = Duration::from_secs(120);

const CONNECT: Duration = Duration::from_secs(10);

/// A query may name many segments.
const MAX_QUERY_BYTES: u64 = 64 << 20;

/// How long a node may take until it begins to answer.
const ANSWER: Duration = Duration::from_secs(3600);

/// Sorting and grouping use the node's disk beyond this much memory, in bytes.
const EXTERNAL_BYTES: u64 = 1 << 30;

/// The most that is shown of an answer.
const MOST_CHARS: usize = 500;

/// A whole answer may have this many bytes.
const MAX_ANSWER_BYTES: u64 = 1 << 30;

/// One node.
#[derive(Clone)]
pub(super) struct Client {
    agent: Agent,
    address: Address,
    password: Option<String>,
}

/// Shows no password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Why a request failed. Its text names the node.
#[derive(Debug)]
pub(super) struct Failure {
    text: String,
    /// That of ClickHouse's error.
    pub(super) code: Option<u32>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl Client {
    pub(super) fn new(address: Address, password: Option<String>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("spanline/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_write(Some(WRITE))
            .timeout_per_read(Some(ANSWER))
            .build();
        Self { agent: Agent::new_with_config(config), address, password }
    }

    /// Runs a statement, and returns its whole answer.
    ///
    /// # Errors
    /// The node is not reached, or refuses the statement.
    pub(super) fn run(&self, statement: &str) -> Result<Vec<u8>, Failure> {
        let answer = self.post(&format!("wait_end_of_query=1&{}", settings()), statement.as_bytes())?;
        let mut bytes = Vec::new();
        let read = answer.into_body().into_with_config().limit(MAX_ANSWER_BYTES).reader().read_to_end(&mut bytes);
        read.map_err(|error| self.failure(&error.to_string(), None))?;
        Ok(bytes)
    }

    /// Inserts rows in the format `RowBinary`. `id`: that of the query, which no other one has.
    ///
    /// # Errors
    /// The node is not reached, or refuses the rows. Whether some of them are stored is not known then.
    pub(super) fn insert(&self, statement: &str, id: &str, rows: &[u8]) -> Result<(), Failure> {
        let query = format!("query_id={}&query={}", encoded(id), encoded(&format!("{statement} FORMAT RowBinary")));
        let mut body = String::new();
        let answer = self.post(&query, rows)?;
        let read = answer.into_body().into_reader().read_to_string(&mut body);
        read.map_err(|error| self.failure(&error.to_string(), None))?;
        if body.trim().is_empty() { Ok(()) } else { Err(self.said(&body)) }
    }

    /// Runs a query, and returns its rows while they come.
    ///
    /// # Errors
    /// The node is not reached, or refuses the query.
    pub(super) fn stream(&self, query: &str) -> Result<Box<dyn Read + Send>, Failure> {
        let answer = self.post(&settings(), query.as_bytes())?;
        Ok(Box::new(answer.into_body().into_with_config().limit(u64::MAX).reader()))
    }

    /// Returns a failure of this node.
    pub(super) fn failure(&self, why: &str, code: Option<u32>) -> Failure {
        Failure { text: format!("ClickHouse at {}: {why}", self.address), code }
    }

    /// Returns the failure that an answer is about.
    pub(super) fn said(&self, body: &str) -> Failure {
        let said = body.trim().replace(['\n', '\t'], " ");
        let shown: String = said.chars().take(MOST_CHARS).collect();
        let more = if shown.len() < said.len() { "…" } else { "" };
        let shown = if shown.is_empty() { "an empty answer" } else { &shown };
        self.failure(&format!("{shown}{more}"), code_of(body))
    }

    fn post(&self, query: &str, body: &[u8]) -> Result<Response<ureq::Body>, Failure> {
        let mut post = self.agent.post(format!("{}/?{query}", self.address.base()));
        if let Some(user) = &self.address.user {
            post = post.header("X-ClickHouse-User", user);
        }
        if let Some(password) = &self.password {
            post = post.header("X-ClickHouse-Key", password);
        }
        let answer = post.send(body).map_err(|error| self.failure(&cause(&error), None))?;
        if answer.status().is_success() && !answer.headers().contains_key("X-ClickHouse-Exception-Code") {
            return Ok(answer);
        }
        let status = answer.status();
        let mut body = Vec::new();
        let _ = answer.into_body().into_with_config().limit(64 << 10).reader().read_to_end(&mut body);
        let body = String::from_utf8_lossy(&body);
        Err(if body.trim().is_empty() { self.said(&format!("HTTP status {status}")) } else { self.said(&body) })
    }
}

fn settings() -> String {
    format!(
        "skip_unavailable_shards=0&read_overflow_mode=throw&timeout_overflow_mode=throw&result_overflow_mode=throw\
         &group_by_overflow_mode=throw&sort_overflow_mode=throw&set_overflow_mode=throw&distinct_overflow_mode=throw\
         &max_query_size={MAX_QUERY_BYTES}&max_bytes_before_external_sort={EXTERNAL_BYTES}\
         &max_bytes_before_external_group_by={EXTERNAL_BYTES}"
    )
}

/// Returns why a request failed. A header that is refused is not shown: it may be the password.
fn cause(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Http(_) => "the user or the password has characters that a header cannot have".to_owned(),
        error => error.to_string(),
    }
}

/// Returns the code of an error: `Code: 27. DB::Exception: …`.
fn code_of(body: &str) -> Option<u32> {
    let digits = body.split("Code: ").nth(1)?;
    digits.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
}

/// Returns a text for the query of a URL.
fn encoded(text: &str) -> String {
    use std::fmt::Write;

    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
