//! Text from outside that must not control the terminal.

use std::fmt::Write;
use std::path::Path;

/// Returns a path as text, with control characters and bytes that are not UTF-8 escaped.
pub(crate) fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(&escaped_text(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Returns `text` with control characters escaped, and with those that reorder or break what a terminal shows.
pub(crate) fn escaped_text(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if controls(char) {
            escaped.extend(char.escape_default());
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// Returns JSON with the same characters escaped as JSON has it.
#[cfg(any(feature = "collect", feature = "find", feature = "sealed", all(unix, feature = "control")))]
pub(crate) fn escaped_json(json: &str) -> String {
    if is_plain(json) {
        return json.to_owned();
    }
    let mut escaped = String::with_capacity(json.len());
    for char in json.chars() {
        if controls(char) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(char));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// Returns whether a text is ASCII without control characters, as most are. Takes a few instructions for many bytes.
pub(crate) fn is_plain(text: &str) -> bool {
    let is_other = |byte: &u8| *byte < 0x20 || *byte > 0x7e;
    !text.as_bytes().chunks(64).any(|bytes| bytes.iter().fold(false, |is, byte| is | is_other(byte)))
}

pub(crate) fn controls(char: char) -> bool {
    char.is_control() || is_layout(char)
}

/// Returns whether a character sets the direction of text or ends a line.
fn is_layout(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_is_escaped_and_other_text_is_not() {
        assert_eq!(escaped_text("\x1b[2J\r\n\t\x7f\u{9b}"), "\\u{1b}[2J\\r\\n\\t\\u{7f}\\u{9b}");
        assert_eq!(escaped_text("a\u{202e}b\u{2066}c\u{2028}"), "a\\u{202e}b\\u{2066}c\\u{2028}");
        assert_eq!(escaped_text("größe 日志 \\ \"x\" 👩‍💻"), "größe 日志 \\ \"x\" 👩‍💻");
    }

    #[cfg(any(feature = "collect", feature = "find", feature = "sealed", all(unix, feature = "control")))]
    #[test]
    fn escaped_json_has_the_same_meaning() {
        let value = serde_json::json!({ "problem": "\x1b[2J\n\u{7f}\u{9b}\u{202e}\u{2028} größe \\ \"x\"" });
        let escaped = escaped_json(&value.to_string());
        assert!(!escaped.chars().any(controls), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_utf_8_are_escaped() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(escaped(Path::new(OsStr::from_bytes(b"a\xff\x1b/b"))), "a\\xff\\u{1b}/b");
    }
}
