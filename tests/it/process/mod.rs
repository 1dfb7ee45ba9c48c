//! The process: exit, fork, signals, panics.

#[cfg(feature = "control")]
pub(crate) mod control;
#[cfg(feature = "control")]
pub(crate) mod control_hostile;
pub(crate) mod descriptors;
pub(crate) mod descriptors_of_sinks;
pub(crate) mod exit;
pub(crate) mod fork;
pub(crate) mod fork_outputs;
pub(crate) mod host;
pub(crate) mod interests;
pub(crate) mod operators;
pub(crate) mod operators_acts;
pub(crate) mod operators_peers;
pub(crate) mod operators_play;
#[cfg(feature = "axum")]
pub(crate) mod panic_traces;
pub(crate) mod panics;
pub(crate) mod sigkill;
pub(crate) mod signals;
