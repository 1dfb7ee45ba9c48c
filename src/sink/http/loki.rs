//! Grafana Loki: streams of lines with labels.
//!
//! Source: <https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>. A status of 204 stands for the whole
//! batch. Loki answers 400 when it refuses some lines, and stores the others; a line that it has already, with the same
//! time, labels and text, is not stored twice.

use tracing::Level;

use super::Http;
use super::api::{Api, Batch, Origin};
use crate::schema::json;
use crate::sink::Lines;

const PATH: &str = "/loki/api/v1/push";

const LEVELS: [(Level, &str); 5] = [
    (Level::ERROR, "error"),
    (Level::WARN, "warn"),
    (Level::INFO, "info"),
    (Level::DEBUG, "debug"),
    (Level::TRACE, "trace"),
];

struct Loki {
    labels: Vec<(String, String)>,
    /// The lines of each level, as they stand in the body.
    values: [Vec<u8>; LEVELS.len()],
}

impl Http {
    /// Sends lines to Loki. The URL's path is `/loki/api/v1/push` unless it has another.
    ///
    /// A line's stream has the labels `service_name` and `level`, and `labels`. Its time is that of the event, in
    /// nanoseconds. Set a tenant with `header("X-Scope-OrgID", …)`.
    ///
    /// ```
    /// use spanline::sink::Http;
    ///
    /// let sink = Http::loki("http://127.0.0.1:3100", [("env", "prod")]);
    /// # let _ = spanline::Output::new(sink);
    /// ```
    pub fn loki<N: Into<String>, V: Into<String>>(
        url: impl AsRef<str>,
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let labels = labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self::with(url.as_ref(), Loki { labels, values: Default::default() }, |address| address.or_path(PATH))
    }
}

impl Loki {
    fn put_labels(&self, service: Option<&str>, level: &str, out: &mut Vec<u8>) {
        let service = service.filter(|_| self.labels.iter().all(|(name, _)| name != "service_name"));
        let labels = service.map(|service| ("service_name", service)).into_iter().chain([("level", level)]);
        let own = self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (place, (name, value)) in labels.chain(own.filter(|(name, _)| *name != "level")).enumerate() {
            out.push(if place == 0 { b'{' } else { b',' });
            json::put_str(out, name);
            out.push(b':');
            json::put_str(out, value);
        }
        out.push(b'}');
    }
}

impl Api for Loki {
    fn name(&self) -> &'static str {
        "loki"
    }

    fn fill(&mut self, lines: &Lines, _: &Origin, batch: &mut Batch) {
        for line in lines.iter() {
            batch.ids.push(line.id);
            batch.line_bytes += line.bytes.len();
            let Some(at) = LEVELS.iter().position(|(level, _)| *level == line.level) else { continue };
            let Some(values) = self.values.get_mut(at) else { continue };
            values.extend_from_slice(if values.is_empty() { b"[\"" } else { b",[\"" });
            values.extend_from_slice(itoa::Buffer::new().format(line.time.as_nanos()).as_bytes());
            values.extend_from_slice(b"\",");
            let text = line.bytes.strip_suffix(b"\n").unwrap_or(line.bytes);
            json::put_str(values, &String::from_utf8_lossy(text));
            values.push(b']');
        }
        batch.body.extend_from_slice(b"{\"streams\":[");
        let mut is_first = true;
        for (at, (_, level)) in LEVELS.iter().enumerate() {
            let mut values = self.values.get_mut(at).map(std::mem::take).unwrap_or_default();
            if values.is_empty() {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                batch.body.push(b',');
            }
            batch.body.extend_from_slice(b"{\"stream\":");
            self.put_labels(lines.service(), level, &mut batch.body);
            batch.body.extend_from_slice(b",\"values\":[");
            batch.body.extend_from_slice(&values);
            batch.body.extend_from_slice(b"]}");
            values.clear();
            if let Some(spare) = self.values.get_mut(at) {
                *spare = values;
            }
        }
        batch.body.extend_from_slice(b"]}");
    }

    fn content_type(&self) -> &'static str {
        "application/json"
    }
}
