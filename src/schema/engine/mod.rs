//! The engine that renders every schema: a schema is a description, the engine writes it.
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
mod groups;
mod layout;
mod log_sites;
mod named;
mod own_lines;
mod parts;
mod plan;
mod shapes;
mod steps;
mod syntax;
#[cfg(test)]
mod tests;

pub(super) use engine::Engine;
pub(super) use layout::{Group, Layout, Mark, Place, Stage, TOP, Takes, UNDER, marks};
pub(super) use own_lines::{micros_as_millis, micros_as_nanos, micros_as_seconds};
pub(super) use parts::{Parts, error_message, headline, views};
pub(super) use syntax::{AS_JSON, AS_TEXT, Brackets, Spelling, Syntax, is_number, is_text, put_text};
