//! A file for each value of a field: a sink of sinks.
//!
//! [`Route`] opens a [`RollingFile`](super::RollingFile) for each value, and closes those that are idle. `names` turns
//! values into names of files, of which no two are the same; `sha256` shortens long ones.

mod names;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod route;
mod sha256;

pub use route::Route;
