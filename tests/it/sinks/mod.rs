//! Outputs and sinks: isolation, the appender, synchronous outputs.

pub(crate) mod acknowledge;
pub(crate) mod appender;
pub(crate) mod echo;
pub(crate) mod echo_limit;
pub(crate) mod genuine_lines;
pub(crate) mod hostile;
pub(crate) mod isolation;
pub(crate) mod logging_sinks;
pub(crate) mod peer;
pub(crate) mod protocol;
pub(crate) mod synchronous;
