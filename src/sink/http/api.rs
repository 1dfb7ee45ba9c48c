//! What differs between the servers that take lines over HTTP: the body, and what an answer means.

use std::cmp::Ordering;
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use super::shown::Hidden;
use crate::schema::Schema;
use crate::sink::Lines;

/// The lines of one batch, as the request has them.
#[derive(Debug, Default)]
pub(in crate::sink) struct Batch {
    pub(in crate::sink) body: Vec<u8>,
    /// The id of each line.
    pub(in crate::sink) ids: Vec<u64>,
    /// The bytes of the lines.
    pub(in crate::sink) line_bytes: usize,
}

/// What an API needs to know about the sink.
#[derive(Debug)]
pub(in crate::sink) struct Origin {
    /// A random text, different in each process: with a line's id, it names the line.
    pub(in crate::sink) instance: String,
}

impl Origin {
    /// The keys of a new `RandomState` are random in each process, and differ in each call.
    pub(super) fn new() -> Self {
        let random = || RandomState::new().hash_one(Instant::now());
        Self { instance: format!("{:016x}{:016x}", random(), random()) }
    }
}

/// What the server has answered.
#[derive(Debug, Default)]
pub(in crate::sink) struct Response {
    pub(in crate::sink) status: u16,
    pub(in crate::sink) body: Vec<u8>,
    /// It is a page for browsers, which none of the APIs answers with.
    pub(in crate::sink) is_page: bool,
    pub(in crate::sink) hidden: Hidden,
}

/// A longer answer in JSON is not read: as values, it takes up to a hundred times its bytes.
const MOST_JSON_BYTES: usize = 128 << 10;

impl Response {
    pub(in crate::sink) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the body as JSON; null if it is none, or too long.
    pub(in crate::sink) fn json(&self) -> serde_json::Value {
        let body = Some(&*self.body).filter(|body| body.len() <= MOST_JSON_BYTES);
        body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default()
    }

    /// Returns the beginning of a text of the server as others may see it.
    pub(in crate::sink) fn shown(&self, text: &str) -> String {
        const MOST_CHARS: usize = 300;
        // A secret across the first end is not shown; one across the second is hidden before.
        let start: String = text.trim().chars().take(8 * MOST_CHARS).collect();
        self.hidden.shown(&start).chars().take(MOST_CHARS).collect()
    }
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sink) enum Verdict {
    Written,
    /// Each line has its result, except that lines after the last one are written.
    Each(Vec<Item>),
    /// This many lines were rejected, and the server does not say which. The others are written.
    #[cfg(feature = "otlp")]
    Partly {
        rejected: u64,
        why: String,
    },
    /// The same batch may be written later. Says why, after the status.
    Retry(String),
    /// A line of the batch is to blame: fewer lines are sent next, down to one.
    Rejected(String),
}

/// What became of one line.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sink) enum Item {
    Written,
    Retry(String),
    Rejected(String),
}

/// What differs between servers.
pub(in crate::sink) trait Api: Send {
    /// Returns the name of an output that has none.
    fn name(&self) -> &'static str;

    /// Returns the first line that is not of this API's schema: it cannot be in a body.
    fn unfit(&self, lines: &Lines) -> Option<u64> {
        let _ = lines;
        None
    }

    /// Builds the body of the lines that are offered. `batch` is empty.
    fn fill(&mut self, lines: &Lines, origin: &Origin, batch: &mut Batch);

    /// Returns the content type of the body.
    fn content_type(&self) -> &'static str;

    /// Returns more of the query, for a batch.
    fn query(&self, batch: &Batch, origin: &Origin) -> Option<String> {
        let _ = (batch, origin);
        None
    }

    /// Returns whether the body of an answer of 2xx says what became of the lines.
    fn reads_body(&self) -> bool {
        false
    }

    /// Returns whether any answer of 2xx is one of this server, also a page for browsers.
    fn takes_any_answer(&self) -> bool {
        false
    }

    /// Returns what became of the batch. `lines`: how many it has.
    fn judge(&mut self, response: &Response, lines: usize) -> Verdict {
        let _ = lines;
        by_status(response)
    }

    /// Returns the schema that the server needs, if any.
    fn schema(&self) -> Option<Box<dyn Schema>> {
        None
    }
}

/// Returns what a status alone says.
///
/// 400, 413 and 422 are about the request's content, so about its lines. All others are about its address, its credentials,
/// a proxy or the server: lines wait until that is put right. An unknown status must not cost lines.
pub(in crate::sink) fn by_status(response: &Response) -> Verdict {
    let status = response.status;
    match status {
        200..=299 => Verdict::Written,
        400 | 413 | 422 => Verdict::Rejected(said(response)),
        _ => Verdict::Retry(said(response)),
    }
}

/// Returns what became of a batch whose line at `at` was rejected: those before it are written, those after it are not.
pub(super) fn rejected_at(at: usize, lines: usize, why: &str) -> Verdict {
    let item = |place: usize| match place.cmp(&at) {
        Ordering::Less => Item::Written,
        Ordering::Equal => Item::Rejected(why.to_owned()),
        Ordering::Greater => Item::Retry(why.to_owned()),
    };
    Verdict::Each((0..lines).map(item).collect())
}

/// Returns the status, and the beginning of what the server says about it.
pub(in crate::sink) fn said(response: &Response) -> String {
    const MOST_BYTES: usize = 16 << 10;
    let text = response.shown(&String::from_utf8_lossy(response.body.get(..MOST_BYTES).unwrap_or(&response.body)));
    if text.is_empty() { format!("status {}", response.status) } else { format!("status {}: {text}", response.status) }
}

/// Calls `put` for each line that is offered, and notes its id and bytes. The line comes without its newline.
pub(in crate::sink) fn each_line(lines: &Lines, batch: &mut Batch, mut put: impl FnMut(u64, &[u8], &mut Vec<u8>)) {
    for line in lines.iter() {
        batch.ids.push(line.id);
        batch.line_bytes += line.bytes.len();
        put(line.id, line.bytes.strip_suffix(b"\n").unwrap_or(line.bytes), &mut batch.body);
    }
}
