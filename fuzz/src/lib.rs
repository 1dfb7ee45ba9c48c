//! What the fuzz targets ask of any input; `fuzz/run` says how they are run.
//!
//! `json`, `console` and `schemas` build a log and a scene of spans and an event from the input, `values` one value,
//! `segments` names of files. The judges are those of the tests. `lines` and `filters` read the input with the tool's modules.

#![allow(clippy::unwrap_used, clippy::panic)]

mod console;
#[allow(dead_code, unused_imports)]
#[path = "../../tool/src/entry/mod.rs"]
mod entry;
mod filters;
#[path = "../../tool/src/fnv.rs"]
mod fnv;
#[allow(dead_code, unused_imports)]
#[path = "../../tool/src/index/mod.rs"]
mod index;
mod input;
mod json;
#[allow(dead_code)]
#[path = "../../src/rotation/label.rs"]
mod label;
mod lines;
#[allow(dead_code, unused_imports)]
#[path = "../../tool/src/loggers/mod.rs"]
mod loggers;
#[allow(dead_code)]
#[path = "../../src/rotation/name.rs"]
mod name;
#[allow(dead_code)]
#[path = "../../tool/src/nearest.rs"]
mod nearest;
#[allow(dead_code, unused_imports)]
#[path = "../../tool/src/query/mod.rs"]
mod query;
mod schemas;
mod segments;
mod values;

pub use console::console;
pub use filters::filters;
pub use json::json;
pub use lines::lines;
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
