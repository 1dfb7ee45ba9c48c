//! Which members of a line may be what, as its dialect says.

use super::view::{Part, Place};
use crate::loggers::Dialect;

/// What a member may be. Of several, the first that can be read is it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Time,
    /// Log4j's time, an object.
    Instant,
    Level,
    Part(Part),
    /// A trace's id if it has only digits: under these keys, it may be a field of the program.
    OtherTrace,
}

/// How many roles there are.
const ROLES: usize = Part::ALL.len() + 4;

/// Where a request's id is: the library's field, in the objects that the dialects have, and in the innermost span of
/// `tracing_subscriber`.
const REQUEST_IDS: &[&str] =
    &["request_id", "fields>request_id", "labels>request_id", "event>request_id", "_request_id", "span>request_id"];

impl Role {
    const ALL: [Self; ROLES] = [
        Self::Part(Part::Service),
        Self::Part(Part::Target),
        Self::Part(Part::Message),
        Self::Part(Part::Request),
        Self::Part(Part::Trace),
        Self::Time,
        Self::Instant,
        Self::Level,
        Self::OtherTrace,
    ];

    /// Returns its place among all.
    fn number(self) -> usize {
        match self {
            Self::Part(part) => part as usize,
            Self::Time => Part::ALL.len(),
            Self::Instant => Part::ALL.len() + 1,
            Self::Level => Part::ALL.len() + 2,
            Self::OtherTrace => Part::ALL.len() + 3,
        }
    }

    /// Returns the keys of members that may be it: a name, or `object>name`.
    pub(super) fn keys(self, dialect: &Dialect) -> impl Iterator<Item = &'static str> + use<> {
        let keys = &dialect.keys;
        let (first, second): (&'static [&'static str], &'static [&'static str]) = match self {
            Self::Time => (keys.time, &[]),
            Self::Instant => (&["instant"], &[]),
            Self::Level => (keys.level, &[]),
            Self::Part(Part::Service) => (keys.service, &[]),
            Self::Part(Part::Target) => (keys.target, &[]),
            Self::Part(Part::Message) => (keys.message, &[]),
            Self::Part(Part::Request) => (REQUEST_IDS, keys.request),
            Self::Part(Part::Trace) => (keys.trace.get(..1).unwrap_or_default(), &[]),
            Self::OtherTrace => (keys.trace.get(1..).unwrap_or_default(), &[]),
        };
        first.iter().chain(second).copied()
    }
}

/// The members of a line that may have each role.
#[derive(Debug)]
pub(super) struct Roles([Box<[Place]>; ROLES]);

impl Roles {
    /// `number` returns that of the last member with a key.
    pub(super) fn new(dialect: &Dialect, number: impl Fn(&str) -> Option<usize>) -> Self {
        Self(Role::ALL.map(|role| {
            let place = |key| {
                let (outer, inner) = parts(key);
                number(outer).map(|number| (number, inner))
            };
            role.keys(dialect).filter_map(place).collect()
        }))
    }

    pub(super) fn places(&self, role: Role) -> &[Place] {
        self.0.get(role.number()).map_or(&[], |places| places)
    }
}

/// Returns the key of a member, and the key in it if it is an object.
pub(super) fn parts(key: &'static str) -> (&'static str, &'static str) {
    key.split_once('>').unwrap_or((key, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_its_place() {
        for (number, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role.number(), number, "{role:?}");
        }
    }
}
