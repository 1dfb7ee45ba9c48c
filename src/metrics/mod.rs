//! Counters: lines that came in, lines that went out, and lines that were lost, with the reason.
//!
//! The books balance at every moment: for each output and level,
//! `emitted + taken_over = written + dropped + filtered + queued + in_flight + held_back + spooled`. [`Metrics`] also
//! counts each event once, by service. For monitoring systems, `series` names the same numbers, and `prometheus` and
//! `publish` export them.

mod by_level;
mod delivered;
mod dropped;
mod dropped_line;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "metrics")]
mod publish;
mod reason;
#[cfg(any(feature = "metrics", feature = "prometheus"))]
mod series;
mod snapshot;

pub use by_level::ByLevel;
pub use dropped::Dropped;
pub use reason::Reason;
pub use snapshot::{Metrics, OutputMetrics, ServiceMetrics};

pub(crate) use by_level::of_level;
pub(crate) use delivered::{Delivered, DeliveredCounts};
pub(crate) use dropped_line::DroppedLine;
