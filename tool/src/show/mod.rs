//! How entries are printed: as their lines, as JSON or logfmt, or for people.
//!
//! [`Printer`] decides what is printed, with the lines around it; a file for each [`Format`] decides how. Except in
//! [`Format::Raw`], nothing that a line has controls a terminal.

mod around;
mod json;
mod logfmt;
mod paint;
mod pretty;
mod printer;
mod services;
mod unparsed;

pub(crate) use json::value_of;
pub(crate) use paint::{ColorChoice, Ink, Paint};
pub(crate) use printer::{Format, Printer};
pub(crate) use unparsed::Unparsed;
