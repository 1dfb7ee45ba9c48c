//! One line: what its members say, whatever the logger.

use std::borrow::Cow;
use std::collections::HashSet;

use super::clock::Clock;
use super::members::Members;
use super::parser::Form;
use super::roles::{Role, parts};
use super::value::{Shape, Value, lossy};
use crate::loggers::{Dialect, LineLevel, time, zone};

/// A part of the view that is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Service,
    Target,
    Message,
    Request,
    Trace,
}

impl Part {
    pub(crate) const ALL: [Self; 5] = [Self::Service, Self::Target, Self::Message, Self::Request, Self::Trace];

    /// Returns its name in filters and in output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Target => "target",
            Self::Message => "message",
            Self::Request => "request_id",
            Self::Trace => "trace_id",
        }
    }
}

/// Where a value is: the number of a member, and the key in it if it is an object.
pub(super) type Place = (usize, &'static str);

/// All parts of the view, read once, and where they are.
#[derive(Debug)]
pub(crate) struct View<'e> {
    pub(crate) time: Option<i64>,
    pub(crate) level: Option<LineLevel>,
    texts: [Option<Text<'e>>; Part::ALL.len()],
    /// Where the time, the level and the other parts are.
    used: [Option<Place>; Part::ALL.len() + 2],
}

/// The text of a part.
#[derive(Debug)]
enum Text<'e> {
    /// Printable ASCII.
    Plain(&'e [u8]),
    Other(Cow<'e, str>),
}

impl View<'_> {
    /// Returns the text of a part.
    pub(crate) fn text(&self, part: Part) -> Option<&str> {
        match self.texts.get(part as usize)?.as_ref()? {
            Text::Plain(bytes) => str::from_utf8(bytes).ok(),
            Text::Other(text) => Some(text),
        }
    }

    /// Returns the text of a part if it is printable ASCII without quotes and backslashes, as most are. Takes less time.
    pub(crate) fn plain_text(&self, part: Part) -> Option<&[u8]> {
        match self.texts.get(part as usize)?.as_ref()? {
            Text::Plain(bytes) => Some(bytes),
            Text::Other(_) => None,
        }
    }

    /// Returns the bytes of the text of a part.
    pub(crate) fn bytes(&self, part: Part) -> Option<&[u8]> {
        self.plain_text(part).or_else(|| self.text(part).map(str::as_bytes))
    }

    /// Returns whether there is a part.
    pub(crate) fn has(&self, part: Part) -> bool {
        self.texts.get(part as usize).is_some_and(Option::is_some)
    }

    /// Returns whether a view may have something under this name.
    pub(super) fn may_have_named(name: &str) -> bool {
        matches!(name, "time" | "level") || Part::ALL.iter().any(|part| part.name() == name)
    }

    /// Returns whether the view has something under this name.
    pub(super) fn has_named(&self, name: &str) -> bool {
        match name {
            "time" => self.time.is_some(),
            "level" => self.level.is_some(),
            _ => Part::ALL.into_iter().any(|part| self.has(part) && part.name() == name),
        }
    }

    /// Returns the places that the view has read.
    pub(super) fn used(&self) -> impl Iterator<Item = &Place> {
        self.used.iter().flatten()
    }
}

/// Up to this many keys are compared one by one, which takes less time than hashing them.
const FEW_MEMBERS: usize = 24;

/// A line and its members.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'e> {
    pub(super) line: &'e [u8],
    pub(super) form: Form,
    pub(super) dialect: &'static Dialect,
    pub(super) members: Members<'e>,
    pub(super) is_cut: bool,
    pub(super) clock: Clock,
}

impl<'e> Entry<'e> {
    /// Returns the line without its newline.
    pub(crate) fn line(&self) -> &'e [u8] {
        self.line
    }

    /// Returns whether the line goes on behind these bytes.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Returns whether the line was recognised; all others are plain text, or broken.
    pub(crate) fn is_record(&self) -> bool {
        self.form.is_record()
    }

    pub(super) fn dialect(&self) -> &'static Dialect {
        self.dialect
    }

    /// Returns the member with a key. The last of equal keys wins.
    pub(super) fn member(&self, key: &str) -> Option<Value<'e>> {
        self.members.value(self.members.last(key, self.line)?, self.line)
    }

    /// Returns a key that the line has twice.
    pub(crate) fn repeated_key(&self) -> Option<Cow<'e, str>> {
        let key = |number: usize| self.members.key(number, self.line);
        let count = self.members.count();
        if count <= FEW_MEMBERS {
            let is_repeated = |number: &usize| (0..*number).any(|before| key(before) == key(*number));
            return (0..count).find(is_repeated).map(|number| lossy(key(number)));
        }
        let mut keys = HashSet::with_capacity(count);
        (0..count).map(key).find(|key| !keys.insert(*key)).map(lossy)
    }

    /// Returns the time in nanoseconds since 1970.
    #[inline]
    pub(crate) fn time(&self) -> Option<i64> {
        self.read_time().map(|(_, nanos)| nanos)
    }

    /// Returns whether the time is the same on any machine and in any year: it is a number, or the line says its zone.
    pub(crate) fn has_zone(&self) -> bool {
        match self.first(Role::Time, |value| self.time_of(value).map(|_| value)) {
            Some((_, value)) => has_zone(value),
            None => self.first(Role::Instant, read_instant).is_some(),
        }
    }

    /// Returns the time as the line has it.
    pub(crate) fn time_text(&self) -> Option<Cow<'e, str>> {
        self.first(Role::Time, |value| self.time_of(value).map(|_| value.shown())).map(|(_, text)| text)
    }

    #[inline]
    pub(crate) fn level(&self) -> Option<LineLevel> {
        self.read_level().map(|(_, level)| level)
    }

    /// Returns a part of the view that is a text. One that is empty is not there.
    #[inline(always)]
    pub(crate) fn part(&self, part: Part) -> Option<Value<'e>> {
        self.read_part(part).map(|(_, value)| value)
    }

    /// Returns the trace's id: Google's without the project, and Datadog's decimal numbers as hex digits.
    fn trace_id(&self, text: Cow<'e, str>) -> Cow<'e, str> {
        if self.dialect.has_decimal_ids
            && let Some(low) = text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Cow::Owned(format!("{low:032x}"));
        }
        match text.strip_prefix("projects/").and_then(|name| name.split_once("/traces/")) {
            Some((_, id)) => Cow::Owned(id.to_owned()),
            None => text,
        }
    }

    /// Returns the text of a part as people and filters see it.
    pub(crate) fn text(&self, part: Part) -> Option<Cow<'e, str>> {
        self.part(part).map(|value| self.text_of(part, value))
    }

    /// Returns how JSON spells a part, if one spelling is the same text in all lines. Takes less time than the text.
    #[inline(always)]
    pub(crate) fn spelling(&self, part: Part) -> Option<&'e [u8]> {
        let is_one = part != Part::Trace || !self.dialect.has_decimal_ids;
        self.part(part).filter(|_| is_one)?.json_text()
    }

    fn text_of(&self, part: Part, value: Value<'e>) -> Cow<'e, str> {
        match part {
            Part::Trace => self.trace_id(value.shown()),
            _ => value.shown(),
        }
    }

    /// Reads all parts of the view.
    pub(crate) fn view(&self) -> View<'e> {
        let (time, level) = (self.read_time(), self.read_level());
        let parts = Part::ALL.map(|part| self.read_part(part));
        let place = |part: Part| parts.get(part as usize)?.as_ref().map(|(place, _)| *place);
        let [service, target, message, request, trace] = Part::ALL.map(place);
        let (of_time, of_level) = (time.map(|(place, _)| place), level.map(|(place, _)| place));
        View {
            time: time.map(|(_, nanos)| nanos),
            level: level.map(|(_, level)| level),
            used: [of_time, of_level, service, target, message, request, trace],
            texts: Part::ALL.map(|part| Some(self.shown_text(part, parts.get(part as usize)?.as_ref()?.1))),
        }
    }

    fn shown_text(&self, part: Part, value: Value<'e>) -> Text<'e> {
        let is_shown =
            |text: &&[u8]| part != Part::Trace || !self.dialect.has_decimal_ids && !text.starts_with(b"projects/");
        match value.plain_text().filter(is_shown) {
            Some(text) => Text::Plain(text),
            None => Text::Other(self.text_of(part, value)),
        }
    }

    #[inline]
    pub(super) fn read_time(&self) -> Option<(Place, i64)> {
        let found =
            self.first(Role::Time, |value| self.time_of(value)).or_else(|| self.first(Role::Instant, read_instant));
        found.map(|(place, read)| (place, self.clock.stored.unwrap_or(read)))
    }

    #[inline]
    fn time_of(&self, value: Value<'e>) -> Option<i64> {
        if let Some(nanos) = value.json_text().and_then(time::usual) {
            return Some(nanos);
        }
        read_time(value).or_else(|| {
            let text = value.text().filter(|_| self.form == Form::Syslog)?;
            zone::of_month_time(&text, self.clock.written()).map(|time| time.as_nanos())
        })
    }

    #[inline]
    pub(super) fn read_level(&self) -> Option<(Place, LineLevel)> {
        self.first(Role::Level, |value| {
            value.json_text().and_then(LineLevel::of_bytes).or_else(|| read_level(value, self.dialect))
        })
    }

    #[inline(always)]
    pub(super) fn read_part(&self, part: Part) -> Option<(Place, Value<'e>)> {
        let role = Role::Part(part);
        match part {
            Part::Service | Part::Target => {
                self.first(role, |value| (value.is_text() && !value.is_empty_text()).then_some(value))
            }
            Part::Message => self.first(role, |value| value.is_text().then_some(value)),
            Part::Request => self.first(role, id),
            Part::Trace => self.first(role, id).or_else(|| self.first(Role::OtherTrace, digits)),
        }
    }

    /// Returns the first value with a role that can be read. Inlined, because it is called for a known role, several times for
    /// each line.
    #[inline(always)]
    fn first<T>(&self, role: Role, read: impl Fn(Value<'e>) -> Option<T>) -> Option<(Place, T)> {
        let Some(roles) = self.members.roles() else { return self.first_by_key(role, read) };
        for place in roles.places(role) {
            if let Some(found) = self.value_at(*place).and_then(&read) {
                return Some((*place, found));
            }
        }
        None
    }

    /// Returns the same for a line without a known layout.
    fn first_by_key<T>(&self, role: Role, read: impl Fn(Value<'e>) -> Option<T>) -> Option<(Place, T)> {
        role.keys(self.dialect).find_map(|key| {
            let (outer, inner) = parts(key);
            let place = (self.members.last(outer, self.line)?, inner);
            Some((place, self.value_at(place).and_then(&read)?))
        })
    }

    #[inline(always)]
    fn value_at(&self, (number, inner): Place) -> Option<Value<'e>> {
        let value = self.members.value(number, self.line)?;
        if inner.is_empty() { Some(value) } else { value.member(inner) }
    }
}

/// Takes a text or a number for an id.
#[inline]
fn id(value: Value<'_>) -> Option<Value<'_>> {
    let is_id = if value.is_text() { !value.is_empty_text() } else { value.number().is_some() };
    is_id.then_some(value)
}

/// Takes digits for an id, and no other text: under these keys, it may be a field of the program.
fn digits(value: Value<'_>) -> Option<Value<'_>> {
    let is_digit = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    id(value).filter(|value| value.shown().bytes().all(is_digit))
}

/// Reads a time: a number, a text of a number, a date, or Loguru's object with one.
fn read_time(value: Value<'_>) -> Option<i64> {
    let read = match value.text() {
        Some(text) => zone::of_text(&text).or_else(|| time::of_number(&text)),
        None if value.is_object() => zone::of_text(&value.member("repr")?.text()?),
        None => time::of_number(str::from_utf8(value.bytes()).ok()?),
    };
    read.map(|time| time.at.as_nanos())
}

/// Returns whether a time that can be read does not depend on the zone of lines, or on the time of now.
fn has_zone(value: Value<'_>) -> bool {
    if value.json_text().and_then(time::usual).is_some() {
        return true;
    }
    let is_sure = |text: &str| match zone::of_text(text) {
        Some(time) => time.is_exact,
        None => time::of_number(text).is_some(),
    };
    match value.text() {
        Some(text) => is_sure(&text),
        None if value.is_object() => value.member("repr").and_then(Value::text).is_some_and(|text| is_sure(&text)),
        None => true,
    }
}

/// Reads Log4j's time.
fn read_instant(value: Value<'_>) -> Option<i64> {
    let number = |name| -> Option<i64> { str::from_utf8(value.member(name)?.bytes()).ok()?.parse().ok() };
    number("epochSecond")?.checked_mul(1_000_000_000)?.checked_add(number("nanoOfSecond").unwrap_or(0))
}

/// Reads a level: a name, a number, or Loguru's object with a name.
fn read_level(value: Value<'_>, dialect: &Dialect) -> Option<LineLevel> {
    let bytes = str::from_utf8(value.bytes()).ok();
    if value.shape() == Shape::Priority {
        let severity = bytes?.parse::<u8>().ok()? % 8;
        return LineLevel::numbered(&severity.to_string(), dialect.numbers);
    }
    match value.text() {
        // The journal's numbers are texts.
        Some(name) => LineLevel::named(&name).or_else(|| LineLevel::numbered(&name, dialect.numbers)),
        None if value.is_object() => LineLevel::named(&value.member("name")?.text()?),
        None => LineLevel::numbered(bytes?, dialect.numbers),
    }
}
