//! Which members depend on where a `log` record comes from. All records of a level have one call site, so the others can
//! be prepared for it.

use super::layout::Put;
use super::parts::Parts;
use crate::record::{Record, SERVICE, Value, put_named};

/// The fields of two records that come from different places.
pub(super) struct LogSites([Vec<u8>; 2]);

impl LogSites {
    pub(super) fn new() -> Self {
        Self([("a", 1), ("b", 2)].map(|(text, line)| {
            let mut fields = Vec::new();
            for name in ["log.target", "log.module_path", "log.file", SERVICE] {
                put_named(&mut fields, name, &Value::Str(text));
            }
            put_named(&mut fields, "log.line", &Value::U64(line));
            fields
        }))
    }

    /// Returns whether the place changes a value. `record`: any `log` record.
    pub(super) fn change(&self, put: &Put, record: &Record<'_>) -> bool {
        let [one, other] = self.0.each_ref().map(|fields| {
            let (record, mut out) = (Record { fields, context: None, ..*record }, Vec::new());
            (put(&Parts::bare(&record), &mut out), out)
        });
        one != other
    }
}
