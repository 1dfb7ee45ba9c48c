//! Which call sites are seen, and by which outputs; replaceable while the program runs.
//!
//! `parse` reads every text that names levels and targets, and explains what is wrong with it. The result is
//! [`Directives`], which looks up a target. A [`FilterSet`] has the directives in force: an event goes to an output when
//! the global filter and the output's own filter let it pass. The layer caches the result for a call site under a
//! [generation](Filters::generation) that each change increments, so no event takes a lock.
//!
//! A directive can name spans and fields. Call sites that such a directive alone could enable then ask whether a span
//! around the event [matches](Filters::matches). Each span remembers the answer.

mod compiled;
mod directives;
mod display;
mod filter_set;
mod filters;
mod in_context;
mod interests;
mod into_filter;
mod level;
mod parse;
mod parse_context;

pub(crate) use directives::Directives;
pub(crate) use filter_set::{FilterSet, check_bound};
pub(crate) use filters::{CallsiteFilter, Filters, ID_FIELDS, hold_changes};
pub(crate) use interests::{answer_like, ask_all_subscribers};
pub(crate) use into_filter::FilterSetting;
pub use into_filter::IntoFilter;
pub(crate) use parse::{Lenient, parse_leniently};
