//! Records that other programs made: the second way in beside tracing's callbacks.
//!
//! Such a record is captured like one of the `log` crate: what differs between two records of a level is among the
//! fields. Its ids are a context without spans. Rate limits, sampling and the flight recorder do not concern it: they
//! have been applied where it was made, or not.

use std::cell::Cell;

use super::core::Core;
use super::services::Services;
use super::this_thread::with_scratch;
use crate::context::Node;
use crate::error::Error;
use crate::names::Names;
use crate::outputs::{Line, Places};
use crate::queue::{Head, Push, Pushed};
use crate::record::{Capture, Relayed, SERVICE, TAKEN_PREFIX, Value, relayed_metadata};

impl Core {
    /// Submits a record to the outputs whose filters want it.
    ///
    /// # Errors
    /// An output did not take it. Its books have the loss.
    pub(crate) fn relay(&self, record: &Relayed<'_>, services: &Services) -> Result<(), Error> {
        self.outputs.with(
            || self.filters.mask(record.target, record.level),
            |places, wanted| self.relay_to(places, wanted, record, services),
        )
    }

    fn relay_to(&self, places: &Places, wanted: u64, record: &Relayed<'_>, services: &Services) -> Result<(), Error> {
        if wanted == 0 {
            return Ok(());
        }
        let meta = relayed_metadata(record.level);
        let has_ids = record.trace.is_some() || record.span.is_some();
        let node = has_ids.then(|| Node::elsewhere(record.trace, record.span));
        let refused = Cell::new(false);
        with_scratch(|scratch| {
            let mut capture = Capture::new(scratch, self.outputs.max_record_bytes());
            if !self.capture_relayed(record, &mut capture) {
                capture.tell_names_apart(meta);
            }
            let line = Line { head: Head::Event { meta, is_log: true }, time: record.time, bytes: scratch.bytes() };
            let to_deliver = places.submit(wanted, line, |mask, push| {
                refused.set(mask != wanted);
                let service = record.service.filter(|_| mask == wanted);
                service.iter().for_each(|service| services.count(service, record.level));
                let push = Push { context: node.as_ref(), ..push };
                places.push_by(mask, |lane, is_first| {
                    let pushed = lane.queue.push(push, is_first && service.is_none());
                    refused.set(refused.get() || pushed == Pushed::Refused);
                    pushed
                })
            });
            places.deliver(to_deliver);
        });
        if refused.get() {
            return Err(Error::retry("an output did not take the record: its queue is full, or it has ended"));
        }
        Ok(())
    }

    /// Returns whether no two fields have the same name.
    fn capture_relayed(&self, record: &Relayed<'_>, capture: &mut Capture<'_>) -> bool {
        if let Some(message) = record.message {
            capture.named("message", &Value::Str(message));
        }
        capture.named("log.target", &Value::Str(record.target));
        if let Some(service) = record.service {
            capture.named(SERVICE, &Value::Str(service));
        }
        let (mut names, mut are_unique) = (Names::default(), true);
        for (name, value) in &record.fields {
            let is_taken = *name == "message" || name.starts_with("log.");
            // The capture cuts a longer name, and two may be equal then.
            let is_whole = name.len() <= usize::from(u16::MAX);
            are_unique &= !is_taken && is_whole && names.add(*name);
            if is_taken {
                self.capture_variable(capture, &format!("{TAKEN_PREFIX}{name}"), value);
            } else {
                self.capture_variable(capture, name, value);
            }
        }
        are_unique
    }
}
