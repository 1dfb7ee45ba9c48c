//! Settings as text: trees with places, words for sizes and times, and mistakes with what was meant.
//!
//! A TOML or JSON text becomes a [`Table`], in which each value knows its place. A [`Section`] walks one table key by key.
//! The same walk has three uses: it applies what the text sets, it collects all mistakes at once, and it describes each
//! key, from which the JSON Schema and the page on configuration are made. So a key, its kind, its default, its
//! description and its setter stand in one place, and cannot disagree.
//!
//! The module does not know the builder. `config` has the sections; a program's own sinks read theirs with [`Settings`].

mod expand;
mod json_text;
mod kind;
mod mistakes;
mod overlay;
mod own;
mod section;
mod setters;
mod toml_text;
mod tree;
mod unset;
mod walk;
mod words;

pub(crate) use expand::expand;
pub(crate) use kind::{Key, Kind};
pub(crate) use mistakes::{Mistake, Text};
pub(crate) use overlay::{Selected, UNSET, complaint, names as environments, select};
pub use own::Settings;
pub(crate) use own::{MakeSchema, MakeSink};
pub(crate) use section::{LEVELS, Section, within};
pub(crate) use setters::On;
pub(crate) use tree::{Node, Place, Table, Value};
pub(crate) use walk::{Registered, Row, Walk, is_json};
pub(crate) use words::{Zoned, duration};
