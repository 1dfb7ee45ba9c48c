//! What was received and is no record: it becomes one about it, so that outputs keep it like any other line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use spanline::record::Timestamp;
use tracing::Level;

use super::parse::{Field, Incoming};

/// The service of such records, and so the name of their file.
pub(super) const SERVICE: &str = "refused";

/// The target of records that the receiver makes.
pub(super) const TARGET: &str = "spanline::collect";

/// Returns the record about bytes that are no record. `why`: a short name and a sentence.
pub(super) fn set_aside(why: (&str, &str), bytes: &[u8], sender: &str, now: Timestamp) -> Incoming {
    let mut record = own(Level::WARN, format!("refused a line: {}", why.1), now);
    record.service = Some(SERVICE.into());
    let (reason, sender) = (Field::Text(why.0.into()), Field::Text(sender.into()));
    record.fields = vec![("reason".into(), reason), ("sender".into(), sender), content(bytes)];
    record
}

/// Returns the record about the beginning of a line that was too long to parse.
pub(super) fn cut_line(bytes: &[u8], now: Timestamp) -> Incoming {
    let mut record = own(Level::INFO, "a line was too long".into(), now);
    record.fields = vec![content(bytes)];
    record
}

/// Marks a record of which only the beginning was read.
pub(super) fn mark_cut(record: &mut Incoming, original_bytes: u64) {
    record.fields.push(("truncated".into(), Field::Bool(true)));
    record.fields.push(("original_bytes".into(), Field::U64(original_bytes)));
}

/// Returns a record of the receiver.
fn own(level: Level, message: String, time: Timestamp) -> Incoming {
    Incoming {
        time,
        level,
        target: TARGET.into(),
        message: Some(message),
        service: None,
        trace_id: None,
        span_id: None,
        fields: Vec::new(),
    }
}

/// Returns the bytes as they are: as text if they are, else in base64.
fn content(bytes: &[u8]) -> (String, Field) {
    match text_of(bytes) {
        Some(text) => ("content".into(), text.into()),
        None => ("content_base64".into(), Field::Text(STANDARD.encode(bytes))),
    }
}

/// Returns UTF-8, without a character that was cut at the end.
fn text_of(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_kept_as_text_or_in_base64() {
        let of = |bytes: &[u8]| set_aside(("not_json", "no JSON"), bytes, "127.0.0.1:1", Timestamp::now()).fields;
        assert!(of(b"hello").contains(&("content".into(), "hello".into())));
        assert!(of(b"").contains(&("content".into(), "".into())));
        assert!(of(b"\x80\x02}q\0.").contains(&("content_base64".into(), "gAJ9cQAu".into())));
        assert!(of("gr\u{fc}n".as_bytes().split_at(3).0).contains(&("content".into(), "gr".into())));
        assert!(of(b"a\xff").contains(&("content_base64".into(), "Yf8=".into())));
    }
}
