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
use crate::names::Names;
use crate::record::{self, Capture, Scratch, TAKEN_PREFIX};

thread_local! {
    /// The captured key-values; taken out while in use. Empty for a record without key-values.
    static READY: Cell<Option<LogValues>> = const { Cell::new(None) };

    /// A buffer for the next key-values.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The captured key-values of one record.
struct LogValues {
    fields: Scratch,
    /// Whether no two fields of the event can have the same name.
    have_unique_names: bool,
}

/// Runs `make_event` and adds `values` to the event that it makes. A record logged meanwhile, by a value that is being
/// formatted, does not interfere.
pub(crate) fn with_log_values(values: &dyn Source, max_bytes: usize, make_event: impl FnOnce()) {
    let ready = (values.count() > 0).then(|| capture(values, max_bytes));
    let outer = READY.try_with(|place| place.replace(ready)).unwrap_or_default();
    make_event();
    let used = READY.try_with(|place| place.replace(outer)).unwrap_or_default();
    if let Some(buffer) = used.and_then(|used| used.fields.into_reusable()) {
        let _ = BUFFER.try_with(|place| place.set(buffer));
    }
}

fn capture(values: &dyn Source, max_bytes: usize) -> LogValues {
    let mut fields = Scratch::new(BUFFER.try_with(Cell::take).unwrap_or_default());
    let mut visitor =
        Values { capture: Capture::new(&mut fields, max_bytes), names: Names::default(), are_unique: true };
    let _ = values.visit(&mut visitor);
    let have_unique_names = visitor.are_unique;
    LogValues { fields, have_unique_names }
}

/// Adds the waiting key-values to an event, behind its declared fields, which are faster to find. They stay for other
/// layers.
#[cold]
pub(super) fn add(core: &Core, site: CallSite, meta: &'static Metadata<'static>, capture: &mut Capture<'_>) {
    let _ = READY.try_with(|place| {
        let ready = place.take();
        if let Some(ready) = &ready {
            core.add_captured(site, &ready.fields, capture);
            if !ready.have_unique_names {
                capture.tell_names_apart(meta);
            }
        }
        place.set(ready);
    });
}

struct Values<'b, 'kvs> {
    capture: Capture<'b>,
    /// The names so far, as far as they are borrowed.
    names: Names<&'kvs str>,
    are_unique: bool,
}

impl<'kvs> VisitSource<'kvs> for Values<'_, 'kvs> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        let prefixed;
        let name = match key.as_str() {
            name if name == "message" || name.starts_with("log.") => {
                prefixed = format!("{TAKEN_PREFIX}{name}");
                self.are_unique = false;
                prefixed.as_str()
            }
            name => name,
        };
        // The capture cuts a longer name, and two may be equal then.
        let is_whole = name.len() <= usize::from(u16::MAX);
        self.are_unique &= is_whole && key.to_borrowed_str().is_some_and(|name| self.names.add(name));
        value.visit(NamedValue { capture: &mut self.capture, name })
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
        #[cfg(feature = "log-serde")]
        self.capture.named_data(self.name, &record::json(&value), &value);
        #[cfg(not(feature = "log-serde"))]
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
