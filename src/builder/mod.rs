//! Setup: everything between `builder()` and a running log. The only module that knows all others.
//!
//! [`Builder`] and [`Output`] hold the settings, and `settings` groups them by purpose. The setters are in a file for
//! each group: `filters`, `rate_limits`, `diagnostics`, `integrations`, `redact`, `seal_fields`. `assemble` checks the settings and
//! starts the log; `start` starts one output; `install` makes the log the process's own, and `early`
//! keeps what comes before. `configured` has what a text or the program sets last. Setters accept any value: `init` and `build` check the limits and refuse
//! a value that is out of bounds.

mod assemble;
#[expect(clippy::module_inception, reason = "the file holds the type that the folder is about")]
mod builder;
mod change;
#[cfg(feature = "config")]
mod configured;
mod diagnostics;
mod early;
mod filters;
mod install;
mod integrations;
#[cfg(feature = "log")]
mod log_crate;
mod output;
mod rate_limits;
mod redact;
#[cfg(feature = "sealed")]
mod seal_fields;
mod settings;
mod start;

#[cfg(feature = "config")]
pub(crate) use assemble::{MAX_OUTPUTS, default_output};
pub use builder::{Builder, builder};
#[cfg(feature = "config")]
pub(crate) use change::OutputChanges;
#[cfg(feature = "config")]
pub(crate) use configured::{Configured, Program, Source};
pub use early::{Early, early};
pub use output::{JournalPrefix, Output};
#[cfg(all(feature = "config", feature = "sealed"))]
pub(crate) use seal_fields::SealSettings;
