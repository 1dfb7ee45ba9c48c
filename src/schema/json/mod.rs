//! JSON text: [`put_str`] and [`put_value`], for all schemas and for your own.
//!
//! `escape` is the only place that escapes strings. `value` writes values, `form` in another form, and `nested` JSON that users logged, which
//! `tree` takes apart. `draft` is the fast way to a whole line.

mod draft;
mod escape;
mod form;
mod nested;
mod tree;
mod value;

pub(crate) use draft::{Draft, DraftBytes, Opened, Piece};
pub use escape::put_str;
pub(super) use escape::{is_plain_without, is_unsafe};
pub(crate) use form::Form;
pub(super) use tree::{Json, Tree};
pub use value::put_value;
pub(super) use value::{put_error_object, put_int, text_of};
