//! The language of `spanline find --where`: any text is an expression or has a mistake with a column in it, and an expression is met
//! by a line or is not. A line that meets it has the needle that large logs are searched for.

use spanline::record::Timestamp;

use crate::entry::Parser;
use crate::query::{Filter, parse};

/// The first line of the input is the expression, the others are lines.
pub fn filters(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let text = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let now = Timestamp::from_nanos(1_795_169_738_000_000_000);
    let expression = match parse(&text, now) {
        Ok(expression) => expression,
        Err(mistake) => {
            assert!(mistake.to_string().starts_with("column "), "{mistake}");
            return;
        }
    };
    let needle = Filter { expression: Some(expression.clone()), ..Filter::default() }.needle();
    let negated = parse(&format!("not ({text})"), now);
    let mut parser = Parser::default();
    for line in lines {
        parser.read(line);
        let entry = parser.entry(line);
        let is_met = expression.is_met(&entry);
        assert!(!is_met || needle.as_ref().is_none_or(|needle| needle.is_in(line)), "{text}");
        // Too deep a nesting, and texts with a bracket at their end, are mistakes.
        if let Ok(negated) = &negated {
            assert_eq!(negated.is_met(&entry), !is_met, "{text}");
        }
    }
}
