//! The counters for monitoring systems: named series with labels.
//!
//! Names follow the conventions of Prometheus: base units, and `_total` for values that only grow. Every combination of
//! labels exists from the start, with zero, so that the first loss shows as an increase.

use std::time::Duration;

use super::by_level::{LEVELS, name_of};
use super::{ByLevel, Metrics, OutputMetrics, Reason};

/// One series.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    #[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "the text format has no units"))]
    pub(super) unit: Unit,
    pub(super) values: Values,
}

#[derive(Clone, Copy)]
pub(super) enum Unit {
    Lines,
    Bytes,
    Seconds,
    Events,
}

/// Where the numbers come from. A gauge can fall.
pub(super) enum Values {
    Count(fn(&OutputMetrics) -> u64),
    CountByLevel(fn(&OutputMetrics) -> ByLevel),
    CountByReason(fn(&OutputMetrics, Reason) -> ByLevel),
    Gauge(fn(&OutputMetrics) -> f64),
    GaugeByLevel(fn(&OutputMetrics) -> ByLevel),
    /// Of services, not of outputs.
    Events,
}

#[derive(Clone, Copy)]
pub(super) enum Number {
    Count(u64),
    Gauge(f64),
}

/// One value, with its labels besides the output's name.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    pub(super) reason: Option<Reason>,
    pub(super) level: Option<&'static str>,
    pub(super) number: Number,
}

/// The events of each service, with the labels `service` and `level`.
pub(super) const EVENTS: Series = Series {
    name: "spanline_events_total",
    help: "Events that at least one output was meant to have, each once.",
    unit: Unit::Events,
    values: Values::Events,
};

pub(super) const SERIES: [Series; 27] = [
    Series {
        name: "spanline_lines_emitted_total",
        help: "Lines meant for the output: each event that passed its filters, or was held back from it.",
        unit: Unit::Lines,
        values: Values::CountByLevel(|output| output.emitted),
    },
    Series {
        name: "spanline_lines_written_total",
        help: "Lines that the sink has written.",
        unit: Unit::Lines,
        values: Values::CountByLevel(|output| output.written),
    },
    Series {
        name: "spanline_lines_dropped_total",
        help: "Lines not written, by reason.",
        unit: Unit::Lines,
        values: Values::CountByReason(|output, reason| output.dropped.reason(reason)),
    },
    Series {
        name: "spanline_lines_filtered_total",
        help: "Lines that the output's record filter refused, or that a level of a fallback left out.",
        unit: Unit::Lines,
        values: Values::CountByLevel(|output| output.filtered),
    },
    Series {
        name: "spanline_lines_queued",
        help: "Lines that wait, or that were offered to the sink and not taken.",
        unit: Unit::Lines,
        values: Values::GaugeByLevel(|output| output.queued),
    },
    Series {
        name: "spanline_lines_taken_over_total",
        help: "Lines that an earlier process left in the output's spool.",
        unit: Unit::Lines,
        values: Values::CountByLevel(|output| output.taken_over),
    },
    Series {
        name: "spanline_lines_in_flight",
        help: "Lines handed over and not acknowledged.",
        unit: Unit::Lines,
        values: Values::GaugeByLevel(|output| output.in_flight),
    },
    Series {
        name: "spanline_lines_spooled",
        help: "Lines in the output's spool, still to be written.",
        unit: Unit::Lines,
        values: Values::GaugeByLevel(|output| output.spooled),
    },
    Series {
        name: "spanline_spooled_bytes",
        help: "Bytes of the output's spool on disk.",
        unit: Unit::Bytes,
        values: Values::Gauge(|output| output.spooled_bytes as f64),
    },
    Series {
        name: "spanline_spooling_seconds",
        help: "How long the output's spool has held lines; zero when it holds none.",
        unit: Unit::Seconds,
        values: Values::Gauge(|output| output.spooling_for.as_ref().map_or(0.0, Duration::as_secs_f64)),
    },
    Series {
        name: "spanline_replayed_bytes_total",
        help: "Bytes of lines written from the output's spool.",
        unit: Unit::Bytes,
        values: Values::Count(|output| output.replayed_bytes),
    },
    Series {
        name: "spanline_lines_resent_total",
        help: "Lines sent once more, as they were not acknowledged; in the other counts once.",
        unit: Unit::Lines,
        values: Values::Count(|output| output.resent),
    },
    Series {
        name: "spanline_lines_held_back",
        help: "Lines held back from the output and not released: in memory, freed with their request, or evicted.",
        unit: Unit::Lines,
        values: Values::GaugeByLevel(|output| output.held_back),
    },
    Series {
        name: "spanline_lines_released_total",
        help: "Lines that were held back and that an error of their request released.",
        unit: Unit::Lines,
        values: Values::CountByLevel(|output| output.released),
    },
    Series {
        name: "spanline_lines_evicted_total",
        help: "Lines held back that were evicted for newer ones.",
        unit: Unit::Lines,
        values: Values::CountByLevel(|output| output.evicted),
    },
    Series {
        name: "spanline_queued_bytes",
        help: "Memory of the queue.",
        unit: Unit::Bytes,
        values: Values::Gauge(|output| output.queued_bytes as f64),
    },
    Series {
        name: "spanline_queue_limit_bytes",
        help: "Limit of spanline_queued_bytes.",
        unit: Unit::Bytes,
        values: Values::Gauge(|output| output.max_queued_bytes as f64),
    },
    Series {
        name: "spanline_oldest_queued_seconds",
        help: "Age of the oldest queued line; zero when none is queued.",
        unit: Unit::Seconds,
        values: Values::Gauge(|output| output.oldest_queued.as_ref().map_or(0.0, Duration::as_secs_f64)),
    },
    Series {
        name: "spanline_written_bytes_total",
        help: "Bytes that the sink took.",
        unit: Unit::Bytes,
        values: Values::Count(|output| output.written_bytes),
    },
    Series {
        name: "spanline_notices_total",
        help: "Lines of the log about itself; no other count includes them.",
        unit: Unit::Lines,
        values: Values::Count(|output| output.notices),
    },
    Series {
        name: "spanline_retries_total",
        help: "Writes that failed and were retried.",
        unit: Unit::Events,
        values: Values::Count(|output| output.retries),
    },
    Series {
        name: "spanline_panics_total",
        help: "Caught panics of the sink and the schema.",
        unit: Unit::Events,
        values: Values::Count(|output| output.panics),
    },
    Series {
        name: "spanline_syncs_total",
        help: "Syncs that made all written lines durable.",
        unit: Unit::Events,
        values: Values::Count(|output| output.syncs),
    },
    Series {
        name: "spanline_failed_syncs_total",
        help: "Failed syncs.",
        unit: Unit::Events,
        values: Values::Count(|output| output.failed_syncs),
    },
    Series {
        name: "spanline_not_durable_total",
        help: "Written lines that a failed sync covered and that can no longer be made durable.",
        unit: Unit::Events,
        values: Values::Count(|output| output.not_durable),
    },
    Series {
        name: "spanline_overdue_total",
        help: "Calls of a synchronous output that returned before their line was written.",
        unit: Unit::Events,
        values: Values::Count(|output| output.overdue),
    },
    Series {
        name: "spanline_redacted_total",
        help: "Values and pieces of text that redaction replaced.",
        unit: Unit::Events,
        values: Values::Count(|output| output.redacted),
    },
];

impl Series {
    pub(super) fn is_counter(&self) -> bool {
        !matches!(self.values, Values::Gauge(_) | Values::GaugeByLevel(_))
    }

    /// Passes each value of one output to `to`.
    pub(super) fn samples(&self, output: &OutputMetrics, mut to: impl FnMut(Sample)) {
        let mut by_level = |reason: Option<Reason>, lines: ByLevel, number: fn(u64) -> Number| {
            for level in LEVELS {
                to(Sample { reason, level: Some(name_of(level)), number: number(lines.level(level)) });
            }
        };
        match self.values {
            Values::Count(count) => to(Sample { reason: None, level: None, number: Number::Count(count(output)) }),
            Values::Gauge(gauge) => to(Sample { reason: None, level: None, number: Number::Gauge(gauge(output)) }),
            Values::CountByLevel(lines) => by_level(None, lines(output), Number::Count),
            Values::GaugeByLevel(lines) => by_level(None, lines(output), |lines| Number::Gauge(lines as f64)),
            Values::Events => {}
            Values::CountByReason(lines) => {
                Reason::ALL.into_iter().for_each(|reason| by_level(Some(reason), lines(output, reason), Number::Count));
            }
        }
    }
}

impl Metrics {
    /// Passes each value of [`EVENTS`] to `to`: service, level, count.
    pub(super) fn events(&self, mut to: impl FnMut(&str, &'static str, u64)) {
        for service in &self.services {
            LEVELS.into_iter().for_each(|level| to(&service.service, name_of(level), service.events.level(level)));
        }
    }
}
