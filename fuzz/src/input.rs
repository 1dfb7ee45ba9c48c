//! Reads a scene from bytes: parts between bytes 0xff, which no text has, so that seeds can be written by hand.
//!
//! The first byte of a part says what it is, the rest what is in it; a field is its name, a byte 0xfe, the kind of its
//! value and the value.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;
use spanline::schema::{Flat, SpanFields};
use spanline::{Builder, Redact, SpanExt};
use tracing::{Dispatch, Level, Span};
use tracing_subscriber::prelude::*;

use crate::support::any::{Any, names, with_given};
use crate::support::stage::{Site, fixed};

const BETWEEN_PARTS: u8 = 0xff;
const IN_A_PART: u8 = 0xfe;

/// The most of anything: more adds no case, and only time.
const MOST: usize = 24;

pub(crate) struct Scene {
    pub(crate) switches: [u8; 3],
    pub(crate) service: Option<String>,
    statics: Vec<(String, String)>,
    pub(crate) target: String,
    spans: Vec<SpanOf>,
    pub(crate) own: Vec<(String, Any)>,
}

struct SpanOf {
    name: String,
    fields: Vec<(String, Any)>,
    recorded: Vec<(String, Any)>,
    variables: Vec<(String, String)>,
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == BETWEEN_PARTS)
}

fn pair(part: &[u8]) -> (String, &[u8]) {
    let at = part.iter().position(|byte| *byte == IN_A_PART);
    let (name, rest) = part.split_at(at.unwrap_or(part.len()));
    (text(name), rest.get(1..).unwrap_or_default())
}

/// A value, from its kind and its bytes.
pub(crate) fn value(bytes: &[u8]) -> Any {
    let Some((kind, rest)) = bytes.split_first() else { return Any::Empty };
    let mut number = [0; 16];
    let length = rest.len().min(16);
    number[..length].copy_from_slice(&rest[..length]);
    let word = |at: usize| number[at..at + 8].try_into().unwrap();
    match kind {
        b't' => Any::Bool(true),
        b'n' => Any::Bool(false),
        b'i' => Any::I64(i64::from_le_bytes(word(0))),
        b'u' => Any::U64(u64::from_le_bytes(word(0))),
        b'I' => Any::I128(i128::from_le_bytes(number)),
        b'U' => Any::U128(u128::from_le_bytes(number)),
        b'f' => Any::F64(f64::from_le_bytes(word(0))),
        // Numbers as people write them.
        b'F' => Any::F64(text(rest).parse().unwrap_or(f64::NAN)),
        b'b' => Any::Bytes(rest.to_vec()),
        b'd' => Any::Debug(text(rest)),
        b'e' => Any::Error(text(rest)),
        b'j' => match serde_json::from_slice(rest) {
            Ok(value) => Any::Raw(value),
            Err(_) => Any::Json(text(rest).into()),
        },
        b'E' => Any::Empty,
        _ => Any::Str(text(rest)),
    }
}

/// What stands in the line for it, where that is the value as a reader holds it: not so for JSON that is too deep, or has
/// numbers too large. `None` for nothing.
pub(crate) fn expected(value: &Any) -> Option<Option<Value>> {
    const DEEP: usize = 100;
    let regular = match value {
        Any::Raw(raw) => {
            let brackets = raw.get().bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
            brackets < DEEP && serde_json::from_str::<Value>(raw.get()).is_ok()
        }
        _ => true,
    };
    regular.then(|| value.expected())
}

impl Scene {
    pub(crate) fn new(data: &[u8]) -> Self {
        let mut scene = Self {
            switches: [0; 3],
            service: None,
            statics: Vec::new(),
            target: String::new(),
            spans: Vec::new(),
            own: Vec::new(),
        };
        for part in parts(data).take(8 * MOST) {
            if let Some((kind, rest)) = part.split_first() {
                scene.add(*kind, rest);
            }
        }
        scene
    }

    fn add(&mut self, kind: u8, rest: &[u8]) {
        let (name, value_bytes) = pair(rest);
        let depth = self.spans.len();
        let span = self.spans.last_mut();
        match (kind, span) {
            (b'O', _) => self.switches.iter_mut().zip(rest).for_each(|(switches, byte)| *switches = *byte),
            (b'T', _) => self.target = text(rest),
            (b'V', _) => self.service = Some(text(rest)),
            (b'Z', _) if self.statics.len() < MOST => self.statics.push((name, text(value_bytes))),
            (b'N', _) if depth < MOST => self.spans.push(SpanOf {
                name: text(rest),
                fields: Vec::new(),
                recorded: Vec::new(),
                variables: Vec::new(),
            }),
            (b'S', Some(span)) if span.fields.len() < MOST => span.fields.push((name, value(value_bytes))),
            (b'R', Some(span)) if span.recorded.len() < MOST => span.recorded.push((name, value(value_bytes))),
            (b'X', Some(span)) if span.variables.len() < MOST => span.variables.push((name, text(value_bytes))),
            (b'F', _) if self.own.len() < MOST => self.own.push((name, value(value_bytes))),
            (b'M', _) if self.own.len() < MOST => self.own.push(("message".to_owned(), value(rest))),
            _ => {}
        }
    }

    pub(crate) fn level(&self) -> Level {
        [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE][usize::from(self.switches[1]) % 5]
    }

    pub(crate) fn max_line_bytes(&self) -> u64 {
        match self.switches[2] {
            0 => spanline::Builder::DEFAULT_MAX_LINE_BYTES,
            small => 256 + u64::from(small) * 8,
        }
    }

    pub(crate) fn flat(&self) -> Flat {
        let mut flat = Flat::new();
        let is = |bit: u32| self.switches[0] >> bit & 1 == 1;
        for (bit, switch) in
            [Flat::pid, Flat::hostname, Flat::thread_id, Flat::thread_name, Flat::file].iter().enumerate()
        {
            flat = if is(bit as u32) { switch(flat) } else { flat };
        }
        if is(5) {
            flat = flat.line().module();
        }
        match self.switches[0] >> 6 {
            0 | 1 => flat,
            2 => flat.span_fields(SpanFields::IdsOnly),
            _ => flat.span_fields(SpanFields::Named(vec!["a".to_owned(), "error".to_owned(), "".to_owned()])),
        }
    }

    /// A log without outputs. Static fields that it does not take are left out.
    pub(crate) fn builder(&self) -> Builder {
        let mut builder = fixed().without_log().redact(Redact::none()).max_line_bytes(self.max_line_bytes());
        if let Some(service) = &self.service {
            builder = builder.service(service);
        }
        for (name, value) in &self.statics {
            builder = builder.static_field(name, value);
        }
        builder
    }

    /// Plays it in a log that has ended, so that all of it happens on this thread. Three events: in the spans, once more,
    /// now that all that is kept is there, and after something was recorded.
    pub(crate) fn play(&self, dispatch: &Dispatch) {
        let names_of = |fields: &[(String, Any)]| names(fields).into_iter().map(str::to_owned).collect::<Vec<_>>();
        tracing::dispatcher::with_default(dispatch, || {
            let event = site("event", &self.target, Some(self.level()), &names_of(&self.own));
            let log = || with_given(&self.own, |given| event.log(given));
            let mut open: Vec<Span> = Vec::new();
            for span in &self.spans {
                let site = site(&span.name, "spans", None, &names_of(&span.fields));
                let inside = || with_given(&span.fields, |given| site.open(given));
                open.push(match open.last() {
                    Some(outer) => outer.in_scope(inside),
                    None => inside(),
                });
            }
            let current = open.last().cloned().unwrap_or_else(Span::none);
            current.in_scope(|| (0..2).for_each(|_| log()));
            for (span, input) in open.iter().zip(&self.spans) {
                for (name, value) in &input.recorded {
                    value.given(|given| {
                        if let Some(given) = given {
                            span.record(name.as_str(), given);
                        }
                    });
                }
                for (name, value) in &input.variables {
                    span.set_variable(name, value.as_str());
                }
            }
            current.in_scope(log);
        });
    }
}

/// Events of a [`Scene`].
pub(crate) const EVENTS: usize = 3;

/// A call site for these names: the same one each time, because call sites are never freed.
fn site(name: &str, target: &str, level: Option<Level>, fields: &[String]) -> &'static Site {
    type Key = (String, String, Option<Level>, Vec<String>);
    thread_local! {
        static SITES: RefCell<HashMap<Key, &'static Site>> = RefCell::default();
    }
    let key = (name.to_owned(), target.to_owned(), level, fields.to_vec());
    SITES.with_borrow_mut(|sites| {
        *sites.entry(key).or_insert_with(|| {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            match level {
                Some(level) => Site::event(target, level, &fields),
                None => Site::span(name, target, &fields),
            }
        })
    })
}

/// The log's layer in a registry, and the log ended; `None` for settings that it refuses.
pub(crate) fn ended(builder: Builder) -> Option<(Dispatch, spanline::Handle)> {
    let (layer, guard) = builder.build().ok()?;
    let handle = guard.handle();
    guard.close().unwrap();
    Some((Dispatch::new(tracing_subscriber::registry().with(layer)), handle))
}
