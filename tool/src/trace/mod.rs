//! One trace or one request as a waterfall, from lines alone.
//!
//! ```text
//! logs ─► gather ─► Store ─► Tree ─► Waterfall ─┬─► text: a terminal
//!            │       │         │        │       ├─► json
//!         Wanted   spans,   parents,  rows,     └─► html: a page
//!         (ids)    events    times    chain, gaps
//! ```
//!
//! 1. [`gather`](mod@gather) reads the lines that have an id, and those of the traces and requests that it belongs to.
//! 2. [`Store`](store::Store) keeps spans and events within bounds, in any order of lines.
//! 3. [`Tree`](tree::Tree) links the spans and gives them their times.
//! 4. [`Waterfall`](rows::Waterfall) finds the longest chain and the gaps, and chooses the rows.
//!
//! Nothing here recurses: parents may be 100,000 deep, or lead back to their children.

mod chain;
mod extents;
mod gaps;
mod gather;
mod html;
mod json;
mod line;
mod place;
mod rows;
mod signs;
mod span;
mod store;
mod summary;
mod text;
mod tree;
mod units;
mod wanted;
mod whole;

pub(crate) use gather::Logs;
pub(crate) use line::{id_of, ids_of};
pub(crate) use whole::{Trace, View};
