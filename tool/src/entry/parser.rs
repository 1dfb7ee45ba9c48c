//! Recognises the form of each line.

use super::clock::Clock;
use super::layouts::{Layout, Layouts, Placed};
use super::member::{Key, Member};
use super::members::Members;
use super::request::Request;
use super::text_forms::{self, TEXT};
use super::value::Shape;
use super::view::Entry;
use super::walk::{Kind, Walk};
use super::{logfmt, old_syslog, otel, pipe, syslog};
use crate::loggers::{Dialect, UNKNOWN};

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A JSON object.
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// A message of RFC 5424 or RFC 3164.
    Syslog,
    /// `epoch-seconds | level | message | service | trace`.
    Pipe,
    /// Anything else.
    Text,
    /// The beginning of one of these forms, but not all of it.
    Broken,
}

impl Form {
    pub(crate) fn is_record(self) -> bool {
        !matches!(self, Self::Text | Self::Broken)
    }
}

/// Reads the lines of one file.
///
/// JSON and syslog are recognised by each line alone. The first record of the file decides how ambiguous lines of text are
/// read, if it is within [`SETTLES_WITHIN`](Self::SETTLES_WITHIN). So the parts of a file can be read at the same time.
#[derive(Debug)]
pub(crate) struct Parser {
    /// Those of the last line, if it has no layout that was known before.
    members: Vec<Member>,
    /// Those of the last line, if it has such a layout.
    placed: Vec<Placed>,
    form: Form,
    dialect: &'static Dialect,
    /// The form of the first record; [`Form::Text`] until there is one.
    settled: Form,
    /// How many bytes of the file can still settle it.
    left: usize,
    layouts: Layouts,
    /// That of the line that was read last, if it has one.
    layout: Option<Layout>,
    /// Whether the line goes on behind its last byte.
    is_cut: bool,
    clock: Clock,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            members: Vec::with_capacity(32),
            placed: Vec::with_capacity(32),
            form: Form::Text,
            dialect: &TEXT,
            settled: Form::Text,
            left: Self::SETTLES_WITHIN,
            layouts: Layouts::default(),
            layout: None,
            is_cut: false,
            clock: Clock::default(),
        }
    }
}

impl Parser {
    /// How much of a file can decide how its ambiguous lines are read.
    pub(crate) const SETTLES_WITHIN: usize = 1 << 20;

    /// Reads a part of a file whose first record has a form.
    pub(crate) fn settled_on(form: Form) -> Self {
        Self { settled: form, left: 0, ..Self::default() }
    }

    /// Returns whether the next line can decide how ambiguous lines are read.
    pub(crate) fn is_settling(&self) -> bool {
        self.settled == Form::Text && self.left > 0
    }

    /// Returns the form of the first record, or [`Form::Text`].
    pub(crate) fn settled(&self) -> Form {
        self.settled
    }

    /// Reads the next lines as those of a file whose first record has a form, wherever they are in it.
    pub(crate) fn settle(&mut self, form: Form) {
        self.settled = form;
        self.left = 0;
    }

    /// Says which time the next line has, if it has one: it was read before, where the zone or the year may have been another one.
    pub(crate) fn stored(&mut self, time: Option<i64>) {
        self.clock.stored = time;
    }

    /// Says when the file was written last: the years of lines without one are told from that. Without it, they are told from now.
    pub(crate) fn written(&mut self, at: Option<i64>) {
        self.clock.written = at;
    }

    /// Reads a line without its newline. [`entry`](Self::entry) returns what it says.
    pub(crate) fn read(&mut self, line: &[u8]) {
        self.read_line(line, false);
    }

    /// Reads the beginning of a line whose end is missing. JSON counts by the members that are whole: one of them makes a
    /// record.
    pub(crate) fn read_cut(&mut self, line: &[u8]) {
        self.read_line(line, true);
    }

    /// Reads a line. `is_cut`: whether its end is missing.
    pub(crate) fn read_line(&mut self, line: &[u8], is_cut: bool) {
        self.is_cut = is_cut;
        self.members.clear();
        self.layout = None;
        self.form = if line.first() == Some(&b'{') {
            self.read_json(line, 0)
        } else {
            let start = line.strip_prefix(BOM).map_or(0, |_| BOM.len());
            let text = line.get(start..).unwrap_or_default();
            match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b'{') => self.read_json(line, start),
                Some(b'<') if self.read_text(line, Form::Syslog) => Form::Syslog,
                _ => self.read_text_form(line),
            }
        };
        if self.settled == Form::Text && self.left > 0 && self.form.is_record() {
            self.settled = self.form;
        }
        self.left = self.left.saturating_sub(line.len() + 1);
        if !self.form.is_record() {
            self.members.clear();
            self.members.push(Member::named("message", Shape::Plain, 0..line.len()));
            self.dialect = &TEXT;
        }
    }

    /// Reads a line, and calls `take` with each of its entries, and where it begins in the line: an export request of OTLP has
    /// several. Returns whether it is one.
    pub(crate) fn each(
        &mut self,
        line: &[u8],
        is_cut: bool,
        request: &mut Request,
        mut take: impl FnMut(&Entry<'_>, usize),
    ) -> bool {
        if !request.open(line) {
            self.read_line(line, is_cut);
            take(&self.entry(line), 0);
            return false;
        }
        while let Some((record, at)) = request.next(line) {
            self.read_line(record, false);
            take(&self.entry(record), at);
        }
        true
    }

    /// Returns what the line says that was read last. `line`: the same bytes.
    pub(crate) fn entry<'e>(&'e self, line: &'e [u8]) -> Entry<'e> {
        let members = match self.layout.and_then(|layout| self.layouts.known(layout)) {
            Some(known) => Members::Placed(&self.placed, &self.layouts, known),
            None => Members::Read(&self.members),
        };
        Entry { line, form: self.form, dialect: self.dialect, members, is_cut: self.is_cut, clock: self.clock }
    }

    fn read_json(&mut self, line: &[u8], start: usize) -> Form {
        self.layout = self.layouts.read(line, &mut self.placed);
        if let Some(known) = self.layout.and_then(|layout| self.layouts.known(layout)) {
            self.dialect = known.dialect;
            return Form::Json;
        }
        self.members.clear();
        let mut walk = Walk::new(line.get(start..).unwrap_or_default());
        for found in walk.by_ref() {
            let key = Key::of_json(line, found.key.start + start..found.key.end + start);
            let value = found.value.start + start..found.value.end + start;
            self.members.push(Member { key, shape: Shape::Json(found.kind), value });
        }
        if !walk.is_whole() {
            // A number at the end may go on.
            self.members.pop_if(|last| last.value.end == line.len() && last.shape == Shape::Json(Kind::Number));
            if !self.is_cut || self.members.is_empty() {
                return Form::Broken;
            }
        }
        if let Some(dialect) = otel::read(line, &mut self.members) {
            self.dialect = dialect;
            return Form::Json;
        }
        let may_be_otlp = self.members.first().is_some_and(|first| otel::begins(first.key(line)));
        if !self.is_cut && !may_be_otlp {
            self.layouts.learn(line, &self.members);
        }
        self.dialect = self.dialect_of(line);
        Form::Json
    }

    /// Returns the dialect of a JSON line.
    fn dialect_of(&self, line: &[u8]) -> &'static Dialect {
        let level = self.members.iter().rfind(|member| member.key(line) == b"level");
        let has_number = level.is_some_and(|level| level.shape == Shape::Json(Kind::Number));
        let place = |name: &str| self.members.iter().position(|member| member.key(line) == name.as_bytes());
        Dialect::find(place, has_number).map_or(&UNKNOWN, |(_, dialect)| dialect)
    }

    /// Tries the form of the lines before first.
    fn read_text_form(&mut self, line: &[u8]) -> Form {
        let syslog = if old_syslog::begins(line) { Form::Syslog } else { self.settled };
        let forms = [syslog, self.settled, Form::Pipe, Form::Logfmt];
        if let Some(form) = forms.into_iter().find(|form| self.read_text(line, *form)) {
            return form;
        }
        // What is behind the first part tells a broken line from plain text in other files.
        let is_broken = pipe::begins(line) || self.settled == Form::Pipe && !line.trim_ascii().is_empty();
        if is_broken { Form::Broken } else { Form::Text }
    }

    fn read_syslog(&mut self, line: &[u8], is_settled: bool) -> Option<()> {
        syslog::read(line, &mut self.members).or_else(|| {
            self.members.clear();
            old_syslog::read(line, &mut self.members, is_settled)
        })
    }

    fn read_text(&mut self, line: &[u8], form: Form) -> bool {
        self.members.clear();
        let is_settled = self.settled == form;
        let dialect = match form {
            Form::Logfmt => {
                let whole = if self.is_cut { logfmt::whole_pairs(line) } else { line };
                logfmt::read(whole, &mut self.members, is_settled).then_some(&text_forms::LOGFMT)
            }
            Form::Syslog => self.read_syslog(line, is_settled).map(|()| &text_forms::SYSLOG),
            // Its last parts are missing.
            Form::Pipe if self.is_cut => None,
            Form::Pipe => pipe::read(line, &mut self.members).map(|()| &text_forms::PIPE),
            Form::Json | Form::Text | Form::Broken => None,
        };
        self.dialect = dialect.unwrap_or(self.dialect);
        dialect.is_some()
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";
