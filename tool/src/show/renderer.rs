//! Writes entries in a style.

use super::pretty::Pretty;
use super::style::Style;
use super::{csv, json, logfmt};
use crate::entry::Entry;
use crate::escape::escaped_json;

/// Writes entries, one after the other. How one is written may depend on those before.
#[derive(Clone, Debug)]
pub(super) struct Renderer {
    style: Style,
    pretty: Option<Pretty>,
    text: String,
}

impl Renderer {
    /// `are_several`: whether lines of several logs are mixed.
    pub(super) fn new(style: Style, are_several: bool) -> Self {
        let pretty = match &style {
            Style::Pretty(look) => Some(Pretty::new(*look, are_several)),
            _ => None,
        };
        Self { style, pretty, text: String::new() }
    }

    /// Returns whether something may stand between entries that is none.
    pub(super) fn has_separators(&self) -> bool {
        !matches!(self.style, Style::Json | Style::Csv(_))
    }

    /// Writes what stands before all entries: a table's header.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        if let Style::Csv(columns) = &self.style {
            self.text.clear();
            csv::put_header(&mut self.text, columns);
            out.extend_from_slice(self.text.as_bytes());
            out.push(b'\n');
        }
    }

    /// Writes an entry with its last newline.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, entry: &Entry<'_>) {
        self.text.clear();
        match &self.style {
            Style::Raw => out.extend_from_slice(entry.line()),
            Style::Pretty(_) => {
                if let Some(pretty) = &mut self.pretty {
                    pretty.put(out, entry);
                }
            }
            Style::Json => json::put(&mut self.text, entry),
            Style::Logfmt => logfmt::put(&mut self.text, entry),
            Style::Csv(columns) => csv::put(&mut self.text, entry, columns),
            Style::Template(template) => template.put(&mut self.text, entry),
        }
        match &self.style {
            Style::Raw | Style::Pretty(_) => {}
            // Their values are escaped.
            Style::Csv(_) | Style::Template(_) => out.extend_from_slice(self.text.as_bytes()),
            Style::Json | Style::Logfmt => out.extend_from_slice(escaped_json(&self.text).as_bytes()),
        }
        out.push(b'\n');
    }

    /// Returns whether both write the next entries in the same way.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.pretty == other.pretty
    }
}
