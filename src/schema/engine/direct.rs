//! Writes a line directly from its description: the definition of every line, for any record.
//!
//! What the engine prepares is made of the same members, so both ways give the same bytes.

use std::borrow::Cow;

use super::layout::{Layout, Member};
use super::parts::{Parts, Placed, views};
use super::syntax::{Brackets, Syntax};
use crate::record::{Record, Value};
use crate::schema::edit::Edits;
use crate::schema::json::Opened;
use crate::schema::resolved_fields::Origin;

/// Appends the line of a record behind its time.
#[cold]
pub(super) fn put_line(layout: &Layout, record: &Record<'_>, out: &mut Vec<u8>) {
    let views = views(record);
    let parts = Parts::of(record, &views, layout);
    let mut open = Open::default();
    for (number, member) in layout.members.iter().enumerate() {
        match member {
            Member::Open { key, is_required, .. } => open.begin(&key.bytes, *is_required, out),
            Member::Close(brackets) => open.end(*brackets, out),
            member => put_member(number, member, &parts, layout, out),
        }
    }
    out.extend_from_slice(layout.frame.end);
}

/// Appends the line of a record with its time, with edits of its members that have a key. `time`: what begins the line.
pub(super) fn put_edited_line(
    layout: &Layout,
    edits: &Edits,
    record: &Record<'_>,
    time: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    let begin = out.len();
    let views = views(record);
    let parts = Parts::of(record, &views, layout);
    let (insert_at, syntax) = layout.insert_at.clone().unwrap_or((layout.members.len(), Syntax::JSON));
    let mut found: Vec<(Cow<'_, str>, Found<'_>)> = Vec::new();
    if let Some(value) = time.and_then(|time| time.get(layout.frame.head.len()..)) {
        found.push((Cow::Borrowed(TIME), Found::Member(NO_MEMBER, value.to_vec())));
    }
    let mut is_inside = false;
    for (number, member) in layout.members.iter().enumerate() {
        let mut value = Vec::new();
        match member {
            Member::Open { key, groups, .. } if !key.is_none => {
                is_inside = true;
                if parts.fields.iter().any(|field| groups >> field.group & 1 == 1) {
                    found.push((Cow::Borrowed(&key.name), Found::Member(number, Vec::new())));
                }
            }
            Member::Open { .. } => {}
            Member::Close(_) => is_inside = false,
            _ if is_inside => {}
            Member::Fields(origin, group) => {
                let fields = parts.fields_of(*origin, *group);
                found.extend(fields.map(|field| (field.key.clone(), Found::Field(number, field))));
            }
            Member::Value { key, .. } | Member::Message { key, .. } | Member::Request { key, .. } => {
                put_member(number, member, &parts, layout, &mut value);
                if !value.is_empty() && !key.is_none {
                    found.push((Cow::Borrowed(&key.name), Found::Member(number, value.split_off(key.bytes.len()))));
                }
            }
        }
    }
    edits.apply(&mut found, Found::Inserted);
    let is_it = |found: &Found<'_>, number| matches!(found, Found::Member(of, _) if *of == number);
    let find = |number| found.iter().find(|(_, found)| is_it(found, number));
    let mut open = Open::default();
    let put_inserted = |out: &mut Vec<u8>| {
        for (name, inserted) in &found {
            if let Found::Inserted(value) = inserted {
                syntax.put_key(name, out);
                syntax.form.put(value, out);
            }
        }
    };
    if let Some((name, Found::Member(_, value))) = find(NO_MEMBER) {
        syntax.put_key(name, out);
        out.extend_from_slice(value);
    }
    is_inside = false;
    let mut is_removed = false;
    for (number, member) in layout.members.iter().enumerate() {
        if number == insert_at {
            put_inserted(out);
        }
        match member {
            Member::Open { key, is_required, .. } if key.is_none => {
                open.begin(&key.bytes, *is_required, out);
            }
            Member::Open { key, is_required, .. } => {
                is_inside = true;
                match find(number) {
                    Some((name, _)) => open.begin(&key.renamed(name).bytes, *is_required, out),
                    None => is_removed = true,
                }
            }
            Member::Close(brackets) => {
                is_inside = false;
                if !std::mem::take(&mut is_removed) {
                    open.end(*brackets, out);
                }
            }
            _ if is_removed => {}
            Member::Fields(_, group) if !is_inside => {
                let syntax = &layout.spelling_of(*group).syntax;
                for (name, found) in &found {
                    if let Found::Field(of, field) = found
                        && *of == number
                    {
                        syntax.put_key(name, out);
                        syntax.form.put(&field.value, out);
                    }
                }
            }
            Member::Value { key, .. } | Member::Message { key, .. } | Member::Request { key, .. }
                if !is_inside && !key.is_none =>
            {
                if let Some((name, Found::Member(_, value))) = find(number) {
                    out.extend_from_slice(&key.renamed(name).bytes);
                    out.extend_from_slice(value);
                }
            }
            member => put_member(number, member, &parts, layout, out),
        }
    }
    if insert_at == layout.members.len() {
        put_inserted(out);
    }
    if time.is_some() && out.len() > begin {
        // The first member is not separated from another.
        out.remove(begin);
    }
    out.extend_from_slice(layout.frame.end);
}

/// The name of the time where it is a member that edits may change, in lines that are not JSON objects.
pub(super) const TIME: &str = "ts";

/// The number of the time, which is no member.
const NO_MEMBER: usize = usize::MAX;

/// What edits apply to, with the number of its member.
enum Found<'a> {
    Field(usize, &'a Placed<'a>),
    /// A member's value as written.
    Member(usize, Vec<u8>),
    Inserted(Value<'a>),
}

/// The objects that have begun.
#[derive(Default)]
struct Open(Vec<Opened>);

impl Open {
    fn begin(&mut self, key: &[u8], is_required: bool, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(key);
        self.0.push(Opened { start, inside: out.len(), is_required });
    }

    /// Ends an object, as [`Draft::end_object`](crate::schema::json::Draft::end_object) does.
    fn end(&mut self, Brackets { open, close }: Brackets, out: &mut Vec<u8>) {
        let object = self.0.pop().unwrap_or_default();
        match out.get_mut(object.inside) {
            Some(first) => {
                *first = open.unwrap_or(*first);
                out.extend_from_slice(close);
            }
            None if object.is_required => {
                out.extend(open);
                out.extend_from_slice(close);
            }
            None => out.truncate(object.start),
        }
    }
}

/// Appends a member, if the line has it.
pub(super) fn put_member(number: usize, member: &Member, parts: &Parts<'_>, layout: &Layout, out: &mut Vec<u8>) {
    let start = out.len();
    let is_there = match member {
        Member::Value { key, put, slot, .. } => {
            out.extend_from_slice(&key.bytes);
            let taken = slot.as_ref().and_then(|_| parts.slots.iter().find(|(taken, _)| *taken == number));
            put(parts, out)
                || taken.is_some_and(|(_, value)| {
                    out.truncate(start + key.bytes.len());
                    out.extend_from_slice(value);
                    true
                })
        }
        Member::Message { key, form } => {
            out.extend_from_slice(&key.bytes);
            form.put(&parts.headline(), out)
        }
        Member::Request { key, form } => {
            let own = parts.request.filter(|(_, origin)| *origin == Origin::Event);
            out.extend_from_slice(&key.bytes);
            own.is_some_and(|(request, _)| form.put(&request, out))
        }
        Member::Fields(origin, group) => {
            parts.fields_of(*origin, *group).for_each(|field| field.put(layout, out));
            true
        }
        Member::Open { .. } | Member::Close(_) => true,
    };
    if !is_there {
        out.truncate(start);
    }
}
