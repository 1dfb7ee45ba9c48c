//! Text: escaping, filters, golden files, errors, and secrets.

pub(crate) mod errors;
pub(crate) mod filter;
pub(crate) mod golden;
pub(crate) mod hostile;
pub(crate) mod log_crate;
pub(crate) mod safe_text;
pub(crate) mod secrets;
