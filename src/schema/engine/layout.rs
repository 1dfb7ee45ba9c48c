//! A schema as a description: the members of a line in their order, and the rule for users' fields.
//!
//! A [`Layout`] is made with the first record, when static fields are known. Its members name the [`Stage`] at which
//! their value is known, so that the engine prepares each value as early as possible.

use std::borrow::Cow;

use super::edited::EditedKeys;
use super::parts::Parts;
use crate::record::{Record, Value};
use crate::schema::json::{self, Form};
use crate::schema::object::is_reserved;
use crate::schema::resolved_fields::Origin;

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
    /// It takes the place of a member that the line lacks, if the value fits, else it goes into the group.
    Slot(Group),
    /// It is not shown.
    Hidden,
}

impl Place {
    /// Returns the groups that a field may be in, as a set.
    fn groups(self) -> u32 {
        match self {
            Self::Group(group) | Self::Slot(group) => 1 << group,
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

/// Appends a user's value that fits a member and returns true, or appends nothing and returns false.
pub(in crate::schema) type Fit = fn(&Value<'_>, &mut Vec<u8>) -> bool;

/// The spelling of a group's fields.
#[derive(Clone, Copy)]
pub(in crate::schema) struct Spelling {
    pub(in crate::schema) form: Form,
    /// Returns the key of a field's name; borrowed if it is the name itself.
    pub(in crate::schema) key: fn(&str) -> Cow<'_, str>,
}

impl Spelling {
    /// Names as they are, values as JSON.
    pub(in crate::schema) const JSON: Self = Self { form: None, key: |name| Cow::Borrowed(name) };
}

/// A part of a line.
pub(super) enum Member {
    Value {
        /// `,"key":`; empty when the value has whole members.
        key: Vec<u8>,
        stage: Stage,
        put: Put,
        /// What a user's field of this name must be to take its place.
        slot: Option<(&'static str, Fit)>,
        /// The user's field that it shows.
        of: Option<&'static str>,
    },
    /// The event's message. `is_required`: an empty text stands for none.
    Message {
        key: Vec<u8>,
        form: Form,
        is_required: bool,
    },
    /// The event's own `request_id`.
    Request {
        key: Vec<u8>,
        form: Form,
    },
    /// The fields of a group: the event's own, those of its context, or static ones.
    Fields(Origin, Group),
    /// Begins an object, which is absent when it has no members, unless it is required. `groups`: a set; unless it is
    /// empty, only fields of these groups are inside.
    Open {
        key: Vec<u8>,
        groups: u32,
        is_required: bool,
    },
    Close,
}

/// The description of a schema's lines, which are JSON objects.
pub(in crate::schema) struct Layout {
    /// What precedes the time: an opening brace, the first key and a quote.
    pub(super) head: String,
    pub(super) members: Vec<Member>,
    place_of_name: PlaceOf,
    pub(super) edited_keys: Option<EditedKeys>,
    /// For [`Place::Either`].
    pub(super) fits: fn(&str, &Value<'_>) -> bool,
    pub(super) spellings: Vec<Spelling>,
    /// Whether `message`, `error` and `request_id` are shown as fields too.
    pub(super) keeps_roles: bool,
    /// A field that a member shows, by its name, if the value fits.
    pub(super) taken: Option<(&'static str, Fits)>,
}

impl Layout {
    /// Begins a description. `place`: where a field goes, by its name.
    pub(in crate::schema) fn new(head: &'static str, place: impl Fn(&str, Origin) -> Place + Send + 'static) -> Self {
        Self {
            head: head.to_owned(),
            members: Vec::new(),
            place_of_name: Box::new(place),
            edited_keys: None,
            fits: |_, _| true,
            spellings: vec![Spelling::JSON; 2],
            keeps_roles: false,
            taken: None,
        }
    }

    /// Begins a description with these keys. A user's field goes to the top level unless its name is one of them, or, for
    /// readers that take dots for nesting, a part or a parent of one. `record`: any record, which has the log's marks.
    pub(in crate::schema) fn with_keys(head: &'static str, keys: &'static [&'static str], record: &Record<'_>) -> Self {
        let is_mark = marks(record);
        let place = move |name: &str, _| match name {
            _ if is_mark(name) => Place::Slot(UNDER),
            _ if is_reserved(name, keys) => Place::Group(UNDER),
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

    /// Takes a field out of its group for a member that shows it ([`Parts::taken`]), if its value fits.
    pub(in crate::schema) fn takes(mut self, name: &'static str, fits: Fits) -> Self {
        self.taken = Some((name, fits));
        self
    }

    /// Adds what `add` adds, if the switch is on.
    pub(in crate::schema) fn when(self, on: bool, add: impl FnOnce(Self) -> Self) -> Self {
        if on { add(self) } else { self }
    }

    /// Adds a member whose value `put` appends.
    pub(in crate::schema) fn put(
        mut self,
        key: &str,
        stage: Stage,
        put: impl Fn(&Parts<'_>, &mut Vec<u8>) -> bool + Send + 'static,
    ) -> Self {
        let key = prepared_key(key);
        self.members.push(Member::Value { key, stage, put: Box::new(put), slot: None, of: None });
        self
    }

    /// Adds a member with a text.
    pub(in crate::schema) fn text(
        self,
        key: &str,
        stage: Stage,
        text: impl for<'p> Fn(&Parts<'p>) -> Option<Cow<'p, str>> + Send + 'static,
    ) -> Self {
        self.put(key, stage, move |parts, out| text(parts).is_some_and(|text| put_text(out, &text)))
    }

    /// Adds a member with a number.
    pub(in crate::schema) fn number(
        self,
        key: &str,
        stage: Stage,
        number: impl Fn(&Parts<'_>) -> Option<u64> + Send + 'static,
    ) -> Self {
        self.put(key, stage, move |parts, out| {
            number(parts).is_some_and(|number| {
                json::put_int(out, number);
                true
            })
        })
    }

    /// Adds a member with a value, or with none if there is none.
    pub(in crate::schema) fn value(
        self,
        key: &str,
        stage: Stage,
        value: impl for<'p> Fn(&Parts<'p>) -> Option<Value<'p>> + Send + 'static,
    ) -> Self {
        self.put(key, stage, move |parts, out| {
            value(parts).is_some_and(|value| {
                json::put_value(out, &value);
                true
            })
        })
    }

    /// Adds whole members, each with its leading comma.
    pub(in crate::schema) fn members(
        mut self,
        stage: Stage,
        put: impl Fn(&Parts<'_>, &mut Vec<u8>) -> bool + Send + 'static,
    ) -> Self {
        self.members.push(Member::Value { key: Vec::new(), stage, put: Box::new(put), slot: None, of: None });
        self
    }

    /// Lets a user's field called `name` take the place of the last member in lines without it.
    pub(in crate::schema) fn or_field(mut self, name: &'static str, fit: Fit) -> Self {
        if let Some(Member::Value { slot, .. }) = self.members.last_mut() {
            *slot = Some((name, fit));
        }
        self
    }

    /// Adds the event's message.
    pub(in crate::schema) fn message(mut self, key: &str, form: Form) -> Self {
        self.members.push(Member::Message { key: prepared_key(key), form, is_required: false });
        self
    }

    /// Adds the event's message, for readers that require one.
    pub(in crate::schema) fn message_or_empty(mut self, key: &str, form: Form) -> Self {
        self.members.push(Member::Message { key: prepared_key(key), form, is_required: true });
        self
    }

    /// Adds the request's id, which is a field of the event, of its context, or a static one.
    pub(in crate::schema) fn request(mut self, key: &str, form: Form) -> Self {
        self.members.push(Member::Request { key: prepared_key(key), form });
        let put = move |parts: &Parts<'_>, out: &mut Vec<u8>| {
            let request = parts.request.filter(|(_, origin)| *origin != Origin::Event);
            request.is_some_and(|(request, _)| {
                put_formed(out, form, &request);
                true
            })
        };
        let of = Some("request_id");
        self.members.push(Member::Value {
            key: prepared_key(key),
            stage: Stage::Context,
            put: Box::new(put),
            slot: None,
            of,
        });
        self
    }

    /// Adds the fields of a group: the event's own, then those of its context.
    pub(in crate::schema) fn fields(self, group: Group) -> Self {
        self.own_fields(group).context_fields(group)
    }

    /// Adds the event's own fields of a group.
    pub(in crate::schema) fn own_fields(mut self, group: Group) -> Self {
        self.members.push(Member::Fields(Origin::Event, group));
        self
    }

    /// Adds the context's fields of a group.
    pub(in crate::schema) fn context_fields(mut self, group: Group) -> Self {
        self.members.push(Member::Fields(Origin::Span, group));
        self
    }

    /// Adds the static fields of a group.
    pub(in crate::schema) fn static_fields(mut self, group: Group) -> Self {
        self.members.push(Member::Fields(Origin::Static, group));
        self
    }

    /// Adds an object with what `add` adds, unless that is nothing.
    pub(in crate::schema) fn object(mut self, key: &str, add: impl FnOnce(Self) -> Self) -> Self {
        let open = self.members.len();
        self.members.push(Member::Open { key: prepared_key(key), groups: 0, is_required: false });
        self = add(self);
        let mut inside = self.members.iter().skip(open + 1).map(|member| match member {
            Member::Fields(_, group) => Some(1 << group),
            _ => None,
        });
        let inside = inside.try_fold(0, |groups, group| Some(groups | group?)).unwrap_or(0);
        if let Some(Member::Open { groups, .. }) = self.members.get_mut(open) {
            *groups = inside;
        }
        self.members.push(Member::Close);
        self
    }

    /// Adds an object with what `add` adds, even if that is nothing.
    pub(in crate::schema) fn required_object(mut self, key: &str, add: impl FnOnce(Self) -> Self) -> Self {
        self.members.push(Member::Open { key: prepared_key(key), groups: 0, is_required: true });
        self = add(self);
        self.members.push(Member::Close);
        self
    }

    /// Adds the object `fields` with what has no other place.
    pub(in crate::schema) fn under_fields(self) -> Self {
        self.object("fields", |layout| layout.fields(UNDER).static_fields(UNDER))
    }

    pub(super) fn spelling_of(&self, group: Group) -> Spelling {
        self.spellings.get(usize::from(group)).copied().unwrap_or(Spelling::JSON)
    }

    /// Returns where a field goes.
    pub(super) fn place(&self, name: &str, origin: Origin) -> Place {
        let place = (self.place_of_name)(name, origin);
        match &self.edited_keys {
            Some(edited) => edited.place(place, |group| (self.spelling_of(group).key)(name)),
            None => place,
        }
    }

    /// Returns the key of a field in a group; borrowed if it is the name itself.
    pub(super) fn key<'n>(&self, group: Group, name: &'n str) -> Cow<'n, str> {
        let key = (self.spelling_of(group).key)(name);
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
        name != "request_id" || self.members.iter().any(|member| matches!(member, Member::Request { .. }))
    }

    /// Returns whether a record's field and the static field of the same name may be in one group.
    pub(super) fn hides_static(&self, name: &str, origin: Origin) -> bool {
        self.place(name, origin).groups() & self.place(name, Origin::Static).groups() != 0
    }

    /// Returns the group of a field with a value.
    pub(super) fn group_of(&self, name: &str, origin: Origin, value: &Value<'_>) -> Option<Group> {
        match self.place(name, origin) {
            Place::Group(group) | Place::Slot(group) => Some(group),
            Place::Either(first, second) => Some(if (self.fits)(name, value) { first } else { second }),
            Place::Hidden => None,
        }
    }
}

/// Returns what tells whether a line may have a mark of the log with a name. `record`: any record.
pub(in crate::schema) fn marks(record: &Record<'_>) -> impl Fn(&str) -> bool + Send + 'static {
    let (backtraces, holds_back) = (record.statics.backtraces, record.statics.holds_back);
    move |name| holds_back && name == "held_back" || backtraces && name == "backtrace"
}

/// Returns `,"key":`.
pub(super) fn prepared_key(key: &str) -> Vec<u8> {
    let mut out = vec![b','];
    json::put_str(&mut out, key);
    out.push(b':');
    out
}

/// Appends a text; returns true.
pub(in crate::schema) fn put_text(out: &mut Vec<u8>, text: &str) -> bool {
    json::put_str(out, text);
    true
}

/// Appends a value in a form.
pub(super) fn put_formed(out: &mut Vec<u8>, form: Form, value: &Value<'_>) {
    if !form.is_some_and(|form| form(value, out)) {
        json::put_value(out, value);
    }
}

/// The form of readers that take nothing but text.
pub(in crate::schema) const AS_TEXT: Form = Some(|value, out| put_text(out, &json::text_of(value)));

/// The form of readers that take no nested values.
pub(in crate::schema) const AS_SCALAR: Form =
    Some(|value, out| matches!(value, Value::Json(_) | Value::Error(_)) && put_text(out, &json::text_of(value)));
