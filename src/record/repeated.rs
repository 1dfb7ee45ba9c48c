//! Names that occur more than once among an event's fields: `info!(message = "a", "b")`, or `a = 1, a = 2`.
//!
//! The last field keeps the name, but the first `message` does: tracing puts the macro's text first. The others get names
//! that no other field has, such as `message_2`, so no value is lost.

use std::borrow::Cow;

use tracing::Metadata;

use crate::names::{Names, tell_apart};
use crate::values::{FieldNames, Fields, plain_name, put_name, put_raw, with_bytes};

/// Returns whether a call site declares a name twice.
pub(crate) fn repeats_names(meta: &Metadata<'static>) -> bool {
    let mut names = Names::default();
    !meta.fields().iter().all(|field| names.add(plain_name(field.name())))
}

/// Returns the fields with unique names; `None` if they have them already. `meta`: the call site of declared fields.
#[cold]
pub(super) fn with_unique_names(encoded: &[u8], meta: &'static Metadata<'static>) -> Option<Vec<u8>> {
    let mut fields: Vec<(Cow<'_, str>, &[u8])> = Vec::new();
    // Each name with the place of the field that keeps it.
    let mut keepers: Names<&str, usize> = Names::default();
    let (mut others, mut names) = (Vec::new(), FieldNames::of(meta));
    for (key, bytes) in with_bytes(encoded) {
        let name = names.name(key);
        let place = fields.len();
        if let Some(name) = name
            && let Some(keeper) = keepers.find_or_insert(name, place)
        {
            others.push(if name == "message" { place } else { std::mem::replace(keeper, place) });
        }
        fields.push((Cow::Borrowed(name.unwrap_or_default()), bytes));
    }
    if others.is_empty() {
        return None;
    }
    for place in others {
        if let Some((name, _)) = fields.get_mut(place) {
            *name = Cow::Owned(name.to_string());
        }
    }
    tell_apart(&mut fields);
    let mut unique = Vec::with_capacity(encoded.len() + 64);
    for (name, bytes) in fields {
        let mut field = Fields::new(bytes);
        match (name, field.next_raw()) {
            (Cow::Owned(name), Some((_, value))) => {
                put_name(&mut unique, &name);
                put_raw(&mut unique, value);
                unique.extend_from_slice(field.rest());
            }
            _ => unique.extend_from_slice(bytes),
        }
    }
    Some(unique)
}
