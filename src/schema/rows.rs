//! Rows for databases: a schema around another one. The worker offers its rows as lines, and no line is parsed back.
//!
//! A row has its columns in their order, each with a length of 4 bytes in front (little-endian), or [`NULL`], and a newline
//! at the end. A number is 8 bytes, little-endian; everything else is text. The form is private: only
//! sinks that asked for it with [`Profile::rows`](crate::sink::Profile) read it, with [`Rows::each_cell`].
//!
//! The column `line` is the line as the output's schema renders it, with the output's edits. The others are text as
//! [`Template`](super::Template) writes it: no raw control characters, so they are safe for terminals.

use tracing::Level;

use super::clock::ClockText;
use super::template::Part;
use super::{Rfc3339, Schema};
use crate::error::Error;
use crate::record::{Record, Timestamp};

/// The length of a column without a value.
const NULL: u32 = u32::MAX;

/// The columns of a table, in their order. Names are unique.
#[derive(Clone, Debug)]
pub(crate) struct Rows(Vec<Column>);

/// One column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// What it is called in the table.
    pub(crate) name: String,
    content: Content,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Time,
    LineNumber,
    /// The thread's name, or else its number.
    Thread,
    /// The whole line.
    Line,
    Text(Part),
}

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    Null,
    Number(i64),
    Text(&'a [u8]),
}

/// Returns the columns with a name, besides `field:…`.
fn named() -> [(&'static str, Content); 13] {
    [
        ("time", Content::Time),
        ("level", Content::Text(Part::Level)),
        ("target", Content::Text(Part::Target)),
        ("module", Content::Text(Part::Module)),
        ("file", Content::Text(Part::File)),
        ("line_number", Content::LineNumber),
        ("thread", Content::Thread),
        ("message", Content::Text(Part::Message)),
        ("service", Content::Text(Part::Service)),
        ("trace_id", Content::Text(Part::TraceId)),
        ("span_id", Content::Text(Part::SpanId)),
        ("request_id", Content::Text(Part::Field("request_id".to_owned()))),
        ("line", Content::Line),
    ]
}

impl Rows {
    /// The columns of a table for which none are set.
    pub(crate) const DEFAULT: [&'static str; 8] =
        ["time", "level", "target", "message", "service", "trace_id", "request_id", "line"];

    /// Reads the names of columns.
    ///
    /// # Errors
    /// There is none, one is unknown, or two are equal.
    pub(crate) fn new(names: &[String]) -> Result<Self, Error> {
        let mut columns: Vec<Column> = Vec::new();
        for name in names {
            let column = Column::new(name)?;
            // Databases compare names without regard to case.
            if columns.iter().any(|other| other.name.eq_ignore_ascii_case(&column.name)) {
                return Err(Error::invalid(format!("two columns are called `{}`; expected each once", column.name)));
            }
            columns.push(column);
        }
        if columns.is_empty() {
            return Err(Error::invalid("there are no columns; expected at least one, such as `line`"));
        }
        Ok(Self(columns))
    }

    /// Returns the schema of rows around the schema of the column `line`.
    pub(crate) fn around(&self, line: Box<dyn Schema>) -> Box<dyn Schema> {
        let clock = ClockText::new(String::new(), "", Rfc3339::micros().into());
        Box::new(RowSchema { rows: self.clone(), line, clock })
    }

    /// Returns whether a column names the thread.
    pub(crate) fn wants_thread(&self) -> bool {
        self.0.iter().any(|column| column.content == Content::Thread)
    }

    /// Returns the columns.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.0
    }

    /// Reads a row. `None` unless it is exactly one, as for a line that no schema has rendered.
    fn cells<'a>(&'a self, row: &'a [u8]) -> Option<Cells<'a>> {
        let cells = Cells { columns: self.0.iter(), rest: row };
        let mut check = cells.clone();
        let count = check.by_ref().count();
        (count == self.0.len() && check.rest == b"\n").then_some(cells)
    }

    /// Passes the values of a line to `put`, each with its place: those of its row or, for a line that no schema has
    /// rendered, what is known of it besides its text.
    ///
    /// # Errors
    /// The first one of `put`.
    pub(crate) fn each_cell<E>(
        &self,
        line: &[u8],
        time: Timestamp,
        level: Level,
        mut put: impl FnMut(usize, Cell<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(mut cells) = self.cells(line) {
            return cells.try_fold(0, |place, cell| put(place, cell).map(|()| place + 1)).map(drop);
        }
        let time = time.to_string();
        self.0.iter().enumerate().try_for_each(|(place, column)| {
            let text = match column.content {
                Content::Time => Some(time.as_bytes()),
                Content::Text(Part::Level) => Some(level.as_str().as_bytes()),
                Content::Line => Some(line.strip_suffix(b"\n").unwrap_or(line)),
                _ => None,
            };
            put(place, text.map_or(Cell::Null, Cell::Text))
        })
    }
}

impl Column {
    fn new(name: &str) -> Result<Self, Error> {
        if let Some(field) = name.strip_prefix("field:").filter(|field| !field.is_empty() && !field.contains('\0')) {
            return Ok(Self { name: field.to_owned(), content: Content::Text(Part::Field(field.to_owned())) });
        }
        let found = named().into_iter().find(|(known, _)| *known == name);
        let (_, content) = found.ok_or_else(|| {
            let known = named().map(|(known, _)| known).join(", ");
            let name = name.escape_debug();
            Error::invalid(format!(
                "unknown column `{name}`; expected one of: {known}, or `field:` and the name of a field, such as \
                 `field:{name}`"
            ))
        })?;
        Ok(Self { name: name.to_owned(), content })
    }

    /// Returns whether it holds the time.
    pub(crate) fn is_time(&self) -> bool {
        self.content == Content::Time
    }

    /// Returns whether it holds a whole number.
    pub(crate) fn is_number(&self) -> bool {
        self.content == Content::LineNumber
    }

    /// Returns whether it holds the whole line.
    pub(crate) fn is_line(&self) -> bool {
        self.content == Content::Line
    }

    /// Returns whether it holds the id of a trace or a request, by which lines are looked up.
    pub(crate) fn is_id(&self) -> bool {
        self.content == Content::Text(Part::TraceId)
            || matches!(&self.content, Content::Text(Part::Field(name)) if name == "request_id")
    }
}

/// The values of a row, in the order of the columns.
#[derive(Clone, Debug)]
struct Cells<'a> {
    columns: std::slice::Iter<'a, Column>,
    rest: &'a [u8],
}

impl<'a> Iterator for Cells<'a> {
    type Item = Cell<'a>;

    fn next(&mut self) -> Option<Cell<'a>> {
        let column = self.columns.next()?;
        let (length, rest) = self.rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length);
        if length == NULL {
            self.rest = rest;
            return Some(Cell::Null);
        }
        let (value, rest) = rest.split_at_checked(length as usize)?;
        let cell = match column.content {
            Content::LineNumber => Cell::Number(i64::from_le_bytes(value.try_into().ok()?)),
            _ => Cell::Text(value),
        };
        self.rest = rest;
        Some(cell)
    }
}

/// Renders rows.
struct RowSchema {
    rows: Rows,
    line: Box<dyn Schema>,
    clock: ClockText,
}

impl RowSchema {
    /// Appends the value of a column; returns false if the record has none.
    fn put(&mut self, index: usize, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        let Some(column) = self.rows.0.get(index) else { return false };
        match &column.content {
            Content::Time => out.extend_from_slice(self.clock.text(record.timestamp())),
            Content::LineNumber => match record.line() {
                Some(line) => out.extend_from_slice(&i64::from(line).to_le_bytes()),
                None => return false,
            },
            Content::Thread => return Part::Thread.put_column(record, out) || Part::ThreadId.put_column(record, out),
            Content::Line => {
                let start = out.len();
                self.line.render(record, out);
                return out.len() > start;
            }
            Content::Text(part) => return part.put_column(record, out),
        }
        true
    }
}

impl Schema for RowSchema {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        for index in 0..self.rows.0.len() {
            let length_at = out.len();
            out.extend_from_slice(&NULL.to_le_bytes());
            let value_at = out.len();
            if !self.put(index, record, out) {
                out.truncate(value_at);
                if self.rows.0.get(index).is_some_and(Column::is_line) {
                    // The schema renders no line for this record.
                    return out.truncate(start);
                }
                continue;
            }
            let length = u32::try_from(out.len() - value_at).unwrap_or(NULL);
            if let Some(place) = out.get_mut(length_at..value_at) {
                place.copy_from_slice(&length.to_le_bytes());
            }
        }
        out.push(b'\n');
    }

    fn wants_thread(&self) -> bool {
        self.rows.wants_thread() || self.line.wants_thread()
    }

    fn wants_local_time(&self) -> bool {
        self.line.wants_local_time()
    }

    fn forked(&mut self) {
        self.line.forked();
    }

    fn terminal(&mut self, is_terminal: bool) {
        self.line.terminal(is_terminal);
    }
}
