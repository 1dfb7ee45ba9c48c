//! A trace that was read, and what is made of it.

use std::io::{self, Write};

#[cfg(all(unix, feature = "keys"))]
use super::gather::gather_from;
#[cfg(feature = "clickhouse")]
use super::gather::gather_stored;
use super::gather::{Logs, gather};
use super::html;
use super::json;
use super::rows::{Choice, Waterfall};
use super::signs::Signs;
use super::text::{self, Style};
use super::tree::Tree;
#[cfg(all(unix, feature = "keys"))]
use crate::entry::Entry;
#[cfg(feature = "clickhouse")]
use crate::inputs::Merged;
use crate::loggers::LineLevel;
use crate::report::Report;
use crate::show::Paint;

/// How much of a trace is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// At most this many spans have rows.
    pub(crate) spans: usize,
    /// Events of this level and more severe ones have rows.
    pub(crate) level: LineLevel,
    /// Gaps longer than this share of the whole.
    pub(crate) gap_percent: f64,
}

/// The lines of one trace, or of one request with all its traces.
#[derive(Debug)]
pub(crate) struct Trace {
    tree: Tree,
    view: View,
}

impl Trace {
    /// Reads the lines of a trace, a request or a span. `None`: there are none.
    pub(crate) fn read(id: &str, logs: &Logs<'_>, view: View, report: &mut Report) -> Option<Self> {
        let store = gather(id, logs, report);
        (store.lines > 0).then(|| Self { tree: Tree::new(store), view })
    }

    /// Reads the same from lines that are at hand. `each`: passes all of them on, with their times, as often as it is called.
    #[cfg(all(unix, feature = "keys"))]
    pub(crate) fn of_lines(
        id: &str,
        view: View,
        each: impl FnMut(&mut dyn FnMut(&Entry<'_>, Option<i64>) -> bool),
    ) -> Option<Self> {
        let store = gather_from(id, each);
        (store.lines > 0).then(|| Self { tree: Tree::new(store), view })
    }

    /// Does the same with the lines that an engine returns for ids.
    #[cfg(feature = "clickhouse")]
    pub(crate) fn read_stored(
        id: &str,
        open: impl FnMut(&[String], &mut Report) -> Option<Merged>,
        view: View,
        report: &mut Report,
    ) -> Option<Self> {
        let store = gather_stored(id, open, report);
        (store.lines > 0).then(|| Self { tree: Tree::new(store), view })
    }

    fn waterfall(&self, level: LineLevel) -> Waterfall<'_> {
        let choice = Choice { spans: self.view.spans, level, gap_share: self.view.gap_percent / 100.0 };
        Waterfall::new(&self.tree, &choice)
    }

    /// Returns the waterfall for a terminal.
    pub(crate) fn text(&self, width: usize, is_ascii: bool, paint: Paint) -> String {
        let mut out = String::new();
        text::put(&mut out, &self.waterfall(self.view.level), Style { paint, signs: Signs::new(is_ascii), width });
        out
    }

    /// Writes all of it as JSON in one line.
    pub(crate) fn write_json(&self, output: &mut impl Write) -> io::Result<()> {
        json::write(output, &self.waterfall(self.view.level), self.view.gap_percent / 100.0)
    }

    /// Returns a page that needs nothing else. It has rows for all events that are kept.
    pub(crate) fn html(&self) -> String {
        html::page(&self.waterfall(LineLevel::Trace))
    }
}
