//! Work grows in proportion to its input, in every schema: fields, names, depth, text, spans, edits.

use std::error::Error;

use serde_json::value::RawValue;
use spanline::schema::{BuiltIn, Edits, built_in};
use spanline::{Builder, Output, SpanExt};
use tracing::{Level, Span, info, info_span};

use crate::support::failed::Failed;
use crate::support::growth::{Measured, growth};
use crate::support::stage::{Given, Site, fixed};

type Run = Box<dyn FnOnce()>;

/// One dimension of a line that a program chooses the size of.
struct Input {
    what: &'static str,
    /// The smallest size that is measured, and the largest that there can be.
    size: usize,
    largest: usize,
    /// Prepares an input of some size, and returns what logs it.
    prepare: fn(usize) -> Run,
    builder: fn(usize, Builder) -> Builder,
    edits: fn(usize) -> Edits,
}

impl Input {
    const fn new(what: &'static str, size: usize, prepare: fn(usize) -> Run) -> Self {
        Self { what, size, largest: usize::MAX, prepare, builder: |_, builder| builder, edits: |_| Edits::new() }
    }

    const fn up_to(self, largest: usize) -> Self {
        Self { largest, ..self }
    }

    const fn builder(self, builder: fn(usize, Builder) -> Builder) -> Self {
        Self { builder, ..self }
    }

    const fn edits(self, edits: fn(usize) -> Edits) -> Self {
        Self { edits, ..self }
    }

    /// Returns an error if the work of a schema grows faster than the input.
    fn growth_in(&self, schema: &BuiltIn) -> Result<(), String> {
        let work = |size| {
            let builder = (self.builder)(size, fixed().max_line_bytes(1 << 28));
            let output = |sink| Output::new(sink).schema(schema.reproducible()).edits((self.edits)(size));
            let log = Measured::new(builder, output);
            let run = (self.prepare)(size);
            log.work(|| info!("the first line prepares more"));
            log.work(run)
        };
        growth(&format!("{} in {}", self.what, schema.name), self.size, self.largest, work)
    }
}

/// Names that differ only at their end.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("a_name_{at:06}")).collect()
}

/// Context variables with some names.
fn variables(names: &[String]) -> spanline::propagate::Variables {
    names.iter().fold(Default::default(), |variables: spanline::propagate::Variables, name| variables.and(name, 1))
}

fn set_variables(span: &Span, names: &[String]) {
    names.iter().for_each(|name| span.set_variable(name, "later"));
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap()
}

/// Logs JSON text.
fn json(text: String) -> Run {
    let json = raw(text);
    Box::new(move || info!(json = spanline::json(&json), "nested JSON"))
}

/// Logs a text as message, as a field, and as text of a `Debug`.
fn text(text: String) -> Run {
    Box::new(move || info!(text, debug = ?text.as_str(), "{text}"))
}

/// JSON within this many levels, with a value whose size is in proportion to them.
fn levels(open: &str, close: &str, depth: usize) -> String {
    open.repeat(depth) + "[" + &"1234567,".repeat(depth * 20) + "1]" + &close.repeat(depth)
}

fn members(names: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", names.map(|name| format!("\"{name}\":1")).collect::<Vec<_>>().join(","))
}

/// Logs an error with this many sources.
fn error(sources: usize, bytes: usize) -> Run {
    let source = |source, _| Some(Box::new(Failed("x".repeat(bytes), source)));
    let error = Failed("failed".into(), (0..sources).fold(None, source));
    Box::new(move || info!(error = &error as &(dyn Error + 'static), "failed"))
}

/// Opens spans in one another, each with a variable, and logs inside all.
fn spans(depth: usize) {
    let opened: Vec<_> = (0..depth)
        .map(|at| {
            let span = info_span!("nested", request_id = at);
            span.set_variable("variable", at);
            span.entered()
        })
        .collect();
    (0..4).for_each(|_| info!("inside"));
    // The innermost first.
    opened.into_iter().rev().for_each(drop);
}

const FIELDS: &[Input] = &[
    Input::new("declared fields", 60, |count| {
        let names = names(count);
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let (event, span) = (Site::event("orders", Level::INFO, &names), Site::span("span", "orders", &names));
        Box::new(move || {
            let given: Vec<Given<'_>> = vec![Some(&1); count];
            let span = span.open(&given);
            span.in_scope(|| (0..4).for_each(|_| event.log(&given)));
        })
    })
    .up_to(240),
    Input::new("names of variables", 400, |count| {
        let names = names(count);
        Box::new(move || variables(&names).in_scope(|| info!("inside")))
    }),
    Input::new("equal names of variables", 400, |count| {
        let names = vec!["name".to_owned(); count];
        Box::new(move || variables(&names).in_scope(|| info!("inside")))
    }),
    Input::new("variables set on an open span", 300, |count| {
        let names = names(count);
        Box::new(move || {
            let span = info_span!("span");
            set_variables(&span, &names);
            span.in_scope(|| info!("inside"));
        })
    }),
    Input::new("variables set twice", 250, |count| {
        let names = names(count);
        Box::new(move || {
            let span = variables(&names).span();
            set_variables(&span, &names);
            span.in_scope(|| info!("inside"));
        })
    }),
    Input::new("static fields", 300, |_| Box::new(|| (0..4).for_each(|_| info!("with them"))))
        .builder(|count, builder| names(count).iter().fold(builder, |builder, name| builder.static_field(name, 1))),
    Input::new("static fields with the names of variables", 400, |count| {
        let names = names(count);
        Box::new(move || variables(&names).in_scope(|| info!("inside")))
    })
    .builder(|count, builder| names(count).iter().fold(builder, |builder, name| builder.static_field(name, 1))),
    Input::new("names that schemas change", 400, |count| {
        let names: Vec<_> = (0..count).map(|at| format!("a.{:0at$} =", 0, at = at % 9 + 1)).collect();
        Box::new(move || variables(&names).in_scope(|| info!("inside")))
    }),
    Input::new("bytes of a name", 8_000, |bytes| {
        let names = vec!["n.".repeat(bytes / 2)];
        Box::new(move || variables(&names).in_scope(|| info!("inside")))
    })
    .up_to(64_000),
    Input::new("spans", 40, |depth| Box::new(move || spans(depth))),
    Input::new("lines", 100, |count| Box::new(move || (0..count).for_each(|at| info!(at, "line")))),
    Input::new("sources of an error", 15, |sources| error(sources, 400)).up_to(60),
    Input::new("bytes of an error", 8_000, |bytes| error(2, bytes)),
];

const JSON: &[Input] = &[
    Input::new("levels of arrays", 29, |depth| json(levels("[", "]", depth))).up_to(116),
    Input::new("levels of objects", 29, |depth| json(levels("{\"level\":", "}", depth))).up_to(116),
    Input::new("levels of objects with equal keys", 29, |depth| json(levels("{\"level\":1,\"level\":", "}", depth)))
        .up_to(116),
    Input::new("levels that become text", 29, |depth| json(levels("{\"\\ud800\":", "}", depth))).up_to(116),
    Input::new("levels beyond the limit", 1_500, |depth| json("[".repeat(depth) + &"]".repeat(depth))),
    Input::new("levels of objects beyond the limit", 500, |depth| {
        json("{\"level\":".repeat(depth) + "1" + &"}".repeat(depth))
    }),
    Input::new("items", 2_000, |count| json(format!("[{}0]", "[],".repeat(count)))),
    Input::new("members", 600, |count| json(members(names(count).into_iter()))),
    Input::new("equal members", 1_000, |count| json(members((0..count).map(|_| "name".to_owned())))),
    Input::new("digits", 8_000, |count| json("7".repeat(count))),
];

const TEXTS: &[Input] = &[
    Input::new("plain text", 30_000, |bytes| text("plain ".repeat(bytes / 6))),
    Input::new("escapes", 4_000, |bytes| text("\n\"\\\u{1b}[31m".repeat(bytes / 8))),
    Input::new("text beyond ASCII", 4_000, |bytes| text("é\u{202e}日本".repeat(bytes / 11))),
    Input::new("invalid bytes", 4_000, |count| {
        let bytes = vec![0xff_u8; count];
        Box::new(move || info!(bytes = bytes.as_slice(), "bytes"))
    }),
];

/// Edits, with values that they apply to.
const EDITS: &[Input] = &[
    Input::new("edits and variables", 400, |count| {
        let names = names(count);
        Box::new(move || variables(&names).in_scope(|| info!("inside")))
    })
    .edits(|count| names(count).iter().fold(Edits::new(), |edits, name| edits.rename(name, name.to_uppercase()))),
    Input::new("edits to one name and variables", 400, |count| {
        let names = names(count);
        Box::new(move || variables(&names).in_scope(|| info!("inside")))
    })
    .edits(|count| names(count).iter().fold(Edits::new(), |edits, name| edits.rename(name, "one"))),
    Input::new("edited levels", 29, |depth| json(levels("[", "]", depth)))
        .up_to(116)
        .edits(|_| Edits::new().remove("json.a").remove("fields.json.a").remove("labels.json.a")),
    Input::new("levels of an edit", 29, |depth| json(levels("{\"level\":", "}", depth)))
        .up_to(116)
        .edits(|depth| Edits::new().remove(format!("json.{}b", "level.".repeat(depth)))),
];

#[track_caller]
fn all_are_linear(inputs: &[Input]) {
    let all = built_in().flat_map(|schema| inputs.iter().map(move |input| (input, schema)));
    let faster: Vec<_> = all.filter_map(|(input, schema)| input.growth_in(schema).err()).collect();
    assert!(faster.is_empty(), "{}", faster.join("\n"));
}

#[test]
fn promise_54_fields_and_spans_take_work_in_proportion_to_their_number_in_every_schema() {
    all_are_linear(FIELDS);
}

#[test]
fn promise_54_nested_json_takes_work_in_proportion_to_its_size_in_every_schema() {
    all_are_linear(JSON);
}

#[test]
fn promise_54_text_takes_work_in_proportion_to_its_length_in_every_schema() {
    all_are_linear(TEXTS);
}

#[test]
fn promise_54_edits_take_work_in_proportion_to_their_number_in_every_schema() {
    all_are_linear(EDITS);
}
