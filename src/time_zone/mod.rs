//! Time zones by name: those of the feature `time-zones`, and whether the variable `TZ` names one.

#[cfg(feature = "time-zones")]
mod named;
mod variable;

#[cfg(feature = "time-zones")]
pub(crate) use named::{NamedZone, named};
pub(crate) use variable::mistake;
