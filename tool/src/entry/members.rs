//! The members of one line, read as a whole or by its layout.

use super::fields::Name;
use super::layouts::{Known, Layouts, Placed};
use super::member::{Member, is_same};
use super::roles::Roles;
use super::value::Value;

/// The members of a line, in its order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Members<'e> {
    /// Each with its key.
    Read(&'e [Member]),
    /// Those of a layout, which has the keys.
    Placed(&'e [Placed], &'e Layouts, &'e Known),
}

impl<'e> Members<'e> {
    pub(super) fn count(self) -> usize {
        match self {
            Self::Read(members) => members.len(),
            Self::Placed(members, ..) => members.len(),
        }
    }

    /// Returns the key of a member, decoded.
    pub(super) fn key(self, number: usize, line: &'e [u8]) -> &'e [u8] {
        match self {
            Self::Read(members) => members.get(number).map(|member| member.key(line)),
            Self::Placed(members, layouts, _) => members.get(number).map(|member| layouts.key(member)),
        }
        .unwrap_or_default()
    }

    #[inline]
    pub(super) fn value(self, number: usize, line: &'e [u8]) -> Option<Value<'e>> {
        match self {
            Self::Read(members) => members.get(number).map(|member| member.value(line)),
            Self::Placed(members, ..) => members.get(number).map(|member| member.value(line)),
        }
    }

    /// Returns the number of the last member with a key.
    pub(super) fn last(self, key: &str, line: &'e [u8]) -> Option<usize> {
        (0..self.count()).rfind(|number| is_same(self.key(*number, line), key.as_bytes()))
    }

    /// Returns the names of fields that the members are, if they are known for all lines of this layout.
    pub(super) fn names(self) -> Option<&'e [Name]> {
        match self {
            Self::Read(_) => None,
            Self::Placed(_, _, known) => known.names.as_deref(),
        }
    }

    /// Returns what the members may be, if it is known for all lines of this layout.
    #[inline]
    pub(super) fn roles(self) -> Option<&'e Roles> {
        match self {
            Self::Read(_) => None,
            Self::Placed(_, _, known) => Some(&known.roles),
        }
    }
}
