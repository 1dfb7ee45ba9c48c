//! Prints the entries that were found.

use std::io::{self, Write};

use super::around::{Around, Before};
use super::renderer::Renderer;
use super::style::Style;
use crate::entry::{Entry, Parser};

/// Prints entries, and the lines around them.
pub(crate) struct Printer<'a, W> {
    output: &'a mut W,
    renderer: Renderer,
    around: Around,
    /// Reads the lines before an entry once more.
    parser: Parser,
    bytes: Vec<u8>,
}

impl<'a, W: Write> Printer<'a, W> {
    /// `around`: how many lines are printed before and behind each entry.
    pub(crate) fn new(output: &'a mut W, style: Style, are_several: bool, around: usize) -> Self {
        Self {
            output,
            renderer: Renderer::new(style, are_several),
            around: Around::new(around),
            parser: Parser::default(),
            bytes: Vec::new(),
        }
    }

    /// Prints what stands before all entries: a table's header.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.bytes.clear();
        self.renderer.begin(&mut self.bytes);
        // Nothing is written before there is something to show: that would start a pager.
        if self.bytes.is_empty() { Ok(()) } else { self.output.write_all(&self.bytes) }
    }

    /// Prints an entry that was found, behind the lines before it.
    pub(crate) fn found(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let (has_separator, before) = self.around.meet();
        // A separator would be no JSON, and no row.
        if has_separator && self.renderer.has_separators() {
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
        self.bytes.clear();
        self.renderer.put(&mut self.bytes, entry);
        self.output.write_all(&self.bytes)
    }
}
