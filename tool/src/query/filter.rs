//! All conditions of a command line together.

use std::borrow::Cow;

use regex::bytes::{Regex, RegexBuilder};

use super::expression::Expression;
use super::parse::reason;
use crate::entry::{Entry, Part};
use crate::loggers::LineLevel;

/// The conditions that an entry has to meet, all of them. Of those that are lists, one has to match.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// The least severe level.
    pub(crate) level: Option<LineLevel>,
    pub(crate) services: Vec<String>,
    /// A target also stands for the modules in it.
    pub(crate) targets: Vec<String>,
    pub(crate) requests: Vec<String>,
    pub(crate) traces: Vec<String>,
    /// The first time, in nanoseconds since 1970.
    pub(crate) since: Option<i64>,
    /// The first time that is too late.
    pub(crate) until: Option<i64>,
    pub(crate) expression: Option<Expression>,
    pub(crate) grep: Vec<Regex>,
}

impl Filter {
    /// Returns whether an entry meets all conditions. A line without a record meets only those on its text.
    pub(crate) fn matches(&self, entry: &Entry<'_>) -> bool {
        self.grep_matches(entry.line())
            && (entry.is_record() || !self.needs_fields())
            && self.level.is_none_or(|least| entry.level().is_some_and(|level| level >= least))
            && self.time_matches(entry)
            && is_any(&self.services, || entry.text(Part::Service), |service, name| service == name)
            && is_any(&self.targets, || entry.text(Part::Target), is_target)
            && is_any(&self.requests, || entry.text(Part::Request), |request, id| request == id)
            && is_any(&self.traces, || entry.text(Part::Trace), str::eq_ignore_ascii_case)
            && self.expression.as_ref().is_none_or(|expression| expression.is_met(entry))
    }

    /// Returns whether every line meets it.
    pub(crate) fn is_empty(&self) -> bool {
        self.grep.is_empty() && self.expression.is_none() && !self.needs_fields()
    }

    /// Returns whether it asks for more than the text of a line.
    pub(crate) fn needs_fields(&self) -> bool {
        let lists = [&self.services, &self.targets, &self.requests, &self.traces];
        self.level.is_some()
            || self.since.is_some()
            || self.until.is_some()
            || lists.iter().any(|list| !list.is_empty())
            || self.expression.as_ref().is_some_and(Expression::needs_fields)
    }

    fn grep_matches(&self, line: &[u8]) -> bool {
        self.grep.iter().all(|regex| regex.is_match(line))
    }

    fn time_matches(&self, entry: &Entry<'_>) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let is_inside =
            |time| self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until);
        entry.time().is_some_and(is_inside)
    }
}

/// Returns whether the text matches one of the names, or there are none.
fn is_any<'e>(names: &[String], text: impl Fn() -> Option<Cow<'e, str>>, is: impl Fn(&str, &str) -> bool) -> bool {
    names.is_empty() || text().is_some_and(|text| names.iter().any(|name| is(&text, name)))
}

/// Returns whether a target is `name`, or inside it.
fn is_target(target: &str, name: &str) -> bool {
    target.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with('.'))
}

/// Reads the regular expression of `--grep`, which is matched with the bytes of a line.
pub(crate) fn grep(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).build().map_err(|error| format!("expected a regular expression: {}", reason(&error)))
}
