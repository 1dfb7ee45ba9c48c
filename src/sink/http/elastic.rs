//! Elasticsearch and OpenSearch: the bulk API.
//!
//! Each line is created under an id of the process and the line. A batch that is sent again finds the lines that were stored
//! already: a conflict is a success. Source:
//! <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>.

use super::Http;
use super::api::{Api, Batch, Item, Origin, Response, Verdict, by_status, each_line};
use super::bulk_answer::{BulkAnswer, BulkItem};
use crate::schema::{Ecs, Schema};
use crate::sink::Lines;

/// The parts of the answer that are read.
const QUERY: &str = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";

struct Elastic;

impl Http {
    /// Sends lines to a data stream or an index of Elasticsearch or OpenSearch, as [`Ecs`]: `logs-orders-prod`.
    ///
    /// ```
    /// use spanline::sink::{Http, Secret};
    ///
    /// let sink = Http::elastic("https://127.0.0.1:9200", "logs-orders-prod")
    ///     .basic("elastic", Secret::variable("ELASTIC_PASSWORD"))
    ///     .root_certificates("/etc/elastic/http_ca.crt");
    /// # let _ = spanline::Output::new(sink);
    /// ```
    pub fn elastic(url: impl AsRef<str>, index: impl AsRef<str>) -> Self {
        let path = format!("/{}/_bulk", super::address::encoded(index.as_ref()));
        Self::with(url.as_ref(), Elastic, |address| address.below(&path))
    }
}

impl Api for Elastic {
    fn name(&self) -> &'static str {
        "elastic"
    }

    fn fill(&mut self, lines: &Lines, origin: &Origin, batch: &mut Batch) {
        let start = format!("{{\"create\":{{\"_id\":\"{}-", origin.instance);
        each_line(lines, batch, |id, line, body| {
            body.extend_from_slice(start.as_bytes());
            body.extend_from_slice(itoa::Buffer::new().format(id).as_bytes());
            body.extend_from_slice(b"\"}}\n");
            body.extend_from_slice(line);
            body.push(b'\n');
        });
    }

    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn query(&self, _: &Batch, _: &Origin) -> Option<String> {
        Some(QUERY.to_owned())
    }

    fn reads_body(&self) -> bool {
        true
    }

    fn judge(&mut self, response: &Response, lines: usize) -> Verdict {
        if !response.is_success() {
            return by_status(response);
        }
        match BulkAnswer::parse(&response.body, lines) {
            Some(BulkAnswer { items: Some(items), .. }) if items.len() == lines => {
                Verdict::Each(items.iter().map(|item| item_of(item, response)).collect())
            }
            Some(BulkAnswer { errors: Some(false), items: None }) => Verdict::Written,
            _ => Verdict::Retry("the answer does not name each line; expected that of the bulk API".to_owned()),
        }
    }

    fn schema(&self) -> Option<Box<dyn Schema>> {
        Some(Box::new(Ecs::new()))
    }
}

/// Returns what became of one line.
fn item_of(item: &BulkItem, response: &Response) -> Item {
    let status = item.status.unwrap_or(500);
    let why = || response.shown(&format!("{status} {}: {}", item.kind, item.reason));
    if status == 409 {
        return Item::Written;
    }
    // A status about the index or the rights is no fault of the line.
    match by_status(&Response { status, ..Response::default() }) {
        Verdict::Written => Item::Written,
        Verdict::Rejected(_) => Item::Rejected(why()),
        _ => Item::Retry(why()),
    }
}
