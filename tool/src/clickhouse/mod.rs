//! Lines in ClickHouse: how they get there, and how the same questions are asked there.
//!
//! ```text
//! segments ─► plan (loaded already?) ─► upload ─► rows ─► INSERT              spanline load
//!
//! Filter ─► conditions ─► SQL ─► lines ─► Parser ─► Filter ─► Printer         find, trace
//!                          └───► counts ─► Timeline, Answer                   hist, stats
//! ```
//!
//! 1. A row has the [columns](columns) that the tool's own parser finds at load time, and the bytes of the line. So all loggers
//!    are understood in one way, and answers equal those from files.
//! 2. [`Condition`](condition::Condition) is a filter as SQL. What SQL cannot judge exactly, the tool judges: it then gets all
//!    lines that may be meant, and counts them itself.
//! 3. A segment counts when its state is *complete* in the table of [segments](segments). A load that was killed leaves one that
//!    is only *begun*; the next load removes its rows first.
//!
//! Values become SQL only in [`sql`]. The statements run on ClickHouse 18.16 and on current versions.

mod address;
mod answers;
mod client;
mod columns;
mod condition;
mod counts;
mod engine;
mod explain;
mod identity;
mod lines;
mod load;
mod machine;
mod parallel;
mod password;
mod plan;
mod removal;
mod rows;
mod segments;
mod sql;
mod statistics;
mod table;
mod upload;

pub(crate) use address::Address;
pub(crate) use condition::Condition;
pub(crate) use engine::{Engine, Order, Portion};
pub(crate) use explain::{Explanation, explain};
pub(crate) use load::{Loader, Outcome};
pub(crate) use password::password;
pub(crate) use statistics::{answer, each};
pub(crate) use table::statements;
