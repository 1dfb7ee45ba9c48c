//! What is wrong with logs: lines that readers stumble over, and what the lines say about the services that wrote them.
//!
//! ```text
//! scan ─► Examination (one for each thread) ─► merged ─► findings
//! ```
//!
//! Each file here looks for one kind of trouble. Memory is bounded: of requests and traces, a [sample](sample) is kept if there are
//! too many.

mod clocks;
mod examination;
mod field_types;
mod finding;
mod ids;
mod noise;
mod requests;
mod sample;
mod silence;
mod sizes;

pub(crate) use examination::{Examination, Settings};
pub(crate) use finding::Finding;
pub(crate) use noise::Site;
