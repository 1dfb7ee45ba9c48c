//! Events that are asked for more than a line: repeats are limited, a backtrace goes with them, detail is held back.
//!
//! One bit of what is known of a call site leads here; all others know nothing of it.

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::limit::Passed;
use super::{Core, KIND_BACKTRACE, KIND_LIMITED, Known, Layer};

/// What a log does beyond lines for events.
#[derive(Debug)]
pub(crate) struct Extras {
    /// Events at and above this level carry a backtrace.
    pub(crate) backtrace: LevelFilter,
}

impl Core {
    /// What a call site is asked for, as bits of its kind.
    pub(super) fn special_kind(&self, meta: &tracing::Metadata<'_>) -> u64 {
        let extras = &self.extras;
        u64::from(meta.is_event() && *meta.level() <= extras.backtrace) * KIND_BACKTRACE
    }
}

impl Layer {
    #[inline(never)]
    pub(super) fn log_special<S>(&self, event: &Event<'_>, registry: &Context<'_, S>, site: Known)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let core = &self.core;
        let passed = match &core.limiter {
            Some(limiter) if site.kind & KIND_LIMITED != 0 => core.judge(limiter, event, site),
            _ => Some(Passed { time: core.clock.now(), keep: None }),
        };
        if let Some(passed) = passed {
            self.log(event, registry, site, Some(passed));
        }
    }
}
