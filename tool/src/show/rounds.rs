//! Prints lines on several threads, in their order.
//!
//! ```text
//! lines ─► a round ─► its parts, one for each thread: Parser, Renderer ─► output
//! ```
//!
//! How a line is printed may depend on those before: columns get wider, and a request's fields are not repeated. So each part
//! begins with what was known before the round, and with the line before the part. Nearly always, the part before has led to
//! the same; otherwise the part is rendered once more.

use std::io::{self, Write};
use std::ops::Range;
use std::thread;

use super::renderer::Renderer;
use super::style::Style;
use super::unparsed::Unparsed;
use crate::entry::{Entry, Parser};
use crate::scan::{FoundLine, threads};

/// How much a thread renders in a round, in bytes of lines. For less, starting one takes longer. The first round is as small, so
/// that something is printed soon.
const PART_BYTES: Range<usize> = 16 << 10..256 << 10;

/// Takes lines until there are enough for a round, then prints them.
pub(crate) struct Rounds {
    /// What was known before the round.
    renderer: Renderer,
    /// The lines of the round, one behind the other.
    bytes: Vec<u8>,
    /// What is known of each, and where it ends.
    lines: Vec<(FoundLine, usize)>,
    parts: Vec<Part>,
    /// How many bytes make a round.
    most: usize,
    /// How many a part has at least.
    least: usize,
    unparsed: Unparsed,
}

/// What a thread has.
struct Part {
    parser: Parser,
    out: Vec<u8>,
    /// What was supposed to be known before the part.
    before: Renderer,
    /// What is known behind it.
    renderer: Renderer,
    unparsed: Unparsed,
}

/// The lines of a round.
#[derive(Clone, Copy)]
struct Lines<'r> {
    bytes: &'r [u8],
    lines: &'r [(FoundLine, usize)],
}

impl Rounds {
    /// `are_several`: whether lines of several logs are mixed.
    pub(crate) fn new(style: Style, are_several: bool) -> Self {
        Self::start(style, are_several, threads(), PART_BYTES.start)
    }

    fn start(style: Style, are_several: bool, parts: usize, least: usize) -> Self {
        let renderer = Renderer::new(style, are_several);
        let part = || Part {
            parser: Parser::default(),
            out: Vec::new(),
            before: renderer.clone(),
            renderer: renderer.clone(),
            unparsed: Unparsed::default(),
        };
        let parts = (0..parts.max(1)).map(|_| part()).collect();
        let (bytes, lines, unparsed) = (Vec::new(), Vec::new(), Unparsed::default());
        Self { renderer, bytes, lines, parts, most: least, least, unparsed }
    }

    /// Prints what stands before all lines.
    pub(crate) fn begin(&mut self, output: &mut impl Write) -> io::Result<()> {
        let mut header = Vec::new();
        self.renderer.begin(&mut header);
        // Nothing is written before there is something to show: that would start a pager.
        if header.is_empty() { Ok(()) } else { output.write_all(&header) }
    }

    /// Takes the next line. Prints the round if it is full.
    pub(crate) fn put(&mut self, line: &[u8], found: FoundLine, output: &mut impl Write) -> io::Result<()> {
        self.bytes.extend_from_slice(line);
        self.lines.push((found, self.bytes.len()));
        if self.bytes.len() < self.most {
            return Ok(());
        }
        self.most = (self.most * 2).min(PART_BYTES.end * self.parts.len());
        self.print(output)
    }

    /// Prints the lines that were taken.
    pub(crate) fn print(&mut self, output: &mut impl Write) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let round = Lines { bytes: &self.bytes, lines: &self.lines };
        let ranges = round.split(self.parts.len(), self.least);
        thread::scope(|scope| {
            let mut handles = Vec::new();
            let mut first = None;
            for (range, part) in ranges.iter().cloned().zip(&mut self.parts) {
                part.before = self.renderer.clone();
                if range.start == 0 {
                    first = Some((range, part));
                } else {
                    handles.push(scope.spawn(move || part.render_behind(round, range)));
                }
            }
            if let Some((range, part)) = first {
                part.render(round, range);
            }
            handles.into_iter().try_for_each(|handle| handle.join())
        })
        .map_err(|_| io::Error::other("a thread that prints has panicked; the output is not complete"))?;
        for (range, part) in ranges.into_iter().zip(&mut self.parts) {
            if !part.before.is_like(&self.renderer) {
                part.before = self.renderer.clone();
                part.render(round, range);
            }
            output.write_all(&part.out)?;
            std::mem::swap(&mut self.renderer, &mut part.renderer);
            self.unparsed.add(part.unparsed);
        }
        self.bytes.clear();
        self.lines.clear();
        Ok(())
    }

    /// Returns how many lines were no records.
    pub(crate) fn unparsed(self) -> Unparsed {
        self.unparsed
    }
}

impl Part {
    /// Renders lines behind those of another part.
    fn render_behind(&mut self, round: Lines<'_>, range: Range<usize>) {
        self.out.clear();
        round.each(range.start.saturating_sub(1)..range.start, &mut self.parser, |entry| {
            self.before.put(&mut self.out, entry);
        });
        self.render(round, range);
    }

    fn render(&mut self, round: Lines<'_>, range: Range<usize>) {
        self.renderer.clone_from(&self.before);
        self.unparsed = Unparsed::default();
        self.out.clear();
        round.each(range, &mut self.parser, |entry| {
            self.unparsed.count(entry);
            self.renderer.put(&mut self.out, entry);
        });
    }
}

impl Lines<'_> {
    /// Returns the numbers of the lines of each part.
    fn split(self, parts: usize, least: usize) -> Vec<Range<usize>> {
        let parts = parts.min(self.bytes.len() / least).max(1);
        let begin = |part: usize| self.lines.partition_point(|(_, end)| *end <= self.bytes.len() / parts * part);
        let mut begins: Vec<usize> = (0..parts).map(begin).collect();
        // The first lines may be empty.
        begins.first_mut().into_iter().for_each(|first| *first = 0);
        begins.push(self.lines.len());
        begins
            .iter()
            .zip(begins.iter().skip(1))
            .map(|(start, end)| *start..*end)
            .filter(|range| !range.is_empty())
            .collect()
    }

    /// Reads lines.
    fn each(self, range: Range<usize>, parser: &mut Parser, mut take: impl FnMut(&Entry<'_>)) {
        let mut start = range.start.checked_sub(1).and_then(|before| self.lines.get(before)).map_or(0, |(_, end)| *end);
        for (found, end) in self.lines.get(range).unwrap_or_default() {
            let line = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            parser.settle(found.settled);
            parser.stored(found.own_time);
            parser.read_line(line, found.is_cut);
            take(&parser.entry(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::clock::{Times, Zone};
    use super::super::column::Columns;
    use super::super::paint::ColorChoice;
    use super::super::pretty::Look;
    use super::super::printer::Printer;
    use super::super::template::Template;
    use super::*;
    use crate::entry::Form;

    fn line() -> impl Strategy<Value = String> {
        let word = || "[a-z ]{0,12}";
        let record = (0..4_u8, word(), word(), 0..3_u8, 0..3_u8, 0..50_u32).prop_map(
            |(level, target, message, request, status, second)| {
                let level = ["TRACE", "INFO", "WARN", "ERROR"][usize::from(level)];
                format!(
                    r#"{{"timestamp":"2026-11-20T10:15:{second:02}Z","level":"{level}","target":"{target}","message":"{message}","service":"s{request}","request_id":"r-{request}","status":{status},"error":{{"message":"{message}"}}}}"#
                )
            },
        );
        prop_oneof![8 => record, 1 => "[ -~]{0,40}", 1 => Just(String::new())]
    }

    fn one_by_one(lines: &[String], style: &Style) -> Vec<u8> {
        let mut output = Vec::new();
        let mut printer = Printer::new(&mut output, style.clone(), true, 0);
        printer.begin().unwrap();
        let mut parser = Parser::settled_on(Form::Json);
        for line in lines {
            parser.read(line.as_bytes());
            printer.found(&parser.entry(line.as_bytes())).unwrap();
        }
        output
    }

    fn in_rounds(lines: &[String], style: &Style, parts: usize) -> Vec<u8> {
        let mut output = Vec::new();
        let mut rounds = Rounds::start(style.clone(), true, parts, 100);
        rounds.begin(&mut output).unwrap();
        for line in lines {
            let found = FoundLine { is_cut: false, settled: Form::Json, own_time: None, time: None };
            rounds.put(line.as_bytes(), found, &mut output).unwrap();
        }
        rounds.print(&mut output).unwrap();
        output
    }

    fn styles() -> Vec<Style> {
        let look = |times, width, repeats, is_list| {
            let paint = ColorChoice::Always.paint(true);
            Style::Pretty(Look { paint, times, zone: Zone::Utc, width, repeats, is_list })
        };
        vec![
            Style::Raw,
            Style::Json,
            Style::Csv(Columns::default()),
            Style::Template(Template::parse("{time} {message} {status?}").unwrap()),
            look(Times::Absolute, None, false, false),
            look(Times::Delta, Some(60), false, false),
            look(Times::Start, None, true, false),
            look(Times::Delta, Some(60), true, true),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Columns get wider within a round, requests go on from part to part, and times are those since the line before.
        #[test]
        fn parts_are_printed_as_one(lines in proptest::collection::vec(line(), 0..60), parts in 1..6_usize) {
            for style in styles() {
                let (one, rounds) = (one_by_one(&lines, &style), in_rounds(&lines, &style, parts));
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                prop_assert_eq!(text(&one), text(&rounds), "{:?}", style);
            }
        }
    }
}
