//! Regular expressions for the values of fields, of the crate regex-lite: the time of a search grows linearly with the
//! text. Pattern, compiled program and searched text are bounded.

#[cfg(feature = "regex")]
use std::sync::Arc;

#[cfg(feature = "regex")]
use crate::values::prefix;

/// A longer pattern is refused.
#[cfg(feature = "regex")]
const MAX_PATTERN_BYTES: usize = 512;

/// A pattern whose compiled program takes more memory is refused.
#[cfg(feature = "regex")]
const MAX_PROGRAM_BYTES: usize = 64 << 10;

/// Deeper groups and repetitions are refused.
#[cfg(feature = "regex")]
const MAX_NESTED: u32 = 32;

/// This much of a value is searched.
#[cfg(feature = "regex")]
const MAX_TEXT_BYTES: usize = 4096;

/// A regular expression.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    #[cfg(feature = "regex")]
    regex: Arc<regex_lite::Regex>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    #[cfg(feature = "regex")]
    pub(super) fn new(text: String) -> Result<Self, String> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(format!(
                "the regular expression has {} bytes; expected at most {MAX_PATTERN_BYTES}",
                text.len()
            ));
        }
        let mut builder = regex_lite::RegexBuilder::new(&text);
        let regex = builder.size_limit(MAX_PROGRAM_BYTES).nest_limit(MAX_NESTED).build();
        let regex = regex.map_err(|error| format!("the regular expression is not valid: {error}"))?;
        Ok(Self { text, regex: Arc::new(regex) })
    }

    /// The same in a program that is built without regular expressions.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "regex"))]
    pub(super) fn new(_: String) -> Result<Self, String> {
        Err("regular expressions need the feature `regex` of spanline; a beginning, `name=\"text\"*`, does not"
            .to_owned())
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether some part of a value matches.
    #[cfg(feature = "regex")]
    pub(super) fn is_in(&self, value: &str) -> bool {
        self.regex.is_match(prefix(value, MAX_TEXT_BYTES))
    }

    /// The same in a program that is built without regular expressions.
    #[cfg(not(feature = "regex"))]
    pub(super) fn is_in(&self, _: &str) -> bool {
        false
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(feature = "regex")]
#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Pattern::new(text.to_owned()).expect_err(text)
    }

    #[test]
    fn patterns_and_programs_are_bounded() {
        assert!(refused("(").contains("not valid"));
        assert!(refused(&"a".repeat(MAX_PATTERN_BYTES + 1)).contains("513 bytes"));
        assert!(refused("((a{100}){100}){100}").contains("not valid"));
        assert!(refused(&format!("{}a{}", "(".repeat(40), ")".repeat(40))).contains("not valid"));
        assert!(Pattern::new("a".repeat(MAX_PATTERN_BYTES)).is_ok());
    }

    #[test]
    fn a_search_takes_linear_time_and_sees_the_beginning_of_a_long_value() {
        let evil = Pattern::new("^(a*)*(a|aa)+$".to_owned()).expect("a pattern");
        assert!(!evil.is_in(&format!("{}b", "a".repeat(if cfg!(miri) { 50 } else { 4000 }))));
        let late = Pattern::new("end$".to_owned()).expect("a pattern");
        assert!(late.is_in(&format!("{}end", "é".repeat(100))));
        assert!(!late.is_in(&format!("{}end", "é".repeat(MAX_TEXT_BYTES))));
    }
}
