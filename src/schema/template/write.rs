//! Writes placeholders and groups with their widths and styles.

use std::borrow::Cow;

use super::parse::{Align, Group, Node, Placeholder, Spec, Tint};
use super::part::{Part, Setting, Written};
use crate::schema::engine::Parts;
use crate::schema::palette::Palette;
use crate::schema::style::RESET;

/// The styles that are on, outermost first. `palette`: `None` without colours.
#[derive(Clone, Debug)]
pub(super) struct Brush {
    pub(super) palette: Option<Palette>,
    pub(super) tints: Vec<Tint>,
}

impl Brush {
    pub(super) fn with(&self, tint: &Tint) -> Self {
        let mut brush = self.clone();
        brush.tints.push(tint.clone());
        brush
    }

    fn put(&self, tint: &Tint, parts: &Parts<'_>, out: &mut Vec<u8>) {
        let Some(palette) = &self.palette else { return };
        let style = match tint {
            Tint::Style(style) => style,
            Tint::Level => palette.style_of(parts.record.level()),
        };
        out.extend_from_slice(style.begin().as_bytes());
    }

    /// Begins the innermost style.
    pub(super) fn begin(&self, parts: &Parts<'_>, out: &mut Vec<u8>) {
        if let Some(tint) = self.tints.last() {
            self.put(tint, parts, out);
        }
    }

    /// Ends the innermost style: ends all, and begins the others again.
    pub(super) fn end(&self, parts: &Parts<'_>, out: &mut Vec<u8>) {
        if let (Some(_), Some((_, outer))) = (&self.palette, self.tints.split_last()) {
            out.extend_from_slice(RESET.as_bytes());
            outer.iter().for_each(|tint| self.put(tint, parts, out));
        }
    }
}

impl Group {
    /// Appends the group at once.
    pub(super) fn put(&self, parts: &Parts<'_>, setting: &Setting, brush: &Brush, out: &mut Vec<u8>) {
        let is_there = |part: &Part| part.is_there(parts, setting);
        if !self.condition.as_ref().is_none_or(is_there) {
            return;
        }
        let brush = self.tint.as_ref().map_or(Cow::Borrowed(brush), |tint| Cow::Owned(brush.with(tint)));
        if self.tint.is_some() {
            brush.begin(parts, out);
        }
        let start = out.len();
        for node in &self.nodes {
            match node {
                Node::Text(text) => out.extend_from_slice(text.as_bytes()),
                Node::Value(placeholder) => match &placeholder.tint {
                    Some(tint) => {
                        let brush = brush.with(tint);
                        brush.begin(parts, out);
                        placeholder.put(parts, setting, out);
                        brush.end(parts, out);
                    }
                    None => placeholder.put(parts, setting, out),
                },
                Node::Group(group) => group.put(parts, setting, &brush, out),
                // `parse` refuses them here.
                Node::Fields(_) => {}
            }
        }
        self.spec.apply(start, Written::Text, out);
        if self.tint.is_some() {
            brush.end(parts, out);
        }
    }
}

impl Part {
    fn is_there(&self, parts: &Parts<'_>, setting: &Setting) -> bool {
        *self == Self::Time || self.put(parts, setting, None, &mut Vec::new()).is_some()
    }
}

impl Placeholder {
    /// Returns whether nothing is in its place where the line has no value.
    pub(super) fn is_bare(&self) -> bool {
        self.spec.is_empty() && self.default.is_empty()
    }

    pub(super) fn put(&self, parts: &Parts<'_>, setting: &Setting, out: &mut Vec<u8>) {
        let start = out.len();
        let written = self.part.put(parts, setting, self.time.as_ref(), out).unwrap_or_else(|| {
            out.extend_from_slice(self.default.as_bytes());
            Written::Text
        });
        self.spec.apply(start, written, out);
    }
}

impl Spec {
    /// Cuts and pads what was appended from `start` on. Styles count as no characters.
    fn apply(&self, start: usize, written: Written, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        let text = out.split_off(start);
        let mut kept = 0;
        let mut is_style = false;
        for char in String::from_utf8_lossy(&text).chars() {
            is_style |= char == '\x1b';
            if is_style {
                // Styles behind the cut are kept: they end what began.
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                is_style = char != 'm';
            } else if self.max.is_none_or(|max| kept < max) {
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                kept += 1;
            }
        }
        let missing = self.width.saturating_sub(kept);
        let align = self.align.unwrap_or(if written == Written::Number { Align::Right } else { Align::Left });
        let before = match align {
            Align::Left => 0,
            Align::Right => missing,
            Align::Center => missing / 2,
        };
        let fill = self.fill.unwrap_or(' ').to_string();
        let text = out.split_off(start);
        out.extend_from_slice(fill.repeat(before).as_bytes());
        out.extend_from_slice(&text);
        out.extend_from_slice(fill.repeat(missing - before).as_bytes());
    }
}
