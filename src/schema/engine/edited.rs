//! Edits of a description, so that edited lines are prepared like all others.
//!
//! The rule is the edit of the text of the whole line, see [`Edits`]. A description can be edited unless two edits, or an
//! edit and a key, meet; whatever depends on the line is [`Place::Unsure`], so such lines are written directly.

use std::borrow::Cow;
use std::collections::HashSet;

use super::direct::TIME;
use super::layout::{Group, Layout, Member, Place, Stage};
use super::syntax::{MemberKey, Syntax};
use crate::record::Record;
use crate::schema::edit::{Edit, Edits};
use crate::schema::resolved_fields::Origin;

/// Edits of users' fields.
pub(super) struct EditedKeys {
    edits: Edits,
    /// The keys that the edits give.
    given: HashSet<String>,
    /// The path to the fields of each group that is shown.
    paths: Vec<(Group, String)>,
    /// Fields that may take the place of a member that an edit removes.
    removed: HashSet<&'static str>,
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
    pub(super) fn place<'k>(&self, place: Place, name: &str, key: impl Fn(Group) -> Cow<'k, str>) -> Place {
        let edit = |group| {
            let key = key(group);
            let path = self.path(group, &key)?;
            let change = self.edits.change(&path);
            let is_unsure = change.is_none() && self.given.contains(&*key) || self.edits.are_inside(&(path + "."));
            (is_unsure || change.is_some()).then_some((change, is_unsure))
        };
        match place {
            Place::Group(group) if self.removed.contains(name) => Place::Unsure(group),
            Place::Group(group) => match edit(group) {
                None => place,
                Some((_, true)) => Place::Unsure(group),
                Some((Some(Edit::Remove), _)) => Place::Hidden,
                Some(_) => place,
            },
            Place::Either(first, second) if edit(first).is_some() || edit(second).is_some() => Place::Unsure(second),
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
        match self.insert_at {
            None => self.frame.head = edited_head(&self.frame.head, edits)?,
            Some(_) if edits.change(TIME).is_some() || edits.gives(TIME) => return None,
            Some(_) => {}
        }
        let (mut insert_at, syntax) = self.insert_at.clone().unwrap_or((self.members.len(), Syntax::JSON));
        let mut paths: Vec<(Group, String)> = Vec::new();
        let mut path = String::new();
        // For each object that is open, the length of the path to it.
        let mut open = Vec::new();
        let (mut is_removed, mut removed_from) = (false, 0);
        let mut removed = HashSet::new();
        let mut members = Vec::with_capacity(self.members.len());
        for (number, mut member) in std::mem::take(&mut self.members).into_iter().enumerate() {
            if number == insert_at {
                insert_at = members.len();
            }
            match &mut member {
                Member::Close(_) => {
                    path.truncate(open.pop().unwrap_or_default());
                    if is_removed {
                        is_removed = removed_from < open.len();
                        continue;
                    }
                }
                Member::Open { .. } if is_removed => {
                    open.push(path.len());
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
                Member::Value { key, .. } | Member::Message { key, .. } | Member::Request { key, .. }
                    if key.is_none =>
                {
                    if !path.is_empty() && edits.are_inside(&path) {
                        return None;
                    }
                }
                Member::Value { key, .. } | Member::Message { key, .. } | Member::Request { key, .. } => {
                    if edits.are_inside(&format!("{path}{}.", key.name)) {
                        return None;
                    }
                    if let Some(edited) = edited_key(key, &path, edits)? {
                        *key = edited;
                    } else {
                        if let Member::Value { slot: Some(slot), .. } = member {
                            removed.insert(slot.name);
                        }
                        continue;
                    }
                }
                Member::Open { key, .. } if key.is_none => open.push(path.len()),
                Member::Open { key, is_required, .. } => {
                    // Where edits apply to members, none is inside one.
                    let is_whole = self.insert_at.is_some();
                    let inside = if is_whole { NOWHERE.to_owned() } else { format!("{path}{}.", key.name) };
                    *is_required &= !edits.are_inside(&inside);
                    let edited = edited_key(key, &path, edits)?;
                    (is_removed, removed_from) = (edited.is_none(), open.len());
                    open.push(path.len());
                    path = inside;
                    match edited {
                        Some(edited) => *key = edited,
                        None => continue,
                    }
                }
            }
            members.push(member);
        }
        let behind = members.split_off(insert_at.min(members.len()));
        self.members = members;
        self = self.syntax(syntax.clone());
        for (name, value) in edits.inserts() {
            let mut text = Vec::new();
            syntax.form.put(&value, &mut text);
            self = self.put(name, Stage::Log, move |_, out| {
                out.extend_from_slice(&text);
                true
            });
        }
        self.members.extend(behind);
        self.edited_keys = Some(EditedKeys {
            edits: edits.clone(),
            given: edits.given().map(str::to_owned).collect(),
            paths,
            removed,
        });
        let is_unsure = |name: &str| matches!(self.place(name, Origin::Static), Place::Unsure(_));
        if record.static_fields().any(|(name, _)| is_unsure(name)) {
            return None;
        }
        Some(self)
    }
}

/// Returns the edited form of a prepared key: `Some(None)` when the member is removed, `None` when an edit gives the key.
fn edited_key(key: &MemberKey, path: &str, edits: &Edits) -> Option<Option<MemberKey>> {
    let name = &*key.name;
    match edits.change(&format!("{path}{name}")) {
        Some(Edit::Rename(to)) => Some(Some(key.renamed(to))),
        Some(Edit::Remove) => Some(None),
        None => (!edits.gives(name)).then(|| Some(key.clone())),
    }
}

/// A path that no edit has.
const NOWHERE: &str = "\0";

/// Returns what precedes the time, with its key edited. There may be one more member, whose value has no comma.
fn edited_head(head: &str, edits: &Edits) -> Option<String> {
    let name = |member: &str| serde_json::from_str::<String>(member.strip_suffix(":\"")?).ok();
    let alone = head.strip_prefix('{').filter(|member| name(member).is_some());
    let (before, member) = alone.map(|member| ("", member)).or_else(|| head.rsplit_once(','))?;
    let first = before.strip_prefix("{\"").and_then(|first| first.split_once('"')).map(|(name, _)| name);
    if first.is_some_and(|first| edits.change(first).is_some() || edits.gives(first)) {
        return None;
    }
    let key = edited_key(&MemberKey::new(&name(member)?, &Syntax::JSON), "", edits)??;
    let key = std::str::from_utf8(key.bytes.get(1..)?).ok()?;
    Some(if before.is_empty() { format!("{{{key}\"") } else { format!("{before},{key}\"") })
}
