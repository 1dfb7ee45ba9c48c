//! Which call sites are seen, and by which outputs; replaceable while the program runs.
//!
//! `parse` reads every text that names levels and targets, and explains what is wrong with it. The result is
//! [`Directives`], which looks up a target. A [`FilterSet`] has the directives in force: an event goes to an output when
//! the global filter and the output's own filter let it pass. The layer caches the result for a call site under a
//! [generation](Filters::generation) that each change increments, so no event takes a lock.
//!
//! A directive can name spans and fields, and a request can be granted detail (`grants`). tracing asks the
//! [`CallsiteFilter`] about call sites that either alone could enable each time: whether the current span, or one around
//! it, [matches](Filters::matches). The thread and each span remember the answer.

mod call_sites;
mod callsite_filter;
mod compiled;
mod directives;
mod display;
mod filter_set;
mod filters;
mod grants;
mod here;
mod in_context;
mod interests;
mod into_filter;
mod level;
mod parse;
mod parse_context;
mod pattern;

pub(crate) use callsite_filter::{CallsiteFilter, FindNode};
pub(crate) use directives::Directives;
pub(crate) use filter_set::{FilterSet, check_bound};
pub(crate) use filters::{Filters, ID_FIELDS, hold_changes};
#[cfg(feature = "tower")]
pub(crate) use grants::allow_grants;
pub(crate) use here::moved;
pub(crate) use interests::{answer_like, ask_all_subscribers};
pub(crate) use into_filter::FilterSetting;
pub use into_filter::IntoFilter;
pub(crate) use parse::{Lenient, parse_leniently};
