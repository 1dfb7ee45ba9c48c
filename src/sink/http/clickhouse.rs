//! ClickHouse: inserts of `JSONEachRow`.
//!
//! Each batch has a token. A batch that is sent again has the same lines and the same token, so a table with a
//! deduplication window stores it once. Source: <https://clickhouse.com/docs/interfaces/http> and
//! <https://clickhouse.com/docs/operations/settings/settings#insert_deduplication_token>. The codes of errors are those of
//! `src/Common/ErrorCodes.cpp` in ClickHouse's repository.

use super::Http;
use super::address::encoded;
use super::api::{Api, Batch, Origin, Response, Verdict, said};
use super::plain::Plain;
use crate::sink::Lines;

/// Codes of errors about a value in a row: the row can never be inserted.
const OF_ROWS: &[u32] = &[
    6, 25, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 120, 128, 130, 131, 190, 321, 349, 376, 395, 407, 441, 467,
    469, 632, 675, 676, 691,
];

struct ClickHouse {
    rows: Plain,
    insert: String,
    has_token: bool,
}

impl Http {
    /// Inserts lines into a table of ClickHouse: each line is a row, and each of its keys a column. Keys without a column
    /// are left out.
    ///
    /// Each batch has an `insert_deduplication_token`, for ClickHouse 22.2 or later.
    ///
    /// ```
    /// use spanline::sink::{Http, Secret};
    ///
    /// let sink = Http::clickhouse("http://127.0.0.1:8123", "logs.orders")
    ///     .basic("writer", Secret::variable("CLICKHOUSE_PASSWORD"));
    /// # let _ = spanline::Output::new(sink);
    /// ```
    pub fn clickhouse(url: impl AsRef<str>, table: impl AsRef<str>) -> Self {
        Self::with(url.as_ref(), ClickHouse::new(table.as_ref(), true), |address| address)
    }

    /// Does the same without tokens, for ClickHouse before 22.2. A batch that is sent again may be stored twice.
    pub fn clickhouse_before_22_2(url: impl AsRef<str>, table: impl AsRef<str>) -> Self {
        Self::with(url.as_ref(), ClickHouse::new(table.as_ref(), false), |address| address)
    }
}

impl ClickHouse {
    fn new(table: &str, has_token: bool) -> Self {
        // A part that is a plain name needs no quotes, and quotes of the caller stay.
        let query = encoded(&format!("INSERT INTO {table} FORMAT JSONEachRow"));
        // A time may have a zone, and a line has more keys than the table has columns.
        let insert = format!("query={query}&input_format_skip_unknown_fields=1&date_time_input_format=best_effort");
        Self { rows: Plain::ndjson(), insert, has_token }
    }
}

impl Api for ClickHouse {
    fn name(&self) -> &'static str {
        "clickhouse"
    }

    fn fill(&mut self, lines: &Lines, origin: &Origin, batch: &mut Batch) {
        self.rows.fill(lines, origin, batch);
    }

    fn content_type(&self) -> &'static str {
        self.rows.content_type()
    }

    fn query(&self, batch: &Batch, origin: &Origin) -> Option<String> {
        let (Some(first), Some(last)) = (batch.ids.first(), batch.ids.last()) else { return None };
        if !self.has_token {
            return Some(self.insert.clone());
        }
        let (instance, count) = (&origin.instance, batch.ids.len());
        Some(format!("{}&insert_deduplication_token={instance}-{first}-{last}-{count}", self.insert))
    }

    fn reads_body(&self) -> bool {
        // An error may follow a status of 200.
        true
    }

    fn judge(&mut self, response: &Response, _: usize) -> Verdict {
        match code_of(&response.body) {
            // An insert has an empty answer. Any other is that of a proxy, say, which asks for a login.
            None if response.is_success() && response.body.trim_ascii().is_empty() => Verdict::Written,
            None if response.is_success() => Verdict::Retry(format!("{}; expected no text", said(response))),
            Some(code) if OF_ROWS.contains(&code) => Verdict::Rejected(said(response)),
            None if response.status == 413 => Verdict::Rejected(said(response)),
            _ => Verdict::Retry(said(response)),
        }
    }
}

/// Returns the code of the error that an answer has: `Code: 27. DB::Exception: …`. The text may have a part of a row, cut
/// within a character.
fn code_of(body: &[u8]) -> Option<u32> {
    const BEFORE: &[u8] = b"Code: ";
    let at = body.windows(BEFORE.len()).position(|bytes| bytes == BEFORE)?;
    let digits = body.get(at + BEFORE.len()..)?.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
