//! The type name of an error: the name that its `Debug` text begins with.
//!
//! Derived `Debug` writes `ParseIntError { … }`, `Failed(…)` or `NotFound`. Only that beginning is read. The writer refuses
//! the rest, so little user code runs. A sentence or a quoted text has no type name.

use std::fmt::{self, Write};

use smallvec::SmallVec;

/// The longest type name. A longer first word is not a name.
const MAX_BYTES: usize = 96;

/// The number of refused writes after which code that does not stop is unwound.
const MAX_REFUSALS: u32 = 100_000;

/// Takes the beginning of a `Debug` text and refuses the rest.
#[derive(Debug, Default)]
pub(super) struct TypeName {
    name: SmallVec<[u8; MAX_BYTES]>,
    ended: Option<End>,
    refusals: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A blank followed. It was a name if a brace comes next.
    Blank,
    Name,
    Other,
}

impl TypeName {
    /// Returns the name, if the text begins with one.
    pub(super) fn name(&self) -> Option<&str> {
        let is_name = |part: &str| part.starts_with(|char: char| char.is_alphabetic() || char == '_');
        let name = std::str::from_utf8(&self.name).unwrap_or_default();
        let ended = matches!(self.ended, None | Some(End::Name));
        (ended && name.split("::").all(|part| is_name(part) && !part.contains(':'))).then_some(name)
    }

    fn take(&mut self, char: char) {
        self.ended = match (self.ended, char) {
            (None, char) if char.is_alphanumeric() || char == '_' || char == ':' => {
                let bytes = char.len_utf8();
                if self.name.len() + bytes > MAX_BYTES {
                    Some(End::Other)
                } else {
                    self.name.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                    None
                }
            }
            (None, '(' | '{') | (Some(End::Blank), '{') => Some(End::Name),
            (None, ' ') => Some(End::Blank),
            (Some(ended @ (End::Name | End::Other)), _) => Some(ended),
            _ => Some(End::Other),
        };
    }

    fn is_done(&self) -> bool {
        matches!(self.ended, Some(End::Name | End::Other))
    }
}

impl Write for TypeName {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut chars = text.chars();
        while !self.is_done() {
            let Some(char) = chars.next() else { break };
            self.take(char);
        }
        if text.is_empty() || self.is_done() {
            self.refusals += 1;
        }
        if self.refusals > MAX_REFUSALS && cfg!(panic = "unwind") {
            // Not a panic: no hook runs and nothing is printed. The caller catches it.
            std::panic::resume_unwind(Box::new("a `Debug` that does not end"));
        }
        if self.is_done() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::TypeName;

    fn name(text: &str) -> Option<String> {
        let mut whole = TypeName::default();
        let _ = whole.write_str(text);
        let mut bit_by_bit = TypeName::default();
        let _ = text.chars().try_for_each(|char| bit_by_bit.write_char(char));
        assert_eq!(whole.name(), bit_by_bit.name(), "{text}");
        whole.name().map(str::to_owned)
    }

    #[test]
    fn derived_debug_begins_with_the_name() {
        for (text, expected) in [
            ("ParseIntError { kind: InvalidDigit }", "ParseIntError"),
            ("ParseIntError {\n    kind: InvalidDigit,\n}", "ParseIntError"),
            ("Failed(\"x\")", "Failed"),
            ("NotFound", "NotFound"),
            ("reqwest::Error { kind: Request }", "reqwest::Error"),
            ("_Ä1 { .. }", "_Ä1"),
        ] {
            assert_eq!(name(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn other_texts_have_no_name() {
        let long = "x".repeat(200);
        for text in [
            "",
            " ",
            "\"quoted\"",
            "not found",
            "Not found",
            "a-b",
            "1st",
            "{}",
            "(1)",
            "a: b",
            "a:b",
            "::a",
            "a::",
            "Err ",
            "Err (",
            &long,
        ] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
