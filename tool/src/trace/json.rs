//! A waterfall as JSON: one object, its spans in the order of the tree.
//!
//! A list with the numbers of parents has no depth that a reader could refuse. Times are microseconds since the start.

use std::io::{self, Write};

use serde_json::{Map, Value, json};
use spanline::record::Timestamp;

use super::gaps::gaps;
use super::rows::Waterfall;
use super::span::Event;
use super::tree::Tree;
use crate::escape::escaped_json;

/// Writes all spans, also those that have no rows, one at a time.
pub(super) fn write(output: &mut impl Write, waterfall: &Waterfall<'_>, gap_share: f64) -> io::Result<()> {
    let tree = waterfall.tree;
    let store = &tree.store;
    let whole = tree.whole();
    let least = whole.map_or(i64::MAX, |whole| (whole.nanos() as f64 * gap_share) as i64);
    let mut places = vec![0; tree.order.len()];
    tree.order.iter().enumerate().for_each(|(place, number)| super::tree::set(&mut places, *number, place));
    let zero = whole.map_or(0, |whole| whole.start);
    let head = json!({
        "traces": store.traces.all,
        "requests": store.requests.all,
        "services": store.services.all,
        "start": whole.map(|whole| Timestamp::from_nanos(whole.start).to_string()),
        "duration_us": whole.map(|whole| micros(whole.nanos())),
        "chain_us": micros(waterfall.chain_nanos()),
        "lines": store.lines,
        "lines_left_out": store.left_out,
    });
    let head = escaped_json(&head.to_string());
    write!(output, "{},\"spans\":[", head.strip_suffix('}').unwrap_or(&head))?;
    for (place, number) in tree.order.iter().enumerate() {
        let span = span(waterfall, *number, zero, least, &places).to_string();
        write!(output, "{}{}", if place > 0 { "," } else { "" }, escaped_json(&span))?;
    }
    output.write_all(b"]}\n")
}

fn micros(nanos: i64) -> f64 {
    nanos as f64 / 1e3
}

fn span(waterfall: &Waterfall<'_>, number: usize, zero: i64, least: i64, places: &[usize]) -> Value {
    let tree = waterfall.tree;
    let mut object = Map::new();
    let Some(span) = tree.span(number) else { return Value::Null };
    let identity = &span.identity;
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            object.insert(name.to_owned(), value);
        }
    };
    put("name", tree.name(number).into());
    put("about", identity.about.clone().into());
    put("service", tree.service(number).into());
    put("span_id", identity.id.clone().into());
    put("trace_id", tree.store.traces.name(identity.trace).into());
    put("parent", tree.parent(number).and_then(|parent| places.get(parent).copied()).into());
    if tree.placed.get(number).copied().unwrap_or(false) {
        put("is_placed_by_time", true.into());
    }
    if let Some(extent) = tree.extent(number) {
        put("start_us", micros(extent.start.saturating_sub(zero)).into());
        put("duration_us", micros(extent.nanos()).into());
        put("is_measured", extent.is_measured.into());
    }
    put("chain_us", waterfall.chain.get(number).copied().flatten().map(micros).into());
    put("before_parent_us", tree.skew(number).map(micros).into());
    put("lines", span.counts.lines.into());
    put("errors", span.counts.errors.into());
    put("warnings", span.counts.warnings.into());
    put("events", span.events.iter().map(|one| event(one, zero)).collect::<Vec<_>>().into());
    put("events_left_out", span.counts.folded.into());
    put("gaps", gaps_of(tree, number, zero, least));
    Value::Object(object)
}

fn event(event: &Event, zero: i64) -> Value {
    json!({
        "at_us": event.time.map(|time| micros(time.saturating_sub(zero))),
        "level": event.level.map(crate::loggers::LineLevel::as_str),
        "message": event.message,
        "error": event.error,
    })
}

fn gaps_of(tree: &Tree, number: usize, zero: i64, least: i64) -> Value {
    let gap = |gap: super::gaps::Gap| {
        json!({
            "start_us": micros(gap.start.saturating_sub(zero)),
            "duration_us": micros(gap.nanos()),
            "after": gap.after,
            "before": gap.before,
        })
    };
    gaps(tree, number, least).into_iter().map(gap).collect()
}
