//! Outputs and sinks: isolation, the appender, synchronous outputs.

pub(crate) mod appender;
pub(crate) mod isolation;
pub(crate) mod logging_sinks;
pub(crate) mod synchronous;
