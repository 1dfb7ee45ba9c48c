//! Any program's lines are the same whether they are prepared or written directly.

mod nasty;
mod unique;

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use proptest::sample::select;
use serde::de::DeserializeSeed;
use tracing::callsite::{Callsite, Identifier};
use tracing::field::{Field, FieldSet};
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};

use self::nasty::{NASTY, nasty};
use self::unique::Unique;
use super::engine::directly_written;
use crate::context::{Bound, IdSource, Node, epoch, hidden_meta, is_hidden};
use crate::record::{Capture, HELD_BACK_MARK, Record, Scratch, Statics, Timestamp, Value, put_named};
use crate::schema::{
    BuiltIn, Bunyan, Color, Console, Custom, Datadog, Ecs, Edits, Flat, Gcp, Gelf, Lambda, Logfmt, Members, Nested,
    Otel, Pino, Schema, SpanFields, Splunk, Template, TimeFormat, built_in,
};

const FIELDS: usize = 4;

const NAMES: [&str; 43] = [
    "a",
    "b",
    "c",
    "r#a",
    "d\"\n",
    "message",
    "error",
    "request_id",
    "level",
    "service",
    "trace_id",
    "traceparent",
    "tracestate",
    "env",
    "line",
    "thread_id",
    "fields",
    "http.request.method",
    "a.b",
    "a_b",
    "httpRequest",
    "requestId",
    "labels",
    "version",
    "held_back",
    "backtrace",
    "error.message",
    "error.kind",
    "error.stack_trace",
    "stack_trace",
    "errorType",
    "exception.type",
    "full_message",
    "",
    "span_id",
    "level_name",
    "truncated",
    "fields.a",
    "fields.b",
    "log.error",
    "log.message",
    "log.target",
    "log.line",
];

struct Site(OnceLock<Metadata<'static>>);

impl Callsite for Site {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0.get().expect("set when it was made")
    }
}

/// Makes a call site with any names; it lives forever.
fn call_site(names: &[&'static str], kind: Kind, file: Option<&'static str>) -> &'static Metadata<'static> {
    let names: &'static [&'static str] = Box::leak(Box::from(names));
    let site: &'static Site = Box::leak(Box::new(Site(OnceLock::new())));
    let fields = FieldSet::new(names, Identifier(site));
    let meta = Metadata::new("name", "orders", Level::INFO, file, file.map(|_| 7), file, fields, kind);
    site.0.get_or_init(|| meta)
}

/// Captures the fields of a call site: which of them have a value, and of what type.
fn capture(meta: &'static Metadata<'static>, values: [u8; FIELDS], thread: bool, backtrace: bool) -> Vec<u8> {
    let mut scratch = Scratch::default();
    let mut capture = Capture::new(&mut scratch, 1000);
    if thread {
        capture.thread(3, "main");
    }
    if backtrace {
        capture.backtrace("   0: orders::load");
    }
    let set = meta.fields();
    let fields: Vec<Field> = set.iter().collect();
    let error = std::io::Error::other("failed");
    let error: &(dyn std::error::Error + 'static) = &error;
    let long = "long".repeat(400);
    let values = values.map(|kind| -> Option<&dyn tracing::Value> {
        Some(match kind % 10 {
            0 | 1 => &"text",
            2 => &7u64,
            3 => &"4BF92F3577B34DA6A3CE929D0E0E4736",
            4 => &error,
            5 => &true,
            6 => &1.5,
            7 if kind > 200 => &long,
            7 => &"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            8 => &-7i64,
            _ => return None,
        })
    });
    if let Some(first) = fields.first() {
        let values: [(&Field, Option<&dyn tracing::Value>); FIELDS] = std::array::from_fn(|at| match fields.get(at) {
            Some(field) => (field, values[at]),
            None => (first, None),
        });
        set.value_set(&values).record(&mut capture);
    }
    scratch.bytes().to_vec()
}

/// One step of a program. Indexes are taken modulo what exists.
#[derive(Clone, Debug)]
enum Step {
    Open {
        site: usize,
        parent: Option<usize>,
        values: [u8; FIELDS],
    },
    /// Sets a context variable around what follows.
    Hide {
        parent: Option<usize>,
        name: &'static str,
    },
    Record {
        node: usize,
        values: [u8; FIELDS],
    },
    Variable {
        node: usize,
        name: &'static str,
    },
    Log {
        site: usize,
        node: Option<usize>,
        values: [u8; FIELDS],
        named: Vec<&'static str>,
        held: bool,
        nanos: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..1000usize;
    prop_oneof![
        2 => (at.clone(), proptest::option::of(at.clone()), any::<[u8; FIELDS]>())
            .prop_map(|(site, parent, values)| Step::Open { site, parent, values }),
        1 => (proptest::option::of(at.clone()), select(&NAMES[..]))
            .prop_map(|(parent, name)| Step::Hide { parent, name }),
        1 => (at.clone(), any::<[u8; FIELDS]>()).prop_map(|(node, values)| Step::Record { node, values }),
        1 => (at.clone(), select(&NAMES[..])).prop_map(|(node, name)| Step::Variable { node, name }),
        6 => (at.clone(), proptest::option::of(at), any::<[u8; FIELDS]>(), named(), any::<(bool, u32)>())
            .prop_map(|(site, node, values, named, (held, nanos))| Step::Log { site, node, values, named, held, nanos }),
    ]
}

/// Edits of users' fields, of the schemas' keys, and of what is in objects.
fn edits() -> impl Strategy<Value = Edits> {
    let path = prop_oneof![
        3 => select(&NAMES[..]).prop_map(str::to_owned),
        1 => (select(vec!["fields", "labels", "spans", "error", "", "a", "a.a", "x"]), select(&NAMES[..]))
            .prop_map(|(object, name)| format!("{object}.{name}")),
        2 => select(vec!["timestamp", "@timestamp", "log.level", "severity", "status", "v", "spans", "span", "x", "a,\"b", ".a"])
            .prop_map(str::to_owned),
    ];
    let edit = (path, 0..3, select(vec!["x", "y", "a", "level", "ts", "fields", "a.b", "", "d\"\n"]));
    let apply = |edits: Edits, (path, kind, to): (String, i32, &'static str)| match kind {
        0 => edits.remove(path),
        1 => edits.rename(path, to),
        _ => edits.insert(to, 1),
    };
    prop_oneof![
        1 => Just(Edits::new()),
        1 => proptest::collection::vec(edit, 1..4).prop_map(move |all| all.into_iter().fold(Edits::new(), apply)),
    ]
}

/// Names that the event's call site does not declare.
fn named() -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(select(&NAMES[..]), 1..3)]
}

/// How many schemas there are in [`schemas`].
const SCHEMAS: usize = 34;

/// The schemas that the engine renders, with most switches on.
fn schemas() -> Vec<Box<dyn Schema>> {
    let mut schemas: Vec<Box<dyn Schema>> = built_in().filter(|row| row.keys.is_some()).map(BuiltIn::schema).collect();
    let flat = Flat::new().pid().hostname().thread_id().thread_name().file().line().module();
    schemas.push(Box::new(flat.span_fields(SpanFields::Named(vec!["a".to_owned(), "error".to_owned()]))));
    schemas.push(Box::new(Flat::new().span_fields(SpanFields::IdsOnly)));
    schemas.push(Box::new(Nested::new().thread_id().thread_name().file().line()));
    schemas.push(Box::new(Ecs::new().thread_id().thread_name()));
    schemas.push(Box::new(Gcp::new().project("p").error_reporting().trace_sampled(true).thread_id().thread_name()));
    schemas.push(Box::new(Datadog::new().decimal_ids().thread_name().file().line().module()));
    schemas.push(Box::new(Bunyan::new().file().line()));
    schemas.push(Box::new(Lambda::new().file().line()));
    schemas.push(Box::new(Pino::new().file().line().time(TimeFormat::default())));
    schemas.push(Box::new(Gelf::new().thread_id().thread_name().file().line()));
    schemas.push(Box::new(Splunk::new().index("main").thread_id().thread_name().file().line()));
    schemas.push(Box::new(Logfmt::new().thread_id().thread_name().file().line()));
    schemas.push(Box::new(Console::new().utc().color(Color::Always)));
    let pretty = Console::new().utc().date().color(Color::Always).pretty().file().line().module().function();
    schemas.push(Box::new(pretty.thread_id().thread_name().pid().service().static_fields()));
    schemas.push(Box::new(Otel::new().thread_id().thread_name()));
    schemas.push(Box::new(Otel::new().bare().trace_sampled(true)));
    for template in [
        "{time} {level:<8|level} {target}.{function|dim} {thread} {message|level} [{fields|bold}] {file}:{line:>4}\n",
        "{fields} {?a}{|level}a={a:>4.2}{.line|red}{/}{/} {message} {b:-none|level} {trace_id} {service:-s} {pid}",
        "{:<30}{error:-no} {message:.3}{/}{request_id:<9} {span_id:^20} {?trace_id|dim}{c}{/} {.message} {.error} {env}",
    ] {
        let template = Template::new(template).expect("a template").utc().color(Color::Always);
        schemas.push(Box::new(template));
    }
    schemas.push(Box::new(Custom::new("a", |line| line)));
    schemas.push(Box::new(Custom::new("time", |line| {
        line.level("level")
            .value("b", |record| record.fields().count().into())
            .fields()
            .object("labels", |labels| {
                labels.target("line").object("c", |c| c.trace_id("a").spans("b").object("d", |d| d.error_type("a")))
            })
            .error_message("error.message")
            .stack("error.stack_trace")
            .thread_id("thread_id")
            .constant("env", "of the schema")
    })));
    schemas.push(Box::new(Custom::new("time", |line| {
        let inside = |fields: Members| fields.request_id("request_id").message("message").fields().line("line");
        line.event_name("a").object("fields", inside).service("service").span_id("span_id").error("err").file("b")
    })));
    schemas
}

/// Runs a program with a schema; returns how many lines were prepared. Each must equal the line written directly.
fn run(schema: &mut dyn Schema, statics: &Statics, sites: &[Vec<&'static str>], steps: &[Step]) -> usize {
    run_as(false, schema, statics, sites, steps)
}

/// The same; `is_log`: with records of the `log` crate.
fn run_as(
    is_log: bool,
    schema: &mut dyn Schema,
    statics: &Statics,
    sites: &[Vec<&'static str>],
    steps: &[Step],
) -> usize {
    let events: Vec<_> = sites.iter().map(|names| call_site(names, Kind::EVENT, Some("main.rs"))).collect();
    let spans: Vec<_> = sites.iter().map(|names| call_site(names, Kind::SPAN, None)).collect();
    let ids = IdSource::seeded(1);
    let mut nodes: Vec<(&'static Metadata<'static>, Arc<Node>)> = Vec::new();
    let mut prepared = 0;
    for step in steps {
        match *step {
            Step::Open { site, parent, values } => {
                let meta = spans[site % spans.len()];
                let parent = parent.and_then(|at| nodes.get(at % nodes.len().max(1)));
                let parent = parent.map(|(_, node)| Arc::clone(node));
                // Any span may get its trace later.
                let node = Node::new(meta, parent, &capture(meta, values, false, false), true, &ids);
                nodes.push((meta, node));
            }
            Step::Hide { parent, name } => {
                let parent = parent.and_then(|at| nodes.get(at % nodes.len().max(1)));
                let parent = parent.map(|(_, node)| Arc::clone(node));
                let mut form = Vec::new();
                put_named(&mut form, name, &Value::Str("hidden"));
                nodes.push((hidden_meta(), Node::hidden(hidden_meta(), parent, &form)));
            }
            Step::Record { node, values } if !nodes.is_empty() => {
                let (meta, node) = &nodes[node % nodes.len()];
                // Context variables are set when their span is opened.
                if !is_hidden(meta) {
                    node.record(&capture(meta, values, false, false));
                }
            }
            Step::Variable { node, name } if !nodes.is_empty() => {
                let mut form = Vec::new();
                let value = match name {
                    "traceparent" => "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                    "trace_id" => "4BF92F3577B34DA6A3CE929D0E0E4736",
                    _ => "variable",
                };
                put_named(&mut form, name, &Value::Str(value));
                let (meta, node) = &nodes[node % nodes.len()];
                if !is_hidden(meta) {
                    node.record(&form);
                }
            }
            Step::Record { .. } | Step::Variable { .. } => {}
            Step::Log { site, node, values, ref named, held, nanos } => {
                let meta = events[site % events.len()];
                let mut form = capture(meta, values, schema.wants_thread(), held && statics.backtraces.is_some());
                named.iter().for_each(|name| put_named(&mut form, name, &Value::Str("named")));
                if held && statics.holds_back {
                    form.extend_from_slice(&HELD_BACK_MARK);
                }
                let node = node.and_then(|at| nodes.get(at % nodes.len().max(1)));
                let bound = node.map(|(_, node)| Bound::new(node, epoch(), None));
                let record = Record {
                    meta,
                    time: Timestamp::from_nanos(1_700_000_000_000_000_000 + i64::from(nanos)),
                    fields: &form,
                    context: bound.as_ref().map(Bound::context),
                    statics,
                    is_log,
                    max_value_bytes: usize::MAX,
                    original_bytes: None,
                };
                let (mut line, mut direct) = (b"before".to_vec(), b"before".to_vec());
                let before = directly_written();
                schema.render(&record, &mut line);
                prepared += usize::from(directly_written() == before);
                // A limit that cuts nothing: the line is written directly.
                schema.render(&Record { max_value_bytes: usize::MAX - 1, ..record }, &mut direct);
                assert_eq!(String::from_utf8_lossy(&line), String::from_utf8_lossy(&direct));
                let json = line.strip_prefix(b"before").expect("what was there");
                if json.starts_with(b"{") {
                    let mut json = serde_json::Deserializer::from_slice(json);
                    let read = Unique.deserialize(&mut json).and_then(|()| json.end());
                    assert!(read.is_ok(), "{read:?} in {}", String::from_utf8_lossy(&line));
                }
            }
        }
    }
    prepared
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prepared_lines_equal_those_written_directly(
        service: bool,
        env: bool,
        version: bool,
        dotted: bool,
        holds_back: bool,
        backtraces: bool,
        sites in proptest::collection::vec(proptest::collection::vec(select(&NAMES[..]), 0..=FIELDS), 1..6),
        steps in proptest::collection::vec(step(), 1..40),
        schema in 0..SCHEMAS + NASTY,
        is_log: bool,
        edits in edits(),
    ) {
        let fields = [env.then_some("env"), version.then_some("version"), dotted.then_some("a.b")].into_iter().flatten();
        let statics = Statics {
            service: service.then(|| "orders".to_owned()),
            fields: fields.map(|name| (name.to_owned(), "test".into())).collect(),
            holds_back,
            backtraces: backtraces.then_some(LevelFilter::TRACE),
        };
        let mut schemas = schemas();
        schemas.extend(nasty().map(|schema| -> Box<dyn Schema> { Box::new(schema) }));
        run_as(is_log, &mut *edits.on(schemas.remove(schema)), &statics, &sites, &steps);
    }
}

/// Returns how many lines each schema prepares.
fn prepared(sites: &[Vec<&'static str>], steps: &[Step]) -> Vec<usize> {
    schemas().iter_mut().map(|schema| run(&mut **schema, &Statics::default(), sites, steps)).collect()
}

#[test]
fn ordinary_lines_are_prepared_in_every_schema() {
    let log = |node, values, nanos| Step::Log { site: 0, node, values, named: Vec::new(), held: false, nanos };
    let sites = [vec!["message", "user_id", "error"], vec!["request_id", "method"], vec!["trace_id", "table"]];
    let steps = [
        log(None, [0, 2, 9, 9], 0),
        Step::Open { site: 1, parent: None, values: [2, 0, 9, 9] },
        Step::Open { site: 2, parent: Some(0), values: [3, 0, 9, 9] },
        log(Some(0), [0, 2, 4, 9], 1),
        log(Some(1), [0, 2, 0, 9], 2),
        Step::Record { node: 1, values: [9, 2, 9, 9] },
        log(Some(1), [0, 2, 9, 9], 3),
    ];
    assert_eq!(prepared(&sites, &steps), [4; SCHEMAS]);
}

#[test]
fn edited_lines_are_prepared() {
    let sites = [vec!["message", "user_id", "error"], vec!["request_id", "method"]];
    let log = |values| Step::Log { site: 0, node: Some(0), values, named: Vec::new(), held: false, nanos: 0 };
    let steps = [Step::Open { site: 1, parent: None, values: [2, 0, 9, 9] }, log([0, 2, 4, 9]), log([0, 2, 9, 9])];
    let edits = || Edits::new().rename("timestamp", "when").remove("spans").insert("type", "app");
    for edits in [
        edits().rename("user_id", "uid").remove("method"),
        edits().rename("labels.user_id", "uid").remove("labels.method"),
        edits().rename("fields.user_id", "uid").remove("fields"),
    ] {
        for schema in schemas() {
            assert_eq!(run(&mut *edits.clone().on(schema), &Statics::default(), &sites, &steps), 2);
        }
    }
}

#[test]
fn lines_with_reserved_names_are_prepared() {
    let log = |node, site| Step::Log { site, node, values: [0; FIELDS], named: Vec::new(), held: false, nanos: 0 };
    let sites = [vec!["message", "level", "a.b", "fields"], vec!["timestamp", "message", "labels"]];
    let steps = [Step::Open { site: 1, parent: None, values: [0; FIELDS] }, log(None, 0), log(Some(0), 0)];
    assert_eq!(prepared(&sites, &steps), [2; SCHEMAS]);
}

#[test]
fn lines_with_names_that_no_call_site_declares_are_prepared_once_they_are_known() {
    let log = |node, named: &[&'static str]| {
        let (named, values) = (named.to_vec(), [0, 2, 9, 9]);
        Step::Log { site: 0, node, values, named, held: false, nanos: 0 }
    };
    let sites = [vec!["message", "a"], vec!["method", "b"]];
    let steps = [
        Step::Open { site: 1, parent: None, values: [0, 0, 9, 9] },
        Step::Hide { parent: Some(0), name: "a" },
        Step::Variable { node: 0, name: "c" },
        Step::Variable { node: 0, name: "request_id" },
        log(None, &["b", "c"]),
        log(None, &["b", "c"]),
        log(Some(0), &["c", "b"]),
        log(Some(1), &[]),
        log(Some(1), &["d\"\n"]),
        log(Some(1), &["d\"\n", "c"]),
    ];
    // The first line with each name is written directly, and so are those with a name that the schema has to change: in
    // logfmt `d"`, in GELF also variables of the context, and in two of the described schemas `a`, which is their key.
    let prepared = prepared(&sites, &steps);
    let times = |expected| prepared.iter().filter(|count| **count == expected).count();
    assert_eq!((times(3), times(2), times(0)), (SCHEMAS - 6, 2, 4), "{prepared:?}");
}
