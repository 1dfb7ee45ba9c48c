//! The members of a layout in their order, with those that depend on the context alone gathered in segments.

use super::layout::{Layout, Member, Stage};

/// The steps to a line.
pub(super) struct Steps {
    pub(super) all: Vec<Step>,
    /// The numbers of the members in each segment.
    pub(super) segments: Vec<Vec<usize>>,
}

pub(super) enum Step {
    /// A member, by its number.
    Member(usize),
    /// Members that follow one another and depend on the context alone, by the number of the segment.
    Segment(usize),
}

impl Steps {
    pub(super) fn of(layout: &Layout) -> Self {
        let (mut all, mut segments) = (Vec::new(), Vec::<Vec<usize>>::new());
        for (number, member) in layout.members.iter().enumerate() {
            if !is_of_context(member) {
                all.push(Step::Member(number));
                continue;
            }
            if !matches!(all.last(), Some(Step::Segment(_))) {
                all.push(Step::Segment(segments.len()));
                segments.push(Vec::new());
            }
            segments.last_mut().into_iter().for_each(|segment| segment.push(number));
        }
        Self { all, segments }
    }
}

fn is_of_context(member: &Member) -> bool {
    match member {
        Member::Value { stage, .. } => matches!(stage, Stage::Shape | Stage::Context),
        Member::Fields(origin, _) => origin.is_context(),
        _ => false,
    }
}
