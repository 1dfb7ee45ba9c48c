//! Sections of sinks that send HTTP requests.

use super::net::client_certificate;
use super::words;
use crate::settings::{Key, Kind, Section};
#[cfg(feature = "otlp")]
use crate::sink::Otlp;
use crate::sink::{Http, Secret, Sink};

/// A secret that is only checked, after a mistake.
fn missing() -> Secret {
    Secret::text("")
}

/// Reads the URL.
fn url(section: &mut Section<'_>, name: &'static str, doc: &'static str) -> String {
    section.text(Key::required(name, Kind::Form("https://logs.example.com"), doc)).unwrap_or_default()
}

pub(super) fn plain(section: &mut Section<'_>) -> Box<dyn Sink> {
    let url = url(section, "http", "The URL that gets the lines, in POST requests.");
    let sink = section
        .on(Http::new(url))
        .flag("json_array", "Sends a JSON array of the lines, in place of lines.", Http::json_array)
        .with(|sink, section| {
            let doc = "Sends the lines between texts.";
            match section.inner(Key::new("template", Kind::Section("http template"), "none", doc), template) {
                Some([before, between, after]) => sink.template(before, between, after),
                None => sink,
            }
        })
        .done();
    Box::new(requests(section, sink))
}

/// Reads the texts around lines.
pub(super) fn template(section: &mut Section<'_>) -> [String; 3] {
    let docs =
        [("before", "Before the first line."), ("between", "Between two lines."), ("after", "After the last line.")];
    docs.map(|(name, doc)| section.text(Key::new(name, Kind::Text, "nothing", doc)).unwrap_or_default())
}

pub(super) fn loki(section: &mut Section<'_>) -> Box<dyn Sink> {
    let url = url(section, "loki", "The URL of Loki.");
    let labels = section.text_map(Key::new("labels", Kind::TextMap, "none", "Labels of all streams."));
    Box::new(requests(section, Http::loki(url, labels.unwrap_or_default())))
}

pub(super) fn elastic(section: &mut Section<'_>) -> Box<dyn Sink> {
    let url = url(section, "elastic", "The URL of Elasticsearch or OpenSearch.");
    let index = section.text(Key::required("index", Kind::Text, "The index or data stream."));
    Box::new(requests(section, Http::elastic(url, index.unwrap_or_default())))
}

pub(super) fn splunk_hec(section: &mut Section<'_>) -> Box<dyn Sink> {
    let url = url(section, "splunk_hec", "The URL of Splunk's HTTP Event Collector.");
    let token = section.secret(Key::required("token", Kind::Secret, "The collector's token."));
    let sink = section
        .on(Http::splunk_hec(url, token.unwrap_or_else(missing)))
        .flag("acknowledged", "Waits until Splunk has indexed the lines.", Http::acknowledged)
        .done();
    Box::new(requests(section, sink))
}

pub(super) fn datadog(section: &mut Section<'_>) -> Box<dyn Sink> {
    let url = url(section, "datadog", "The URL of Datadog's intake.");
    let api_key = section.secret(Key::required("api_key", Kind::Secret, "The API key."));
    Box::new(requests(section, Http::datadog(url, api_key.unwrap_or_else(missing))))
}

pub(super) fn clickhouse(section: &mut Section<'_>) -> Box<dyn Sink> {
    let url = url(section, "clickhouse", "The URL of ClickHouse.");
    let table = table(section);
    Box::new(requests(section, Http::clickhouse(url, table)))
}

pub(super) fn clickhouse_before_22_2(section: &mut Section<'_>) -> Box<dyn Sink> {
    let url = url(section, "clickhouse_before_22_2", "The URL of a ClickHouse before version 22.2.");
    let table = table(section);
    Box::new(requests(section, Http::clickhouse_before_22_2(url, table)))
}

fn table(section: &mut Section<'_>) -> String {
    section.text(Key::required("table", Kind::Text, "The table.")).unwrap_or_default()
}

#[cfg(feature = "otlp")]
pub(super) fn otlp(section: &mut Section<'_>) -> Box<dyn Sink> {
    let doc = "The collector's URL. Without it, the variables `OTEL_EXPORTER_OTLP_…` set the sink.";
    let default = "from the variables";
    let url = section.text(Key::new("otlp", Kind::Form("http://localhost:4318"), default, doc));
    let sink = url.map_or_else(Otlp::from_env, Otlp::new);
    let sink = section.on(sink).flag("json", "Sends JSON instead of protobuf.", Otlp::json).done();
    Box::new(sink.requests(|http| requests(section, http)))
}

/// Reads the keys that all of them have.
fn requests(section: &mut Section<'_>, sink: Http) -> Http {
    let secret_headers = "Headers of each request whose values are secret.";
    let headers = |sink: Http, headers: Vec<(String, String)>| {
        headers.into_iter().fold(sink, |sink, (name, value)| sink.header(name, value))
    };
    let sink = section
        .on(sink)
        .text_map("headers", "none", "Headers of each request.", headers)
        .secret_map("secret_headers", "none", secret_headers, |sink, headers| {
            headers.into_iter().fold(sink, |sink, (name, value)| sink.secret_header(name, value))
        })
        .secret("bearer", "none", "A token for `Authorization: Bearer`.", Http::bearer)
        .done();
    let basic = Key::new("basic", Kind::Section("basic"), "none", "A user and a password.");
    let sink = match section.inner(basic, user_and_password) {
        Some((user, password)) => sink.basic(user, password),
        None => sink,
    };
    let sink = compressed(section, sink);
    let roots = "A file with the root certificates, in PEM, in place of the system's.";
    let sink = section
        .on(sink)
        .with(|sink, section| {
            let doc = "How many lines are sent together, and how long they wait for each other.";
            match section.inner(Key::new("batch", Kind::Section("batch"), "see there", doc), batch) {
                Some((lines, bytes, linger)) => sink.batch(lines, bytes, linger),
                None => sink,
            }
        })
        .duration("connect_timeout", "5 s", "How long a connect may take.", Http::connect_timeout)
        .duration("timeout", "10 s", "How long a request may take.", Http::timeout)
        .with(|sink, section| {
            let key = Key::new("proxy", Kind::Form("http://proxy:3128"), "from the variables", "The URL of a proxy.");
            section.text(key).into_iter().fold(sink, Http::proxy)
        })
        .path("root_certificates", "the system's", roots, Http::root_certificates)
        .with(|sink, section| match client_certificate(section) {
            Some((certificate, key)) => sink.client_certificate(certificate, key),
            None => sink,
        })
        .done();
    section.check(|| sink.check_settings());
    sink
}

fn compressed(section: &mut Section<'_>, sink: Http) -> Http {
    let words = [("none", None), ("gzip", Some("gzip")), ("zstd", Some("zstd"))];
    let doc = "How requests are compressed: `gzip` and `zstd` need the feature of that name.";
    let key = Key::new("compress", Kind::Word(words.iter().map(|(word, _)| *word).collect()), "none", doc);
    match section.word(key, &words).flatten() {
        #[cfg(feature = "gzip")]
        Some("gzip") => sink.gzip(),
        #[cfg(feature = "zstd")]
        Some("zstd") => sink.zstd(),
        Some(other) => {
            section.mistake("compress", words::needs_feature(other));
            sink
        }
        None => sink,
    }
}

/// Reads a user and a password.
pub(super) fn user_and_password(section: &mut Section<'_>) -> (String, Secret) {
    let user = section.text(Key::required("user", Kind::Text, "The user."));
    let password = section.secret(Key::required("password", Kind::Secret, "The password."));
    (user.unwrap_or_default(), password.unwrap_or_else(missing))
}

/// Reads the size of batches.
pub(super) fn batch(section: &mut Section<'_>) -> (usize, usize, std::time::Duration) {
    let lines = section.count(Key::new("lines", Kind::Count, "5000", "The most lines of a batch."));
    let bytes = section.bytes(Key::new("bytes", Kind::Bytes, "1 MiB", "The most bytes of a batch."));
    let bytes = bytes.map(|bytes| usize::try_from(bytes.as_u64()).unwrap_or(usize::MAX));
    let linger = section.duration(Key::new("linger", Kind::Duration, "1 s", "How long a line waits for others."));
    (
        lines.unwrap_or(Http::DEFAULT_BATCH_LINES),
        bytes.unwrap_or(Http::DEFAULT_BATCH_BYTES),
        linger.unwrap_or(Http::DEFAULT_LINGER),
    )
}
