//! JSON text: the only escaping.
//!
//! Beyond what RFC 8259 demands, everything that could disturb a terminal, a viewer or a line-based reader is
//! escaped: DEL, the C1 controls, U+2028 and U+2029, the bidirectional controls and U+FEFF. A reader gets the same
//! text back either way.

mod draft;
mod escape;
mod nested;
mod value;

pub(crate) use draft::{Draft, DraftBytes, Piece};
pub(super) use escape::is_unsafe;
pub use escape::put_str;
pub(super) use nested::{Pairs, last_of_equal};
pub use value::put_value;
pub(super) use value::{put_error_object, put_int, text_of};
