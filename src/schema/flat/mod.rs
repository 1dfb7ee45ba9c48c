//! One JSON object a line, every key at the top level and there once: the default.
//!
//! Order: `timestamp level target message`, the event's own fields, `held_back backtrace`, what is switched on (`file` …), `service` and the
//! static fields, `request_id trace_id span_id parent_span_id`, the spans' fields from the inside out, `spans`
//! (outermost first), `fields`.
//!
//! There are two ways to a line. [`general`](mod@general) is the rule: it merges all fields and works out what goes
//! where, for any record. The fast way below gives the same bytes for the records nearly all are: no name is reserved or
//! there twice in the event or in a span. Then the head and the declared keys come prepared from the call site's
//! [`Plan`], and the context as one run of bytes that was rendered when it was first seen, without what the event
//! has itself.

mod contexts;
mod general;
mod plan;
mod shapes;
mod slots;

use std::collections::HashMap;

use smallvec::SmallVec;
use tracing::Metadata;

use super::clock::ClockText;
use super::host::hostname;
use super::merged::last_of_each;
use super::{Schema, json};
use crate::record::{Fields, Key, Raw, Record, Value};
use crate::schema::json::{Draft, DraftBytes};
use contexts::Contexts;
use plan::{Plan, PlanKeys};
use slots::Slots;
pub(crate) use slots::is_reserved;

/// Which of the spans' fields go into the line. The ids and `request_id` always do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanFields {
    /// All of them.
    #[default]
    All,
    /// Those with these names.
    Named(Vec<String>),
    /// None but the ids.
    IdsOnly,
}

impl SpanFields {
    fn lifts(&self, name: &str) -> bool {
        match self {
            SpanFields::All => true,
            SpanFields::Named(names) if names.iter().any(|other| other == name) => true,
            _ => matches!(name, "request_id" | "trace_id" | "traceparent"),
        }
    }
}

/// What the lines carry besides what every line does.
#[derive(Clone, Debug, Default)]
struct Options {
    pid: bool,
    hostname: bool,
    thread_id: bool,
    thread_name: bool,
    file: bool,
    line: bool,
    module: bool,
    /// The log is set up to carry it: known with the first record.
    backtrace: bool,
    held_back: bool,
    span_fields: SpanFields,
}

/// One flat JSON object a line.
///
/// Reserved keys come first and cannot be overridden; a user's field of a reserved name appears under `fields`,
/// unless the slot is free and the value fits. See [the crate's page](crate#what-a-line-means).
///
/// ```
/// use spanline::schema::{Flat, SpanFields};
///
/// Flat::new().thread_name().file().line().span_fields(SpanFields::IdsOnly);
/// ```
#[derive(Debug, Default)]
pub struct Flat {
    options: Options,
    plans: HashMap<usize, Plan, PlanKeys>,
    contexts: Contexts,
    clock: ClockText,
    draft: DraftBytes,
    /// The same in every line: pid, hostname, service and static fields. Rendered with the first line.
    fixed: Option<Fixed>,
}

/// The part of a line that is the same in all.
#[derive(Debug)]
struct Fixed {
    bytes: Vec<u8>,
    pid: u32,
    hostname: String,
}

/// Call sites are part of the program, so there are only so many; whatever makes more does not fill the memory.
const MAX_PLANS: usize = 16 * 1024;

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])* pub fn $name(mut self) -> Self {
            self.options.$name = true;
            self
        })*
    };
}

impl Flat {
    /// The lines of [the crate's page](crate#what-a-line-means), nothing switched on.
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

    /// Chooses which of the spans' fields go into the line.
    pub fn span_fields(mut self, span_fields: SpanFields) -> Self {
        self.options.span_fields = span_fields;
        self
    }

    /// Renders the fast way; false, and nothing rendered, when the record needs the general way.
    #[inline]
    fn render_prepared(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        if record.is_log || record.max_value_bytes != usize::MAX {
            return false;
        }
        let plan = plan(&mut self.plans, record, &self.options);
        let Some(fixed) = &self.fixed else { return false };
        if !plan.regular {
            return false;
        }
        let mut context = None;
        if let Some(of) = record.context() {
            let place = self.contexts.place(of, record, &self.options, &mut self.draft);
            let Some(rendered) = self.contexts.at(place) else { return false };
            let Some(shape) = rendered.shape else {
                self.forget_if_full();
                return false;
            };
            plan.meet(shape, &self.contexts);
            context = Some((rendered, shape));
        }
        let start = out.len();
        let mut line = Draft::new(&mut self.draft, out);
        line.put(self.clock.text(record.time));
        line.put(&plan.head);
        let mut fields = Fields::new(record.fields);
        if let Some(message) = plan.message {
            let first = record.fields.first() == Some(&message);
            let mut behind = Fields::new(record.fields);
            let found = if first { behind.next_raw() } else { find(&mut behind, message) };
            if let Some((_, message)) = found {
                line.put(b",\"message\":");
                line.put_raw(message);
            }
            if first {
                fields = behind;
            }
        }
        let mut regular = true;
        let mut has_thread = false;
        let mut is_held = false;
        let mut named = Named::new();
        while let Some((key, value)) = fields.next_raw() {
            match key {
                Key::Index(index) if Some(index) == plan.message => {}
                Key::Index(index) if Some(index) == plan.error => {
                    regular &= slots::put_error_member(line.out(), &value.value());
                }
                Key::Index(index) => match plan.key(index) {
                    Some(key) => line.put_member(key, value),
                    None => regular = false,
                },
                Key::Name(name) => {
                    regular &= plan.takes(name, record, &self.options) && !named.contains(&name);
                    named.push(name);
                    line.put_named(name, value);
                }
                Key::Thread => has_thread = true,
                Key::HeldBack => is_held = true,
                Key::Truncated | Key::Backtrace => regular = false,
            }
        }
        if is_held {
            line.put(b",\"held_back\":true");
        }
        line.put(&plan.place);
        if has_thread && let Some(thread) = record.thread() {
            put_thread(line.out(), &self.options, thread.id, thread.name);
        }
        line.put(&fixed.bytes);
        match context {
            None => {}
            Some((rendered, shape)) => {
                if named.is_empty() && !rendered.has_named && !plan.shares(shape) {
                    line.put_long(&rendered.bytes);
                } else {
                    let fields = Fields::new(record.fields);
                    rendered.put_without(line.out(), |name| named.contains(&name) || plan.has(&fields, name));
                }
            }
        }
        line.put(b"}");
        line.finish();
        if !regular {
            out.truncate(start);
        }
        regular
    }

    /// Makes room for new shapes of contexts.
    #[cold]
    fn forget_if_full(&mut self) {
        if self.contexts.is_full() {
            self.contexts = Contexts::default();
            self.plans.values_mut().for_each(Plan::forget_shapes);
        }
    }
}

/// Names of fields that no call site declares.
type Named<'a> = SmallVec<[&'a str; 8]>;

fn find<'a>(fields: &mut Fields<'a>, wanted: u8) -> Option<(Key<'a>, Raw<'a>)> {
    std::iter::from_fn(|| fields.next_raw()).find(|(key, _)| *key == Key::Index(wanted))
}

/// The plan of a record's call site, made when it is first seen.
#[inline]
fn plan<'p>(plans: &'p mut HashMap<usize, Plan, PlanKeys>, record: &Record<'_>, options: &Options) -> &'p mut Plan {
    let address = std::ptr::from_ref::<Metadata<'static>>(record.meta) as usize;
    if plans.len() >= MAX_PLANS && !plans.contains_key(&address) {
        plans.clear();
    }
    plans.entry(address).or_insert_with(|| Plan::new(record, options))
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

impl Fixed {
    fn new(record: &Record<'_>, options: &Options) -> Self {
        let (pid, hostname) = (std::process::id(), if options.hostname { hostname() } else { String::new() });
        let mut fixed = Self { bytes: Vec::new(), pid, hostname };
        let mut bytes = Vec::new();
        fixed.put_process(options, &mut bytes);
        if let Some(service) = record.service() {
            put_member(&mut bytes, b",\"service\":", &Value::Str(service));
        }
        let slots = Slots::new(options);
        for (name, value) in last_of_each(record.static_fields()) {
            if slots.find(name).is_none() {
                put_named(&mut bytes, name, &Value::Str(value));
            }
        }
        fixed.bytes = bytes;
        fixed
    }

    fn put_process(&self, options: &Options, out: &mut Vec<u8>) {
        if options.pid {
            put_member(out, b",\"pid\":", &Value::U64(u64::from(self.pid)));
        }
        if options.hostname {
            put_member(out, b",\"hostname\":", &Value::Str(&self.hostname));
        }
    }
}

fn put_thread(out: &mut Vec<u8>, options: &Options, id: u64, name: Option<&str>) {
    if options.thread_id {
        put_member(out, b",\"thread_id\":", &Value::U64(id));
    }
    if let (true, Some(name)) = (options.thread_name, name) {
        put_member(out, b",\"thread_name\":", &Value::Str(name));
    }
}

/// Appends a member whose comma, key and colon are ready.
#[inline]
fn put_member(out: &mut Vec<u8>, key: &[u8], value: &Value<'_>) {
    out.extend_from_slice(key);
    json::put_value(out, value);
}

fn put_named(out: &mut Vec<u8>, name: &str, value: &Value<'_>) {
    put_key(out, name);
    json::put_value(out, value);
}

fn put_key(out: &mut Vec<u8>, name: &str) {
    out.push(b',');
    json::put_str(out, name);
    out.push(b':');
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use proptest::prelude::*;
    use proptest::sample::select;
    use tracing::Level;
    use tracing::callsite::{Callsite, Identifier};
    use tracing::field::{Field, FieldSet};
    use tracing::metadata::Kind;
    use tracing::subscriber::Interest;

    use super::*;
    use crate::context::{Bound, IdSource, Node, epoch};
    use crate::record::{Capture, HELD_BACK_MARK, Scratch, Statics, Timestamp, put_named};

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

    /// A call site of any names; it lives for ever.
    fn call_site(names: &[&'static str], kind: Kind, file: Option<&'static str>) -> &'static Metadata<'static> {
        let names: &'static [&'static str] = Box::leak(Box::from(names));
        let site: &'static Site = Box::leak(Box::new(Site(OnceLock::new())));
        let fields = FieldSet::new(names, Identifier(site));
        let meta = Metadata::new("name", "orders", Level::INFO, file, file.map(|_| 7), file, fields, kind);
        site.0.get_or_init(|| meta)
    }

    /// What of a call site's fields has a value, and of what kind.
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

    /// One step of a program: indexes are taken modulo what there is.
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

    /// Names that an event's call site does not declare.
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
            // What miri answers to that is not all there.
            let hostname = hostname && !cfg!(miri);
            Options { pid, hostname, thread_id, thread_name, file, line, module, backtrace, held_back, span_fields }
        })
    }

    /// Runs a program; returns how many lines went the fast way, each the same as the general way's.
    fn run(options: &Options, statics: &Statics, sites: &[Vec<&'static str>], steps: &[Step]) -> usize {
        let events: Vec<_> = sites.iter().map(|names| call_site(names, Kind::EVENT, Some("main.rs"))).collect();
        let spans: Vec<_> = sites.iter().map(|names| call_site(names, Kind::SPAN, None)).collect();
        let ids = IdSource::seeded(1);
        let mut nodes: Vec<(&'static Metadata<'static>, Arc<Node>)> = Vec::new();
        // One that keeps what it has prepared, over all lines, and one that prepares nothing.
        let mut flat = Flat { options: options.clone(), ..Flat::default() };
        let mut fast = 0;
        for step in steps {
            match *step {
                Step::Open { site, parent, values } => {
                    let meta = spans[site % spans.len()];
                    let parent = parent.and_then(|at| nodes.get(at % nodes.len().max(1)));
                    let parent = parent.map(|(_, node)| Arc::clone(node));
                    // Any of them may be told its trace later.
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
                fields: env.then(|| ("env".to_owned(), "test".to_owned())).into_iter().collect(),
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
        // A span's own name that it declares, too, is left to the general way.
        assert_eq!(run(&Options::default(), &Statics::default(), &sites, &steps), 2);
    }
}
