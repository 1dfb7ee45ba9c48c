//! Writes a line directly from its description: the definition of every line, for any record.
//!
//! What the engine prepares is made of the same members, so both ways give the same bytes.

use super::layout::{Layout, Member, put_formed};
use super::parts::{Parts, views};
use crate::record::{Record, Value};
use crate::schema::json::Opened;
use crate::schema::resolved_fields::Origin;

/// Appends the line of a record behind its time.
#[cold]
pub(super) fn put_line(layout: &Layout, record: &Record<'_>, out: &mut Vec<u8>) {
    let views = views(record);
    let parts = Parts::of(record, &views, layout);
    let mut opened = Opened::default();
    for (number, member) in layout.members.iter().enumerate() {
        match member {
            Member::Open { key, is_required, .. } => {
                let start = out.len();
                out.extend_from_slice(key);
                opened = Opened { start, inside: out.len(), is_required: *is_required };
            }
            Member::Close => end_object(out, opened),
            member => put_member(number, member, &parts, layout, out),
        }
    }
    out.push(b'}');
}

/// Ends an object, as [`Draft::end_object`](crate::schema::json::Draft::end_object) does.
fn end_object(out: &mut Vec<u8>, object: Opened) {
    match out.get_mut(object.inside) {
        Some(comma) => {
            *comma = b'{';
            out.push(b'}');
        }
        None if object.is_required => out.extend_from_slice(b"{}"),
        None => out.truncate(object.start),
    }
}

/// Appends a member, if the line has it.
pub(super) fn put_member(number: usize, member: &Member, parts: &Parts<'_>, layout: &Layout, out: &mut Vec<u8>) {
    let start = out.len();
    let is_there = match member {
        Member::Value { key, put, slot, .. } => {
            out.extend_from_slice(key);
            let taken = slot.and_then(|_| parts.slots.iter().find(|(taken, _)| *taken == number));
            put(parts, out)
                || taken.is_some_and(|(_, value)| {
                    out.truncate(start + key.len());
                    out.extend_from_slice(value);
                    true
                })
        }
        Member::Message { key, form, is_required } => {
            let empty = is_required.then_some(Value::Str(""));
            parts.message.or(empty).is_some_and(|message| {
                out.extend_from_slice(key);
                put_formed(out, *form, &message);
                true
            })
        }
        Member::Request { key, form } => {
            let own = parts.request.filter(|(_, origin)| *origin == Origin::Event);
            own.is_some_and(|(request, _)| {
                out.extend_from_slice(key);
                put_formed(out, *form, &request);
                true
            })
        }
        Member::Fields(origin, group) => {
            let is_here = |other: Origin| other == *origin || other.is_context() && origin.is_context();
            for field in parts.fields.iter().filter(|field| field.group == *group && is_here(field.origin)) {
                field.put(layout, out);
            }
            true
        }
        Member::Open { .. } | Member::Close => true,
    };
    if !is_there {
        out.truncate(start);
    }
}
