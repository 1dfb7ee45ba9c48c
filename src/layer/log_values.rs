//! The key-values of a `log` record on their way to its event.
//!
//! tracing-log turns a record into an event at a call site with fixed fields, which has no room for key-values. So they
//! are captured first, and wait on the thread for the next event.

use std::cell::Cell;
use std::error::Error;

use log::kv::{Key, Source, Value, VisitSource, VisitValue};
use tracing::Metadata;

use super::call_site::CallSite;
use super::core::Core;
use crate::record::{self, Capture, Scratch};

/// The prefix for a key-value whose name is taken by the record itself, such as `log.target` or `message`.
const TAKEN_PREFIX: &str = "kv.";

thread_local! {
    /// The captured key-values; taken out while in use. Empty for a record without key-values.
    static READY: Cell<Option<Scratch>> = const { Cell::new(None) };
}

/// Runs `make_event` and adds `values` to the event that it makes. A record logged meanwhile, by a value that is being
/// formatted, does not interfere.
pub(crate) fn with_log_values(values: &dyn Source, max_bytes: usize, make_event: impl FnOnce()) {
    let mut ready = None;
    if values.count() > 0 {
        let scratch = ready.insert(Scratch::new(Vec::new()));
        let _ = values.visit(&mut Values(Capture::new(scratch, max_bytes)));
    }
    let outer = READY.try_with(|place| place.replace(ready)).unwrap_or_default();
    make_event();
    let _ = READY.try_with(|place| place.set(outer));
}

/// Adds the waiting key-values to an event, behind its declared fields, which are faster to find. They stay for other
/// layers.
#[cold]
pub(super) fn add(core: &Core, site: CallSite, meta: &'static Metadata<'static>, capture: &mut Capture<'_>) {
    let _ = READY.try_with(|place| {
        let ready = place.take();
        if let Some(ready) = &ready {
            core.add_captured(site, ready, capture);
            capture.tell_names_apart(meta);
        }
        place.set(ready);
    });
}

struct Values<'b>(Capture<'b>);

impl<'kvs> VisitSource<'kvs> for Values<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        let prefixed;
        let name = match key.as_str() {
            name if name == "message" || name.starts_with("log.") => {
                prefixed = format!("{TAKEN_PREFIX}{name}");
                prefixed.as_str()
            }
            name => name,
        };
        value.visit(NamedValue { capture: &mut self.0, name })
    }
}

/// One value and the name of its field.
struct NamedValue<'a, 'b> {
    capture: &'a mut Capture<'b>,
    name: &'a str,
}

impl NamedValue<'_, '_> {
    fn put<'v>(&mut self, value: impl Into<record::Value<'v>>) -> Result<(), log::kv::Error> {
        self.capture.named(self.name, &value.into());
        Ok(())
    }
}

impl<'v> VisitValue<'v> for NamedValue<'_, '_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), log::kv::Error> {
        self.capture.named_text(self.name, &value);
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), log::kv::Error> {
        self.put(record::Value::Json("null"))
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), log::kv::Error> {
        self.put(value)
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), log::kv::Error> {
        self.put(value)
    }

    fn visit_u128(&mut self, value: u128) -> Result<(), log::kv::Error> {
        self.put(value)
    }

    fn visit_i128(&mut self, value: i128) -> Result<(), log::kv::Error> {
        self.put(value)
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), log::kv::Error> {
        self.put(value)
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), log::kv::Error> {
        self.put(value)
    }

    fn visit_str(&mut self, value: &str) -> Result<(), log::kv::Error> {
        self.put(value)
    }

    fn visit_error(&mut self, value: &(dyn Error + 'static)) -> Result<(), log::kv::Error> {
        self.capture.named_error(self.name, value);
        Ok(())
    }

    fn visit_borrowed_error(&mut self, value: &'v (dyn Error + 'static)) -> Result<(), log::kv::Error> {
        self.visit_error(value)
    }
}
