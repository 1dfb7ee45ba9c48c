//! What a user looks for: the language of `--where`, times such as `today 14:00`, and the filter of all options together.
//!
//! ```text
//! text ─► tokens ─► parse ─► Expression ─┐
//! options ───────────────────────────────┴─► Filter ─► does it match an entry?
//! ```
//!
//! `docs/tool.md` describes the language. A mistake names its column, what was expected and what to write instead.
//!
//! A comparison with a field that an entry lacks is false, whatever the operator. Nesting is bounded, regular expressions
//! take linear time, and nothing here panics.

mod bounds;
mod compare;
mod expression;
mod filter;
mod mistake;
mod names;
mod needle;
mod parse;
mod sample;
mod tokens;
mod trace_forms;
mod when;

#[cfg(test)]
mod tests;

pub(crate) use compare::{Comparison, Literal, Subject};
pub(crate) use expression::Expression;
pub(crate) use filter::{Filter, grep};
pub(crate) use mistake::Mistake;
pub(crate) use names::{name, names};
pub(crate) use needle::Needle;
pub(crate) use parse::parse;
pub(crate) use sample::{Sample, Sampler};
#[cfg(feature = "clickhouse")]
pub(crate) use tokens::Operator;
pub(crate) use trace_forms::trace_forms;
pub(crate) use when::{span, when};
