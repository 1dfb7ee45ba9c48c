//! Percent-encoded text from outside.

/// Decodes percent-encoded bytes to at most `max_bytes` of text. Malformed sequences stay as they are; invalid UTF-8 is
/// replaced.
pub(crate) fn percent_decoded(encoded: &[u8], max_bytes: usize) -> String {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut decoded = Vec::new();
    let mut rest = encoded;
    while let [first, after @ ..] = rest {
        // A text that may still be cut at a character's start.
        if decoded.len() > max_bytes {
            break;
        }
        let pair = || Some((digit(after.first()?)?, digit(after.get(1)?)?));
        let (byte, next) = match pair().filter(|_| *first == b'%') {
            Some((high, low)) => ((high << 4 | low) as u8, after.get(2..).unwrap_or_default()),
            None => (*first, after),
        };
        decoded.push(byte);
        rest = next;
    }
    let text = String::from_utf8_lossy(&decoded);
    super::text::prefix(&text, max_bytes).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoded_text_is_decoded_and_cut() {
        for (encoded, decoded) in [
            ("plain", "plain"),
            ("a%20b%2c", "a b,"),
            ("gr%C3%BCn", "gr\u{fc}n"),
            ("100%", "100%"),
            ("%zz%2", "%zz%2"),
            ("%ff", "\u{fffd}"),
            ("1234567890", "12345678"),
            ("1234567%C3%BC", "1234567"),
            ("%E2%82%AC%E2%82%AC%E2%82%AC", "\u{20ac}\u{20ac}"),
        ] {
            assert_eq!(percent_decoded(encoded.as_bytes(), 8), decoded, "{encoded}");
        }
    }
}
