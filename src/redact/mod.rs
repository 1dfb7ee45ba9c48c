//! Redaction: finds secrets by their name and by their shape, and says what replaces them.
//!
//! This module works on names and texts alone. It knows nothing of records or contexts: `layer` asks it about field
//! names, and `redaction` applies it to captured records.
//!
//! [`Redact`] is the setting, [`Rules`] its compiled form, and [`Scan`] looks through a text. The stages of a scan:
//!
//! | file | what it does |
//! |---|---|
//! | `blocks`, `anchors` | find the places where a secret may be; most texts have none |
//! | `scan` | collects the matches at these places, writes the redacted text |
//! | `matcher` | decides what is matched at an anchor |
//! | `named`, `value`, `beside`, `names` | secrets that a listed name announces |
//! | `special` | words that announce a secret in one form only |
//! | `commands` | secrets among the arguments of a command |
//! | `shapes`, `cards` | secrets known by their shape |
//! | `json` | names as paths into nested JSON |
//! | `view`, `bounds`, `hit` | what the others are built from |
//!
//! `ansi` removes terminal sequences, which is no part of a scan.
//!
//! Invariants: a secret is replaced up to its end, also in a text that was cut. The time is linear in the text. Nested
//! JSON stays JSON.

mod anchors;
mod ansi;
mod beside;
mod blocks;
mod bounds;
mod cards;
mod commands;
mod hit;
mod json;
mod matcher;
mod named;
mod names;
mod rules;
mod scan;
mod settings;
mod shapes;
mod special;
mod value;
mod view;

pub(crate) use ansi::{has_sequence, strip as strip_ansi};
#[cfg(feature = "sealed")]
pub(crate) use json::find_values;
#[cfg(feature = "sealed")]
pub(crate) use names::SecretNames;
pub(crate) use rules::Rules;
pub(crate) use scan::{MAX_KEPT_BYTES, Scan};
pub use settings::Redact;
