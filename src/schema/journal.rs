//! The prefix `<6>` that systemd's journal takes for the priority of a line on a service's stdout or stderr.
//!
//! Source: `sd-daemon(3)`. The journal splits a stream at newlines, so each physical line needs the prefix, and removes it.

use super::level::LineLevel;
use super::{Edits, Schema};
use crate::record::Record;

/// A schema whose lines have the prefix.
pub(crate) struct WithPrefix {
    inner: Box<dyn Schema>,
    /// The line without prefixes, if it has several physical lines.
    line: Vec<u8>,
}

impl WithPrefix {
    pub(crate) fn new(inner: Box<dyn Schema>) -> Self {
        Self { inner, line: Vec::new() }
    }
}

impl Schema for WithPrefix {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let prefix = [b'<', b'0' + LineLevel::of(record).syslog() as u8, b'>'];
        let start = out.len();
        out.extend_from_slice(&prefix);
        let text = out.len();
        self.inner.render(record, out);
        if out.len() == text {
            // There is no line.
            out.truncate(start);
        } else if out.get(text..).is_some_and(|text| text.contains(&b'\n')) {
            self.line.clear();
            self.line.extend(out.drain(text..));
            for (place, line) in self.line.split(|byte| *byte == b'\n').enumerate() {
                if place > 0 {
                    out.push(b'\n');
                    out.extend_from_slice(&prefix);
                }
                out.extend_from_slice(line);
            }
        }
    }

    fn wants_thread(&self) -> bool {
        self.inner.wants_thread()
    }

    fn wants_local_time(&self) -> bool {
        self.inner.wants_local_time()
    }

    fn forked(&mut self) {
        self.inner.forked();
    }

    fn terminal(&mut self, is_terminal: bool) {
        self.inner.terminal(is_terminal);
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.inner.edit(edits)
    }
}
