//! What is prepared for a call site: the fixed parts of its lines, and where each of its fields goes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use tracing::Metadata;

use super::contexts::Contexts;
use super::direct::put_member;
use super::layout::{Group, Layout, Mark, Member, Place, Stage};
use super::log_sites::LogSites;
use super::parts::Parts;
use super::steps::{Step, Steps};
use super::syntax::Brackets;
use crate::names::Names;
use crate::record::{Key, Kind, Record, plain_name, text};
use crate::schema::json::{Form, Piece};
use crate::schema::level::LEVEL_NAME;
use crate::schema::resolved_fields::Origin;

/// The prepared parts of a call site.
pub(super) struct Plan {
    pub(super) ops: Vec<Op>,
    /// The fixed bytes of all [`Op::Bytes`].
    pub(super) bytes: Vec<u8>,
    pub(super) prepares: Prepares,
    /// Index of the field `message`.
    pub(super) message: Option<u8>,
    /// Index of the field `error`.
    pub(super) error: Option<u8>,
    /// Index of the field `request_id`.
    pub(super) request: Option<u8>,
    /// The groups that its fields may be in, as a set.
    pub(super) groups: u32,
    /// Whether the key of one of its fields was changed for the reader.
    pub(super) changes_keys: bool,
    fields: Vec<Field>,
    names: Vec<&'static str>,
    /// Fields that no call site declares, in the order in which they were first seen.
    named: Vec<(Box<str>, Field)>,
    /// For each shape, by its number: whether its contexts may have fields with the same names.
    met: Vec<Option<Meeting>>,
}

/// The records of a call site whose lines are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prepares {
    Events,
    /// Records of the `log` crate.
    Log,
    /// None: the lines of the log's own, which the layout shows differently, are written directly.
    Nothing,
}

impl Prepares {
    #[inline]
    pub(super) fn of(is_log: bool) -> Self {
        if is_log { Self::Log } else { Self::Events }
    }
}

/// One step to a line.
pub(super) enum Op {
    /// Fixed bytes.
    Bytes(Range<usize>),
    /// A segment of the prepared context.
    Context(usize),
    /// The message, or what stands for it.
    Message(Piece, Form),
    Request(Piece, Form),
    /// The event's own fields of a group.
    Own(Group, Form),
    /// A member that is written for each event, by its number.
    Event(usize, Mark),
    /// A field in the place of a member that is not there, by the member's number.
    Slot(usize),
    /// Begins an object. `end`: where its [`Op::Close`] is. It is skipped when no field is in one of its groups.
    Open {
        key: Range<usize>,
        groups: u32,
        end: usize,
        is_required: bool,
    },
    Close(Brackets),
}

/// A declared field of the event, or a named one.
pub(super) struct Field {
    pub(super) role: Role,
    /// What precedes its value, in its group.
    pub(super) key: Piece,
    /// The same in the second group of [`Role::Either`].
    pub(super) second: Option<Piece>,
}

/// What happens to a field of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It was written already, or is not shown.
    Done,
    Group(Group),
    Either(Group, Group),
    /// It takes the place of the member with this number in lines without it, if its value fits, else it is in the group.
    Slot(Group, usize),
    /// The line has to be written directly.
    Irregular,
}

/// What the fields of a call site and of a shape have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    Nothing,
    /// Some names: the event's fields hide those of the context.
    Names,
    /// Keys of fields with other names: the line has to be written directly.
    Keys,
}

/// At most this many named fields are remembered for a call site.
const MAX_NAMED: usize = 32;

/// A longer name is not remembered: names may come from outside the program.
const MAX_NAME_BYTES: usize = 128;

impl Plan {
    pub(super) fn new(record: &Record<'_>, layout: &Layout, steps: &Steps) -> Self {
        let meta: &'static Metadata<'static> = record.meta;
        // The closing line of a span has its call site, and other fields.
        let declared = Some(meta.fields()).filter(|_| record.site_kind() != Kind::SpanClose);
        let names: Vec<_> = declared.into_iter().flatten().map(|field| plain_name(field.name())).collect();
        let index = |wanted: &str| names.iter().position(|name| *name == wanted).and_then(|at| u8::try_from(at).ok());
        let (message, error, request) = (index("message"), index("error"), index("request_id"));
        let mut plan = Self {
            ops: Vec::new(),
            bytes: Vec::new(),
            prepares: match layout.own_lines.differ(record.site_kind()) {
                true => Prepares::Nothing,
                false => Prepares::of(record.is_log),
            },
            message,
            error,
            request,
            groups: 0,
            changes_keys: names.iter().any(|name| is_changed(layout, name)),
            fields: Vec::with_capacity(names.len()),
            names,
            named: Vec::new(),
            met: Vec::new(),
        };
        let keys = plan.keys(record, layout);
        for name in &plan.names {
            let mut field = Field::new(name, record, layout);
            // Its name or its key is there twice.
            if keys.get(&*key_of(layout, name, Origin::Event)).is_none_or(|count| *count > 1) {
                field.role = Role::Irregular;
            }
            // Not known before the context is.
            let of = |number: usize| layout.members.get(number);
            if let Role::Slot(_, number) = field.role
                && let Some(Member::Value { stage: Stage::Shape | Stage::Context, .. }) = of(number)
            {
                field.role = Role::Irregular;
            }
            plan.groups |= field.groups();
            plan.fields.push(field);
        }
        drop(keys);
        plan.prepare(record, layout, steps);
        plan.end();
        plan
    }

    /// Returns the keys of the declared fields, and how many fields have each.
    fn keys(&self, record: &Record<'_>, layout: &Layout) -> HashMap<String, usize> {
        let mut keys = HashMap::new();
        for name in &self.names {
            *keys.entry(key_of(layout, name, Origin::Event).into_owned()).or_default() += 1;
        }
        for (name, _) in record.static_fields() {
            let key = key_of(layout, name, Origin::Static);
            // A field of the same name hides a static one.
            if *key != *name
                && let Some(count) = keys.get_mut(&*key)
            {
                *count += 1;
            }
        }
        keys
    }

    /// Returns whether another field of the event, or a static one, has the same key because keys were changed for the
    /// reader.
    fn collides(&self, name: &str, record: &Record<'_>, layout: &Layout) -> bool {
        let key = key_of(layout, name, Origin::Event);
        let has_key = |other: &str, origin| other != name && key_of(layout, other, origin) == key;
        let named = self.named.iter().map(|(name, _)| &**name);
        self.names.iter().copied().chain(named).any(|other| has_key(other, Origin::Event))
            || record.static_fields().any(|(other, _)| has_key(other, Origin::Static))
    }

    fn prepare(&mut self, record: &Record<'_>, layout: &Layout, steps: &Steps) {
        let fixed = Record { fields: &[], context: None, ..*record };
        let parts = Parts::of(&fixed, &[], layout);
        let log_sites = record.is_log.then(LogSites::new);
        let mut open = Vec::new();
        for step in &steps.all {
            match step {
                Step::Segment(segment) => self.ops.push(Op::Context(*segment)),
                Step::Member(number) => {
                    let Some(member) = layout.members.get(*number) else { continue };
                    match member {
                        Member::Message { key, form } => {
                            self.ops.push(Op::Message(Piece::new(&key.bytes), *form));
                        }
                        Member::Request { key, form } => {
                            if self.request.is_some() {
                                self.ops.push(Op::Request(Piece::new(&key.bytes), *form));
                            }
                        }
                        Member::Fields(Origin::Event, group) => {
                            self.ops.push(Op::Own(*group, layout.spelling_of(*group).syntax.form));
                        }
                        Member::Open { key, groups, is_required } => {
                            let start = self.bytes.len();
                            self.bytes.extend_from_slice(&key.bytes);
                            open.push(self.ops.len());
                            let has_statics = parts.fields.iter().any(|field| groups >> field.group & 1 == 1);
                            let (key, groups) = (start..self.bytes.len(), if has_statics { 0 } else { *groups });
                            self.ops.push(Op::Open { key, groups, end: 0, is_required: *is_required });
                        }
                        Member::Close(brackets) => {
                            let close = self.ops.len();
                            if let Some(Op::Open { end, .. }) =
                                open.pop().and_then(|open: usize| self.ops.get_mut(open))
                            {
                                *end = close;
                            }
                            self.ops.push(Op::Close(*brackets));
                        }
                        Member::Value { stage: Stage::Event(mark), .. } if self.may_have(*mark, record) => {
                            self.ops.push(Op::Event(*number, *mark));
                        }
                        Member::Value { stage: Stage::Event(_), .. } => self.push_slot(*number),
                        Member::Value { stage: Stage::CallSite | Stage::Service, put, .. }
                            if log_sites.as_ref().is_some_and(|sites| sites.change(put, record)) =>
                        {
                            self.ops.push(Op::Event(*number, Mark::Any));
                        }
                        member => {
                            let start = self.bytes.len();
                            put_member(*number, member, &parts, layout, &mut self.bytes);
                            match start..self.bytes.len() {
                                range if range.is_empty() => self.push_slot(*number),
                                range => self.occupy(*number, range),
                            }
                        }
                    }
                }
            }
        }
    }

    /// Ends the steps. Where the line shows no fields, they are read nevertheless: it may have to be written directly.
    fn end(&mut self) {
        if !self.ops.iter().any(|op| matches!(op, Op::Own(..))) {
            self.ops.push(Op::Own(NO_GROUP, Form::Json));
        }
    }

    /// Lets a field take the place of a member that the lines of the call site lack.
    fn push_slot(&mut self, number: usize) {
        if self.slot(number).is_some() {
            self.ops.push(Op::Slot(number));
        }
    }

    /// Adds a member that all lines of the call site have.
    fn occupy(&mut self, number: usize, range: Range<usize>) {
        for field in &mut self.fields {
            match field.role {
                Role::Slot(group, of) if of == number => field.role = Role::Group(group),
                _ => {}
            }
        }
        self.push_bytes(range);
    }

    /// Returns the index of the field that may take the place of a member.
    pub(super) fn slot(&self, number: usize) -> Option<u8> {
        let index = self.fields.iter().position(|field| matches!(field.role, Role::Slot(_, of) if of == number));
        index.and_then(|index| u8::try_from(index).ok())
    }

    fn push_bytes(&mut self, range: Range<usize>) {
        match self.ops.last_mut() {
            _ if range.is_empty() => {}
            Some(Op::Bytes(last)) if last.end == range.start => last.end = range.end,
            _ => self.ops.push(Op::Bytes(range)),
        }
    }

    /// Returns whether an event of the call site may have a mark.
    pub(super) fn may_have(&self, mark: Mark, record: &Record<'_>) -> bool {
        match mark {
            Mark::Any | Mark::Thread => true,
            Mark::Error => self.error.is_some(),
            Mark::HeldBack => record.statics.holds_back,
            Mark::Backtrace => record.may_have_backtrace(),
            Mark::Stack => self.error.is_some() || record.may_have_backtrace(),
            Mark::Panic => record.site_kind() == Kind::Panic,
            Mark::Truncated | Mark::Own => false,
        }
    }

    /// Returns a declared field.
    #[inline]
    pub(super) fn field(&self, index: u8) -> Option<&Field> {
        self.fields.get(usize::from(index))
    }

    /// Returns the number of a field that no call site declares; `None` at first sight, and when there are too many.
    ///
    /// `expected`: the number that it probably has.
    #[inline]
    pub(super) fn number_of(
        &mut self,
        name: &[u8],
        expected: usize,
        record: &Record<'_>,
        layout: &Layout,
    ) -> Option<usize> {
        if self.named.get(expected).is_some_and(|(other, _)| other.as_bytes() == name) {
            return Some(expected);
        }
        self.number_of_other(text(name), record, layout)
    }

    #[cold]
    fn number_of_other(&mut self, name: &str, record: &Record<'_>, layout: &Layout) -> Option<usize> {
        if let Some(number) = self.named.iter().position(|(other, _)| **other == *name) {
            return Some(number);
        }
        if self.named.len() == MAX_NAMED || name.len() > MAX_NAME_BYTES {
            return None;
        }
        let mut field = Field::new(name, record, layout);
        let is_declared = self.names.contains(&name);
        let is_role = layout.is_role(name) || matches!(name, "error" | "request_id");
        if is_declared || is_role || layout.slot_of(name).is_some() || self.collides(name, record, layout) {
            field.role = Role::Irregular;
        }
        self.changes_keys |= is_changed(layout, name);
        self.groups |= field.groups();
        self.named.push((name.into(), field));
        // The contexts that share names with it are not known yet.
        self.met.clear();
        None
    }

    /// Returns a field that no call site declares, by its number.
    #[inline]
    pub(super) fn named(&self, number: usize) -> Option<&Field> {
        self.named.get(number).map(|(_, field)| field)
    }

    /// Finds out what contexts of a shape share with the call site, unless that is known.
    #[inline]
    pub(super) fn meet(&mut self, number: u32, contexts: &Contexts, layout: &Layout) -> Meeting {
        match self.met.get(number as usize) {
            Some(Some(meeting)) => *meeting,
            _ => self.meet_first(number, contexts, layout),
        }
    }

    #[cold]
    fn meet_first(&mut self, number: u32, contexts: &Contexts, layout: &Layout) -> Meeting {
        let others = contexts.shape(number).map_or(&[][..], |shape| &shape.names);
        let place = number as usize;
        if self.met.len() <= place {
            self.met.resize(place + 1, None);
        }
        let names: Names<&str> = others.iter().map(|(name, _)| *name).collect();
        // Names with the same key are told apart by the keys that were changed.
        let others: Vec<_> = others.iter().map(|(name, origin)| (key_of(layout, name, *origin), *name)).collect();
        let mut keys: Names<&str, &str> = Names::default();
        others.iter().for_each(|(key, name)| keys.insert(key, name));
        let named = self.named.iter().map(|(name, _)| &**name);
        let mut meeting = Meeting::Nothing;
        for name in self.names.iter().copied().chain(named).filter(|name| self.hides(name, layout)) {
            if keys.get(&*key_of(layout, name, Origin::Event)).is_some_and(|other| other != name) {
                meeting = Meeting::Keys;
                break;
            }
            if names.contains(name) {
                meeting = Meeting::Names;
            }
        }
        self.met[place] = Some(meeting);
        meeting
    }

    /// Returns whether the event's field of this name hides one of its context. The place of a `log` record does not.
    pub(super) fn hides(&self, name: &str, layout: &Layout) -> bool {
        layout.hides(name) && !(self.prepares == Prepares::Log && name.starts_with("log."))
    }

    /// Returns the name of a captured field; `None` for what is not a field.
    pub(super) fn name<'a>(&self, key: Key<'a>) -> Option<&'a str> {
        match key {
            Key::Index(index) => self.names.get(usize::from(index)).copied(),
            Key::Name(name) => Some(text(name)),
            Key::Thread | Key::Truncated | Key::Backtrace | Key::HeldBack => None,
        }
    }

    /// Returns the names of the declared fields.
    pub(super) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// Returns whether its lines may have fields that no call site declares.
    pub(super) fn has_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// Forgets the shapes: their numbers are about to be reused.
    pub(super) fn forget_shapes(&mut self) {
        self.met.clear();
    }
}

impl Field {
    fn new(name: &str, record: &Record<'_>, layout: &Layout) -> Self {
        let spelled = |group: Group| {
            let mut key = Vec::new();
            layout.spelling_of(group).syntax.put_key(&layout.key(group, name), &mut key);
            Piece::new(&key)
        };
        let is_static =
            layout.hides_static(name, Origin::Event) && record.static_fields().any(|(other, _)| other == name);
        let is_taken = layout.taken.is_some_and(|(taken, _)| taken == name);
        let is_role = layout.is_role(name);
        let is_service = layout.takes.service && name == "service" && record.service().is_none();
        let is_id = match name {
            "trace_id" => layout.takes.trace,
            "span_id" => layout.takes.span,
            LEVEL_NAME => layout.takes.level,
            _ => is_service,
        };
        let slot = layout.slot_of(name);
        let (role, group, second) = match layout.place(name, Origin::Event) {
            _ if record.is_log && name.starts_with("log.") => (Role::Done, UNSPELLED, None),
            _ if is_role && layout.shows(name) => (Role::Done, UNSPELLED, None),
            _ if is_role => (Role::Irregular, UNSPELLED, None),
            _ if is_static || is_id || is_taken => (Role::Irregular, UNSPELLED, None),
            Place::Group(group) => {
                let role = slot.map_or(Role::Group(group), |(number, _)| Role::Slot(group, number));
                (role, group, None)
            }
            Place::Either(first, second) => (Role::Either(first, second), first, Some(spelled(second))),
            Place::Unsure(group) => (Role::Irregular, group, None),
            Place::Hidden => (Role::Done, UNSPELLED, None),
        };
        Self { role, key: spelled(group), second }
    }

    /// Returns the set of groups that it may be in.
    fn groups(&self) -> u32 {
        match self.role {
            Role::Group(group) | Role::Slot(group, _) => 1 << group,
            Role::Either(first, second) => 1 << first | 1 << second,
            Role::Done | Role::Irregular => 0,
        }
    }
}

/// A group without fields.
const NO_GROUP: Group = Group::MAX;

/// The group of a key that is not used.
const UNSPELLED: Group = 0;

/// Returns whether a name's key is changed for the reader.
fn is_changed(layout: &Layout, name: &str) -> bool {
    !layout.is_role(name) && matches!(key_of(layout, name, Origin::Event), Cow::Owned(_))
}

/// Returns the key of a field's name, and borrows it if it is the name itself. Of two possible groups it takes the second:
/// the first has names of the schema, which are not changed.
pub(super) fn key_of<'n>(layout: &Layout, name: &'n str, origin: Origin) -> Cow<'n, str> {
    layout.place(name, origin).spelled_for().map_or(Cow::Borrowed(name), |group| layout.key(group, name))
}
