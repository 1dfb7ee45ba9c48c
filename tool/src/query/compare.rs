//! Compares a field of an entry with a value.

use std::borrow::Cow;
use std::cmp::Ordering;

use regex::Regex;

use super::tokens::Operator;
use crate::entry::{Entry, Number, Part, Path, Scalar, Value};
use crate::loggers::LineLevel;

/// `name operator value`.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(crate) subject: Subject,
    pub(crate) operator: Operator,
    pub(crate) literal: Literal,
}

/// What is compared.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Level,
    Time,
    Part(Part),
    Field(Path),
}

/// What it is compared with.
#[derive(Clone, Debug)]
pub(crate) enum Literal {
    Level(LineLevel),
    /// In nanoseconds since 1970.
    Time(i64),
    Number(Number),
    Text(String),
    Bool(bool),
    Null,
    Regex(Box<Regex>),
}

impl Subject {
    pub(super) fn of(path: Path) -> Self {
        match path.part() {
            Some(part) => Self::Part(part),
            None if path.is("level") => Self::Level,
            None if path.is("time") => Self::Time,
            None => Self::Field(path),
        }
    }
}

impl Comparison {
    pub(super) fn is_of_message(&self) -> bool {
        matches!(self.subject, Subject::Part(Part::Message))
    }

    pub(super) fn is_met(&self, entry: &Entry<'_>) -> bool {
        let found = match &self.subject {
            Subject::Level => match (entry.level(), &self.literal) {
                (Some(level), Literal::Level(literal)) => Some(Found::Order(level.cmp(literal))),
                (Some(level), _) => Some(Found::Text(level.as_str().into())),
                (None, _) => Path::new("level").value(entry).map(Found::Value),
            },
            Subject::Time => match (entry.time(), &self.literal) {
                (Some(time), Literal::Time(literal)) => Some(Found::Order(time.cmp(literal))),
                _ => entry.time_text().map(Found::Text),
            },
            Subject::Part(part) => match entry.text(*part) {
                Some(text) => Some(Found::Text(text)),
                None => Path::new(part.name()).value(entry).map(Found::Value),
            },
            Subject::Field(path) => path.value(entry).map(Found::Value),
        };
        found.is_some_and(|found| self.holds(&found))
    }

    fn holds(&self, found: &Found<'_>) -> bool {
        if let Literal::Regex(regex) = &self.literal {
            let is_match = found.text().is_some_and(|text| regex.is_match(&text));
            return is_match == (self.operator == Operator::Matches);
        }
        let order = found.order(&self.literal);
        match self.operator {
            Operator::Equal => order == Some(Ordering::Equal),
            // What cannot be compared is not equal.
            Operator::Unequal => order != Some(Ordering::Equal),
            Operator::Less => order == Some(Ordering::Less),
            Operator::LessOrEqual => order.is_some_and(Ordering::is_le),
            Operator::Greater => order == Some(Ordering::Greater),
            Operator::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Operator::Matches | Operator::MatchesNot => false,
        }
    }
}

/// What an entry has under a name.
enum Found<'e> {
    /// It was compared already.
    Order(Ordering),
    Text(Cow<'e, str>),
    Value(Value<'e>),
}

impl Found<'_> {
    /// Returns the text that a regular expression is matched with; none for null.
    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Order(_) => None,
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Value(value) if matches!(value.scalar(), Scalar::Null) => None,
            Self::Value(value) => Some(value.shown()),
        }
    }

    /// Compares with a value; `None` if the two have no order.
    fn order(&self, literal: &Literal) -> Option<Ordering> {
        let equal = |is_equal: bool| is_equal.then_some(Ordering::Equal);
        let scalar = match self {
            Self::Order(order) => return Some(*order),
            Self::Text(text) => Scalar::Text(Cow::Borrowed(text)),
            Self::Value(value) => value.scalar(),
        };
        match (literal, scalar) {
            (Literal::Number(literal), Scalar::Number(number)) => number.compare(*literal),
            // Elasticsearch's labels are texts, numbers too.
            (Literal::Number(literal), Scalar::Text(text)) => Number::of(text.as_bytes())?.compare(*literal),
            (Literal::Text(literal), Scalar::Text(text)) => Some((*text).cmp(literal)),
            (Literal::Text(literal), Scalar::Number(number)) => number.compare(Number::of(literal.as_bytes())?),
            (Literal::Text(literal), Scalar::Bool(bool)) => equal(bool.to_string() == *literal),
            (Literal::Text(literal), Scalar::Nested(json)) => equal(json == literal.as_str()),
            (Literal::Bool(literal), Scalar::Bool(bool)) => equal(bool == *literal),
            (Literal::Bool(literal), Scalar::Text(text)) => equal(text == literal.to_string().as_str()),
            (Literal::Null, Scalar::Null) => Some(Ordering::Equal),
            _ => None,
        }
    }
}
