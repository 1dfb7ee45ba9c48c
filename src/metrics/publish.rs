//! The counters through the `metrics` facade, to the exporter that the program has installed.

use ::metrics::{Label, counter, describe_counter, describe_gauge, gauge};

use super::Metrics;
use super::series::{EVENTS, Number, SERIES, Series, Unit};

impl Metrics {
    /// Passes the counters to the recorder of the `metrics` facade, with descriptions and units.
    ///
    /// Counts of lines and bytes are absolute counters; all others are gauges. The names are those of the Prometheus
    /// text, such as `spanline_lines_dropped_total`, with the labels `output`, `level`, `reason` and `service`.
    ///
    /// The log does not call this. Call it from a task every few seconds, or before the exporter renders what it has
    /// gathered. Rare calls lose nothing, because the values are absolute. Without a recorder, the call does nothing.
    ///
    /// # Examples
    /// ```no_run
    /// # let guard = spanline::init()?;
    /// let handle = guard.handle();
    /// std::thread::spawn(move || {
    ///     loop {
    ///         handle.metrics().publish();
    ///         std::thread::sleep(std::time::Duration::from_secs(5));
    ///     }
    /// });
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn publish(&self) {
        for series in &SERIES {
            // Every time: a recorder may be installed later, and describing is cheap.
            describe(series);
            for output in &self.outputs {
                series.samples(output, |sample| {
                    let mut labels = vec![Label::new("output", output.name.clone())];
                    labels.extend(sample.reason.map(|reason| Label::from_static_parts("reason", reason.as_str())));
                    labels.extend(sample.level.map(|level| Label::from_static_parts("level", level)));
                    match sample.number {
                        Number::Count(count) => counter!(series.name, labels).absolute(count),
                        Number::Gauge(value) => gauge!(series.name, labels).set(value),
                    }
                });
            }
        }
        describe(&EVENTS);
        self.events(|service, level, count| {
            let labels = vec![Label::new("service", service.to_owned()), Label::from_static_parts("level", level)];
            counter!(EVENTS.name, labels).absolute(count);
        });
    }
}

fn describe(series: &Series) {
    let unit = match series.unit {
        Unit::Lines | Unit::Events => ::metrics::Unit::Count,
        Unit::Bytes => ::metrics::Unit::Bytes,
        Unit::Seconds => ::metrics::Unit::Seconds,
    };
    if series.is_counter() {
        describe_counter!(series.name, unit, series.help);
    } else {
        describe_gauge!(series.name, unit, series.help);
    }
}
