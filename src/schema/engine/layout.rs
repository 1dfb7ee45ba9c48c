//! A schema as a description: the members of a line in their order, and the rule for users' fields.
//!
//! A [`Layout`] is made with the first record, when static fields are known. Its members name the [`Stage`] at which
//! their value is known, so that the engine prepares each value as early as possible.

use std::borrow::Cow;

use super::edited::EditedKeys;
use super::own_lines::OwnLines;
use super::parts::Parts;
use super::syntax::{Brackets, MemberKey, Spelling, Syntax};
use crate::record::{Record, Value};
use crate::schema::clock::{ClockText, QUOTE};
use crate::schema::json::Form;
use crate::schema::object::is_reserved;
use crate::schema::resolved_fields::Origin;
use crate::schema::time_format::TimeFormat;

/// When the value of a member is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::schema) enum Stage {
    /// It is the same in all lines of the process.
    Log,
    /// It is the service: the same in all lines if the builder names it, else a field of the record.
    Service,
    /// It depends on the event's call site. In a record of the `log` crate it depends on the record.
    CallSite,
    /// It depends on the call sites of the spans.
    Shape,
    /// It depends on the values of the spans.
    Context,
    /// It depends on the event, and is absent from lines without this mark.
    Event(Mark),
}

/// What an event may have besides its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::schema) enum Mark {
    /// Every event may have the member.
    Any,
    Error,
    Thread,
    HeldBack,
    Backtrace,
    /// An error or a backtrace.
    Stack,
    /// Some of its texts were cut. Such lines are not prepared.
    Truncated,
    /// It reports a request or a closed span, which the layout shows differently. Such lines are not prepared.
    Own,
    /// It reports a panic.
    Panic,
}

/// The number of a group of fields that stand together in a line, such as those under `fields`.
pub(in crate::schema) type Group = u8;

/// The group of the fields at the top level.
pub(in crate::schema) const TOP: Group = 0;

/// The group of the fields under `fields`, or wherever the schema puts what has no other place.
pub(in crate::schema) const UNDER: Group = 1;

/// Where a field goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::schema) enum Place {
    Group(Group),
    /// Its value decides: into the first group if [`Layout::fits`] says so, else into the second.
    Either(Group, Group),
    /// The group, in a line that is written directly: its key may meet another one.
    Unsure(Group),
    /// It is not shown.
    Hidden,
}

impl Place {
    /// Returns the group that the keys of its fields are spelled for.
    pub(super) fn spelled_for(self) -> Option<Group> {
        match self {
            Self::Group(group) | Self::Unsure(group) | Self::Either(_, group) => Some(group),
            Self::Hidden => None,
        }
    }

    /// Returns the groups that a field may be in, as a set.
    fn groups(self) -> u32 {
        match self {
            Self::Group(group) | Self::Unsure(group) => 1 << group,
            Self::Either(first, second) => 1 << first | 1 << second,
            Self::Hidden => 0,
        }
    }
}

/// Returns where a field goes, by its name.
type PlaceOf = Box<dyn Fn(&str, Origin) -> Place + Send>;

/// Returns whether a user's value fits a member.
pub(super) type Fits = fn(&Value<'_>) -> bool;

/// Appends a value and returns true; or returns false, whatever it has appended.
pub(super) type Put = Box<dyn Fn(&Parts<'_>, &mut Vec<u8>) -> bool + Send>;

/// A place for a field of the event, in lines that lack the member whose place it is.
pub(super) struct Slot {
    pub(super) name: &'static str,
    pub(super) fits: fn(&Value<'_>) -> bool,
    pub(super) form: Form,
}

/// A part of a line.
pub(super) enum Member {
    Value {
        key: MemberKey,
        stage: Stage,
        put: Put,
        slot: Option<Slot>,
        /// The user's field that it shows.
        of: Option<&'static str>,
    },
    /// The event's message, or what stands for it.
    Message {
        key: MemberKey,
        form: Form,
    },
    /// The event's own `request_id`.
    Request {
        key: MemberKey,
        form: Form,
    },
    /// The fields of a group: the event's own, those of its context, or static ones.
    Fields(Origin, Group),
    /// Begins an object or a list, which is absent when it has no members, unless it is required. `groups`: a set; unless
    /// it is empty, only fields of these groups are inside.
    Open {
        key: MemberKey,
        groups: u32,
        is_required: bool,
    },
    Close(Brackets),
}

/// What is around the members of a line.
pub(super) struct Frame {
    /// What precedes the time. In a JSON object: an opening brace, the first key and a quote.
    pub(super) head: String,
    pub(super) time: TimeFormat,
    /// What follows the time; `None` when the schema writes the time itself.
    pub(super) tail: Option<&'static str>,
    /// What ends the line.
    pub(super) end: &'static [u8],
}

/// Which fields say what nothing else says; the others are fields like any other.
#[derive(Clone, Copy)]
pub(in crate::schema) struct Takes {
    /// `service`.
    pub(in crate::schema) service: bool,
    /// `trace_id`.
    pub(in crate::schema) trace: bool,
    /// `span_id`.
    pub(in crate::schema) span: bool,
    /// `level_name`.
    pub(in crate::schema) level: bool,
}

/// The description of a schema's lines.
pub(in crate::schema) struct Layout {
    pub(super) frame: Frame,
    pub(super) members: Vec<Member>,
    /// How the members that are added look.
    pub(super) syntax: Syntax,
    /// Where edits insert members, and how these look, unless it is the end of a JSON object. Then edits apply to members,
    /// and not to the text of the line.
    pub(super) insert_at: Option<(usize, Syntax)>,
    place_of_name: PlaceOf,
    pub(super) edited_keys: Option<EditedKeys>,
    /// For [`Place::Either`].
    pub(super) fits: fn(&str, &Value<'_>) -> bool,
    pub(super) spellings: Vec<Spelling>,
    /// Whether `message`, `error` and `request_id` are shown as fields too.
    pub(super) keeps_roles: bool,
    pub(super) takes: Takes,
    /// A field that a member shows, by its name, if the value fits.
    pub(super) taken: Option<(&'static str, Fits)>,
    pub(super) own_lines: OwnLines,
}

impl Layout {
    /// Begins a description. `place`: where a field goes, by its name.
    pub(in crate::schema) fn new(head: &str, place: impl Fn(&str, Origin) -> Place + Send + 'static) -> Self {
        Self {
            frame: Frame { head: head.to_owned(), time: TimeFormat::default(), tail: Some(QUOTE), end: b"}" },
            members: Vec::new(),
            syntax: Syntax::JSON,
            insert_at: None,
            place_of_name: Box::new(place),
            edited_keys: None,
            fits: |_, _| true,
            spellings: vec![Spelling::JSON; 2],
            keeps_roles: false,
            takes: Takes { service: true, trace: true, span: true, level: true },
            taken: None,
            own_lines: OwnLines::default(),
        }
    }

    /// Begins a description with these keys. A user's field goes to the top level unless its name is one of them, or, for
    /// readers that take dots for nesting, a part or a parent of one. `record`: any record, which has the log's marks.
    pub(in crate::schema) fn with_keys(head: &'static str, keys: &'static [&'static str], record: &Record<'_>) -> Self {
        let is_mark = marks(record);
        let place = move |name: &str, _| match name {
            _ if is_mark(name) || is_reserved(name, keys) => Place::Group(UNDER),
            _ => Place::Group(TOP),
        };
        Self::new(head, place)
    }

    /// Does not show static fields of these names as fields.
    pub(in crate::schema) fn hides_statics(mut self, names: &'static [&'static str]) -> Self {
        let place = self.place_of_name;
        self.place_of_name = Box::new(move |name, origin| match origin {
            Origin::Static if names.contains(&name) => Place::Hidden,
            origin => place(name, origin),
        });
        self
    }

    /// Sets how the fields of a group are written.
    pub(in crate::schema) fn spelling(mut self, group: Group, spelling: Spelling) -> Self {
        let group = usize::from(group);
        self.spellings.resize(self.spellings.len().max(group + 1), Spelling::JSON);
        self.spellings[group] = spelling;
        self
    }

    /// Sets which values fit the first group of [`Place::Either`].
    pub(in crate::schema) fn fits(mut self, fits: fn(&str, &Value<'_>) -> bool) -> Self {
        self.fits = fits;
        self
    }

    /// Shows `message`, `error` and `request_id` as fields too.
    pub(in crate::schema) fn keeps_roles(mut self) -> Self {
        self.keeps_roles = true;
        self
    }

    /// Sets which of the event's fields are shown by members.
    pub(in crate::schema) fn roles(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    /// Takes a field out of its group for a member that shows it ([`Parts::taken`]), if its value fits.
    pub(in crate::schema) fn takes(mut self, name: &'static str, fits: Fits) -> Self {
        self.taken = Some((name, fits));
        self
    }

    /// Adds what `add` adds, if the switch is on.
    pub(in crate::schema) fn when(self, on: bool, add: impl FnOnce(Self) -> Self) -> Self {
        if on { add(self) } else { self }
    }

    /// Sets how the members that are added from here on look.
    pub(in crate::schema) fn syntax(mut self, syntax: Syntax) -> Self {
        self.syntax = syntax;
        self
    }

    /// Sets how the time is spelled. A number loses the quotes that head and tail have.
    pub(in crate::schema) fn time(mut self, time: TimeFormat) -> Self {
        self.frame.time = time;
        self
    }

    /// Sets what follows the time; `None`: the schema writes the time itself.
    pub(in crate::schema) fn tail(mut self, tail: Option<&'static str>) -> Self {
        self.frame.tail = tail;
        self
    }

    /// Returns the clock that writes the time.
    pub(super) fn clock(&self) -> Option<ClockText> {
        let Frame { head, time, tail, .. } = &self.frame;
        tail.map(|tail| ClockText::new(head.clone(), tail, *time))
    }

    /// Returns how the values of the members that are added are written.
    pub(in crate::schema) fn form(&self) -> Form {
        self.syntax.form
    }

    /// Sets what ends the line.
    pub(in crate::schema) fn end(mut self, end: &'static [u8]) -> Self {
        self.frame.end = end;
        self
    }

    /// For lines that are not JSON objects with the members at their top level: edits apply to members with a key, and insert
    /// others here.
    pub(in crate::schema) fn inserts(mut self) -> Self {
        self.insert_at = Some((self.members.len(), self.syntax.clone()));
        self
    }

    fn add(mut self, key: MemberKey, stage: Stage, put: Put) -> Self {
        self.members.push(Member::Value { key, stage, put, slot: None, of: None });
        self
    }

    /// Adds a member whose value `put` appends.
    pub(in crate::schema) fn put(
        self,
        key: &str,
        stage: Stage,
        put: impl Fn(&Parts<'_>, &mut Vec<u8>) -> bool + Send + 'static,
    ) -> Self {
        let key = MemberKey::new(key, &self.syntax);
        self.add(key, stage, Box::new(put))
    }

    /// Adds a member with a value, or with none if there is none.
    pub(in crate::schema) fn value(
        self,
        key: &str,
        stage: Stage,
        value: impl for<'p> Fn(&Parts<'p>) -> Option<Value<'p>> + Send + 'static,
    ) -> Self {
        let form = self.syntax.form;
        self.put(key, stage, move |parts, out| value(parts).is_some_and(|value| form.put(&value, out)))
    }

    /// Adds a member with a text.
    pub(in crate::schema) fn text(
        self,
        key: &str,
        stage: Stage,
        text: impl for<'p> Fn(&Parts<'p>) -> Option<Cow<'p, str>> + Send + 'static,
    ) -> Self {
        let form = self.syntax.form;
        self.put(key, stage, move |parts, out| text(parts).is_some_and(|text| form.put(&Value::Str(&text), out)))
    }

    /// Adds a member with a number.
    pub(in crate::schema) fn number(
        self,
        key: &str,
        stage: Stage,
        number: impl Fn(&Parts<'_>) -> Option<u64> + Send + 'static,
    ) -> Self {
        self.value(key, stage, move |parts| number(parts).map(Value::U64))
    }

    /// Adds whole members, each with what separates it from the member before. No edit changes them.
    pub(in crate::schema) fn members(
        self,
        stage: Stage,
        put: impl Fn(&Parts<'_>, &mut Vec<u8>) -> bool + Send + 'static,
    ) -> Self {
        let key = MemberKey::none(&self.syntax);
        self.add(key, stage, Box::new(put))
    }

    /// Lets the event's own field called `name` take the place of the last member in lines without it, if its value fits.
    pub(in crate::schema) fn or_field(self, name: &'static str, fits: fn(&Value<'_>) -> bool) -> Self {
        let form = self.syntax.form;
        self.or_field_as(name, fits, form)
    }

    /// The same, with its value in another form.
    pub(in crate::schema) fn or_field_as(
        mut self,
        name: &'static str,
        fits: fn(&Value<'_>) -> bool,
        form: Form,
    ) -> Self {
        if let Some(Member::Value { slot, .. }) = self.members.last_mut() {
            *slot = Some(Slot { name, fits, form });
        }
        self
    }

    /// Lets no field take the place of the last member.
    pub(in crate::schema) fn no_field(mut self) -> Self {
        if let Some(Member::Value { slot, .. }) = self.members.last_mut() {
            *slot = None;
        }
        self
    }

    /// Returns the number of the member whose place the event's field of a name may take.
    pub(super) fn slot_of(&self, name: &str) -> Option<(usize, &Slot)> {
        self.members.iter().enumerate().find_map(|(number, member)| match member {
            Member::Value { slot: Some(slot), .. } if slot.name == name => Some((number, slot)),
            _ => None,
        })
    }

    /// Adds the event's message, or what stands for it ([`Parts::headline`]): readers show it first.
    pub(in crate::schema) fn message(mut self, key: &str, form: Form) -> Self {
        self.members.push(Member::Message { key: MemberKey::new(key, &self.syntax), form });
        self
    }

    /// Adds the request's id, which is a field of the event, of its context, or a static one.
    pub(in crate::schema) fn request(mut self, key: &str, form: Form) -> Self {
        let key = MemberKey::new(key, &self.syntax);
        self.members.push(Member::Request { key: key.clone(), form });
        let put = move |parts: &Parts<'_>, out: &mut Vec<u8>| {
            let request = parts.request.filter(|(_, origin)| *origin != Origin::Event);
            request.is_some_and(|(request, _)| form.put(&request, out))
        };
        let (stage, of) = (Stage::Context, Some("request_id"));
        self.members.push(Member::Value { key, stage, put: Box::new(put), slot: None, of });
        self
    }

    pub(super) fn spelling_of(&self, group: Group) -> &Spelling {
        self.spellings.get(usize::from(group)).unwrap_or(&JSON_SPELLING)
    }

    /// Returns where a field goes.
    pub(super) fn place(&self, name: &str, origin: Origin) -> Place {
        let place = (self.place_of_name)(name, origin);
        match &self.edited_keys {
            Some(edited) => edited.place(place, name, |group| self.spelling_of(group).key(name)),
            None => place,
        }
    }

    /// Returns the key of a field in a group; borrowed if it is the name itself.
    pub(super) fn key<'n>(&self, group: Group, name: &'n str) -> Cow<'n, str> {
        let key = self.spelling_of(group).key(name);
        match self.edited_keys.as_ref().and_then(|edited| edited.renamed(group, &key)) {
            Some(renamed) => Cow::Owned(renamed),
            None => key,
        }
    }

    /// Returns whether a field belongs to a member that the engine knows, and not to a group.
    pub(super) fn is_role(&self, name: &str) -> bool {
        !self.keeps_roles && matches!(name, "message" | "error" | "request_id")
    }

    /// Returns whether the event's field of this name hides one of its context. The message and the error do not: they
    /// have their own places.
    pub(super) fn hides(&self, name: &str) -> bool {
        self.keeps_roles || !matches!(name, "message" | "error")
    }

    /// Returns whether a prepared line shows the event's own field of a role.
    pub(super) fn shows(&self, name: &str) -> bool {
        let has = |is_it: fn(&Member) -> bool| self.members.iter().any(is_it);
        match name {
            "request_id" => has(|member| matches!(member, Member::Request { .. })),
            "error" => {
                has(|member| matches!(member, Member::Value { stage: Stage::Event(Mark::Error | Mark::Stack), .. }))
            }
            _ => true,
        }
    }

    /// Returns whether a record's field and the static field of the same name may be in one group.
    pub(super) fn hides_static(&self, name: &str, origin: Origin) -> bool {
        self.place(name, origin).groups() & self.place(name, Origin::Static).groups() != 0
    }

    /// Returns the group of a field with a value.
    pub(super) fn group_of(&self, name: &str, origin: Origin, value: &Value<'_>) -> Option<Group> {
        match self.place(name, origin) {
            Place::Group(group) | Place::Unsure(group) => Some(group),
            Place::Either(first, second) => Some(if (self.fits)(name, value) { first } else { second }),
            Place::Hidden => None,
        }
    }
}

/// Returns what tells whether a line may have a mark of the log with a name. `record`: any record.
pub(in crate::schema) fn marks(record: &Record<'_>) -> impl Fn(&str) -> bool + Send + 'static {
    let (backtraces, holds_back) = (record.statics.backtraces.is_some(), record.statics.holds_back);
    move |name| holds_back && name == "held_back" || backtraces && name == "backtrace"
}

/// The spelling of groups that the schema does not name.
static JSON_SPELLING: Spelling = Spelling::JSON;
