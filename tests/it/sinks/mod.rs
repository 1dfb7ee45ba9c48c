//! Outputs and sinks: isolation, the appender, synchronous outputs.

pub(crate) mod acknowledge;
pub(crate) mod appender;
pub(crate) mod echo;
pub(crate) mod outputs;
pub(crate) mod own_thread;
pub(crate) mod peer;
pub(crate) mod protocol;
pub(crate) mod synchronous;
