//! Sampling as users set it.

use std::time::Duration;

use tracing::Level;

use super::rule::Rule;
use crate::error::Error;

/// Which share of the lines is logged, for [`Builder::sampling`](crate::Builder::sampling).
///
/// It counts the lines of each call site, or with [`of_traces`](Self::of_traces) whole traces. WARN and ERROR are always
/// logged, unless [`below`](Self::below) sets another bound.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use spanline::Sampling;
/// use tracing::Level;
///
/// // One in ten traces, with all its lines, and at most 100 lines at once and 10 a second from each call site.
/// spanline::builder()
///     .sampling(Sampling::one_in(10).of_traces())
///     .sampling(Sampling::token_bucket(100, Duration::from_millis(100)).below(Level::ERROR));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    pub(super) rule: Rule,
    pub(super) below: Level,
    pub(super) of_traces: bool,
}

impl Sampling {
    /// Logs the first line of a call site, and then one in `lines`.
    ///
    /// With [`of_traces`](Self::of_traces), it keeps traces with a low hash of their id. The hash depends on nothing else, so all services with the
    /// same share keep the same traces. A smaller share is a part of a larger one.
    pub fn one_in(lines: u64) -> Self {
        Self { rule: Rule::OneIn(lines), below: Level::WARN, of_traces: false }
    }

    /// Logs up to `burst` lines of a call site at once, and then one for each `every` that passes.
    ///
    /// With [`of_traces`](Self::of_traces), it keeps up to `burst` new traces at once, and then one for each `every`. A trace is decided once, at its outermost span in this process, so other
    /// services may decide differently.
    pub fn token_bucket(burst: u64, every: Duration) -> Self {
        Self { rule: Rule::TokenBucket { burst, every }, below: Level::WARN, of_traces: false }
    }

    /// Keeps or drops whole traces, not lines of call sites. Lines outside any span are kept.
    pub fn of_traces(mut self) -> Self {
        self.of_traces = true;
        self
    }

    /// Sets the level from which on all lines are logged; WARN by default.
    pub fn below(mut self, level: Level) -> Self {
        self.below = level;
        self
    }

    pub(crate) fn is_of_traces(&self) -> bool {
        self.of_traces
    }

    /// # Errors
    /// It keeps nothing, or everything.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = match self.rule {
            Rule::OneIn(lines @ ..=1) => Some(format!("keeps one in {lines}; expected 2 or more")),
            Rule::TokenBucket { burst: 0, .. } => Some("has a burst of 0; expected 1 or more".to_owned()),
            Rule::TokenBucket { every, .. } if every.is_zero() => {
                Some("refills a token in no time; expected a longer `every`".to_owned())
            }
            _ if self.below == Level::TRACE => {
                Some("is for levels below TRACE, and there is none; raise `below`".to_owned())
            }
            _ => None,
        };
        let hint = "; to log all lines, remove `sampling`, and to log none, use a filter";
        wrong.map_or(Ok(()), |wrong| Err(Error::invalid(format!("sampling {wrong}{hint}"))))
    }
}
