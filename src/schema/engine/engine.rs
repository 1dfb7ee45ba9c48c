//! The engine: puts a line together from prepared parts, or writes it directly.

use std::collections::HashMap;

use smallvec::SmallVec;
use tracing::Metadata;

use super::contexts::{Contexts, Prepared};
use super::direct;
use super::layout::{Group, Layout, Mark, Member, Stage};
use super::named::Named;
use super::parts::{Parts, headline};
use super::plan::{Field, Meeting, Op, Plan, Prepares, Role};
use super::steps::Steps;
use super::syntax::Brackets;
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
    clock: Option<ClockText>,
    draft: DraftBytes,
}

/// The description without its edits, and what edits the text of its lines.
struct Editing {
    layout: Layout,
    clock: Option<ClockText>,
    editor: Editor,
    edits: Edits,
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
            Editing { clock: layout.clock(), editor: Editor::new(edits.clone()), edits: edits.clone(), layout }
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
            clock: layout.clock(),
            draft: DraftBytes::default(),
            layout,
        })
    }

    #[cold]
    fn render_directly(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        #[cfg(test)]
        DIRECTLY_WRITTEN.with(|count| count.set(count.get() + 1));
        let put_time = |clock: &mut Option<ClockText>, out: &mut Vec<u8>| {
            out.extend_from_slice(clock.as_mut().map_or(&[], |clock| clock.text(record.time)));
        };
        let put = |layout: &Layout, clock: &mut Option<ClockText>, out: &mut Vec<u8>| {
            put_time(clock, out);
            direct::put_line(layout, record, out);
        };
        match &mut self.editing {
            Some(Editing { layout, clock, edits, .. }) if layout.insert_at.is_some() => {
                let time = clock.as_mut().map(|clock| clock.text(record.time));
                direct::put_edited_line(layout, edits, record, time, out);
            }
            Some(Editing { layout, clock, editor, .. }) => editor.put(out, |line| put(layout, clock, line)),
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
        if plan.prepares != Prepares::of(record.is_log) {
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
            hides = prepared.has_named && !prepared.is_apart_from(record.meta, plan, &self.layout);
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
        if let Some(clock) = &mut self.clock {
            line.put(clock.text(record.time));
        }
        let mut run = Run { record, layout: &self.layout, fields: Fields::new(record.fields), context, hides };
        let is_done = run.put(plan, &mut line).is_some();
        line.put(self.layout.frame.end);
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
        let mut opened = SmallVec::<[Opened; 2]>::new();
        let mut at = 0;
        while let Some(op) = plan.ops.get(at) {
            at += 1;
            match op {
                Op::Bytes(range) => line.put(plan.bytes.get(range.clone()).unwrap_or_default()),
                Op::Message(key, form) => {
                    let message = self.take_message(plan.message).filter(|message| !is_empty(message));
                    line.put_piece(key);
                    match message {
                        Some(message) => line.put_formed(message, *form),
                        None => self.put_headline(plan, *form, line),
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
                Op::Slot(number) => self.put_slot(*number, plan, line),
                Op::Open { key, groups, end, is_required } => {
                    let context = self.context.map_or(0, |context| context.groups);
                    if *groups != 0 && (plan.groups | context) & groups == 0 {
                        at = end + 1;
                        continue;
                    }
                    let start = line.len();
                    line.put_short(plan.bytes.get(key.clone()).unwrap_or_default());
                    opened.push(Opened { start, inside: line.len(), is_required: *is_required });
                }
                Op::Close(Brackets { open, close }) => {
                    line.end_object(opened.pop().unwrap_or_default(), *open, close);
                }
            }
        }
        Some(())
    }

    /// Takes the message, which is nearly always the first field.
    #[inline]
    fn take_message(&mut self, index: Option<u8>) -> Option<Raw<'a>> {
        let first = self.record.fields.first();
        if index.is_some() && first == index.as_ref() {
            // The line may show it twice.
            self.fields = Fields::new(self.record.fields);
            return self.fields.next_raw().map(|(_, message)| message);
        }
        self.find_message(index)
    }

    /// Appends what stands for the message of an event without text.
    #[cold]
    fn put_headline(&self, plan: &Plan, form: Form, line: &mut Draft<'_>) {
        let error = plan.error.and_then(|index| find(self.record.fields, index)).map(Raw::value);
        form.put(&Value::Str(headline(self.record, error)), line.out());
    }

    #[cold]
    fn find_message(&mut self, index: Option<u8>) -> Option<Raw<'a>> {
        if let Some(index) = index {
            return find(self.record.fields, index);
        }
        let mut fields = Fields::new(self.record.fields);
        match fields.next_raw() {
            Some((Key::Name(b"message"), message)) => {
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
        match form {
            Form::Json => self.put_declared(plan, group, form, line, |line, value| line.put_raw(value)),
            _ => self.put_declared(plan, group, form, line, |line, value| line.put_formed(value, form)),
        }
    }

    /// The same, for each form.
    #[inline(always)]
    fn put_declared(
        &self,
        plan: &mut Plan,
        group: Group,
        form: Form,
        line: &mut Draft<'_>,
        put: impl Fn(&mut Draft<'_>, Raw<'_>),
    ) -> Option<()> {
        let mut fields = self.fields.clone();
        loop {
            let rest = fields.clone();
            let Some((key, value)) = fields.next_raw_at_once() else { return Some(()) };
            // Nearly all fields are declared, and of one group.
            match key {
                Key::Index(index) => match plan.field(index)? {
                    Field { role: Role::Group(of), key, .. } if *of == group => {
                        line.put_piece(key);
                        put(line, value);
                    }
                    Field { role: Role::Group(_) | Role::Done, .. } => {}
                    _ => return self.put_rest(rest, plan, group, form, line),
                },
                _ => return self.put_rest(rest, plan, group, form, line),
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
        while let Some((key, value)) = fields.next_raw_at_once() {
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
                Role::Slot(of, number) if of == group => {
                    if !self.takes(number, &value.value(), plan)? {
                        line.put_piece(&field.key);
                        line.put_formed(value, form);
                    }
                }
                Role::Group(_) | Role::Either(..) | Role::Slot(..) | Role::Done => {}
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
        let own: Names<&str> = names.filter(|name| plan.hides(name, self.layout)).collect();
        context.put_without(segment, line.out(), |name| own.contains(name));
    }

    /// Appends a member that is written for each event, or the field that takes its place.
    fn put_event(&self, number: usize, mark: Mark, plan: &Plan, line: &mut Draft<'_>) -> Option<()> {
        let Some(Member::Value { key, put, .. }) = self.layout.members.get(number) else { return Some(()) };
        let parts = self.event_parts(mark, plan)?;
        if mark != Mark::Error || parts.error.is_some() {
            let start = line.len();
            line.put(&key.bytes);
            if put(&parts, line.out()) {
                return Some(());
            }
            line.truncate(start);
        }
        self.put_slot(number, plan, line);
        Some(())
    }

    /// Returns the parts that members with a mark read; `None` when the line has to be written directly.
    fn event_parts(&self, mark: Mark, plan: &Plan) -> Option<Parts<'_>> {
        let mut parts = Parts::bare(self.record);
        if matches!(mark, Mark::Error | Mark::Stack) {
            if mark == Mark::Stack {
                parts.message = self.message(plan);
            }
            parts.error = plan.error.and_then(|index| find(self.record.fields, index)).map(Raw::value);
            // Another value is a field like any other.
            parts.error.is_none_or(|error| matches!(error, Value::Error(_) | Value::Str(_))).then_some(())?;
        }
        Some(parts)
    }

    /// Returns the event's message.
    fn message(&self, plan: &Plan) -> Option<Value<'_>> {
        let message = match plan.message {
            Some(index) => find(self.record.fields, index),
            None => Fields::new(self.record.fields)
                .next_raw()
                .filter(|(key, _)| *key == Key::Name(b"message"))
                .map(|(_, raw)| raw),
        };
        message.map(Raw::value)
    }

    /// Appends the field that takes the place of a member, if there is one.
    #[cold]
    fn put_slot(&self, number: usize, plan: &Plan, line: &mut Draft<'_>) {
        if let Some(index) = plan.slot(number)
            && let Some(Member::Value { key, slot: Some(slot), .. }) = self.layout.members.get(number)
            && let Some(value) = find(self.record.fields, index).map(Raw::value).filter(slot.fits)
        {
            line.put(&key.bytes);
            slot.form.put(&value, line.out());
        }
    }

    /// Returns whether a field takes the place of a member, which then is not in the line; `None` when the line has to be
    /// written directly.
    #[cold]
    fn takes(&self, number: usize, value: &Value<'_>, plan: &Plan) -> Option<bool> {
        let Some(Member::Value { put, stage, slot: Some(slot), .. }) = self.layout.members.get(number) else {
            return Some(false);
        };
        // Of the other stages, those that the lines have are known: their fields have another role.
        let is_there = match stage {
            Stage::Event(mark) if plan.may_have(*mark, self.record) => {
                let parts = self.event_parts(*mark, plan)?;
                (*mark != Mark::Error || parts.error.is_some()) && put(&parts, &mut Vec::new())
            }
            Stage::CallSite | Stage::Service if self.record.is_log => put(&Parts::bare(self.record), &mut Vec::new()),
            _ => false,
        };
        Some(!is_there && (slot.fits)(value))
    }
}

/// Returns whether a message says nothing.
fn is_empty(message: &Raw<'_>) -> bool {
    matches!(message, Raw::Text(b"") | Raw::Value(Value::Str("")))
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
