//! Passes on what `spanline stats` counts: lines to databases, and counts to scrapes of Prometheus.
//!
//! ```text
//! threads that count ─► Export ─► relay to the library's outputs ─► database
//!                          └────► Tally ─► scrape ◄── GET /metrics
//! ```
//!
//! A line is relayed before it counts, and only if the queues of all outputs have room. So an output that is down delays the
//! reading of files, where lines wait without taking memory, and what was counted was handed to the outputs.

mod passing;
mod record;
mod scrape;
mod tally;

pub(crate) use passing::{Export, ExportArgs};
