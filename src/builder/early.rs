//! Keeps events that are logged before `init`.

use std::sync::Arc;

use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::assemble::standard;
use super::builder::{Builder, builder};
use super::install;
#[cfg(feature = "log")]
use super::log_crate;
use crate::byte_size::ByteSize;
use crate::context::IdSource;
use crate::control::before_the_end;
use crate::error::Error;
use crate::filter::{Directives, FilterSet, Filters};
use crate::layer::{self, Core, EarlyLayer};
use crate::outputs::Outputs;
use crate::record::Clock;
use crate::redact::Redact;
use crate::sink::Stderr;

/// A smaller memory could not hold a few lines.
const MIN_BYTES: u64 = 4 << 10;
/// A larger one holds more than the start of a program logs.
const MAX_BYTES: u64 = 1 << 30;

/// The events that were logged before the log exists, for [`Builder::early`].
///
/// If it is dropped, or the process exits before it has a log, its lines are written to stderr.
#[derive(Debug)]
#[must_use = "give it to `Builder::early`; if it is dropped, what was logged so far goes to stderr"]
pub struct Early {
    pub(super) layer: EarlyLayer,
    pub(super) filters: Arc<Filters>,
}

/// Keeps events of `tracing` and of the `log` crate from now on, until there is a log for them.
///
/// Call it first in `main`, and give the result to [`Builder::early`]. It keeps up to `bytes` in memory, 4 KiB to 1 GiB,
/// with the spans around the events. TRACE and DEBUG leave half of that to the other levels, INFO a fifth. What has no
/// room is dropped: each output that would have had it counts it as
/// [`QueueFull`](crate::metrics::Reason::QueueFull), and reports it.
///
/// Fields with the default [secret names](Redact::new) are redacted when they are logged. Text and other names are
/// searched when the lines are written, as [`Builder::redact`] says. Limits, sampling and backtraces do not apply to these
/// events. [`OutputMetrics::released`](crate::metrics::OutputMetrics::released) counts them too: they were held back.
///
/// # Errors
/// `bytes` is out of bounds. A global subscriber or a logger is already installed.
///
/// # Examples
/// ```no_run
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let early = spanline::early(1 << 20)?;
///     let filter = std::fs::read_to_string("filter.txt")?;             // what it logs is kept
///     let _guard = spanline::builder().filter(filter.trim()).early(early).init()?;
///     Ok(())
/// }
/// ```
pub fn early(bytes: impl Into<ByteSize>) -> Result<Early, Error> {
    let max_bytes = bytes.into().within("early", MIN_BYTES, MAX_BYTES)?;
    install::check_vacant(true)?;
    let max_record_bytes = max_bytes.min(usize::try_from(Builder::DEFAULT_MAX_LINE_BYTES).unwrap_or(max_bytes)) / 2;
    let core = Core {
        serial: Core::next_serial(),
        outputs: Arc::new(Outputs::new(Vec::new(), max_record_bytes, false)),
        filters: Arc::new(Filters::new(everything(), Arc::default())),
        clock: Clock::default(),
        ids: IdSource::default(),
        limiter: None,
        #[cfg(feature = "opentelemetry")]
        otel: None,
        redact: Redact::new().rules(),
        diagnostics: layer::Diagnostics {
            backtrace: LevelFilter::OFF,
            span_lines: None,
            held_lines: None,
            release_at: None,
        },
        registry: layer::HostRegistry::default(),
    };
    // Those of the log, later. The early core has others, whose call sites are not mistaken for the log's.
    let filters = Arc::new(Filters::new(everything(), Arc::default()));
    let layer = EarlyLayer::new(core, max_bytes);
    let filter = layer.call_site_filter(&filters);
    let subscriber = Dispatch::new(tracing_subscriber::registry().with(layer.clone()).with(filter));
    #[cfg(feature = "log")]
    log_crate::install(&filters, max_bytes)?;
    install::set_subscriber(subscriber)?;
    #[cfg(feature = "log")]
    filters.serve_log();
    layer.register_for_forks();
    let at_exit = Early { layer: layer.clone(), filters: Arc::clone(&filters) };
    before_the_end(|| drop(at_exit));
    Ok(Early { layer, filters })
}

/// Filters of one output that takes everything.
fn everything() -> FilterSet {
    FilterSet {
        global: Some(Directives::from(LevelFilter::TRACE)),
        outputs: vec![None],
        below: Vec::new(),
        own_targets: Vec::new(),
        context_level: LevelFilter::TRACE,
        held_back: None,
    }
}

impl Builder {
    /// Takes over the events that [`early`](crate::early) has kept, for [`init`](Self::init).
    ///
    /// `init` completes what `early` has installed. The outputs get the kept lines that pass their filters, with their
    /// own times and the fields of their spans, before any later line. Spans that were opened before stay open.
    ///
    /// `build` refuses it, because the early events are those of the global subscriber. So does `init` together with
    /// [`without_log`](Self::without_log): `early` has already installed the logger.
    pub fn early(mut self, early: Early) -> Self {
        self.integrations.early = Some(early);
        self
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        if !self.layer.is_complete() {
            // The guard is dropped at once, which writes the lines. An error would have no place to go.
            drop(builder().output(standard(Stderr::new())).complete(self));
        }
    }
}
