//! Edits of a description, so that edited lines are prepared like all others.
//!
//! The rule is the edit of the text of the whole line, see [`Edits`]. A description can be edited unless two edits, or an
//! edit and a key, meet; whatever depends on the line is [`Place::Slot`], so such lines are written directly.

use std::borrow::Cow;
use std::collections::HashSet;

use super::layout::{Group, Layout, Member, Place, Stage, prepared_key};
use crate::record::Record;
use crate::schema::edit::{Edit, Edits};
use crate::schema::json;
use crate::schema::resolved_fields::Origin;

/// Edits of users' fields.
pub(super) struct EditedKeys {
    edits: Edits,
    /// The keys that the edits give.
    given: HashSet<String>,
    /// The path to the fields of each group that is shown.
    paths: Vec<(Group, String)>,
}

impl EditedKeys {
    fn path(&self, group: Group, key: &str) -> Option<String> {
        let (_, path) = self.paths.iter().find(|(other, _)| *other == group)?;
        Some(format!("{path}{key}"))
    }

    /// Returns the key that an edit gives to a field, if one does. `key`: its own.
    pub(super) fn renamed(&self, group: Group, key: &str) -> Option<String> {
        match self.edits.change(&self.path(group, key)?) {
            Some(Edit::Rename(to)) => Some(to.to_owned()),
            _ => None,
        }
    }

    /// Returns where a field goes with the edits. `key`: its own key in a group.
    pub(super) fn place<'k>(&self, place: Place, key: impl Fn(Group) -> Cow<'k, str>) -> Place {
        let edit = |group| {
            let key = key(group);
            let path = self.path(group, &key)?;
            let change = self.edits.change(&path);
            let is_unsure = change.is_none() && self.given.contains(&*key) || self.edits.are_inside(&(path + "."));
            (is_unsure || change.is_some()).then_some((change, is_unsure))
        };
        match place {
            Place::Group(group) => match edit(group) {
                None => place,
                Some((_, true)) => Place::Slot(group),
                Some((Some(Edit::Remove), _)) => Place::Hidden,
                Some(_) => place,
            },
            Place::Either(first, second) if edit(first).is_some() || edit(second).is_some() => Place::Slot(second),
            place => place,
        }
    }
}

impl Layout {
    /// Applies edits; returns `None` when that has to be done with the text of each line. `record`: any record, which has
    /// the static fields.
    pub(super) fn edited(mut self, edits: &Edits, record: &Record<'_>) -> Option<Self> {
        if edits.gives_twice() {
            return None;
        }
        self.head = edited_head(&self.head, edits)?;
        let mut paths: Vec<(Group, String)> = Vec::new();
        let mut path = String::new();
        let mut is_removed = false;
        let mut members = Vec::with_capacity(self.members.len());
        for mut member in std::mem::take(&mut self.members) {
            match &mut member {
                Member::Close => {
                    path.clear();
                    if !std::mem::take(&mut is_removed) {
                        members.push(member);
                    }
                    continue;
                }
                _ if is_removed => continue,
                Member::Fields(_, group) => {
                    if paths.iter().any(|(other, elsewhere)| other == group && *elsewhere != path) {
                        return None;
                    }
                    paths.push((*group, path.clone()));
                }
                // Whole members, whose names are not known here.
                Member::Value { key, .. } if key.is_empty() => {
                    if !path.is_empty() && edits.are_inside(&path) {
                        return None;
                    }
                }
                Member::Value { key, .. } | Member::Message { key, .. } | Member::Request { key, .. } => {
                    if edits.are_inside(&format!("{path}{}.", name_of(key))) {
                        return None;
                    }
                    match edited_key(key, &path, edits)? {
                        Some(edited) => *key = edited,
                        None => continue,
                    }
                }
                Member::Open { key, .. } => {
                    let inside = format!("{}.", name_of(key));
                    match edited_key(key, "", edits)? {
                        Some(edited) => *key = edited,
                        None => is_removed = true,
                    }
                    path = inside;
                    if is_removed {
                        continue;
                    }
                }
            }
            members.push(member);
        }
        self.members = members;
        for (name, value) in edits.inserts() {
            let mut text = Vec::new();
            json::put_value(&mut text, &value);
            self = self.put(name, Stage::Log, move |_, out| {
                out.extend_from_slice(&text);
                true
            });
        }
        self.edited_keys =
            Some(EditedKeys { edits: edits.clone(), given: edits.given().map(str::to_owned).collect(), paths });
        let is_unsure = |name: &str| matches!(self.place(name, Origin::Static), Place::Slot(_));
        if record.static_fields().any(|(name, _)| is_unsure(name)) {
            return None;
        }
        Some(self)
    }
}

/// Returns the edited form of a prepared key: `Some(None)` when the member is removed, `None` when an edit gives the key.
fn edited_key(key: &[u8], path: &str, edits: &Edits) -> Option<Option<Vec<u8>>> {
    let name = name_of(key);
    match edits.change(&format!("{path}{name}")) {
        Some(Edit::Rename(to)) => Some(Some(prepared_key(to))),
        Some(Edit::Remove) => Some(None),
        None => (!edits.gives(name)).then(|| Some(key.to_vec())),
    }
}

/// Returns the name in a prepared key of a schema, which needs no escape.
fn name_of(key: &[u8]) -> &str {
    let name = key.get(2..key.len().saturating_sub(2)).unwrap_or_default();
    std::str::from_utf8(name).unwrap_or_default()
}

/// Returns what precedes the time, with its key edited. There may be one more member, whose value has no comma.
fn edited_head(head: &str, edits: &Edits) -> Option<String> {
    let (before, member) = match head.rsplit_once(',') {
        Some((before, member)) => (before, member),
        None => ("", head.strip_prefix('{')?),
    };
    let first = before.strip_prefix("{\"").and_then(|first| first.split_once('"')).map(|(name, _)| name);
    if first.is_some_and(|first| edits.change(first).is_some() || edits.gives(first)) {
        return None;
    }
    let name = member.strip_prefix('"')?.strip_suffix("\":\"")?;
    let key = edited_key(&prepared_key(name), "", edits)??;
    let key = std::str::from_utf8(key.get(1..)?).ok()?;
    Some(if before.is_empty() { format!("{{{key}\"") } else { format!("{before},{key}\"") })
}
