//! How entries are printed: as their lines, as JSON, logfmt, CSV or a template has them, or for people.
//!
//! [`StyleArgs`] are the options, and a [`Style`] is what they choose. [`Printer`] decides what is printed, with the lines around
//! it, and [`Rounds`] prints many lines on several threads; a file for each format decides how. Except in [`Style::Raw`], nothing
//! that a line has controls a terminal.

mod around;
mod below;
mod clock;
mod column;
mod csv;
mod fold;
mod format;
mod json;
mod logfmt;
mod paint;
mod pretty;
mod printer;
mod renderer;
mod repeats;
mod rounds;
mod services;
mod style;
mod template;
mod text;
mod unparsed;

pub(crate) use json::value_of;
pub(crate) use paint::{ColorChoice, Ink, Paint};
#[cfg(all(unix, feature = "keys"))]
pub(crate) use pretty::{Look, Pretty};
pub(crate) use printer::Printer;
pub(crate) use rounds::Rounds;
pub(crate) use style::{Style, StyleArgs};
pub(crate) use unparsed::Unparsed;
