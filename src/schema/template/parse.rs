//! Reads the text of a template.

use super::part::{NAMES, Part};
use super::time_text::TimeText;
use crate::advice::{nearest, quoted, unknown};
use crate::error::Error;
use crate::schema::json;
use crate::schema::style::Style;

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Value(Placeholder),
    /// All fields that the template does not name.
    Fields(Option<Tint>),
    Group(Group),
}

/// `{level:<8|bold}`
#[derive(Clone, Debug)]
pub(super) struct Placeholder {
    pub(super) part: Part,
    /// The format, where the part is the time.
    pub(super) time: Option<TimeText>,
    pub(super) spec: Spec,
    pub(super) default: String,
    pub(super) tint: Option<Tint>,
}

/// `{?request_id}…{/}`, `{:<30}…{/}`, `{|dim}…{/}`
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The part without which the group is not in the line.
    pub(super) condition: Option<Part>,
    pub(super) spec: Spec,
    pub(super) tint: Option<Tint>,
    pub(super) nodes: Vec<Node>,
}

/// A style, or the one of the level.
#[derive(Clone, Debug)]
pub(super) enum Tint {
    Style(Style),
    Level,
}

/// Width, alignment and cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Spec {
    pub(super) width: usize,
    pub(super) align: Option<Align>,
    pub(super) fill: Option<char>,
    pub(super) max: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    Center,
}

/// Groups are in groups up to this depth.
const MAX_DEPTH: usize = 8;

const MAX_WIDTH: usize = 1000;

const DEFAULT_TIME: &str = "%Y-%m-%d %H:%M:%S%.3f";

/// What people write instead of a name, from Python's `logging` and loguru, and the name.
const ALIASES: [(&str, &str); 13] = [
    ("asctime", "time"),
    ("levelname", "level"),
    ("levelno", "level"),
    ("name", "target"),
    ("logger", "target"),
    ("msg", "message"),
    ("filename", "file"),
    ("pathname", "file"),
    ("lineno", "line"),
    ("funcName", "function"),
    ("processName", "process"),
    ("threadName", "thread"),
    ("extra", "fields"),
];

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Error> {
    let mut reader = Reader { text, at: 0, has_fields: false };
    reader.nodes(&mut Vec::new())
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    has_fields: bool,
}

/// A group that has begun.
struct Begun {
    at: usize,
    /// Whether its text is written at once, as groups with a condition or a width are.
    is_whole: bool,
}

impl Reader<'_> {
    /// Returns an error about a place in the text.
    fn error(&self, at: usize, what: impl std::fmt::Display) -> Error {
        let column = self.text.get(..at).unwrap_or(self.text).chars().count() + 1;
        Error::invalid(format!("template, column {column}: {what}"))
    }

    /// Reads up to the end of the innermost group, or of the text.
    fn nodes(&mut self, begun: &mut Vec<Begun>) -> Result<Vec<Node>, Error> {
        let mut nodes = Vec::new();
        while let Some(rest) = self.text.get(self.at..).filter(|rest| !rest.is_empty()) {
            let start = self.at;
            let plain = rest.find(['{', '}']).unwrap_or(rest.len());
            if plain > 0 {
                let text = rest.get(..plain).unwrap_or(rest);
                self.check(start, text)?;
                push_text(&mut nodes, text);
                self.at += plain;
            } else if rest.starts_with("{{") || rest.starts_with("}}") {
                push_text(&mut nodes, rest.get(..1).unwrap_or_default());
                self.at += 2;
            } else if rest.starts_with('}') {
                return Err(self.error(start, "`}` closes nothing; write `}}` for a brace"));
            } else {
                let inside = rest.get(1..).unwrap_or_default();
                let end = inside.find(['{', '}']).filter(|end| inside.as_bytes().get(*end) == Some(&b'}'));
                let end = end.ok_or_else(|| {
                    self.error(start, "`{` is not closed; write `}` behind the name, or `{{` for a brace")
                })?;
                let head = inside.get(..end).unwrap_or_default();
                self.at += end + 2;
                if head == "/" {
                    if begun.is_empty() {
                        return Err(
                            self.error(start, "`{/}` ends nothing; a group begins with `{?name}` or `{|style}`")
                        );
                    }
                    return Ok(nodes);
                }
                nodes.push(self.placeholder(start + 1, head, begun)?);
            }
        }
        match begun.last() {
            Some(group) => Err(self.error(group.at, "the group is not closed; write `{/}` at its end")),
            None => Ok(nodes),
        }
    }

    /// Reads what is between braces. `at`: where that begins.
    fn placeholder(&mut self, at: usize, head: &str, begun: &mut Vec<Begun>) -> Result<Node, Error> {
        let (what, tint) = match head.rsplit_once('|') {
            Some((what, words)) => (what, Some(self.tint(at + what.len() + 1, words)?)),
            None => (head, None),
        };
        let (name, rest) = what.split_at(what.find(':').unwrap_or(what.len()));
        let condition = name.strip_prefix('?');
        if name == "time" {
            let format = rest.get(1..).filter(|format| !format.is_empty()).unwrap_or(DEFAULT_TIME);
            self.check(at + name.len(), rest)?;
            let time = TimeText::new(format).map_err(|place| {
                let found = quoted(format.get(place..).unwrap_or_default());
                let what =
                    format!("{found} is no time format; expected chrono's, such as `%H:%M:%S,%3f`, and `%%` for `%`");
                self.error(at + name.len() + 1 + place, what)
            })?;
            let (spec, default) = (Spec::default(), String::new());
            return Ok(Node::Value(Placeholder { part: Part::Time, time: Some(time), spec, default, tint }));
        }
        let (spec, default) = self.spec_and_default(at + name.len(), rest)?;
        if name == "fields" {
            return self.fields(at, rest, tint, begun);
        }
        if name.is_empty() || condition.is_some() {
            if head.is_empty() {
                return Err(self.error(at, "a name is missing; write such as `{message}`, or `{{` for a brace"));
            }
            if default.is_some() {
                return Err(
                    self.error(at + name.len(), "a group has no default; write it behind a name: `{name:-none}`")
                );
            }
            let condition = condition.map(|name| self.part(at + 1, name)).transpose()?;
            return self.group(at, condition, spec, tint, begun);
        }
        let part = self.part(at, name)?;
        let default = default.unwrap_or_default().to_owned();
        Ok(Node::Value(Placeholder { part, time: None, spec, default, tint }))
    }

    fn group(
        &mut self,
        at: usize,
        condition: Option<Part>,
        spec: Spec,
        tint: Option<Tint>,
        begun: &mut Vec<Begun>,
    ) -> Result<Node, Error> {
        if begun.len() == MAX_DEPTH {
            return Err(
                self.error(at, format_args!("groups are nested deeper than {MAX_DEPTH}; close some with `{{/}}`"))
            );
        }
        begun.push(Begun { at, is_whole: condition.is_some() || !spec.is_empty() });
        let nodes = self.nodes(begun)?;
        begun.pop();
        Ok(Node::Group(Group { condition, spec, tint, nodes }))
    }

    fn fields(&mut self, at: usize, rest: &str, tint: Option<Tint>, begun: &[Begun]) -> Result<Node, Error> {
        let problem = match () {
            () if !rest.is_empty() => "`{fields}` takes no width and no default; write `{fields}`",
            () if begun.iter().any(|group| group.is_whole) => {
                "`{fields}` is in a group with a condition or a width; write it outside"
            }
            () if self.has_fields => "`{fields}` is there twice; remove one",
            () => {
                self.has_fields = true;
                return Ok(Node::Fields(tint));
            }
        };
        Err(self.error(at, problem))
    }

    /// Returns what a name means.
    fn part(&self, at: usize, name: &str) -> Result<Part, Error> {
        if let Some((_, part)) = NAMES.iter().find(|(other, _)| *other == name) {
            return Ok(part.clone());
        }
        let field = name.strip_prefix('.').unwrap_or(name);
        if field.is_empty() || field.chars().any(|char| char.is_whitespace() || json::is_unsafe(char)) {
            let found = quoted(name);
            return Err(
                self.error(at, format_args!("{found} is no name; expected one without spaces, such as `level`"))
            );
        }
        let names = NAMES.iter().map(|(name, _)| *name).chain(["fields"]);
        // A shorter name has fields near it, such as `id` near `pid`.
        let long = names.clone().filter(|name| name.len() > 3).map(|name| (name, name));
        let is_typo = nearest(name, 1, long).is_some() || ALIASES.iter().any(|(alias, _)| *alias == name);
        if field == name && is_typo {
            let advice = unknown("name", name, names, &ALIASES);
            return Err(self.error(at, format_args!("{advice}; a field of this name is `{{.{name}}}`")));
        }
        Ok(Part::Field(field.to_owned()))
    }

    fn tint(&self, at: usize, words: &str) -> Result<Tint, Error> {
        match words.trim() {
            "" => {
                Err(self.error(at, "a style is missing; write such as `|bold red`, or `|level` for the level's colour"))
            }
            "level" => Ok(Tint::Level),
            words => Style::parse(words).map(Tint::Style).map_err(|error| self.error(at, error)),
        }
    }

    /// Reads `:<8.8:-default`.
    fn spec_and_default<'r>(&self, at: usize, rest: &'r str) -> Result<(Spec, Option<&'r str>), Error> {
        let Some(rest) = rest.strip_prefix(':') else { return Ok((Spec::default(), None)) };
        let (spec, default) = match rest.strip_prefix('-') {
            Some(default) => ("", Some(default)),
            None => rest.split_once(":-").map_or((rest, None), |(spec, default)| (spec, Some(default))),
        };
        if let Some(default) = default {
            self.check(at + 1 + rest.len() - default.len(), default)?;
        }
        self.check(at + 1, spec)?;
        let spec = Spec::parse(spec).ok_or_else(|| {
            let found = quoted(spec);
            self.error(
                at + 1,
                format_args!(
                    "{found} is no width; expected such as `8`, `<8`, `>20`, `^10`, `.5` or `*<8.8`, up to {MAX_WIDTH}"
                ),
            )
        })?;
        Ok((spec, default))
    }

    /// Refuses control characters but newline and tab.
    fn check(&self, at: usize, text: &str) -> Result<(), Error> {
        let is_bad = |char: char| json::is_unsafe(char) && !matches!(char, '\n' | '\t');
        match text.char_indices().find(|(_, char)| is_bad(*char)) {
            Some((place, char)) => {
                let found = char.escape_default();
                let what =
                    format!("`{found}` is a control character; expected text. Colours are styles: `{{level|red}}`");
                Err(self.error(at + place, what))
            }
            None => Ok(()),
        }
    }
}

impl Spec {
    pub(super) fn is_empty(&self) -> bool {
        self.width == 0 && self.max.is_none()
    }

    /// Reads a width, such as `*<8.8`; empty is none.
    fn parse(text: &str) -> Option<Self> {
        let mut spec = Self::default();
        let mut rest = text;
        let mut chars = text.chars();
        match (chars.next(), chars.next().and_then(align)) {
            (Some(fill), Some(align)) => {
                (spec.fill, spec.align) = (Some(fill), Some(align));
                rest = chars.as_str();
            }
            (Some(first), _) if align(first).is_some() => {
                spec.align = align(first);
                rest = rest.get(1..)?;
            }
            _ => {}
        }
        if spec.align.is_none() && rest.len() > 1 && rest.starts_with('0') {
            (spec.fill, spec.align) = (Some('0'), Some(Align::Right));
        }
        let (width, max) = rest.split_once('.').map_or((rest, None), |(width, max)| (width, Some(max)));
        if !width.is_empty() {
            spec.width = number(width)?;
        }
        spec.max = max.map(number).map_or(Some(None), |max| max.map(Some))?;
        let says_width = spec.align.is_none() || spec.width > 0;
        says_width.then_some(spec)
    }
}

fn align(char: char) -> Option<Align> {
    match char {
        '<' => Some(Align::Left),
        '>' => Some(Align::Right),
        '^' => Some(Align::Center),
        _ => None,
    }
}

fn number(text: &str) -> Option<usize> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number <= MAX_WIDTH)
}

fn push_text(nodes: &mut Vec<Node>, text: &str) {
    match nodes.last_mut() {
        Some(Node::Text(before)) => before.push_str(text),
        _ => nodes.push(Node::Text(text.to_owned())),
    }
}
