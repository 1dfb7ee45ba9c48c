//! The general way to a line, for any record: the rule for where each field goes.

use super::fixed::Fixed;
use super::flat_schema::Flat;
use super::members::{put_key, put_named, put_place, put_spans, put_thread};
use super::options::Options;
use super::slots::{Slot, Slots, Takes};
use crate::context::Context;
use crate::names::{Names, last_of_each};
use crate::record::{Record, Value};
use crate::schema::json::{self, Draft};
use crate::schema::resolved_fields::{ResolvedField, resolved_fields};

/// Where the fields of a record go.
#[derive(Default)]
struct Places<'a> {
    /// Reserved keys that the log leaves free and a user's value has taken.
    taken: Vec<(Slot, Value<'a>)>,
    /// At the top level, including the error.
    top: Vec<(ResolvedField<'a>, Option<Slot>)>,
    request: Option<Value<'a>>,
    /// Under `fields`.
    under_fields: Vec<ResolvedField<'a>>,
}

impl Flat {
    pub(super) fn render_general(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let options = &self.options;
        let views: Vec<_> = record.context().into_iter().flat_map(|context| context.spans()).collect();
        let mut places = Places::default();
        for field in resolved_fields(record, &views) {
            if field.own || options.span_fields.lifts(field.name) {
                places.place(field, record, options);
            }
        }

        let mut line = Draft::new(&mut self.draft, out);
        line.put(self.clock.text(record.time));
        line.finish();
        out.extend_from_slice(b",\"level\":\"");
        out.extend_from_slice(record.level().as_str().as_bytes());
        out.extend_from_slice(b"\",\"target\":");
        json::put_str(out, record.target());
        places.put_taken(out, &["message"]);
        places.put_top(out, true);
        if let Some(original) = record.original_bytes() {
            put_named(out, "truncated", &Value::Bool(true));
            put_named(out, "original_bytes", &Value::U64(original));
        }
        if record.is_held_back() {
            put_named(out, "held_back", &Value::Bool(true));
        }
        if let Some(backtrace) = record.backtrace() {
            put_named(out, "backtrace", &Value::Str(backtrace));
        }
        places.put_taken(out, &["backtrace"]);
        put_place(out, options, record);
        places.put_taken(out, &["file", "line", "module"]);
        if let Some(thread) = record.thread() {
            put_thread(out, options, thread.id, thread.name);
        }
        places.put_taken(out, &["thread_id", "thread_name"]);
        places.put_fixed(out, record, options, self.fixed.as_ref());
        if let Some(context) = record.context() {
            put_ids(out, context, places.request);
        }
        // Those that the context leaves free.
        places.put_taken(out, &["trace_id", "span_id", "parent_span_id"]);
        places.put_top(out, false);
        if let Some(context) = record.context() {
            put_spans(out, context);
        }
        places.put_under_fields(out);
        out.push(b'}');
    }
}

impl<'a> Places<'a> {
    fn place(&mut self, field: ResolvedField<'a>, record: &Record<'_>, options: &Options) {
        match Slots::new(options).find(field.name) {
            Some(slot) if is_free(slot, record) && slot.fits(&field.value) => match slot.takes {
                Takes::Error => self.top.push((field, Some(slot))),
                _ => self.taken.push((slot, field.value)),
            },
            Some(_) => self.under_fields.push(field),
            // A well-formed `traceparent` has become the trace's id and is no longer a field.
            None if field.name == "traceparent" && !field.own => self.under_fields.push(field),
            None if field.name == "request_id" && !field.own => self.request = Some(field.value),
            None => self.top.push((field, None)),
        }
    }

    fn put_taken(&self, out: &mut Vec<u8>, names: &[&str]) {
        for name in names {
            if let Some((slot, value)) = self.taken.iter().find(|(slot, _)| slot.name == *name) {
                slot.put(out, value);
            }
        }
    }

    fn put_top(&self, out: &mut Vec<u8>, own: bool) {
        for (field, slot) in self.top.iter().filter(|(field, _)| field.own == own) {
            match slot {
                Some(slot) => slot.put(out, &field.value),
                None => put_named(out, field.name, &field.value),
            }
        }
    }

    /// Appends process, service and static fields. A field of the record shadows a static one.
    fn put_fixed(&self, out: &mut Vec<u8>, record: &Record<'_>, options: &Options, fixed: Option<&Fixed>) {
        if let Some(fixed) = fixed {
            fixed.put_process(options, out);
        }
        if let Some(service) = record.service() {
            put_named(out, "service", &Value::Str(service));
        }
        self.put_taken(out, &["service"]);
        let top = self.top.iter().map(|(field, _)| field.name);
        let names: Names<&str> = top.chain(self.request.map(|_| "request_id")).collect();
        for (name, value) in last_of_each(record.static_fields()) {
            if !names.contains(name) && Slots::new(options).find(name).is_none() {
                put_named(out, name, &value);
            }
        }
    }

    fn put_under_fields(&self, out: &mut Vec<u8>) {
        for (place, field) in self.under_fields.iter().enumerate() {
            if place == 0 {
                put_key(out, "fields");
                out.push(b'{');
            } else {
                out.push(b',');
            }
            json::put_str(out, field.name);
            out.push(b':');
            json::put_value(out, &field.value);
        }
        if !self.under_fields.is_empty() {
            out.push(b'}');
        }
    }
}

/// Appends those of `request_id`, `trace_id`, `span_id` and `parent_span_id` that exist.
fn put_ids(out: &mut Vec<u8>, context: &Context<'_>, request: Option<Value<'_>>) {
    if let Some(request) = request {
        put_named(out, "request_id", &request);
    }
    if let Some(trace) = context.trace_id() {
        put_named(out, "trace_id", &Value::Str(&trace.to_string()));
    }
    if let Some(span) = context.span_id() {
        put_named(out, "span_id", &Value::Str(&span.to_string()));
    }
    if let Some(parent) = context.parent_span_id() {
        put_named(out, "parent_span_id", &Value::Str(&parent.to_string()));
    }
}

/// Returns whether the log itself leaves the key free in this line.
fn is_free(slot: Slot, record: &Record<'_>) -> bool {
    let context = record.context();
    match slot.name {
        "message" | "error" => true,
        "service" => record.service().is_none(),
        "trace_id" => context.is_none_or(|context| context.trace_id().is_none()),
        "span_id" => context.is_none_or(|context| context.span_id().is_none()),
        "parent_span_id" => context.is_none_or(|context| context.parent_span_id().is_none()),
        "backtrace" => record.backtrace().is_none(),
        "file" => record.file().is_none(),
        "line" => record.line().is_none(),
        "module" => record.module_path().is_none(),
        "thread_id" => record.thread().is_none(),
        "thread_name" => record.thread().is_none_or(|thread| thread.name.is_none()),
        _ => false,
    }
}
