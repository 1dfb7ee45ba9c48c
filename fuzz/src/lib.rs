//! What the fuzz targets ask of any input; `fuzz/run` says how they are run.
//!
//! `json`, `console` and `schemas` build a log and a scene of spans and an event from the input, `values` one value,
//! `segments` names of files. The judges are those of the tests.

#![allow(clippy::unwrap_used, clippy::panic)]

mod console;
mod input;
mod json;
#[allow(dead_code)]
#[path = "../../src/rotation/label.rs"]
mod label;
#[allow(dead_code)]
#[path = "../../src/rotation/name.rs"]
mod name;
mod schemas;
mod segments;
mod values;

pub use console::console;
pub use json::json;
pub use schemas::schemas;
pub use segments::segments;
pub use values::values;

/// What the tests share.
#[allow(dead_code)]
#[path = "../../tests/it/support"]
mod support {
    pub(crate) mod any;
    pub(crate) mod stage;
    pub(crate) mod strict;
    pub(crate) mod wait;
}
