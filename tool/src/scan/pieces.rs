//! The pieces of files that threads read.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use spanline::Error;
use spanline::read::{Lines, PlainFile, Reader, Segment};
use spanline::record::Timestamp;

use super::lines::StreamLines;
use super::opened::PieceLines;
use crate::entry::{Form, Parser};
use crate::escape::escaped;
use crate::sealed::{Key, with_key};

/// Files up to twice this size are one piece.
const PIECE_BYTES: u64 = 4 << 20;

/// How much is read at once behind the end of a piece, to find the end of its last line.
const BEHIND_BYTES: usize = 16 << 10;

/// What is read.
#[derive(Debug)]
pub(crate) enum Input {
    Segment(Segment),
    /// The lines of a file that begin before a position.
    Start(PlainFile, u64),
    /// Is opened with the key.
    Sealed(Segment, Key),
    /// The key opens what is sealed.
    Stdin(Stream, Option<Key>),
}

/// Bytes that come once.
pub(crate) struct Stream(Box<dyn Read + Send>);

impl Stream {
    pub(crate) fn new(reader: impl Read + Send + 'static) -> Self {
        Self(Box::new(reader))
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl Input {
    /// Returns how much of the disk it takes, in bytes; 0 for stdin.
    pub(super) fn stored_bytes(&self) -> u64 {
        match self {
            Self::Segment(segment) | Self::Sealed(segment, _) => segment.bytes(),
            Self::Start(_, end) => *end,
            Self::Stdin(..) => 0,
        }
    }
}

/// A part of the lines of an input.
#[derive(Debug)]
pub(super) struct Piece {
    /// The number of the input.
    pub(super) input: usize,
    part: Part,
}

#[derive(Debug)]
enum Part {
    /// All of an input that is not open yet.
    Whole(Input),
    /// The lines that begin in a part of a file. `form`: that of the first record of the file.
    Range { file: PlainFile, start: u64, end: u64, form: Form },
}

/// A piece that is open.
pub(super) struct OpenPiece {
    pub(super) lines: PieceLines,
    pub(super) parser: Parser,
    /// The piece of a plain file; nothing for other inputs.
    pub(super) range: Option<FileRange>,
    /// Names the input in messages.
    pub(super) name: String,
}

/// Where a piece of a plain file begins and ends, in bytes.
pub(super) struct FileRange {
    pub(super) file: PlainFile,
    pub(super) range: Range<u64>,
}

/// The pieces that no thread has taken yet.
pub(super) struct Pieces(Mutex<VecDeque<Piece>>);

impl Pieces {
    pub(super) fn new(inputs: impl IntoIterator<Item = Input>) -> Self {
        Self(Mutex::new(inputs.into_iter().enumerate().map(|(input, one)| Piece::whole(input, one)).collect()))
    }

    /// Returns the next piece, in the order of inputs.
    #[expect(clippy::disallowed_methods, reason = "the one lock of the threads that read, which ignores poisoning")]
    pub(super) fn next(&self) -> Option<Piece> {
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, rest) = pieces.pop_front()?.split();
        rest.into_iter().rev().for_each(|piece| pieces.push_front(piece));
        Some(first)
    }
}

/// Splits a file that is large: the first part, and the others. `None` for one that is small or compressed.
fn split(segment: &Segment) -> Result<Option<(Part, Vec<Part>)>, Error> {
    if segment.bytes() <= 2 * PIECE_BYTES {
        return Ok(None);
    }
    let Some(file) = segment.open_plain()? else { return Ok(None) };
    Ok(file.bytes().ok().and_then(|bytes| split_file(&file, bytes)))
}

/// Splits the first bytes of a file.
fn split_file(file: &PlainFile, bytes: u64) -> Option<(Part, Vec<Part>)> {
    let (form, _) = first_form(file, bytes).ok()?;
    let mut starts = (0..bytes).step_by(PIECE_BYTES as usize);
    let mut part = |start: u64| {
        // The last one grows with the file only up to the end of its last line.
        let end = bytes.min(start.saturating_add(PIECE_BYTES));
        Part::Range { file: file.clone(), start, end, form }
    };
    let first = starts.next().map(&mut part);
    first.map(|first| (first, starts.map(part).collect()))
}

/// Returns what reads the lines of a file behind a position.
#[cfg(all(unix, feature = "follow"))]
pub(crate) fn parser_behind(file: &PlainFile, position: u64) -> Parser {
    match first_form(file, position) {
        Ok((form, _)) if form != Form::Text || position >= Parser::SETTLES_WITHIN as u64 => Parser::settled_on(form),
        _ => Parser::default(),
    }
}

/// Returns where the bytes of a file end that decide how its ambiguous lines are read.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn settled(file: &PlainFile, end: u64) -> io::Result<u64> {
    first_form(file, end).map(|(_, settled)| settled)
}

/// Returns the form that decides how the ambiguous lines of a file are read, and from where on it does.
fn first_form(file: &PlainFile, end: u64) -> io::Result<(Form, u64)> {
    let mut parser = Parser::default();
    let mut lines =
        StreamLines::new(FileReader { file: file.clone(), at: 0, end }, 0, end.min(Parser::SETTLES_WITHIN as u64));
    while parser.settled() == Form::Text
        && let Some(line) = lines.next_line()?
    {
        parser.read_line(line.bytes, line.is_cut);
    }
    Ok((parser.settled(), lines.at()))
}

/// Makes pieces of parts of a plain file.
pub(super) struct Parts {
    file: PlainFile,
    form: Form,
    /// Lines that begin before depend on those before them.
    pub(super) settled: u64,
}

impl Parts {
    /// # Errors
    /// The file cannot be read.
    pub(super) fn of(file: PlainFile) -> io::Result<Self> {
        let (form, settled) = first_form(&file, file.bytes()?)?;
        Ok(Self { file, form, settled })
    }

    /// Returns the pieces of a range, in bytes.
    pub(super) fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = Piece> {
        range.clone().step_by(PIECE_BYTES as usize).map(move |start| {
            let end = range.end.min(start.saturating_add(PIECE_BYTES));
            Piece { input: 0, part: Part::Range { file: self.file.clone(), start, end, form: self.form } }
        })
    }
}

impl Piece {
    /// Returns the segment that it is all of.
    pub(super) fn segment(&self) -> Option<&Segment> {
        match &self.part {
            Part::Whole(Input::Segment(segment)) => Some(segment),
            Part::Whole(_) | Part::Range { .. } => None,
        }
    }

    /// Returns all of an input. `input`: its number.
    pub(super) fn whole(input: usize, one: Input) -> Self {
        Self { input, part: Part::Whole(one) }
    }

    /// Splits what is large, unless it is compressed: returns the first piece, and those behind it.
    pub(super) fn split(self) -> (Self, Vec<Self>) {
        let parts = match &self.part {
            // What fails here fails again, and is reported, when the piece is opened.
            Part::Whole(Input::Segment(segment)) => split(segment).ok().flatten(),
            Part::Whole(Input::Start(file, end)) if *end > 2 * PIECE_BYTES => split_file(file, *end),
            Part::Whole(_) | Part::Range { .. } => None,
        };
        let Some((first, rest)) = parts else { return (self, Vec::new()) };
        let piece = |part| Self { input: self.input, part };
        (piece(first), rest.into_iter().map(piece).collect())
    }

    /// Returns how much of the disk it takes, in bytes.
    pub(super) fn stored_bytes(&self) -> u64 {
        match &self.part {
            Part::Range { start, end, .. } => end - start,
            Part::Whole(input) => input.stored_bytes(),
        }
    }

    /// Returns when its file was written last; `None` for stdin.
    fn written(&self) -> Option<i64> {
        match &self.part {
            Part::Whole(Input::Segment(segment) | Input::Sealed(segment, _)) => {
                segment.written_at().map(Timestamp::as_nanos)
            }
            Part::Whole(Input::Start(file, _)) | Part::Range { file, .. } => written_at(file),
            Part::Whole(Input::Stdin(..)) => None,
        }
    }

    /// Opens it.
    pub(super) fn open(self) -> Result<OpenPiece, Error> {
        let written = self.written();
        let mut piece = self.opened()?;
        piece.parser.written(written);
        Ok(piece)
    }

    fn opened(self) -> Result<OpenPiece, Error> {
        let (file, start, end, parser) = match self.part {
            Part::Range { file, start: 0, end, .. } => (file, 0, end, Parser::default()),
            Part::Range { file, start, end, form } => (file, start, end, Parser::settled_on(form)),
            Part::Whole(Input::Start(file, end)) => (file, 0, end, Parser::default()),
            Part::Whole(Input::Sealed(segment, key)) => {
                return Ok(OpenPiece::opened(with_key(segment.lines(), Some(&key)), escaped(segment.path())));
            }
            Part::Whole(Input::Stdin(stdin, Some(key))) => {
                let lines = with_key(Lines::from_source("stdin", stdin), Some(&key));
                return Ok(OpenPiece::opened(lines, "stdin".to_owned()));
            }
            Part::Whole(Input::Stdin(stdin, None)) => {
                return Ok(OpenPiece::stream(Box::new(Reader::new("stdin", stdin)?), "stdin".to_owned()));
            }
            Part::Whole(Input::Segment(segment)) => match segment.open_plain()? {
                Some(file) => {
                    let end = file.bytes().unwrap_or(segment.bytes());
                    (file, 0, end, Parser::default())
                }
                None => {
                    let reader = segment.open()?;
                    let name = escaped(reader.path());
                    return Ok(OpenPiece::stream(Box::new(reader), name));
                }
            },
        };
        let name = escaped(file.path());
        // The byte before tells whether a line begins at the start.
        let at = start.saturating_sub(1);
        let reader: Box<dyn Read + Send> = Box::new(FileReader { file: file.clone(), at, end });
        let lines = StreamLines::new(reader, at, end);
        Ok(OpenPiece {
            lines: PieceLines::new(if start == 0 { lines } else { lines.skip_first() }, Some(name.clone())),
            parser,
            range: Some(FileRange { file, range: start..end }),
            name,
        })
    }
}

/// Returns when a file was written last, in nanoseconds since 1970.
pub(super) fn written_at(file: &PlainFile) -> Option<i64> {
    let time = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
    i64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos()).ok()
}

impl OpenPiece {
    fn stream(reader: Box<dyn Read + Send>, name: String) -> Self {
        let lines = PieceLines::new(StreamLines::new(reader, 0, u64::MAX), None);
        Self { lines, parser: Parser::default(), range: None, name }
    }

    fn opened(lines: Lines, name: String) -> Self {
        Self { lines: PieceLines::opened(lines), parser: Parser::default(), range: None, name }
    }

    /// Returns what is left of a piece of a plain file, which takes less memory than this. `None`: it has to stay open.
    pub(super) fn rest(&self) -> Option<Piece> {
        let FileRange { file, range } = self.range.as_ref()?;
        let (start, form) = (self.lines.at(), self.parser.settled());
        let rest = Part::Range { file: file.clone(), start, end: range.end, form };
        (start > 0 && !self.parser.is_settling()).then_some(Piece { input: 0, part: rest })
    }

    /// Returns how many bytes were read, and what is wrong if those are not all, after the last line.
    pub(super) fn read_bytes(&self) -> (u64, Option<String>) {
        let at = self.lines.at();
        match &self.range {
            Some(FileRange { range, .. }) if at < range.end => {
                let why = format!("read {}: the file became shorter meanwhile", self.name);
                (at.saturating_sub(range.start), Some(why))
            }
            Some(FileRange { range, .. }) => (range.end.saturating_sub(range.start), None),
            None => (at, None),
        }
    }
}

/// Reads a file from a position on, and little behind an end.
struct FileReader {
    file: PlainFile,
    at: u64,
    end: u64,
}

impl Read for FileReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = bytes.len().min(if wanted == 0 { BEHIND_BYTES } else { wanted });
        let read = self.file.read_at(bytes.get_mut(..length).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
