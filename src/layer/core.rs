//! What a layer, its guard and its handles share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Metadata;

use super::diagnostics::Diagnostics;
use super::nodes::HostRegistry;
#[cfg(feature = "opentelemetry")]
use super::otel::Otel;
use super::this_thread::{capture_thread, with_scratch};
use crate::context::{IdSource, Node};
use crate::filter::Filters;
use crate::limit::Limiter;
use crate::outputs::Outputs;
use crate::record::{Capture, Clock, first_value_of};
use crate::redact::Rules;

/// What a layer, its guard and its handles share.
#[derive(Debug)]
pub(crate) struct Core {
    /// Unique in the process. It tells the nodes of several layers in one registry apart.
    pub(crate) serial: u64,
    pub(crate) outputs: Arc<Outputs>,
    pub(crate) filters: Arc<Filters>,
    pub(crate) clock: Clock,
    pub(crate) ids: IdSource,
    /// Limits repeats, if there are limits.
    pub(crate) limiter: Option<Arc<Limiter>>,
    /// Present when the ids are OpenTelemetry's.
    #[cfg(feature = "opentelemetry")]
    pub(crate) otel: Option<Otel>,
    /// Tells which values are not captured.
    pub(crate) redact: Option<Arc<Rules>>,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) registry: HostRegistry,
}

impl Core {
    pub(crate) fn next_serial() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Captures one line with `capture`, and passes its bytes to `submit`.
    // Inlined: a call would cost each event instructions, which `cargo bench --bench instructions` counts.
    #[inline(always)]
    pub(super) fn capture_line<T>(&self, capture: impl FnOnce(&mut Capture<'_>), submit: impl FnOnce(&[u8]) -> T) -> T {
        with_scratch(
            #[inline(always)]
            |scratch| {
                let mut line = Capture::new(scratch, self.outputs.max_record_bytes());
                if self.outputs.wants_thread() {
                    capture_thread(&mut line);
                }
                capture(&mut line);
                submit(scratch.bytes())
            },
        )
    }

    /// Returns the outputs that want a `log` record, by the target among its fields.
    #[cold]
    pub(super) fn outputs_of_log(&self, meta: &'static Metadata<'static>, fields: &[u8]) -> u64 {
        self.filters.mask(log_target(meta, fields), *meta.level())
    }

    /// The same inside a span that a directive names.
    #[cold]
    pub(super) fn outputs_of_log_in(
        &self,
        meta: &'static Metadata<'static>,
        fields: &[u8],
        node: Option<&Arc<Node>>,
    ) -> u64 {
        let Some(node) = node else { return self.outputs_of_log(meta, fields) };
        self.filters.mask_in(log_target(meta, fields), *meta.level(), node)
    }
}

/// Returns the target among the fields of a `log` record.
pub(super) fn log_target<'a>(meta: &'static Metadata<'static>, fields: &'a [u8]) -> &'a str {
    first_value_of(fields, meta, "log.target").and_then(|target| target.as_str()).unwrap_or(meta.target())
}
