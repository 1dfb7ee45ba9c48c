//! A filter as SQL. What SQL cannot judge exactly is left to the tool, which then gets all lines that may be meant.

use super::columns::{HAS_TIME, bit_of, column_of, rank_of};
use super::sql::{signed, text, texts};
use crate::entry::Part;
use crate::query::{Comparison, Expression, Filter, Literal, Operator, Subject};

/// Is true for a line that is a record.
pub(super) const IS_RECORD: &str = "CAST(form, 'Int8') <= 4";

/// The number of a line's level.
pub(super) const LEVEL: &str = "CAST(level, 'Int8')";

/// A filter as SQL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Condition {
    /// All of them have to be true.
    terms: Vec<String>,
    /// The options that the tool judges.
    judged: Vec<&'static str>,
}

impl Condition {
    pub(crate) fn of(filter: &Filter) -> Self {
        let mut condition = Self::default();
        if filter.needs_fields() {
            condition.terms.push(IS_RECORD.to_owned());
        }
        if let Some(level) = filter.level {
            condition.terms.push(format!("{LEVEL} >= {}", rank_of(Some(level))));
        }
        let (since, until) = (filter.since.map(|time| (">=", time)), filter.until.map(|time| ("<", time)));
        for (operator, time) in since.into_iter().chain(until) {
            condition.terms.push(has_time());
            condition.terms.push(format!("time {operator} {}", signed(time)));
        }
        condition.add_any(Part::Service, &filter.services);
        condition.add_any(Part::Request, &filter.requests);
        let traces: Vec<_> = filter.traces.iter().map(|id| id.to_ascii_lowercase()).collect();
        condition.add_any(Part::Trace, &traces);
        condition.add_targets(&filter.targets);
        if let Some(expression) = &filter.expression {
            let Translated { sql, is_exact } = Translated::of(expression);
            condition.terms.extend(sql);
            condition.judged.extend((!is_exact).then_some("--where"));
        }
        for regex in &filter.grep {
            match literal(regex.as_str()) {
                Some(literal) => condition.terms.push(format!("position(line, {}) > 0", text(literal))),
                None => condition.judged.push("--grep"),
            }
        }
        condition
    }

    /// Returns the condition that a line has one of these ids, of which the tool judges the meaning.
    pub(crate) fn of_ids(ids: &[String]) -> Self {
        let any = format!("hasAny(ids, [{}])", texts(ids));
        Self { terms: vec![IS_RECORD.to_owned(), any], judged: vec!["the id"] }
    }

    /// Widens the condition to all lines: those around a line are printed too, for example.
    pub(crate) fn widened(self) -> Self {
        Self { terms: Vec::new(), judged: if self.terms.is_empty() { self.judged } else { vec!["all conditions"] } }
    }

    /// Adds a term.
    pub(super) fn and(&self, term: impl Into<String>) -> Self {
        let mut condition = self.clone();
        condition.terms.push(term.into());
        condition
    }

    /// Returns whether SQL judges all of it.
    pub(crate) fn is_exact(&self) -> bool {
        self.judged.is_empty()
    }

    /// Returns the options that the tool judges.
    pub(crate) fn judged(&self) -> &[&'static str] {
        &self.judged
    }

    /// Returns the terms.
    pub(super) fn terms(&self) -> &[String] {
        &self.terms
    }

    fn add_any(&mut self, part: Part, names: &[String]) {
        if !names.is_empty() {
            self.terms.push(has(part));
            self.terms.push(format!("{} IN ({})", column_of(part), texts(names)));
        }
    }

    /// A target also stands for the modules in it.
    fn add_targets(&mut self, targets: &[String]) {
        let is_target = |name: &String| {
            let inside = [format!("{name}::"), format!("{name}.")];
            let [modules, members] = inside.map(|start| format!("startsWith(target, {})", text(&start)));
            format!("target = {} OR {modules} OR {members}", text(name))
        };
        if !targets.is_empty() {
            self.terms.push(has(Part::Target));
            self.terms.push(format!("({})", targets.iter().map(is_target).collect::<Vec<_>>().join(" OR ")));
        }
    }
}

/// Returns the condition that a line has a part.
pub(super) fn has(part: Part) -> String {
    format!("bitAnd(present, {}) != 0", bit_of(part))
}

/// Returns the condition that a line has a time.
pub(super) fn has_time() -> String {
    format!("bitAnd(present, {HAS_TIME}) != 0")
}

/// Returns the text that a regular expression stands for, if it has no special characters.
fn literal(regex: &str) -> Option<&str> {
    let is_special = |char: char| r"\.+*?()|[]{}^$".contains(char);
    (!regex.is_empty() && !regex.contains(is_special)).then_some(regex)
}

/// An expression as SQL.
struct Translated {
    /// Is true at least for the lines that are meant; `None`: it says nothing.
    sql: Option<String>,
    /// Whether it is true for no others.
    is_exact: bool,
}

impl Translated {
    const NOTHING: Self = Self { sql: None, is_exact: false };

    fn exact(sql: String) -> Self {
        Self { sql: Some(sql), is_exact: true }
    }

    fn of(expression: &Expression) -> Self {
        match expression {
            Expression::And(all) => {
                let all: Vec<_> = all.iter().map(Self::of).collect();
                let is_exact = all.iter().all(|one| one.is_exact);
                let sql: Vec<_> = all.into_iter().filter_map(|one| one.sql).collect();
                Self { sql: (!sql.is_empty()).then(|| format!("({})", sql.join(" AND "))), is_exact }
            }
            Expression::Or(all) => {
                let all: Vec<_> = all.iter().map(Self::of).collect();
                let is_exact = all.iter().all(|one| one.is_exact);
                let sql: Option<Vec<_>> = all.into_iter().map(|one| one.sql).collect();
                Self { sql: sql.map(|sql| format!("({})", sql.join(" OR "))), is_exact }
            }
            Expression::Not(one) => match Self::of(one) {
                Self { sql: Some(sql), is_exact: true } => Self::exact(format!("NOT {sql}")),
                _ => Self::NOTHING,
            },
            Expression::Has(_) => Self::NOTHING,
            Expression::Compare(comparison) => Self::of_comparison(comparison),
        }
    }

    fn of_comparison(comparison: &Comparison) -> Self {
        let sign = match comparison.operator {
            Operator::Equal => "=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            // What has no level, or no time, can have a field of that name, which is unequal.
            Operator::Unequal | Operator::Matches | Operator::MatchesNot => return Self::NOTHING,
        };
        match (&comparison.subject, &comparison.literal) {
            (Subject::Level, Literal::Level(level)) => {
                Self::exact(format!("({LEVEL} > 0 AND {LEVEL} {sign} {})", rank_of(Some(*level))))
            }
            (Subject::Time, Literal::Time(time)) => {
                Self::exact(format!("({} AND time {sign} {})", has_time(), signed(*time)))
            }
            // A field may have the name of a part that the line lacks.
            (Subject::Part(part), Literal::Text(value)) if sign == "=" => {
                let value = if *part == Part::Trace { value.to_ascii_lowercase() } else { value.clone() };
                let sql = format!("({} = {} OR NOT {})", column_of(*part), text(&value), has(*part));
                Self { sql: Some(sql), is_exact: false }
            }
            _ => Self::NOTHING,
        }
    }
}

#[cfg(test)]
mod tests {
    use spanline::record::Timestamp;

    use super::*;
    use crate::query;

    fn condition(expression: &str) -> (String, bool) {
        let expression = Some(query::parse(expression, Timestamp::now()).unwrap());
        let condition = Condition::of(&Filter { expression, ..Filter::default() });
        (condition.terms.get(1).cloned().unwrap_or_default(), condition.is_exact())
    }

    #[test]
    fn what_sql_judges_is_exact_or_lets_too_much_pass() {
        let warn = "(CAST(level, 'Int8') > 0 AND CAST(level, 'Int8') >= 5)";
        assert_eq!(condition("level >= warn"), (warn.to_owned(), true));
        assert_eq!(condition("not level >= warn"), (format!("NOT {warn}"), true));
        assert_eq!(condition("level >= warn and status = 500"), (format!("({warn})"), false));
        assert_eq!(condition("level >= warn or status = 500"), (String::new(), false));
        assert_eq!(condition("level != warn"), (String::new(), false));
        let service = r"(service = '\'; DROP TABLE lines' OR NOT bitAnd(present, 2) != 0)";
        assert_eq!(condition("service = \"'; DROP TABLE lines\""), (service.to_owned(), false));
        assert_eq!(condition("not service = \"orders\""), (String::new(), false));
    }

    #[test]
    fn only_a_regex_without_special_characters_is_a_text() {
        assert_eq!(literal("order - 7 #"), Some("order - 7 #"));
        for regex in ["", "a.c", "^a", "a|b", "(?i)a", "a\\d"] {
            assert_eq!(literal(regex), None);
        }
    }
}
