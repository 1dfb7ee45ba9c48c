//! The schema [`Flat`]: its switches, and its choice between the fast and the general way.

use std::collections::HashMap;

use super::contexts::Contexts;
use super::fixed::Fixed;
use super::options::{Options, SpanFields};
use super::plan::Plan;
use crate::addresses::AddressKeys;
use crate::record::Record;
use crate::schema::Schema;
use crate::schema::clock::ClockText;
use crate::schema::json::DraftBytes;
use crate::schema::{BuiltIn, Keys};

pub(in crate::schema) const ROWS: &[BuiltIn] = &[BuiltIn::json("flat", LINE_KEYS, || Box::new(Flat::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/level",
    target: "/target",
    trace_id: "/trace_id",
    request_id: Some("/request_id"),
    fields: Some(""),
};

/// One flat JSON object per line.
///
/// Reserved keys come first and cannot be overridden. A user's field with a reserved name goes under `fields`, unless
/// the log leaves that key free and the value fits. See [the crate's page](crate#what-a-line-means).
///
/// ```
/// use spanline::schema::{Flat, SpanFields};
///
/// Flat::new().thread_name().file().line().span_fields(SpanFields::IdsOnly);
/// ```
#[derive(Debug, Default)]
pub struct Flat {
    pub(super) options: Options,
    pub(super) plans: HashMap<usize, Plan, AddressKeys>,
    pub(super) contexts: Contexts,
    pub(super) clock: ClockText,
    pub(super) draft: DraftBytes,
    /// Pid, hostname, service and static fields, rendered with the first line.
    pub(super) fixed: Option<Fixed>,
}

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])* pub fn $name(mut self) -> Self {
            self.options.$name = true;
            self
        })*
    };
}

impl Flat {
    /// Creates the schema of [the crate's page](crate#what-a-line-means), with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    switches! {
        /// Adds `pid`, the process id.
        pid,
        /// Adds `hostname`, the machine's name.
        hostname,
        /// Adds `thread_id`, the number in the standard library's `ThreadId`.
        thread_id,
        /// Adds `thread_name`, where the thread has one.
        thread_name,
        /// Adds `file`, the source file of the call site.
        file,
        /// Adds `line`, the line in the source file.
        line,
        /// Adds `module`, the module path of the call site.
        module,
    }

    /// Sets which of the spans' fields go into the line.
    pub fn span_fields(mut self, span_fields: SpanFields) -> Self {
        self.options.span_fields = span_fields;
        self
    }
}

impl Schema for Flat {
    #[inline]
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        if self.fixed.is_none() {
            (self.options.backtrace, self.options.held_back) = (record.statics.backtraces, record.statics.holds_back);
            self.fixed = Some(Fixed::new(record, &self.options));
        }
        if !self.render_prepared(record, out) {
            self.render_general(record, out);
        }
    }

    fn forked(&mut self) {
        self.fixed = None;
    }

    fn wants_thread(&self) -> bool {
        self.options.thread_id || self.options.thread_name
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use proptest::prelude::*;
    use proptest::sample::select;
    use tracing::callsite::{Callsite, Identifier};
    use tracing::field::{Field, FieldSet};
    use tracing::metadata::Kind;
    use tracing::subscriber::Interest;
    use tracing::{Level, Metadata};

    use super::*;
    use crate::context::{Bound, IdSource, Node, epoch};
    use crate::record::{Capture, HELD_BACK_MARK, Scratch, Statics, Timestamp, Value, put_named};

    const FIELDS: usize = 4;

    const NAMES: [&str; 17] = [
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
    fn capture(meta: &'static Metadata<'static>, values: [u8; FIELDS], thread: bool) -> Vec<u8> {
        let mut scratch = Scratch::default();
        let mut capture = Capture::new(&mut scratch, 1000);
        if thread {
            capture.thread(3, "main");
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
            let values: [(&Field, Option<&dyn tracing::Value>); FIELDS] =
                std::array::from_fn(|at| match fields.get(at) {
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
        Open { site: usize, parent: Option<usize>, values: [u8; FIELDS] },
        Record { node: usize, values: [u8; FIELDS] },
        Variable { node: usize, name: &'static str },
        Log { site: usize, node: Option<usize>, values: [u8; FIELDS], named: Vec<&'static str>, held: bool, nanos: u32 },
    }

    fn step() -> impl Strategy<Value = Step> {
        let at = 0..1000usize;
        prop_oneof![
            2 => (at.clone(), proptest::option::of(at.clone()), any::<[u8; FIELDS]>())
                .prop_map(|(site, parent, values)| Step::Open { site, parent, values }),
            1 => (at.clone(), any::<[u8; FIELDS]>()).prop_map(|(node, values)| Step::Record { node, values }),
            1 => (at.clone(), select(&NAMES[..])).prop_map(|(node, name)| Step::Variable { node, name }),
            6 => (at.clone(), proptest::option::of(at), any::<[u8; FIELDS]>(), named(), any::<(bool, u32)>())
                .prop_map(|(site, node, values, named, (held, nanos))| Step::Log { site, node, values, named, held, nanos }),
        ]
    }

    /// Names that the event's call site does not declare.
    fn named() -> impl Strategy<Value = Vec<&'static str>> {
        prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(select(&NAMES[..]), 1..3)]
    }

    fn options() -> impl Strategy<Value = Options> {
        let span_fields = prop_oneof![
            3 => Just(SpanFields::All),
            1 => Just(SpanFields::IdsOnly),
            1 => Just(SpanFields::Named(vec!["a".to_owned(), "error".to_owned()])),
        ];
        (any::<[bool; 9]>(), span_fields).prop_map(|(on, span_fields)| {
            let [pid, hostname, thread_id, thread_name, file, line, module, backtrace, held_back] = on;
            // miri returns an incomplete hostname.
            let hostname = hostname && !cfg!(miri);
            Options { pid, hostname, thread_id, thread_name, file, line, module, backtrace, held_back, span_fields }
        })
    }

    /// Runs a program; returns how many lines went the fast way. Each must equal the general way's line.
    fn run(options: &Options, statics: &Statics, sites: &[Vec<&'static str>], steps: &[Step]) -> usize {
        let events: Vec<_> = sites.iter().map(|names| call_site(names, Kind::EVENT, Some("main.rs"))).collect();
        let spans: Vec<_> = sites.iter().map(|names| call_site(names, Kind::SPAN, None)).collect();
        let ids = IdSource::seeded(1);
        let mut nodes: Vec<(&'static Metadata<'static>, Arc<Node>)> = Vec::new();
        // One schema keeps what it has prepared over all lines, the other prepares nothing.
        let mut flat = Flat { options: options.clone(), ..Flat::default() };
        let mut fast = 0;
        for step in steps {
            match *step {
                Step::Open { site, parent, values } => {
                    let meta = spans[site % spans.len()];
                    let parent = parent.and_then(|at| nodes.get(at % nodes.len().max(1)));
                    let parent = parent.map(|(_, node)| Arc::clone(node));
                    // Any span may get its trace later.
                    let node = Node::new(meta, parent, &capture(meta, values, false), true, &ids);
                    nodes.push((meta, node));
                }
                Step::Record { node, values } if !nodes.is_empty() => {
                    let (meta, node) = &nodes[node % nodes.len()];
                    node.record(&capture(meta, values, false));
                }
                Step::Variable { node, name } if !nodes.is_empty() => {
                    let mut form = Vec::new();
                    let value = match name {
                        "traceparent" => "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                        "trace_id" => "4BF92F3577B34DA6A3CE929D0E0E4736",
                        _ => "variable",
                    };
                    put_named(&mut form, name, &Value::Str(value));
                    nodes[node % nodes.len()].1.record(&form);
                }
                Step::Record { .. } | Step::Variable { .. } => {}
                Step::Log { site, node, values, ref named, held, nanos } => {
                    let meta = events[site % events.len()];
                    let mut form = capture(meta, values, options.thread_id || options.thread_name);
                    named.iter().for_each(|name| put_named(&mut form, name, &Value::Str("named")));
                    if held && options.held_back {
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
                        is_log: false,
                        max_value_bytes: usize::MAX,
                        original_bytes: None,
                    };
                    let (mut prepared, mut line, mut general) = (Vec::new(), Vec::new(), Vec::new());
                    flat.render(&record, &mut line);
                    let mut other = Flat { options: options.clone(), ..Flat::default() };
                    other.fixed = Some(Fixed::new(&record, options));
                    other.render_general(&record, &mut general);
                    assert_eq!(String::from_utf8_lossy(&line), String::from_utf8_lossy(&general));
                    if flat.render_prepared(&record, &mut prepared) {
                        assert_eq!(prepared, general);
                        fast += 1;
                    } else {
                        assert!(prepared.is_empty(), "nothing is left behind");
                    }
                }
            }
        }
        fast
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_fast_way_gives_the_same_bytes_as_the_general_way(
            options in options(),
            service: bool,
            env: bool,
            sites in proptest::collection::vec(proptest::collection::vec(select(&NAMES[..]), 0..=FIELDS), 1..6),
            steps in proptest::collection::vec(step(), 1..40),
        ) {
            let statics = Statics {
                service: service.then(|| "orders".to_owned()),
                fields: env.then(|| ("env".to_owned(), "test".into())).into_iter().collect(),
                holds_back: options.held_back,
                ..Statics::default()
            };
            run(&options, &statics, &sites, &steps);
        }
    }

    #[test]
    fn ordinary_lines_go_the_fast_way() {
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
        assert_eq!(run(&Options::default(), &Statics::default(), &sites, &steps), 4);
    }

    #[test]
    fn lines_with_names_that_no_call_site_declares_go_the_fast_way() {
        let log = |node, named: &[&'static str]| {
            let (named, values) = (named.to_vec(), [0, 2, 9, 9]);
            Step::Log { site: 0, node, values, named, held: false, nanos: 0 }
        };
        let sites = [vec!["message", "a"], vec!["method", "b"]];
        let steps = [
            log(None, &["b", "c"]),
            Step::Open { site: 1, parent: None, values: [0, 0, 9, 9] },
            Step::Open { site: 1, parent: Some(0), values: [9, 0, 9, 9] },
            Step::Variable { node: 0, name: "a" },
            Step::Variable { node: 0, name: "c" },
            Step::Variable { node: 1, name: "method" },
            Step::Variable { node: 1, name: "request_id" },
            log(Some(0), &[]),
            log(Some(1), &["request_id", "d\"\n"]),
        ];
        // A declared name that is set once more by name takes the general way.
        assert_eq!(run(&Options::default(), &Statics::default(), &sites, &steps), 2);
    }
}
