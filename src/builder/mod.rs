//! Setup: everything between `builder()` and a running log. The only module that knows all others.
//!
//! [`Builder`] and [`Output`] hold the settings, grouped by purpose: `filters`, `rate_limits`, `diagnostics`,
//! `integrations` and `redact`. `assemble` checks them and starts the log. `start` starts one output. Setters accept any
//! value: limits are checked once, by `init` and `build`, which refuse what is out of bounds.

mod assemble;
#[expect(clippy::module_inception, reason = "the file holds the type that the folder is about")]
mod builder;
mod diagnostics;
mod filters;
pub(crate) mod fork;
mod integrations;
#[cfg(feature = "log")]
mod log_crate;
mod output;
mod rate_limits;
mod redact;
mod start;

pub use builder::{Builder, builder, init};
pub use output::Output;
