//! Prints the entries that were found.

use std::io::{self, Write};

use super::around::{Around, Before};
use super::pretty::Pretty;
use super::style::Style;
use super::{csv, json, logfmt};
use crate::entry::{Entry, Parser};
use crate::escape::escaped_json;

/// Prints entries, and the lines around them.
pub(crate) struct Printer<'a, W> {
    output: &'a mut W,
    style: Style,
    pretty: Option<Pretty>,
    around: Around,
    /// Reads the lines before an entry once more.
    parser: Parser,
    text: String,
    bytes: Vec<u8>,
}

impl<'a, W: Write> Printer<'a, W> {
    /// `around`: how many lines are printed before and behind each entry.
    pub(crate) fn new(output: &'a mut W, style: Style, are_several: bool, around: usize) -> Self {
        let pretty = match &style {
            Style::Pretty(look) => Some(Pretty::new(*look, are_several)),
            _ => None,
        };
        Self {
            output,
            style,
            pretty,
            around: Around::new(around),
            parser: Parser::default(),
            text: String::new(),
            bytes: Vec::new(),
        }
    }

    /// Prints what stands before all entries: a table's header.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        if let Style::Csv(columns) = &self.style {
            self.text.clear();
            csv::put_header(&mut self.text, columns);
            writeln!(self.output, "{}", self.text)?;
        }
        Ok(())
    }

    /// Prints an entry that was found, behind the lines before it.
    pub(crate) fn found(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let (has_separator, before) = self.around.meet();
        // A separator would be no JSON, and no row.
        if has_separator && !matches!(self.style, Style::Json | Style::Csv(_)) {
            self.output.write_all(b"--\n")?;
        }
        if !before.is_empty() {
            let mut parser = std::mem::take(&mut self.parser);
            for Before { line, is_cut } in before {
                parser.read_line(&line, is_cut);
                self.print(&parser.entry(&line))?;
            }
            self.parser = parser;
        }
        self.print(entry)
    }

    /// Takes an entry that was not found, which may be near one that is.
    pub(crate) fn passed(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        if self.around.pass(entry.line(), entry.is_cut()) { self.print(entry) } else { Ok(()) }
    }

    /// Returns whether lines behind the last entry are still to be printed.
    pub(crate) fn is_open(&self) -> bool {
        self.around.is_open()
    }

    /// Writes out what was printed, before a wait.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    fn print(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        self.text.clear();
        match &self.style {
            Style::Raw => {
                self.output.write_all(entry.line())?;
                return self.output.write_all(b"\n");
            }
            Style::Pretty(_) => {
                self.bytes.clear();
                if let Some(pretty) = &mut self.pretty {
                    pretty.put(&mut self.bytes, entry);
                }
                self.bytes.push(b'\n');
                return self.output.write_all(&self.bytes);
            }
            Style::Json => json::put(&mut self.text, entry),
            Style::Logfmt => logfmt::put(&mut self.text, entry),
            Style::Csv(columns) => csv::put(&mut self.text, entry, columns),
            Style::Template(template) => template.put(&mut self.text, entry),
        }
        match &self.style {
            // Their values are escaped.
            Style::Csv(_) | Style::Template(_) => self.output.write_all(self.text.as_bytes())?,
            _ => self.output.write_all(escaped_json(&self.text).as_bytes())?,
        }
        self.output.write_all(b"\n")
    }
}
