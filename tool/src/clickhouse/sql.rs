//! Values as SQL: the one place where a text becomes part of a statement.

/// Returns a text as a literal.
pub(super) fn text(text: &str) -> String {
    quoted(text, '\'')
}

/// Returns a name of a database or a table.
pub(super) fn name(name: &str) -> String {
    quoted(name, '`')
}

/// Returns texts with commas between them, for `IN (…)`.
pub(super) fn texts<'t>(texts: impl IntoIterator<Item = &'t String>) -> String {
    texts.into_iter().map(|one| text(one)).collect::<Vec<_>>().join(", ")
}

/// Returns ids as an array. As a text, it is one literal, of which a statement may only have few.
pub(super) fn ids(ids: impl IntoIterator<Item = u64>) -> String {
    format!("CAST('[{}]', 'Array(UInt64)')", joined(ids))
}

/// Returns times as an array, in the same way.
pub(super) fn times(times: impl IntoIterator<Item = i64>) -> String {
    format!("CAST('[{}]', 'Array(Int64)')", joined(times))
}

fn joined(numbers: impl IntoIterator<Item = impl ToString>) -> String {
    numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

/// Returns a time, or another signed number.
pub(super) fn signed(number: i64) -> String {
    format!("toInt64({number})")
}

fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for char in text.chars() {
        match char {
            '\0' => quoted.push_str("\\0"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            _ if char == quote => quoted.extend(['\\', char]),
            _ => quoted.push(char),
        }
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_literal() {
        assert_eq!(text("'; DROP TABLE lines; --"), r"'\'; DROP TABLE lines; --'");
        assert_eq!(text("a\\'\0\n"), r"'a\\\'\0\n'");
        assert_eq!(name("a`b\\"), r"`a\`b\\`");
        assert_eq!(texts(&["a".to_owned(), "'".to_owned()]), r"'a', '\''");
        assert_eq!(ids([1, u64::MAX]), "CAST('[1,18446744073709551615]', 'Array(UInt64)')");
        assert_eq!(times([-1]), "CAST('[-1]', 'Array(Int64)')");
    }
}
