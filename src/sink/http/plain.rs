//! Bodies for servers that take lines as they are: NDJSON, a JSON array, or a text around the lines.

use super::api::{Api, Batch, Origin, each_line};
use crate::sink::Lines;

/// The text around lines.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    before: String,
    between: String,
    after: String,
    content_type: &'static str,
}

impl Plain {
    /// Each line ends in a newline.
    pub(super) fn ndjson() -> Self {
        Self { content_type: "application/x-ndjson", ..Self::template("", "\n", "\n") }
    }

    pub(super) fn json_array() -> Self {
        Self::template("[", ",", "]")
    }

    pub(super) fn template(before: &str, between: &str, after: &str) -> Self {
        let [before, between, after] = [before, between, after].map(str::to_owned);
        Self { before, between, after, content_type: "application/json" }
    }
}

impl Api for Plain {
    fn name(&self) -> &'static str {
        "http"
    }

    fn fill(&mut self, lines: &Lines, _: &Origin, batch: &mut Batch) {
        batch.body.extend_from_slice(self.before.as_bytes());
        let mut is_first = true;
        each_line(lines, batch, |_, line, body| {
            if !std::mem::take(&mut is_first) {
                body.extend_from_slice(self.between.as_bytes());
            }
            body.extend_from_slice(line);
        });
        batch.body.extend_from_slice(self.after.as_bytes());
    }

    fn takes_any_answer(&self) -> bool {
        true
    }

    fn content_type(&self) -> &'static str {
        self.content_type
    }
}
