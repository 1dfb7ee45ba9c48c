//! The line itself, byte for byte as long as spanline's.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Spans;
use crate::work::{MESSAGE, TARGET, order, query, request};

thread_local! {
    static LINE: RefCell<Line> = const { RefCell::new(Line { bytes: Vec::new(), second: 0, date: [0; 20] }) };
}

/// Runs `then` with the rendered line.
#[inline(always)]
pub(super) fn render<R>(spans: Option<&Spans>, then: impl FnOnce(&[u8]) -> R) -> R {
    LINE.with_borrow_mut(|line| {
        line.render(spans);
        then(&line.bytes)
    })
}

/// A buffer for one line, and the text of the second it was last used in.
struct Line {
    bytes: Vec<u8>,
    second: u64,
    date: [u8; 20],
}

impl Line {
    fn render(&mut self, spans: Option<&Spans>) {
        let order = order();
        self.bytes.clear();
        self.push(b"{\"timestamp\":\"");
        self.timestamp();
        self.push(b"\",\"level\":\"INFO\",\"target\":\"");
        self.text(TARGET);
        self.push(b"\",\"message\":\"");
        self.text(MESSAGE);
        self.push(b"\",\"user_id\":");
        self.integer(order.user_id);
        self.push(b",\"elapsed_ms\":");
        self.push(zmij::Buffer::new().format_finite(order.elapsed_ms).as_bytes());
        self.push(if order.cached { b",\"cached\":true" } else { b",\"cached\":false" });
        self.push(b",\"sku\":\"");
        self.text(order.sku);
        if let Some(spans) = spans {
            self.context(spans);
        } else {
            self.push(b"\"}\n");
        }
    }

    fn context(&mut self, spans: &Spans) {
        let (request, query) = (request(), query());
        self.push(b"\",\"request_id\":\"");
        self.text(request.request_id);
        self.push(b"\",\"trace_id\":\"");
        self.text(request.trace_id);
        self.push(b"\",\"span_id\":\"");
        self.hex(spans.db);
        self.push(b"\",\"parent_span_id\":\"");
        self.hex(spans.request);
        self.push(b"\",\"table\":\"");
        self.text(query.table);
        self.push(b"\",\"attempt\":");
        self.integer(query.attempt);
        self.push(b",\"method\":\"");
        self.text(request.method);
        self.push(b"\",\"path\":\"");
        self.text(request.path);
        self.push(b"\",\"spans\":[\"request\",\"db\"]}\n");
    }

    #[inline(always)]
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    #[inline(always)]
    fn integer(&mut self, value: u64) {
        self.push(itoa::Buffer::new().format(value).as_bytes());
    }

    #[inline(always)]
    fn hex(&mut self, value: u64) {
        let digits: [u8; 16] = std::array::from_fn(|at| b"0123456789abcdef"[(value >> (60 - 4 * at)) as usize & 15]);
        self.push(&digits);
    }

    /// Text is scanned as a whole, and escaped by the byte only where that finds something.
    #[inline(always)]
    fn text(&mut self, text: &str) {
        let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
        if text.bytes().fold(false, |found, byte| found | special(byte)) {
            let quoted = serde_json::to_string(text).expect("text");
            self.push(&quoted.as_bytes()[1..quoted.len() - 1]);
        } else {
            self.push(text.as_bytes());
        }
    }

    /// The date is rendered once a second, the microseconds for each line.
    fn timestamp(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        if self.second != now.as_secs() {
            self.second = now.as_secs();
            self.date = date(now.as_secs());
        }
        let date = self.date;
        self.push(&date);
        let micros = now.subsec_micros();
        let digits: [u8; 6] = std::array::from_fn(|at| b'0' + (micros / 10u32.pow(5 - at as u32) % 10) as u8);
        self.push(&digits);
        self.push(b"Z");
    }
}

/// `2026-11-20T10:15:38.` of the seconds since 1970 began; the days by Howard Hinnant's `civil_from_days`.
fn date(seconds: u64) -> [u8; 20] {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.");
    text.as_bytes().try_into().expect("a year of four digits")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_right_around_leap_days() {
        let text = |seconds| String::from_utf8(date(seconds).to_vec()).unwrap();
        assert_eq!(text(0), "1970-01-01T00:00:00.");
        assert_eq!(text(951_782_399), "2000-02-28T23:59:59.");
        assert_eq!(text(951_782_400), "2000-02-29T00:00:00.");
        assert_eq!(text(1_795_169_738), "2026-11-20T10:15:38.");
    }
}
