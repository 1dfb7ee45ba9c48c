//! Queue → schema → sink, on one thread per output.
//!
//! A [`Lane`] is what is shared: the queue, and the `Engine` that empties it. Until the worker thread has ended, only
//! that thread uses the engine, a turn at a time; after that a late push delivers its own record. Between turns, between
//! chunks and while a failed write waits for its next try, the engine is free: that is when a fork can have it.
//!
//! - `renderer` turns records into lines; `repeats` leaves out those that are equal to the one before.
//! - `delivery` decides when the sink is called and what its answer means; `pump` calls it.
//! - `syncing` flushes, and makes durable what was written.
//! - `echo_limit` keeps a sink from feeding itself, with the help of `evidence` and `mark`; `experiment` lets lines rest
//!   for it.
//! - `barriers` completes orders once the lines before them are done.
//!
//! What the sink does not take stays in [`Lines`](crate::sink::Lines) and is offered again, with a pause that grows. A
//! panic of the sink or the schema is caught and counted. Every dropped line is counted.

mod backoff;
mod barriers;
mod deliver;
mod delivery;
mod durability;
mod echo_limit;
mod end;
mod engine;
mod engine_lock;
mod evidence;
mod experiment;
mod lane;
mod mark;
mod own_thread;
mod pump;
mod renderer;
mod repeats;
mod shorten;
mod syncing;
mod waker;

pub use durability::Durability;
pub(crate) use lane::{Common, Lane, LaneConfig};
pub(crate) use own_thread::own_lane;
pub(crate) use renderer::RecordFilter;
