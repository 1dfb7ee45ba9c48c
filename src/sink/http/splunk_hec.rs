//! Splunk's HTTP Event Collector, with acknowledgements of its indexers.
//!
//! Source: <https://docs.splunk.com/Documentation/Splunk/latest/Data/HECRESTendpoints> and
//! <https://docs.splunk.com/Documentation/Splunk/latest/Data/AboutHECIDXAck>: an event is stored when its `ackId` is true;
//! a channel is a GUID that the client chooses.

use std::time::Duration;

use super::Http;
use super::api::{Api, Batch, Item, Origin, Response, Verdict, by_status, each_line, said};
use super::settings::{Acknowledgements, Auth};
use crate::schema::{Schema, Splunk};
use crate::sink::{Lines, Secret};

const PATH: &str = "/services/collector/event";
const ACK_PATH: &str = "/services/collector/ack";

/// Splunk's documentation tells clients to wait five minutes before they send events again.
const ACK_TIMEOUT: Duration = Duration::from_secs(300);

struct SplunkHec {
    /// A line is written when it is indexed.
    is_acknowledged: bool,
}

impl Http {
    /// Sends lines to Splunk's HTTP Event Collector, as [`Splunk`]. The URL's path is `/services/collector/event` unless it
    /// has another.
    ///
    /// A line is written when the collector has taken it; it may not be indexed yet. See
    /// [`acknowledged`](Self::acknowledged).
    ///
    /// ```
    /// use spanline::sink::{Http, Secret};
    ///
    /// let sink = Http::splunk_hec("https://splunk.example:8088", Secret::file("/run/secrets/hec-token")).acknowledged();
    /// # let _ = spanline::Output::new(sink);
    /// ```
    pub fn splunk_hec(url: impl AsRef<str>, token: Secret) -> Self {
        let auth = Auth::Header { name: "Authorization".to_owned(), before: "Splunk ", secret: token };
        Self::with(url.as_ref(), SplunkHec { is_acknowledged: false }, |address| address.or_path(PATH)).authorize(auth)
    }

    /// Makes a line written only when Splunk has indexed it. Enable *indexer acknowledgement* for the token.
    ///
    /// The next batch is sent after the acknowledgement of the last, which takes Splunk some seconds: batches should be
    /// large. For [`splunk_hec`](Self::splunk_hec) only.
    pub fn acknowledged(mut self) -> Self {
        if !self.is_of("splunk_hec", "acknowledged") {
            return self;
        }
        let instance = self.instance();
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| instance.get(part).unwrap_or_default().to_owned());
        let channel = parts.join("-");
        let sink = self.api(SplunkHec { is_acknowledged: true }).header("X-Splunk-Request-Channel", channel.clone());
        sink.set(|settings| {
            let address = settings.address.at_path(ACK_PATH).with_query(format!("channel={channel}"));
            settings.acknowledgements = Some(Acknowledgements { address, timeout: ACK_TIMEOUT });
        })
    }
}

impl Api for SplunkHec {
    fn name(&self) -> &'static str {
        "splunk_hec"
    }

    fn fill(&mut self, lines: &Lines, _: &Origin, batch: &mut Batch) {
        each_line(lines, batch, |_, line, body| {
            body.extend_from_slice(line);
            body.push(b'\n');
        });
    }

    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn judge(&mut self, response: &Response, lines: usize) -> Verdict {
        let answer = response.json();
        let number = |name| answer.get(name).and_then(serde_json::Value::as_u64);
        // The collector names the first event that it cannot read, and has taken those before it.
        if let (400, Some(6 | 12 | 13 | 15), Some(at)) =
            (response.status, number("code"), number("invalid-event-number"))
            && let Some(at) = usize::try_from(at).ok().filter(|at| *at < lines)
        {
            let verdict = super::api::rejected_at(at, lines, &said(response));
            return if self.is_acknowledged { unless_indexed(verdict) } else { verdict };
        }
        match number("code") {
            // No data channel, no index, a disabled token: settings.
            Some(1..=4 | 7 | 10 | 11 | 14) if response.status == 400 => Verdict::Retry(said(response)),
            _ => by_status(response),
        }
    }

    fn schema(&self) -> Option<Box<dyn Schema>> {
        Some(Box::new(Splunk::new()))
    }
}

/// The answer has no id to ask for: whether the lines before the refused one are indexed stays unknown.
fn unless_indexed(verdict: Verdict) -> Verdict {
    let Verdict::Each(items) = verdict else { return verdict };
    let unless = |item| match item {
        Item::Written => Item::Retry("another event of the batch is refused".to_owned()),
        item => item,
    };
    Verdict::Each(items.into_iter().map(unless).collect())
}
