//! Lines about changes of the log itself, which every output has, whatever its filter.

use super::core::Core;
use crate::outputs::{Line, Places};
use crate::queue::{Head, Push};
use crate::record::{FieldValue, Value, control_metadata};

impl Core {
    /// Logs an INFO line with the target `spanline::control` in every output.
    ///
    /// No caller waits for a full queue: the operator may be about to change what fills it.
    pub(crate) fn announce(&self, message: &str, fields: &[(&str, FieldValue<'_>)]) {
        self.outputs.with(|| u64::MAX, |places, all| self.announce_to(places, all, message, fields));
    }

    fn announce_to(&self, places: &Places, all: u64, message: &str, fields: &[(&str, FieldValue<'_>)]) {
        let head = Head::Event { meta: control_metadata(), is_log: false };
        let to_deliver = self.capture_line(
            |capture| {
                capture.named("message", &Value::Str(message));
                for (name, value) in fields {
                    self.capture_variable(capture, name, value);
                }
            },
            |bytes| {
                let line = Line { head, time: self.clock.now(), bytes };
                places.submit(all, line, |mask, push| places.push(mask, Push { may_wait: false, ..push }))
            },
        );
        places.deliver(to_deliver);
    }
}
