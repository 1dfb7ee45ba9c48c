//! What an index can say of lines: which times and ids one of them has, if it meets all conditions.

use super::tokens::Operator;
use super::{Comparison, Expression, Filter, Literal, Subject};
use crate::entry::{Number, Part};
use crate::index::Bounds;

impl Filter {
    /// Returns what each line has that meets the conditions.
    pub(crate) fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        bounds.add_range(self.since, self.until);
        for ids in [&self.requests, &self.traces].into_iter().filter(|ids| !ids.is_empty()) {
            bounds.add_ids(ids.iter().map(String::as_str));
        }
        if let Some(expression) = &self.expression {
            expression.bound(&mut bounds);
        }
        bounds
    }
}

impl Expression {
    /// Adds what each line has that meets it.
    fn bound(&self, bounds: &mut Bounds) {
        match self {
            Self::And(all) => all.iter().for_each(|one| one.bound(bounds)),
            Self::Compare(comparison) if matches!(comparison.subject, Subject::Time) => {
                let (since, until) = comparison.range();
                bounds.add_range(since, until);
            }
            Self::Or(_) | Self::Compare(_) => {
                if let Some(ids) = self.ids() {
                    bounds.add_ids(ids);
                }
            }
            Self::Not(_) | Self::Has(_) => {}
        }
    }

    /// Returns ids of which a line has one that meets it, if there are such ids.
    fn ids(&self) -> Option<Vec<&str>> {
        match self {
            Self::Or(any) => any.iter().try_fold(Vec::new(), |mut ids, one| {
                ids.extend(one.ids()?);
                Some(ids)
            }),
            Self::And(all) => all.iter().find_map(Self::ids),
            Self::Compare(comparison) => comparison.id().map(|id| vec![id]),
            Self::Not(_) | Self::Has(_) => None,
        }
    }
}

impl Comparison {
    /// Returns the id that a line has that meets it.
    fn id(&self) -> Option<&str> {
        let Literal::Text(text) = &self.literal else { return None };
        let is_id = match &self.subject {
            Subject::Part(part) => matches!(part, Part::Request | Part::Trace),
            Subject::Field(path) => path.is("span_id"),
            Subject::Level | Subject::Time => false,
        };
        // Numbers, booleans, objects and arrays are compared as what they mean.
        let is_text = Number::of(text.as_bytes()).is_none() && !matches!(text.as_str(), "true" | "false" | "");
        let is_text = is_text && !text.contains(['{', '[']);
        (self.operator == Operator::Equal && is_id && is_text).then_some(text)
    }

    /// Returns the first time of a line that meets it, and the first that is too late.
    fn range(&self) -> (Option<i64>, Option<i64>) {
        let Literal::Time(time) = self.literal else { return (None, None) };
        let behind = time.checked_add(1);
        match self.operator {
            Operator::Equal => (Some(time), behind),
            Operator::Greater => (behind, None),
            Operator::GreaterOrEqual => (Some(time), None),
            Operator::Less => (None, Some(time)),
            Operator::LessOrEqual => (None, behind),
            Operator::Unequal | Operator::Matches | Operator::MatchesNot => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use spanline::record::Timestamp;

    use super::super::parse;
    use super::*;

    fn ids(text: &str) -> Option<String> {
        parse(text, Timestamp::now()).unwrap().ids().map(|ids| ids.join("|"))
    }

    fn range(text: &str) -> (Option<i64>, Option<i64>) {
        let filter = Filter { expression: Some(parse(text, Timestamp::now()).unwrap()), ..Filter::default() };
        let bounds = filter.bounds();
        (bounds.since, bounds.until)
    }

    #[test]
    fn an_expression_has_ids_only_if_each_line_that_meets_it_has_one_of_them() {
        for (text, expected) in [
            ("request_id = 'r-1'", Some("r-1")),
            ("status > 5 and (trace_id = 'a1x' or request_id = 'r-1')", Some("a1x|r-1")),
            ("span_id = 'ab-1'", Some("ab-1")),
            ("trace_id = 'a1x' or status > 5", None),
            ("not request_id = 'r-1'", None),
            ("request_id != 'r-1'", None),
            ("request_id = '500'", None),
            ("request_id = ''", None),
            ("request_id = '[x'", None),
            ("request_id ~ 'r-1'", None),
            ("user = 'r-1'", None),
        ] {
            assert_eq!(ids(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn an_expression_has_a_range_only_if_each_line_that_meets_it_is_in_it() {
        const AT: i64 = 1_795_169_738_000_000_000;
        for (text, expected) in [
            ("time >= '2026-11-20T10:15:38Z'", (Some(AT), None)),
            ("time > '2026-11-20T10:15:38Z' and status = 5", (Some(AT + 1), None)),
            ("time < '2026-11-20T10:15:38Z' and time >= '2026-11-20T10:15:37Z'", (Some(AT - 1_000_000_000), Some(AT))),
            ("time <= '2026-11-20T10:15:38Z'", (None, Some(AT + 1))),
            ("time = '2026-11-20T10:15:38Z'", (Some(AT), Some(AT + 1))),
            ("time != '2026-11-20T10:15:38Z'", (None, None)),
            ("time < '2026-11-20T10:15:38Z' or status = 5", (None, None)),
            ("not time < '2026-11-20T10:15:38Z'", (None, None)),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }
}
