//! Prints the entries that were found.

use std::io::{self, Write};

use clap::ValueEnum;

use super::around::Around;
use super::paint::Paint;
use super::pretty::Pretty;
use super::{json, logfmt};
use crate::entry::{Entry, Parser};
use crate::escape::escaped_json;

/// How entries are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The bytes of the line; the default unless stdout is a terminal
    Raw,
    /// An object with the same keys for all loggers
    Json,
    /// For people; the default on a terminal
    Pretty,
    /// `key=value` pairs
    Logfmt,
}

/// Prints entries, and the lines around them.
pub(crate) struct Printer<'a, W> {
    output: &'a mut W,
    format: Format,
    pretty: Pretty,
    around: Around,
    /// Reads the lines before an entry once more.
    parser: Parser,
    text: String,
}

impl<'a, W: Write> Printer<'a, W> {
    /// `around`: how many lines are printed before and behind each entry.
    pub(crate) fn new(output: &'a mut W, format: Format, paint: Paint, are_several: bool, around: usize) -> Self {
        Self {
            output,
            format,
            pretty: Pretty::new(paint, are_several),
            around: Around::new(around),
            parser: Parser::default(),
            text: String::new(),
        }
    }

    /// Prints an entry that was found, behind the lines before it.
    pub(crate) fn found(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let (has_separator, before) = self.around.meet();
        // A separator would be no JSON.
        if has_separator && self.format != Format::Json {
            self.output.write_all(b"--\n")?;
        }
        let mut parser = std::mem::take(&mut self.parser);
        for line in before {
            parser.read(&line);
            self.print(&parser.entry(&line))?;
        }
        self.parser = parser;
        self.print(entry)
    }

    /// Takes an entry that was not found, which may be near one that is.
    pub(crate) fn passed(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        if self.around.pass(entry.line()) { self.print(entry) } else { Ok(()) }
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
        match self.format {
            Format::Raw => {
                self.output.write_all(entry.line())?;
                return self.output.write_all(b"\n");
            }
            Format::Json => json::put(&mut self.text, entry),
            Format::Logfmt => logfmt::put(&mut self.text, entry),
            Format::Pretty => self.pretty.put(&mut self.text, entry),
        }
        match self.format {
            // Its parts are escaped, and its colours are not.
            Format::Pretty => self.output.write_all(self.text.as_bytes())?,
            _ => self.output.write_all(escaped_json(&self.text).as_bytes())?,
        }
        self.output.write_all(b"\n")
    }
}
