//! A text that takes the place of the lines: the help, or a trace.

/// What keys do.
const HELP: &str = "\
Keys

/                 type a filter: a word, a \"text in quotes\", or an expression such as status >= 500
                  It takes effect while it is typed. Enter keeps it, Escape goes back, Ctrl-U removes it
l                 only lines of a level and more severe ones: debug, info, warn, error, or all
p                 pause: lines are still read, and shown when the pause ends
g                 group lines by request
t                 the trace of the selected line, else of the last one, from the lines that are kept
Up, Down          select a line
Page Up, Down     select one further away
Home, End         the oldest line; the newest ones, as they come
?                 this page
q, Ctrl-C         quit; in a page, q goes back

The newest 10,000 lines are kept, in at most 16 MiB.";

/// A text, and how far it is scrolled.
#[derive(Debug)]
pub(super) struct Page {
    /// With colours.
    pub(super) text: String,
    /// How many rows are above the screen.
    pub(super) top: usize,
    /// How many rows can be, as of the last time that it was drawn.
    pub(super) most: usize,
    /// How many rows the screen had then.
    pub(super) room: usize,
}

impl Page {
    pub(super) fn new(text: String) -> Self {
        Self { text, top: 0, most: 0, room: 0 }
    }

    pub(super) fn help() -> Self {
        Self::new(HELP.to_owned())
    }

    pub(super) fn up(&mut self, rows: usize) {
        self.top = self.top.saturating_sub(rows);
    }

    pub(super) fn down(&mut self, rows: usize) {
        self.top = self.top.saturating_add(rows).min(self.most);
    }
}
