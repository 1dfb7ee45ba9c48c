//! The texts that JSON strings stand for.

use std::borrow::Cow;

/// Returns the text that a JSON string stands for. Half of a surrogate pair, which no text can have, stays an escape.
pub(crate) fn string(json: &str) -> Cow<'_, str> {
    let inside = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    if !inside.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(inside);
    }
    let text = short_escapes(inside).or_else(|| serde_json::from_str(json).ok());
    Cow::Owned(text.unwrap_or_else(|| unescaped(inside)))
}

/// Returns the text if all of its escapes are a backslash and one character, as most are.
fn short_escapes(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at)?);
        out.push(match rest.as_bytes().get(at + 1)? {
            byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            _ => return None,
        });
        rest = rest.get(at + 2..)?;
    }
    out.push_str(rest);
    Some(out)
}

/// Replaces all escapes that stand for a character.
fn unescaped(text: &str) -> String {
    let read = |escape: &str| serde_json::from_str::<String>(&format!("\"{escape}\"")).ok();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        let is_number = escape.starts_with("\\u");
        let short = escape.get(..if is_number { 6 } else { 2 }).unwrap_or(escape);
        // Two halves of a surrogate pair are one character.
        let pair = || escape.get(..12).filter(|pair| is_number && pair.get(6..8) == Some("\\u"));
        let (escape_bytes, char) = match read(short) {
            Some(char) => (short.len(), char),
            None => match pair().and_then(read) {
                Some(char) => (12, char),
                None => (short.len(), short.to_owned()),
            },
        };
        out.push_str(&char);
        rest = escape.get(escape_bytes..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_of_a_surrogate_pair_stays_an_escape() {
        assert_eq!(string(r#""a\ud83d\ude00\n""#), "a\u{1f600}\n");
        assert_eq!(
            string(r#""\ud83d\ude00 \udc00\u0041\ud800\ud800\t\ud8""#),
            "\u{1f600} \\udc00A\\ud800\\ud800\t\\ud8"
        );
        assert_eq!(string(r#""\ud83dü""#), "\\ud83dü");
    }

    proptest! {
        #[test]
        fn any_string_is_read_as_it_was_written(text in any::<String>()) {
            let json = serde_json::json!(text).to_string();
            prop_assert_eq!(string(&json), text.as_str());
            prop_assert_eq!(unescaped(&json[1..json.len() - 1]), text);
        }
    }
}
