//! Lines in HTTP requests: batches that a server acknowledges with a status of 2xx.
//!
//! The worker builds the body of a batch and gives it to a thread, which sends it and waits for the answer. So the worker
//! never waits for a server, and a stuck one does not hold the end of the log. One batch is on its way at a time: lines
//! arrive in order, and a batch without an answer is sent again with the same lines.
//!
//! `http_sink` is the sink, `client` the thread, `settings` what both know. An [`api::Api`] is what differs between servers: how
//! lines form a body, and what an answer means. Each preset is one file with its own `Api`.
//! Source: RFC 9110 (HTTP semantics), RFC 6585 (429).

mod address;
mod api;
mod bulk_answer;
mod clickhouse;
mod client;
mod datadog;
mod elastic;
mod guarded;
mod http_sink;
mod loki;
#[cfg(feature = "otlp")]
mod otlp;
mod pace;
mod plain;
mod settings;
mod shown;
mod splunk_hec;

pub use http_sink::Http;
#[cfg(feature = "otlp")]
pub use otlp::Otlp;
