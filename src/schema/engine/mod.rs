//! The engine that renders every schema of JSON objects: a schema is a description, the engine writes it.
//!
//! A [`Layout`] lists the members of a line. Each has a [`Stage`]: when its value is known. `direct` writes a line member
//! by member; that is the definition of every line. `engine` puts nearly all lines together from parts that `direct` wrote
//! earlier: those of the call site (`plan`), and those of the context (`contexts`), one run of bytes for each segment of
//! the line. A record that does not fit what is prepared is written directly.
//!
//! Users' fields are in groups ([`Place`]). The engine resolves names: the event's field wins, then the inner span's, then
//! the outer's, then the static one. It escapes, cuts and keeps keys unique, so a description cannot omit that.

mod common;
mod contexts;
mod direct;
mod edited;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod engine;
mod layout;
mod parts;
mod plan;
mod shapes;
mod steps;
#[cfg(test)]
mod tests;

pub(super) use engine::Engine;
pub(super) use layout::{AS_SCALAR, AS_TEXT, Group, Layout, Mark, Place, Spelling, Stage, TOP, UNDER, marks, put_text};
pub(super) use parts::{Parts, error_message, views};
