//! Two schemas of your own, a description and an `impl`: `cargo run --example own_schema`.
//!
//! ```text
//! {"ts":…,"severity":"INFO","msg":"order loaded","trace":{"id":"…","span":"…"},"labels":{"user_id":42},"request_id":"r-1"}
//! ```
//!
//! ```text stderr
//! time=… level=INFO target=own_schema message="order loaded" user_id=42 request_id="r-1"
//! ```

use spanline::record::{Context, Record};
use spanline::schema::{Custom, Schema, TimeFormat, json};
use spanline::{Output, Stderr, Stdout};

/// JSON with keys of your own: the engine writes the lines.
fn described() -> Custom {
    let schema = Custom::new("ts", |line| {
        line.level("severity")
            .message("msg")
            .object("trace", |trace| trace.trace_id("id").span_id("span"))
            .object("labels", |labels| labels.fields())
    });
    schema.time(TimeFormat::EpochMillis)
}

/// `key=value` pairs: it writes the bytes itself.
struct KeyValue;

impl Schema for KeyValue {
    // Runs on this output's worker, once per event, with everything that was captured.
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let head = format!("time={} level={} target={}", record.timestamp(), record.level(), record.target());
        out.extend_from_slice(head.as_bytes());
        // The event's fields, then those of the spans, innermost first.
        let spans: Vec<_> = record.context().into_iter().flat_map(Context::spans).collect();
        for (name, value) in record.fields().chain(spans.iter().flat_map(|span| span.fields())) {
            out.extend_from_slice(format!(" {name}=").as_bytes());
            // Quotes text, and escapes characters that could forge a line or disturb a terminal.
            json::put_value(out, &value);
        }
    }
}

fn main() -> Result<(), spanline::Error> {
    let _guard = spanline::builder()
        .output(Output::new(Stdout::new()).schema(described()))
        .output(Output::new(Stderr::new()).schema(KeyValue))
        .init()?;
    let request = tracing::info_span!("request", request_id = "r-1");
    request.in_scope(|| tracing::info!(user_id = 42, "order loaded"));
    Ok(())
}
