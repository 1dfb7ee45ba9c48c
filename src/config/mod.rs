//! The log in a file: checks and explains such files, and describes their keys.
//!
//! `Builder::from_file` and its relatives read a file, and the command `spanline config` has what is here. [The page on
//! configuration](crate::docs::configuration) describes files.
//!
//! # Design
//!
//! TOML or JSON text becomes calls on the existing [`Builder`](crate::Builder). The choice was between structs that serde
//! derives, with schemars for the JSON Schema, and one walk over the keys of each section, as the module `settings` has it.
//! It fell on the walk. A derived struct stops at its first mistake, and knows no places after that. It has a field, a doc
//! comment, a default and a call of the setter for each key, in four places that can disagree. In the walk a key is one
//! line: name, default, description and setter. The line reads the value, refuses it with line and column, explains its
//! source, and describes it for the JSON Schema and `docs/configuration.md`. No file needs serde's derive, schemars or their
//! dependencies.
//!
//! A text is parsed, the overlay of the environment is put over it, and `log` walks its sections. `outputs`, `sinks`,
//! `files`, `net`, `http`, `databases`, `wrappers` and `schemas` have the sections. Nothing is applied until `init` or
//! `build`, so the order of setters does not matter, and the file wins over code.
//!
//! Before: `settings` reads texts. After: `builder` checks the values and starts the log.

mod apply;
mod check;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod databases;
mod files;
#[cfg(feature = "http")]
mod http;
mod json_schema;
mod limits;
mod log;
#[cfg(feature = "net")]
mod net;
mod outputs;
mod page;
mod running;
mod schema_options;
mod schemas;
mod sections;
mod sinks;
mod source;
mod watch;
mod words;
#[cfg(feature = "spool")]
mod wrappers;
mod zones;

pub use self::check::{Explained, check, explain};
pub use self::json_schema::json_schema;
pub use self::page::page;
pub use crate::settings::Settings;
