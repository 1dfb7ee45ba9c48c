//! Counts whether spans have ids of OpenTelemetry, and complains once when none ever has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::complaint::Complaints;

/// After this many spans without ids of OpenTelemetry, the set-up is considered wrong.
const MAX_MISSES: u32 = 32;

/// What the layer knows about the layer of tracing-opentelemetry.
#[derive(Debug)]
pub(crate) struct Otel {
    complaints: Arc<Complaints>,
    has_found: AtomicBool,
    misses: AtomicU32,
}

impl Otel {
    pub(crate) fn new(complaints: Arc<Complaints>) -> Self {
        Self { complaints, has_found: AtomicBool::new(false), misses: AtomicU32::new(0) }
    }

    /// Notes whether a span had ids; complains once if no span ever has.
    pub(super) fn note(&self, found: bool) {
        if found {
            self.has_found.store(true, Ordering::Relaxed);
        } else if !self.has_found.load(Ordering::Relaxed)
            && self.misses.fetch_add(1, Ordering::Relaxed) + 1 == MAX_MISSES
        {
            self.complaints.say(
                "opentelemetry",
                "no span has OpenTelemetry ids: add a layer of tracing-opentelemetry 0.34 (the version that spanline is built \
                 with) to the registry, and check that its filter lets spans pass",
            );
        }
    }
}
