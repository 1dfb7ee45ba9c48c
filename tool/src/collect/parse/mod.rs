//! Reads the records that senders send: JSON lines, syslog messages, and OTLP requests.
//!
//! Everything here is a pure function from bytes to [`Incoming`]: no I/O, and no clock besides the argument `now`. Input is
//! data only. It is never loaded, evaluated or used as a setting.
//!
//! Nothing is lost. What a reader does not recognise is a field of the record, in its order. So is a value of a recognised
//! key that cannot be read, and one that says more than the record can hold. What is no record at all is [`Refused`].
//!
//! Time is linear in the size of the input, and memory is bounded by a multiple of it. Nesting is bounded.

mod field;
mod incoming;
mod json;
mod old_syslog;
mod otlp;
mod otlp_json;
mod otlp_protobuf;
mod refused;
mod sent_error;
mod syslog;
mod text;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use field::Field;
pub(crate) use incoming::Incoming;
pub(crate) use json::json;
pub(crate) use otlp_json::otlp_json;
pub(crate) use otlp_protobuf::otlp_protobuf;
pub(crate) use refused::Refused;
pub(crate) use syslog::syslog;
