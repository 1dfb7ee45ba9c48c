//! Rendered lines on their way into a sink.
//!
//! The worker renders lines into [`Lines`] and offers them. The sink takes them in order, from a cursor: with
//! [`Lines::advance`] they are written, with [`Lines::hand_over`] they are in flight until the sink acknowledges them or
//! gives them back. Lines stay in memory until they are done, in chunks; a chunk whose lines are all done is freed.
//!
//! `buffer` holds the lines and the state of each; `take` is the sink's side, `fill` the worker's.

mod buffer;
mod chunk;
mod fill;
mod line;
mod spool;
mod take;

pub use buffer::Lines;
pub(crate) use chunk::CHUNK_BYTES;
pub(crate) use fill::Offer;
pub use line::{Columns, Iter, Line};
