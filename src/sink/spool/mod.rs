//! Lines on disk while a sink does not take them. The page `docs/spool.md` is for users; `frame` has the format.
//!
//! # Types
//! [`Spool`] is the sink. It decides when lines go to disk and when they come back. `sink::inner` has the wrapped sink and the pause
//! after its failures. `Store` is the queue on disk: a list of `Segment`s, each a file of frames, behind the trait `Disk`.
//! `Replay` has lines that were read back, in a buffer of its kind of [`Lines`](super::Lines), and offers them to the sink.
//!
//! # Flow
//! ```text
//! direct:    worker's Lines ────────────────────────────► sink
//! spooling:  worker's Lines ─► Store ─► Replay's Lines ─► sink
//!                 spool(ids) ◄─┘  ▲            │
//!                                 └ acknowledge┴► spooled_written in the worker's books
//! ```
//! Lines that were in flight when spooling began stay with the sink. Only when all of them are done does the replay begin.
//! Those that come back go to a segment before the others.
//!
//! # Alternatives
//! - *One buffer*: copy every line into a buffer of the spool, which alone is offered to the sink. Ids would have one space,
//!   but each line would be copied and counted twice, also while the sink is healthy.
//! - *Two buffers* (chosen): the sink gets the worker's lines directly, and those read back from a second buffer. A healthy
//!   sink costs nothing. The sink sees both, so their ids must never be mixed up: replayed lines have ids from 2⁶³ on, an
//!   acknowledgement of the other range names none of them, and only one buffer has lines in flight at a time.
//!
//! # Invariants
//! - A line leaves memory only after its frame was passed to the system, and leaves the disk only after the sink has
//!   acknowledged it or the books count it as dropped.
//! - Lines are appended behind all others and read from the front, so their order is kept.
//! - A number of a segment is never used twice, so no old cursor leads into a new segment.
//! - A process changes only files of owners whose lock it holds.
//!
//! Source: Vector's disk buffer v2 (checksummed records, a ledger of acknowledged ones, a model test with faults).

mod builder;
mod disk;
mod frame;
mod protocol;
mod reader;
mod repair;
mod replay;
mod room;
mod segment;
mod settings;
#[allow(clippy::module_inception, reason = "the folder and the sink have one name")]
mod spool;
mod store;
mod takeover;
#[cfg(test)]
mod tests;

pub use spool::Spool;
