//! Redaction: finds secrets by their name and by their shape, and says what replaces them.
//!
//! This module works on names and texts alone. It knows nothing of records or contexts: `layer` asks it about field
//! names, and `redaction` applies it to captured records.
//!
//! [`Redact`] is the setting, [`Rules`] its compiled form, and [`Scan`] looks through a text. The stages of a scan:
//!
//! | file | what it does |
//! |---|---|
//! | `bytes` | turns down texts without any trigger byte |
//! | `scan` | walks over a text, stops at trigger bytes, writes the redacted text |
//! | `triggers` | decides what begins at a trigger byte |
//! | `assigned`, `indirect`, `names` | secrets that a listed name announces |
//! | `shapes`, `cards` | secrets known by their shape |
//! | `json` | names as paths into nested JSON |
//! | `matcher`, `bounds`, `hit` | what the others are built from |
//!
//! Invariants: a secret is replaced up to its end, also in a text that was cut. The time is linear in the text. Nested
//! JSON stays JSON.

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
