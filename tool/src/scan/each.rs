//! The lines of one stream, in their order.

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::lines::StreamLines;
use super::threads::Totals;
use crate::entry::{Entry, Form, Parser};

/// Calls `take` with each line of a stream, the position of its first byte, and the form that decides how it is read if it is
/// ambiguous. Returns the totals of the lines that were taken.
///
/// # Errors
/// The stream cannot be read.
pub(crate) fn each_line(
    reader: impl Read,
    mut take: impl FnMut(&Entry<'_>, u64, Form) -> ControlFlow<()>,
) -> io::Result<Totals> {
    let mut lines = StreamLines::new(reader, 0, u64::MAX);
    let mut parser = Parser::default();
    let mut totals = Totals::default();
    while let Some(line) = lines.next_line()? {
        let settled = parser.settled();
        parser.read_line(line.bytes, line.is_cut);
        let entry = parser.entry(line.bytes);
        totals.count(&entry, line.is_cut);
        if take(&entry, line.at, settled).is_break() {
            break;
        }
    }
    totals.bytes = lines.at();
    Ok(totals)
}
