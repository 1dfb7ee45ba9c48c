//! The key of a command that reads lines.

use super::{Key, KeyArgs};
use crate::report::Report;

/// The longest line that a sealed segment can hold.
pub(crate) const MOST_LINE_BYTES: usize = 64 << 20;

impl KeyArgs {
    /// Returns the key; `None` inside if there is no option. Reports what is wrong. `reads_lines`: whether stdin has lines, so that
    /// it cannot have a key.
    pub(crate) fn beside(&self, reads_lines: bool, report: &mut Report) -> Option<Option<Key>> {
        let key = if reads_lines && self.reads_stdin() {
            Err("--key -: stdin cannot have a key and lines; pass the paths of the logs".to_owned())
        } else {
            self.key(report)
        };
        key.map_err(|why| report.failure(&why)).ok()
    }
}
