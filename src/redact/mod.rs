//! MOD

mod assigned;
mod bounds;
mod bytes;
mod cards;
mod hit;
mod indirect;
mod json;
mod matcher;
mod names;
mod rules;
mod scan;
mod settings;
mod shapes;
mod triggers;

pub(crate) use bytes::is_harmless;
pub(crate) use cards::{LEAST_CARD_NUMBER, is_card_number};
pub(crate) use rules::Rules;
pub(crate) use scan::{MAX_KEPT_BYTES, Scan};
pub use settings::Redact;
