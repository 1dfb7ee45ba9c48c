//! What a template names.

use super::parse::{Group, Node, Placeholder};
use super::part::Part;
use crate::schema::edit::{Edit, Edits};

/// Calls `visit` with each part that the template names, and whether all lines that have the part show it.
fn each_part<'n>(nodes: &'n [Node], conditions: &mut Vec<&'n Part>, visit: &mut impl FnMut(&'n Part, bool)) {
    for node in nodes {
        match node {
            Node::Value(Placeholder { part, .. }) => visit(part, conditions.iter().all(|condition| *condition == part)),
            Node::Group(Group { condition, nodes, .. }) => {
                if let Some(condition) = condition {
                    visit(condition, false);
                }
                conditions.extend(condition);
                each_part(nodes, conditions, visit);
                conditions.truncate(conditions.len() - usize::from(condition.is_some()));
            }
            Node::Text(_) | Node::Fields(_) => {}
        }
    }
}

/// Returns the parts that all lines show which have them: `{fields}` need not show them again.
pub(super) fn shown(nodes: &[Node]) -> Vec<Part> {
    let mut shown = Vec::new();
    each_part(nodes, &mut Vec::new(), &mut |part, is_shown| {
        if is_shown {
            shown.push(part.clone());
        }
    });
    shown
}

/// Returns the names of the fields among the parts.
pub(super) fn named(parts: &[Part]) -> Vec<String> {
    let name = |part: &Part| match part {
        Part::Field(name) => Some(name.clone()),
        _ => None,
    };
    parts.iter().filter_map(name).collect()
}

pub(super) fn uses(nodes: &[Node], wanted: &[Part]) -> bool {
    let mut is_used = false;
    each_part(nodes, &mut Vec::new(), &mut |part, _| is_used |= wanted.contains(part));
    is_used
}

pub(super) fn has_fields(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| match node {
        Node::Fields(_) => true,
        Node::Group(group) => has_fields(&group.nodes),
        Node::Text(_) | Node::Value(_) => false,
    })
}

/// Removes the fields that edits remove.
pub(super) fn remove(nodes: &mut [Node], edits: &Edits) {
    let remove_part = |part: &mut Part| {
        if let Part::Field(name) = part
            && matches!(edits.change(name), Some(Edit::Remove))
        {
            *part = Part::Removed;
        }
    };
    for node in nodes {
        match node {
            Node::Value(placeholder) => remove_part(&mut placeholder.part),
            Node::Group(group) => {
                group.condition.iter_mut().for_each(remove_part);
                remove(&mut group.nodes, edits);
            }
            Node::Text(_) | Node::Fields(_) => {}
        }
    }
}
