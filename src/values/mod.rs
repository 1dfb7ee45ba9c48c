//! Values: their types, their compact binary encoding, and the clock.
//!
//! This is the bottom of the crate. [`context`](crate::context) keeps encoded fields for spans, and
//! [`record`](crate::record) captures and reads those of events. A field's key is either an index into the call site's
//! declared fields or a name stored with the value. Fields that no call site declares (context variables, loss
//! notices) therefore need no special case.
//!
//! Only this folder knows the encoding. [`decode`] describes it.

mod bytes;
mod decode;
mod encode;
mod error_chain;
mod field_value;
mod owned_value;
mod percent;
mod tag;
mod text;
mod time;
mod undeclared;
mod value;

pub use error_chain::ErrorChain;
pub use field_value::FieldValue;
pub use owned_value::OwnedValue;
pub use time::Timestamp;
pub use value::Value;

pub(crate) use bytes::text;
pub(crate) use decode::{FieldNames, Fields, Key, Raw, UNSEALED, first_value_of, plain_name, values_of};
pub(crate) use encode::{FieldBytes, append, merge, put, put_long, put_name, put_named, put_raw, with_bytes};
pub(crate) use field_value::Source;
pub(crate) use percent::percent_decoded;
pub(crate) use tag::{BACKTRACE, HELD_BACK_MARK, MAX_INDEX, THREAD, TRUNCATED, value_tag};
pub(crate) use text::prefix;
pub(crate) use time::Clock;
pub(crate) use undeclared::{CarriedFields, UndeclaredFields};
