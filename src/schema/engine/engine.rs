//! The engine: puts a line together from prepared parts, or writes it directly.

use std::collections::HashMap;

use tracing::Metadata;

use super::contexts::{Contexts, Prepared};
use super::direct;
use super::layout::{Group, Layout, Mark, Member};
use super::parts::Parts;
use super::plan::{Meeting, Op, Plan, Role};
use super::steps::Steps;
use crate::addresses::AddressKeys;
use crate::names::Names;
use crate::record::{Fields, Key, Raw, Record, Value};
use crate::schema::clock::ClockText;
use crate::schema::edit::{Editor, Edits};
use crate::schema::json::{Draft, DraftBytes, Form, Opened};

/// At most this many call sites are remembered. A program has fewer; this bounds the memory in any case.
const MAX_PLANS: usize = 16 * 1024;

/// What renders the lines of a schema.
#[derive(Default)]
pub(in crate::schema) struct Engine {
    edits: Edits,
    started: Option<Box<Started>>,
}

/// An engine that has seen its first record.
struct Started {
    layout: Layout,
    steps: Steps,
    /// What edits the lines that are written directly.
    editing: Option<Editing>,
    /// Whether no line is prepared: a static field has a name with a special place, or the edits meet.
    is_direct: bool,
    plans: HashMap<usize, Plan, AddressKeys>,
    contexts: Contexts,
    clock: ClockText,
    draft: DraftBytes,
}

/// The description without its edits, and what edits the text of its lines.
struct Editing {
    layout: Layout,
    clock: ClockText,
    editor: Editor,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// Appends the line of a record. `layout`: describes the lines.
    #[inline]
    pub(in crate::schema) fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>, layout: impl Fn() -> Layout) {
        let edits = &self.edits;
        let started = self.started.get_or_insert_with(|| Started::new(layout, edits, record));
        if !started.render_prepared(record, out) {
            started.render_directly(record, out);
        }
    }

    /// Forgets all that is prepared: in a forked child, the process id has changed.
    pub(in crate::schema) fn forget(&mut self) {
        self.started = None;
    }

    /// Edits all lines.
    pub(in crate::schema) fn edit(&mut self, edits: &Edits) {
        self.edits = edits.clone();
        self.forget();
    }
}

impl Started {
    fn new(describe: impl Fn() -> Layout, edits: &Edits, record: &Record<'_>) -> Box<Self> {
        let has_role = record.static_fields().any(|(name, _)| matches!(name, "request_id" | "trace_id" | "span_id"));
        let editing = (!edits.is_empty()).then(|| {
            let layout = describe();
            Editing { clock: ClockText::new(layout.head.clone()), editor: Editor::new(edits.clone()), layout }
        });
        let edited = if editing.is_some() { describe().edited(edits, record) } else { Some(describe()) };
        let is_direct = has_role || edited.is_none();
        let layout = edited.unwrap_or_else(describe);
        Box::new(Self {
            steps: Steps::of(&layout),
            editing,
            is_direct,
            plans: HashMap::default(),
            contexts: Contexts::default(),
            clock: ClockText::new(layout.head.clone()),
            draft: DraftBytes::default(),
            layout,
        })
    }

    #[cold]
    fn render_directly(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        #[cfg(test)]
        DIRECTLY_WRITTEN.with(|count| count.set(count.get() + 1));
        let put = |layout: &Layout, clock: &mut ClockText, out: &mut Vec<u8>| {
            out.extend_from_slice(clock.text(record.time));
            direct::put_line(layout, record, out);
        };
        match &mut self.editing {
            Some(Editing { layout, clock, editor }) => editor.put(out, |line| put(layout, clock, line)),
            None => put(&self.layout, &mut self.clock, out),
        }
    }

    /// Appends the line from prepared parts. Returns false, and appends nothing, when it has to be written directly.
    #[inline]
    fn render_prepared(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        if record.max_value_bytes != usize::MAX || self.is_direct {
            return false;
        }
        let plan = plan(&mut self.plans, record, &self.layout, &self.steps);
        if plan.is_log != record.is_log {
            return false;
        }
        let mut context = None;
        let mut hides = false;
        if let Some(of) = record.context() {
            let place = self.contexts.place(of, record, &self.layout, &self.steps, &mut self.draft);
            let Some(prepared) = self.contexts.at(place) else { return false };
            if !prepared.is_usable {
                self.forget_if_full();
                return false;
            }
            hides = prepared.has_named;
            if hides && plan.changes_keys {
                return false;
            }
            if let Some(shape) = prepared.shape {
                match plan.meet(shape, &self.contexts, &self.layout) {
                    Meeting::Nothing => {}
                    Meeting::Names => hides = true,
                    Meeting::Keys => return false,
                }
            }
            context = Some(prepared);
        }
        let start = out.len();
        let mut line = Draft::new(&mut self.draft, out);
        line.put(self.clock.text(record.time));
        let mut run = Run { record, layout: &self.layout, fields: Fields::new(record.fields), context, hides };
        let is_done = run.put(plan, &mut line).is_some();
        line.put(b"}");
        line.finish();
        if !is_done {
            out.truncate(start);
        }
        is_done
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

/// A line being put together.
struct Run<'r, 'a> {
    record: &'r Record<'a>,
    layout: &'r Layout,
    /// The event's fields without its message.
    fields: Fields<'a>,
    context: Option<&'r Prepared>,
    /// Whether fields of the event may hide some of the context.
    hides: bool,
}

impl<'a> Run<'_, 'a> {
    /// Appends what follows the time. Returns `None` when the line has to be written directly.
    #[inline]
    fn put(&mut self, plan: &mut Plan, line: &mut Draft<'_>) -> Option<()> {
        let mut opened = Opened::default();
        let mut at = 0;
        while let Some(op) = plan.ops.get(at) {
            at += 1;
            match op {
                Op::Bytes(range) => line.put(plan.bytes.get(range.clone()).unwrap_or_default()),
                Op::Message(key, form, is_required) => {
                    let message = self.take_message(plan.message);
                    if let Some(message) = message.or(is_required.then_some(Raw::Text(b""))) {
                        line.put_piece(key);
                        line.put_formed(message, *form);
                    }
                }
                Op::Own(group, form) => {
                    let (group, form) = (*group, *form);
                    self.put_own(plan, group, form, line)?;
                }
                Op::Context(segment) => {
                    if let Some(context) = self.context {
                        if self.hides {
                            self.put_visible(context, *segment, plan, line);
                        } else {
                            line.put(context.segment(*segment));
                        }
                    }
                }
                Op::Request(key, form) => {
                    if let Some(request) = plan.request.and_then(|index| find(self.record.fields, index)) {
                        line.put_piece(key);
                        line.put_formed(request, *form);
                    }
                }
                Op::Event(number, mark) => self.put_event(*number, *mark, plan, line)?,
                Op::Open { key, groups, end, is_required } => {
                    let context = self.context.map_or(0, |context| context.groups);
                    if *groups != 0 && (plan.groups | context) & groups == 0 {
                        at = end + 1;
                        continue;
                    }
                    let start = line.len();
                    line.put_short(plan.bytes.get(key.clone()).unwrap_or_default());
                    opened = Opened { start, inside: line.len(), is_required: *is_required };
                }
                Op::Close => line.end_object(opened),
            }
        }
        Some(())
    }

    /// Takes the message, which is nearly always the first field.
    #[inline]
    fn take_message(&mut self, index: Option<u8>) -> Option<Raw<'a>> {
        let first = self.record.fields.first();
        if index.is_some() && first == index.as_ref() {
            return self.fields.next_raw().map(|(_, message)| message);
        }
        self.find_message(index)
    }

    #[cold]
    fn find_message(&mut self, index: Option<u8>) -> Option<Raw<'a>> {
        if let Some(index) = index {
            return find(self.record.fields, index);
        }
        let mut fields = self.fields.clone();
        match fields.next_raw() {
            Some((Key::Name("message"), message)) => {
                self.fields = fields;
                Some(message)
            }
            _ => None,
        }
    }
}

impl Run<'_, '_> {
    /// Appends the event's own fields of a group.
    #[inline]
    fn put_own(&self, plan: &mut Plan, group: Group, form: Form, line: &mut Draft<'_>) -> Option<()> {
        let mut fields = self.fields.clone();
        loop {
            let rest = fields.clone();
            let Some((key, value)) = fields.next_raw_at_once() else { return Some(()) };
            // Nearly all fields are declared, and of this group.
            if let Key::Index(index) = key
                && let field = plan.field(index)?
                && field.role == Role::Group(group)
                && form.is_none()
            {
                line.put_piece(&field.key);
                line.put_raw_at_once(value);
            } else {
                return self.put_rest(rest, plan, group, form, line);
            }
        }
    }

    /// Appends the fields of a group, whatever they are.
    #[inline(never)]
    fn put_rest(
        &self,
        mut fields: Fields<'_>,
        plan: &mut Plan,
        group: Group,
        form: Form,
        line: &mut Draft<'_>,
    ) -> Option<()> {
        let mut named = Named::default();
        while let Some((key, value)) = fields.next_raw() {
            let field = match key {
                Key::Index(index) => plan.field(index)?,
                Key::Name(name) => {
                    let number = named.next(name, plan, self.record, self.layout)?;
                    plan.named(number)?
                }
                Key::Thread | Key::HeldBack | Key::Backtrace => continue,
                Key::Truncated => return None,
            };
            match field.role {
                Role::Group(of) if of == group => {
                    line.put_piece(&field.key);
                    line.put_formed(value, form);
                }
                Role::Either(first, second) if first == group || second == group => {
                    let is_first = (self.layout.fits)(plan.name(key)?, &value.value());
                    if (if is_first { first } else { second }) == group {
                        line.put_piece(if is_first { &field.key } else { field.second.as_ref()? });
                        line.put_formed(value, form);
                    }
                }
                Role::Group(_) | Role::Either(..) | Role::Done => {}
                Role::Irregular => return None,
            }
        }
        Some(())
    }

    /// Appends a segment of the context without the fields that the event has itself.
    #[cold]
    fn put_visible(&self, context: &Prepared, segment: usize, plan: &Plan, line: &mut Draft<'_>) {
        let mut fields = Fields::new(self.record.fields);
        let names = std::iter::from_fn(|| fields.next_raw()).filter_map(|(key, _)| plan.name(key));
        let own: Names<&str> = names.filter(|name| self.layout.hides(name)).collect();
        context.put_without(segment, line.out(), |name| own.contains(name));
    }

    /// Appends a member that is written for each event.
    fn put_event(&self, number: usize, mark: Mark, plan: &Plan, line: &mut Draft<'_>) -> Option<()> {
        let Some(Member::Value { key, put, .. }) = self.layout.members.get(number) else { return Some(()) };
        let mut parts = Parts::bare(self.record);
        if matches!(mark, Mark::Error | Mark::Stack) {
            parts.error = plan.error.and_then(|index| find(self.record.fields, index)).map(Raw::value);
            match parts.error {
                Some(Value::Error(_) | Value::Str(_)) => {}
                // It is a field like any other.
                Some(_) => return None,
                None if mark == Mark::Error => return Some(()),
                None => {}
            }
        }
        let start = line.len();
        line.put(key);
        if !put(&parts, line.out()) {
            line.truncate(start);
        }
        Some(())
    }
}

/// The fields of an event that no call site declares, in their order.
#[derive(Default)]
struct Named {
    /// The numbers that were seen, as a set.
    seen: u32,
    /// The number that is expected next.
    next: usize,
}

impl Named {
    /// Returns the number of the next one; `None` when the line has to be written directly.
    #[inline]
    fn next(&mut self, name: &str, plan: &mut Plan, record: &Record<'_>, layout: &Layout) -> Option<usize> {
        let number = plan.number_of(name, self.next, record, layout)?;
        let bit = 1 << number;
        if self.seen & bit != 0 {
            return None;
        }
        self.seen |= bit;
        self.next = number + 1;
        Some(number)
    }
}

/// Returns the value of a declared field.
fn find<'a>(fields: &'a [u8], wanted: u8) -> Option<Raw<'a>> {
    let mut fields = Fields::new(fields);
    let mut found = std::iter::from_fn(|| fields.next_raw()).filter(|(key, _)| *key == Key::Index(wanted));
    found.next().map(|(_, value)| value)
}

/// Returns the plan of a record's call site; makes it at first sight.
#[inline]
fn plan<'p>(
    plans: &'p mut HashMap<usize, Plan, AddressKeys>,
    record: &Record<'_>,
    layout: &Layout,
    steps: &Steps,
) -> &'p mut Plan {
    let address = std::ptr::from_ref::<Metadata<'static>>(record.meta) as usize;
    if plans.len() >= MAX_PLANS && !plans.contains_key(&address) {
        plans.clear();
    }
    plans.entry(address).or_insert_with(|| Plan::new(record, layout, steps))
}

#[cfg(test)]
thread_local! {
    static DIRECTLY_WRITTEN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Returns how many lines of this thread were written directly.
#[cfg(test)]
pub(super) fn directly_written() -> usize {
    DIRECTLY_WRITTEN.with(std::cell::Cell::get)
}
