//! Detail that an output does not want, held back in memory until an error of its request asks for it.
//!
//! The logging thread adds a line here after its capture. Nothing is rendered and no thread is woken. A request is
//! identified by its span ([`Node::request`](crate::context::Node::request)). When the request logs an ERROR, the layer takes
//! its lines out and pushes them before the ERROR, to the outputs that get the ERROR.
//!
//! Each request has a ring of lines. All rings share one memory budget. When it is used up, the oldest request loses its
//! lines: the one whose span was opened first. A lock is held for moments and never while user code runs. A fork holds
//! all of them; its child starts with empty rings.

mod held_lines;
mod recorder;
mod ring;

pub use recorder::FlightRecorder;

pub(crate) use held_lines::HeldLines;
pub(crate) use ring::HeldLine;
