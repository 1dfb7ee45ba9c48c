//! Outputs and sinks: isolation, the appender, synchronous outputs.

pub(crate) mod acknowledge;
pub(crate) mod appender;
pub(crate) mod echo;
pub(crate) mod echo_limit;
#[cfg(feature = "spool")]
pub(crate) mod fallback;
#[cfg(unix)]
pub(crate) mod fork;
pub(crate) mod genuine_lines;
pub(crate) mod hostile;
pub(crate) mod isolation;
pub(crate) mod journal;
pub(crate) mod logging_sinks;
pub(crate) mod peer;
pub(crate) mod profile;
pub(crate) mod protocol;
pub(crate) mod routes;
pub(crate) mod spool;
#[cfg(feature = "spool")]
pub(crate) mod spooling;
pub(crate) mod static_fields;
pub(crate) mod synchronous;
pub(crate) mod terminals;
