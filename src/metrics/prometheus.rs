//! The counters in Prometheus' text exposition format, version 0.0.4.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::fmt::{self, Write};

use super::series::{EVENTS, Number, SERIES, Sample, Series};
use super::{Metrics, OutputMetrics};

impl Metrics {
    /// Renders the counters for a Prometheus scrape, to be answered as `text/plain; version=0.0.4`.
    ///
    /// Each name begins with `spanline_`. `spanline_events_total` has the labels `service` and `level`, all others have
    /// `output`. Counts of lines also have `level`, and `spanline_lines_dropped_total` has `reason`. All combinations
    /// exist from the start.
    /// [`last_error`](OutputMetrics::last_error) is omitted, because it is text.
    ///
    /// # Examples
    /// ```
    /// # let (_layer, guard) = spanline::builder()
    /// #     .output(spanline::Output::new(spanline::sink::Memory::new()).name("file"))
    /// #     .build::<tracing_subscriber::Registry>()?;
    /// # let handle = guard.handle();
    /// let body = handle.metrics().to_prometheus();
    /// assert!(body.contains("spanline_lines_written_total{output=\"file\",level=\"info\"} 0\n"));
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn to_prometheus(&self) -> String {
        let mut text = String::new();
        for series in &SERIES {
            // Writing to a `String` cannot fail.
            let _ = put_series(&mut text, series, &self.outputs);
        }
        let _ = put_events(&mut text, self);
        text
    }
}

fn put_events(text: &mut String, metrics: &Metrics) -> fmt::Result {
    put_head(text, &EVENTS)?;
    let mut result = Ok(());
    metrics.events(|service, level, count| {
        let mut put = || {
            write!(text, "{}{{service=\"", EVENTS.name)?;
            put_escaped(text, service);
            writeln!(text, "\",level=\"{level}\"}} {count}")
        };
        result = result.and_then(|()| put());
    });
    result
}

fn put_head(text: &mut String, series: &Series) -> fmt::Result {
    let kind = if series.is_counter() { "counter" } else { "gauge" };
    writeln!(text, "# HELP {} {}", series.name, series.help)?;
    writeln!(text, "# TYPE {} {kind}", series.name)
}

fn put_series(text: &mut String, series: &Series, outputs: &[OutputMetrics]) -> fmt::Result {
    put_head(text, series)?;
    for output in outputs {
        let mut result = Ok(());
        series.samples(output, |sample| result = result.and_then(|()| put_sample(text, series.name, output, sample)));
        result?;
    }
    Ok(())
}

fn put_sample(text: &mut String, name: &str, output: &OutputMetrics, sample: Sample) -> fmt::Result {
    write!(text, "{name}{{output=\"")?;
    put_escaped(text, &output.name);
    text.push('"');
    if let Some(reason) = sample.reason {
        write!(text, ",reason=\"{reason}\"")?;
    }
    if let Some(level) = sample.level {
        write!(text, ",level=\"{level}\"")?;
    }
    match sample.number {
        Number::Count(count) => writeln!(text, "}} {count}"),
        Number::Gauge(gauge) => writeln!(text, "}} {gauge}"),
    }
}

/// Escapes a label's value: only the backslash, the quote and the line feed.
fn put_escaped(text: &mut String, value: &str) {
    for char in value.chars() {
        match char {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}
