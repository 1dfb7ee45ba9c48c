//! Records: what is captured of one event, and how a schema reads it.
//!
//! The logging thread captures fields as bytes, a queue stores them, and the worker's [`Schema`](crate::schema::Schema)
//! reads them through [`Record`]. Integers stay integers; only what is logged with `?` or `%` is text. A [`Context`] has the
//! fields and ids of the spans around the event.
//!
//! User code runs during the capture only: the `Debug` and `Display` of fields and errors. No lock and no thread-local
//! borrow is held then.

mod backtrace;
mod capture;
mod json;
mod kind;
mod own;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod record;
mod relayed;
mod repeated;
mod scratch;
mod statics;
mod thread;
#[cfg(feature = "sealed")]
mod to_seal;
mod type_name;
mod user_code;

pub use crate::context::{Context, ContextKey, SpanId, SpanView, TraceId};
pub use crate::values::{ErrorChain, FieldValue, OwnedValue, Timestamp, Value};
pub use json::{Json, json};
pub use kind::Kind;
pub use record::Record;
pub use relayed::Relayed;
pub use thread::Thread;
#[cfg(feature = "sealed")]
pub use to_seal::{ToSeal, sealed};

pub(crate) use crate::values::{
    Clock, Fields, HELD_BACK_MARK, Key, Raw, UNSEALED, first_value_of, plain_name, put_named, put_raw, text,
};
pub(crate) use backtrace::backtrace;
pub(crate) use capture::{Capture, add_undeclared};
pub(crate) use own::{
    ADDED, OTEL_FIELDS, PANICS, REQUESTS, SERVICE, TAKEN_PREFIX, control_metadata, is_control, is_own, is_relayed,
    notice_metadata, panic_metadata, relayed_metadata,
};
pub(crate) use repeated::repeats_names;
pub(crate) use scratch::{Grant, Scratch, start_afresh};
pub(crate) use statics::Statics;
#[cfg(feature = "sealed")]
pub(crate) use to_seal::any_to_seal;
pub(crate) use user_code::{discard, is_formatting};
