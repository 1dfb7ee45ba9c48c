//! Reads an expression.
//!
//! ```text
//! or         = and { "or" and }
//! and        = not { "and" not }
//! not        = "not" not | "(" or ")" | "has" name | comparison
//! comparison = name operator value
//! ```

use regex::Regex;
use spanline::record::Timestamp;

use super::compare::{Comparison, Literal, Subject};
use super::expression::Expression;
use super::mistake::Mistake;
use super::tokens::{Kind, Operator, Token, tokens};
use super::when::when;
use crate::entry::{Number, Path};
use crate::loggers::LineLevel;
use crate::nearest::unknown;

/// Deeper expressions are refused: each level needs stack.
const MAX_DEPTH: usize = 64;

const OPERATORS: &str = "`=`, `!=`, `<`, `<=`, `>`, `>=`, `~` or `!~`";

/// Reads an expression. `now`: the time to which relative times refer.
///
/// # Errors
/// The text is no expression, or has a wrong level, time or regular expression.
pub(crate) fn parse(text: &str, now: Timestamp) -> Result<Expression, Mistake> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), now };
    let expression = parser.or(0)?;
    match parser.next() {
        Token { kind: Kind::End, .. } => Ok(expression),
        Token { column, kind } => {
            let close = if kind == Kind::Close { "; this `)` closes nothing" } else { "" };
            Err(Mistake::new(column, format!("expected `and`, `or` or the end, found {}{close}", kind.shown())))
        }
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    now: Timestamp,
}

impl Parser {
    fn next(&mut self) -> Token {
        self.tokens.next().unwrap_or(Token { column: 1, kind: Kind::End })
    }

    /// Takes the next token if it is a keyword.
    fn takes(&mut self, keyword: &str) -> bool {
        let is_it = |token: &Token| matches!(&token.kind, Kind::Word(word) if word.eq_ignore_ascii_case(keyword));
        self.tokens.next_if(is_it).is_some()
    }

    fn or(&mut self, depth: usize) -> Result<Expression, Mistake> {
        let mut any = vec![self.and(depth)?];
        while self.takes("or") {
            any.push(self.and(depth)?);
        }
        Ok(if any.len() > 1 { Expression::Or(any) } else { any.swap_remove(0) })
    }

    fn and(&mut self, depth: usize) -> Result<Expression, Mistake> {
        let mut all = vec![self.not(depth)?];
        while self.takes("and") {
            all.push(self.not(depth)?);
        }
        Ok(if all.len() > 1 { Expression::And(all) } else { all.swap_remove(0) })
    }

    fn not(&mut self, depth: usize) -> Result<Expression, Mistake> {
        let column = self.tokens.peek().map_or(1, |token| token.column);
        if depth > MAX_DEPTH {
            return Err(Mistake::new(
                column,
                format!("expected at most {MAX_DEPTH} levels of `(` and `not`, found more"),
            ));
        }
        if self.takes("not") {
            return Ok(Expression::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.takes("has") {
            return Ok(Expression::Has(self.name("the name of a field behind `has`")?));
        }
        if self.tokens.next_if(|token| token.kind == Kind::Open).is_some() {
            let inside = self.or(depth + 1)?;
            return match self.next() {
                Token { kind: Kind::Close, .. } => Ok(inside),
                Token { column: at, kind } => {
                    let text =
                        format!("expected `and`, `or` or `)` for the `(` in column {column}, found {}", kind.shown());
                    Err(Mistake::new(at, text))
                }
            };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expression, Mistake> {
        let path = self.name("the name of a field, `has`, `not` or `(`")?;
        let token = self.next();
        let Kind::Operator(operator) = token.kind else {
            let hint = match token.kind {
                Kind::End => "; for entries that have the field, write `has` in front of it",
                _ => "",
            };
            return Err(Mistake::new(
                token.column,
                format!("expected {OPERATORS} behind the name, found {}{hint}", token.kind.shown()),
            ));
        };
        let token = self.next();
        let column = token.column;
        let (subject, literal) = self.literal(path, operator, token.kind).map_err(|text| Mistake::new(column, text))?;
        Ok(Expression::Compare(Comparison { subject, operator, literal }))
    }

    /// Reads the name of a field. `what`: what the error says was expected.
    fn name(&mut self, what: &str) -> Result<Path, Mistake> {
        let Token { column, kind } = self.next();
        let name = match kind {
            Kind::Text(name) => name,
            Kind::Word(name) if !is_keyword(&name) => name,
            kind => {
                let hint = if let Kind::Word(word) = &kind {
                    format!("; put a field of this name in quotes: \"{word}\"")
                } else {
                    String::new()
                };
                return Err(Mistake::new(column, format!("expected {what}, found {}{hint}", kind.shown())));
            }
        };
        if name.split('.').count() > Path::MAX_PARTS {
            return Err(Mistake::new(column, format!("expected a name of at most {} parts", Path::MAX_PARTS)));
        }
        Ok(Path::new(&name))
    }

    /// Reads the value that a field is compared with.
    fn literal(&self, path: Path, operator: Operator, kind: Kind) -> Result<(Subject, Literal), String> {
        let (text, is_quoted) = match kind {
            Kind::Word(word) if !is_keyword(&word) => (word, false),
            Kind::Text(text) => (text, true),
            kind => {
                let hint = "; write a number, a text in quotes, `true`, `false` or `null`";
                return Err(format!("expected a value, found {}{hint}", kind.shown()));
            }
        };
        let subject = Subject::of(path);
        if matches!(operator, Operator::Matches | Operator::MatchesNot) {
            if !is_quoted {
                return Err(format!("expected a regular expression in quotes, found `{text}`; write \"{text}\""));
            }
            return Ok((subject, Literal::Regex(Box::new(regex(&text)?))));
        }
        let number = if is_quoted { None } else { Number::of(text.as_bytes()) };
        match (subject, number) {
            // The number that stands in the line.
            (Subject::Level, Some(number)) => Ok((Subject::Field(Path::new("level")), Literal::Number(number))),
            (Subject::Level, None) => match LineLevel::named(&text) {
                Some(level) => Ok((Subject::Level, Literal::Level(level))),
                None => Err(unknown("level", &text, &LineLevel::NAMES)),
            },
            (Subject::Time, _) => Ok((Subject::Time, Literal::Time(when(&text, self.now, &chrono::Local)?))),
            (subject, Some(number)) => Ok((subject, Literal::Number(number))),
            (subject, None) if is_quoted => Ok((subject, Literal::Text(text))),
            (subject, None) => match text.as_str() {
                "true" => Ok((subject, Literal::Bool(true))),
                "false" => Ok((subject, Literal::Bool(false))),
                "null" => Ok((subject, Literal::Null)),
                word => Err(format!("expected a value, found `{word}`; put a text in quotes: \"{word}\"")),
            },
        }
    }
}

fn is_keyword(word: &str) -> bool {
    ["and", "or", "not", "has"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| format!("expected a regular expression: {}", reason(&error)))
}

/// Returns the last line of an error, without the drawing above it.
pub(super) fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
