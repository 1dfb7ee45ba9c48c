//! Limits of repeats: which of the lines of one call site, or of one trace, pass. The others are only counted.
//!
//! A [`Rule`] says how many pass: a number in a period, one in N, or a bucket of tokens. [`Sampling`] is its public form.
//! The [`Limiter`] has the rules of one log and its busy call sites. The logging thread asks it before it captures
//! anything. Each worker reports what was suppressed in its output, by its [`Share`].

mod limiter;
mod rule;
mod sampling;

pub(crate) use limiter::{Limiter, Origin, SAMPLE_CUT_BYTES, Share, Summary, Verdict};
pub(crate) use rule::Rule;
pub use sampling::Sampling;
