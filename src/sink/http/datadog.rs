//! Datadog's log intake.
//!
//! Source: <https://docs.datadoghq.com/api/latest/logs/#send-logs>: at most 1,000 entries, 5 MB in all and 1 MB for one;
//! 202 stands for the whole batch.

use super::Http;
use super::api::{Api, Batch, Origin};
use super::plain::Plain;
use crate::schema::{Datadog, Schema};
use crate::sink::{Lines, Secret};

const PATH: &str = "/api/v2/logs";
const BATCH_LINES: usize = 1_000;
const BATCH_BYTES: usize = 4 << 20;

struct Intake(Plain);

impl Http {
    /// Sends lines to Datadog, as [`Datadog`]. The URL is that of your site's intake, and its path is `/api/v2/logs` unless
    /// it has another.
    ///
    /// ```
    /// use spanline::sink::{Http, Secret};
    ///
    /// let sink = Http::datadog("https://http-intake.logs.datadoghq.eu", Secret::variable("DD_API_KEY"));
    /// # let _ = spanline::Output::new(sink);
    /// ```
    pub fn datadog(url: impl AsRef<str>, api_key: Secret) -> Self {
        let sink = Self::with(url.as_ref(), Intake(Plain::json_array()), |address| address.or_path(PATH));
        sink.secret_header("DD-API-KEY", api_key).batch(BATCH_LINES, BATCH_BYTES, Self::DEFAULT_LINGER)
    }
}

impl Api for Intake {
    fn name(&self) -> &'static str {
        "datadog"
    }

    fn fill(&mut self, lines: &Lines, origin: &Origin, batch: &mut Batch) {
        self.0.fill(lines, origin, batch);
    }

    fn content_type(&self) -> &'static str {
        self.0.content_type()
    }

    fn schema(&self) -> Option<Box<dyn Schema>> {
        Some(Box::new(Datadog::new()))
    }
}
