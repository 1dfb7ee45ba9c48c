//! The header formats of other tracing systems: the same ids in other words.
//!
//! Each file reads and writes one format. All of it comes from outside and is checked strictly: what is malformed is
//! rejected with a reason, and nothing of it is passed on.

mod b3;
mod cloud_trace;
mod datadog;
mod format;
mod ids;
mod sentry;
mod xray;

pub use format::Format;

pub(super) use format::Headers;
pub(super) use ids::Ids;

use ids::{Why, decimal, trace_id};
