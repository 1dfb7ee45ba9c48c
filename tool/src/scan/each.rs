//! The lines of one stream, in their order.

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::lines::StreamLines;
use super::threads::Totals;
use crate::entry::{Entry, Form, Parser, Request};

/// Calls `take` with each line of a stream, the position of its first byte, and the form that decides how it is read if it is
/// ambiguous. Returns the totals of the lines that were taken. `written`: when the stream's file was written last.
///
/// # Errors
/// The stream cannot be read.
pub(crate) fn each_line(
    reader: impl Read,
    written: Option<i64>,
    mut take: impl FnMut(&Entry<'_>, u64, Form) -> ControlFlow<()>,
) -> io::Result<Totals> {
    let mut lines = StreamLines::new(reader, 0, u64::MAX);
    let mut parser = Parser::default();
    parser.written(written);
    let mut totals = Totals::default();
    let mut request = Request::default();
    while let Some(line) = lines.next_line()? {
        let settled = parser.settled();
        totals.cut += u64::from(line.is_cut);
        let mut flow = ControlFlow::Continue(());
        parser.each(line.bytes, line.is_cut, &mut request, |entry, at| {
            if flow.is_continue() {
                totals.count(entry, false);
                flow = take(entry, line.at + at as u64, settled);
            }
        });
        if flow.is_break() {
            break;
        }
    }
    totals.bytes = lines.at();
    Ok(totals)
}
