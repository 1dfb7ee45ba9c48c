//! JSON text: [`put_str`] and [`put_value`], for all schemas and for your own.
//!
//! `escape` is the only place that escapes strings. `value` writes values, and `nested` JSON that users logged, which
//! `tree` takes apart. `draft` is the fast way to a whole line.

mod draft;
mod escape;
mod nested;
mod tree;
mod value;

/// How values are written: as JSON, except those that it appends itself, for which it returns true.
pub(crate) type Form = Option<fn(&crate::record::Value<'_>, &mut Vec<u8>) -> bool>;

pub(crate) use draft::{Draft, DraftBytes, Opened, Piece};
pub(super) use escape::is_unsafe;
pub use escape::put_str;
pub(super) use tree::{Json, Tree};
pub use value::put_value;
pub(super) use value::{put_error_object, put_int, text_of};
