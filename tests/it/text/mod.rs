//! Text: filters, errors, escaping, limits, redaction, and golden files.

pub(crate) mod ansi;
pub(crate) mod early;
pub(crate) mod errors;
pub(crate) mod filter;
pub(crate) mod filter_context;
pub(crate) mod filter_times;
pub(crate) mod filter_variable;
pub(crate) mod golden;
#[cfg(target_os = "linux")]
pub(crate) mod growth;
#[cfg(target_os = "linux")]
pub(crate) mod growth_of_logs;
pub(crate) mod hostile_values;
pub(crate) mod install;
pub(crate) mod kinds;
#[cfg(feature = "log")]
pub(crate) mod log_crate;
pub(crate) mod long_lines;
pub(crate) mod mistakes;
pub(crate) mod redaction;
pub(crate) mod redaction_corpus;
pub(crate) mod redaction_rates;
pub(crate) mod repeated_names;
pub(crate) mod safe_lines;
