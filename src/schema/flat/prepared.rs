//! The fast way to a line: puts it together from prepared parts.

use std::collections::HashMap;

use smallvec::SmallVec;
use tracing::Metadata;

use super::contexts::Contexts;
use super::flat_schema::Flat;
use super::members::put_thread;
use super::options::Options;
use super::plan::Plan;
use super::slots;
use crate::addresses::AddressKeys;
use crate::names::{FEW, Names};
use crate::record::{Fields, Key, Raw, Record};
use crate::schema::json::Draft;

/// At most this many call sites are remembered. A program has fewer; this bounds the memory in any case.
const MAX_PLANS: usize = 16 * 1024;

impl Flat {
    /// Renders the fast way. Returns false, and appends nothing, when the record needs the general way.
    #[inline]
    pub(super) fn render_prepared(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        if record.is_log || record.max_value_bytes != usize::MAX {
            return false;
        }
        let plan = plan(&mut self.plans, record, &self.options);
        let Some(fixed) = &self.fixed else { return false };
        if !plan.regular {
            return false;
        }
        let mut context = None;
        if let Some(of) = record.context() {
            let place = self.contexts.place(of, record, &self.options, &mut self.draft);
            let Some(rendered) = self.contexts.at(place) else { return false };
            let Some(shape) = rendered.shape else {
                self.forget_if_full();
                return false;
            };
            plan.meet(shape, &self.contexts);
            context = Some((rendered, shape));
        }
        let start = out.len();
        let mut line = Draft::new(&mut self.draft, out);
        line.put(self.clock.text(record.time));
        line.put(&plan.head);
        let mut fields = Fields::new(record.fields);
        if let Some(message) = plan.message {
            let first = record.fields.first() == Some(&message);
            let mut behind = Fields::new(record.fields);
            let found = if first { behind.next_raw() } else { find(&mut behind, message) };
            if let Some((_, message)) = found {
                line.put(b",\"message\":");
                line.put_raw(message);
            }
            if first {
                fields = behind;
            }
        }
        let mut regular = true;
        let mut has_thread = false;
        let mut is_held = false;
        let mut named = Named::new();
        while let Some((key, value)) = fields.next_raw() {
            match key {
                Key::Index(index) if Some(index) == plan.message => {}
                Key::Index(index) if Some(index) == plan.error => {
                    regular &= slots::put_error_member(line.out(), &value.value());
                }
                Key::Index(index) => match plan.key(index) {
                    Some(key) => line.put_member(key, value),
                    None => regular = false,
                },
                Key::Name(name) => {
                    regular &= named.len() < MAX_NAMED && !named.contains(&name);
                    regular &= plan.takes(name, record, &self.options);
                    if !regular {
                        break;
                    }
                    named.push(name);
                    line.put_named(name, value);
                }
                Key::Thread => has_thread = true,
                Key::HeldBack => is_held = true,
                Key::Truncated | Key::Backtrace => regular = false,
            }
        }
        if is_held {
            line.put(b",\"held_back\":true");
        }
        line.put(&plan.place);
        if has_thread && let Some(thread) = record.thread() {
            put_thread(line.out(), &self.options, thread.id, thread.name);
        }
        line.put(&fixed.bytes);
        match context {
            None => {}
            Some((rendered, shape)) => {
                if named.is_empty() && !rendered.has_named && !plan.shares(shape) {
                    line.put_long(&rendered.bytes);
                } else {
                    let mut fields = Fields::new(record.fields);
                    let own = std::iter::from_fn(|| fields.next_raw()).filter_map(|(key, _)| plan.name(key));
                    let own: Names<&str> = own.collect();
                    rendered.put_without(line.out(), |name| own.contains(name));
                }
            }
        }
        line.put(b"}");
        line.finish();
        if !regular {
            out.truncate(start);
        }
        regular
    }

    /// Makes room for new shapes of contexts.
    #[cold]
    fn forget_if_full(&mut self) {
        if self.contexts.is_full() {
            self.contexts = Contexts::default();
            self.plans.values_mut().for_each(Plan::forget_shapes);
        }
    }
}

/// More fields that no call site declares take the general way: here, each name is compared with the others.
const MAX_NAMED: usize = FEW;

/// Names of fields that no call site declares.
type Named<'a> = SmallVec<[&'a str; 8]>;

fn find<'a>(fields: &mut Fields<'a>, wanted: u8) -> Option<(Key<'a>, Raw<'a>)> {
    std::iter::from_fn(|| fields.next_raw()).find(|(key, _)| *key == Key::Index(wanted))
}

/// Returns the plan of a record's call site; makes it at first sight.
#[inline]
fn plan<'p>(plans: &'p mut HashMap<usize, Plan, AddressKeys>, record: &Record<'_>, options: &Options) -> &'p mut Plan {
    let address = std::ptr::from_ref::<Metadata<'static>>(record.meta) as usize;
    if plans.len() >= MAX_PLANS && !plans.contains_key(&address) {
        plans.clear();
    }
    plans.entry(address).or_insert_with(|| Plan::new(record, options))
}
