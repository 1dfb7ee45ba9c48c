//! The lines of logs as entries: one view of what loggers of many kinds write.
//!
//! ```text
//! line ─► Parser ─► members (places in the line) ─► Entry ─► time, level, message, …, fields
//! ```
//!
//! 1. [`Parser`] recognises the form of each line. The lines of a file decide how the ambiguous ones after them are read.
//! 2. [`Walk`] finds the members of a JSON line; [`logfmt`], [`syslog`] and [`pipe`] those of other forms. All of them are
//!    places in the line: nothing is copied or decoded until somebody asks for it.
//! 3. [`Entry`] knows which member is the time, the level and so on, as the [dialect](crate::loggers) of the line says.
//!
//! A line that is an export [request](request) of OTLP has an entry for each of its records.
//!
//! Input is data only. No input makes this panic, and time is linear in the length of a line.

mod clock;
mod fields;
mod layouts;
mod logfmt;
mod member;
mod members;
mod number;
mod old_syslog;
mod otel;
mod parser;
mod path;
mod pipe;
mod request;
mod roles;
mod spans;
mod special;
mod syslog;
mod text_forms;
mod value;
mod view;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use fields::Field;
pub(crate) use number::Number;
pub(crate) use parser::{Form, Parser};
pub(crate) use path::Path;
pub(crate) use request::Request;
pub(crate) use special::is_bare;
pub(crate) use value::{Scalar, Value, put_string};
pub(crate) use view::{Entry, Part, View};
