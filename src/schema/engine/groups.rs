//! The members that hold others: the fields of a group, objects and lists.

use super::layout::{Group, Layout, Member, UNDER};
use super::syntax::{Brackets, MemberKey};
use crate::schema::resolved_fields::Origin;

impl Layout {
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
    pub(in crate::schema) fn object(self, key: &str, add: impl FnOnce(Self) -> Self) -> Self {
        self.enclosed(key, Brackets::OBJECT, add)
    }

    /// Adds what `add` adds in brackets, unless that is nothing.
    pub(in crate::schema) fn enclosed(mut self, key: &str, brackets: Brackets, add: impl FnOnce(Self) -> Self) -> Self {
        let open = self.members.len();
        let syntax = self.syntax.clone();
        self.members.push(Member::Open { key: MemberKey::new(key, &syntax), groups: 0, is_required: false });
        self = add(self).syntax(syntax);
        let mut inside = self.members.iter().skip(open + 1).map(|member| match member {
            Member::Fields(_, group) => Some(1 << group),
            _ => None,
        });
        let inside = inside.try_fold(0, |groups, group| Some(groups | group?)).unwrap_or(0);
        if let Some(Member::Open { groups, .. }) = self.members.get_mut(open) {
            *groups = inside;
        }
        self.members.push(Member::Close(brackets));
        self
    }

    /// Adds an object with what `add` adds, even if that is nothing.
    pub(in crate::schema) fn required_object(self, key: &str, add: impl FnOnce(Self) -> Self) -> Self {
        self.always_enclosed(key, Brackets::OBJECT, add)
    }

    /// Adds what `add` adds in brackets, even if that is nothing.
    pub(in crate::schema) fn always_enclosed(
        mut self,
        key: &str,
        brackets: Brackets,
        add: impl FnOnce(Self) -> Self,
    ) -> Self {
        let syntax = self.syntax.clone();
        self.members.push(Member::Open { key: MemberKey::new(key, &syntax), groups: 0, is_required: true });
        self = add(self).syntax(syntax);
        self.members.push(Member::Close(brackets));
        self
    }

    /// Adds the object `fields` with what has no other place.
    pub(in crate::schema) fn under_fields(self) -> Self {
        self.object("fields", |layout| layout.fields(UNDER).static_fields(UNDER))
    }
}
