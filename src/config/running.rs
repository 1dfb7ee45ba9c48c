//! The configuration of a running log: a new text is compared with the one in force, and the difference is applied.
//!
//! What the program's code has set up stays. The text is read on top of a builder that stands for it: with its static
//! fields and filter, and with outputs that only have the names of the program's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use super::apply::{Origin, Read};
use super::log::AT_RUN_TIME;
use super::watch;
use crate::builder::{Builder, OutputChanges, Program, default_output};
use crate::control::{self, Configuration, Handle, NewText, Reloaded, Started, WeakLog};
use crate::error::Error;
use crate::record::OwnedValue;
use crate::settings::{Mistake, Node, Place, Table, Text};

/// The configuration of a running log.
#[derive(Debug)]
pub(super) struct Running {
    origin: Origin,
    /// What the program's code has set.
    program: Program,
    /// Stored only by the thread that changes the outputs.
    state: ArcSwap<State>,
    is_watched: AtomicBool,
}

/// What is in force.
#[derive(Clone, Debug, Default)]
struct State {
    table: Table,
    outputs: Vec<Wanted>,
    static_fields: Vec<(String, OwnedValue)>,
    started: Started,
    /// The names of outputs that the program's code has set up.
    of_program: Vec<String>,
}

/// An output, and what describes it.
#[derive(Clone, Debug)]
struct Wanted {
    name: String,
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    /// The program's code.
    Program,
    /// Nothing: it is the only output.
    Default,
    Text(Node),
}

/// What a new text changes.
#[derive(Debug, Default)]
struct Difference {
    reloaded: Reloaded,
    mistakes: Vec<Mistake>,
    outputs: OutputChanges,
    /// The new outputs, by name, and those whose filter changes.
    started: Vec<String>,
    filtered: Vec<String>,
}

impl Running {
    /// `table`: what the program has started with.
    pub(super) fn new(origin: Origin, program: Program, table: Table, static_fields: &[(String, OwnedValue)]) -> Self {
        let state = State { table, static_fields: last_of_each(static_fields), ..State::default() };
        Self { origin, program, state: ArcSwap::from_pointee(state), is_watched: AtomicBool::new(false) }
    }

    fn text(&self, new: Option<&NewText>) -> Result<Text, Error> {
        match new {
            Some(NewText { name, text, is_json, .. }) => {
                Ok(Text { name: name.clone(), text: text.clone(), is_json: *is_json })
            }
            None => self.origin.text()?.ok_or_else(|| {
                Error::invalid("the log was started without a configuration file, so there is none to read again")
            }),
        }
    }
}

impl State {
    /// Returns the state with the outputs that the program has added or removed since. `running`: the names of all.
    fn now(&self, running: &[String]) -> Self {
        let mut state = self.clone();
        state.of_program.retain(|name| running.contains(name));
        state.outputs.retain(|wanted| running.contains(&wanted.name));
        for name in running.iter().filter(|name| !self.outputs.iter().any(|wanted| wanted.name == **name)) {
            state.of_program.push(name.clone());
            state.outputs.push(Wanted { name: name.clone(), by: By::Program });
        }
        state
    }
}

impl Configuration for Running {
    fn started(&self, started: Started) {
        let mut state = State::clone(&self.state.load());
        let outputs = outputs_of(&state.table);
        let is_default = started.has_default_output;
        let of_text = |name: &String| outputs.is_some_and(|outputs| outputs.get(name).is_some());
        state.of_program = started.outputs.iter().filter(|name| !is_default && !of_text(name)).cloned().collect();
        // An output of the program whose settings the text changes.
        state
            .of_program
            .extend(self.program.outputs.iter().map(|(name, _)| name).filter(|name| of_text(name)).cloned());
        state.outputs = wanted(&state.of_program, &state.table);
        state.started = started;
        self.state.store(Arc::new(state));
    }

    fn watch(&self, log: WeakLog) -> Result<(), Error> {
        let path = self.origin.path()?.ok_or_else(|| {
            Error::invalid("watch has no effect: the log was started without a configuration file; remove it")
        })?;
        self.is_watched.store(true, Ordering::Relaxed);
        watch::watch(&path, log)
    }

    fn watch_in_child(&self, log: WeakLog) {
        // Without a thread, the child keeps the settings that it has.
        if self.is_watched.load(Ordering::Relaxed)
            && let Ok(Some(path)) = self.origin.path()
        {
            let _ = watch::watch(&path, log);
        }
    }

    fn change(&self, handle: &Handle, new: Option<NewText>) -> Result<Reloaded, Error> {
        let change = handle.outputs().change()?;
        let state = self.state.load().now(&handle.outputs().names());
        let text = self.text(new.as_ref())?;
        let base = Builder::standing_for(&self.program, &state.of_program);
        let Read { builder, walk, table, .. } = self.origin.read(&text, base)?;
        let mut builder = builder.ok_or_else(|| text.error(walk.mistakes))?;
        let outputs = wanted(&state.of_program, &table);
        let mut difference = Difference::default();
        difference.compare_keys(&state.table, &table);
        difference.compare_outputs(&state.outputs, &outputs);
        let static_fields = last_of_each(builder.static_fields());
        let new_fields = difference.compare_fields(&state, &static_fields);
        if !difference.mistakes.is_empty() {
            return Err(text.error(difference.mistakes));
        }
        for name in &difference.started {
            difference.outputs.new.push(builder.take_output(name).unwrap_or_else(default_output));
        }
        for name in &difference.filtered {
            let filter = builder.take_output(name).map(|output| output.parsed_filter()).transpose()?.flatten();
            difference.outputs.filters.push((name.clone(), filter));
        }
        let filter =
            builder.or_filter(self.program.filter.clone()).global_filter(state.started.filter_variable.as_deref())?;
        if new.is_some_and(|new| new.is_check) {
            return Ok(difference.reloaded);
        }
        let Difference { mut reloaded, outputs: changes, .. } = difference;
        if !changes.is_empty() {
            handle.change_outputs(&change, changes)?;
            control::release_later(handle.outputs());
        }
        for (name, value) in new_fields {
            // The walk has checked them: what the handle has added since may be too long.
            if let Err(error) = handle.set_static_field(&name, value) {
                reloaded.masked.push(format!("static_fields.{name} ({error})"));
            }
        }
        let masks = handle.configure_filter(filter.directives.as_ref(), &filter.source, state.started.forces_filter)?;
        let has_filter = reloaded.changed.iter().any(|key| key == "filter");
        if let Some(by) = masks.or(filter.variable).filter(|_| has_filter) {
            reloaded.changed.retain(|key| key != "filter");
            reloaded.masked.push(format!("filter ({by} overrides it)"));
        }
        self.state.store(Arc::new(State { table, outputs, static_fields, ..state }));
        Ok(reloaded)
    }
}

impl Difference {
    /// Compares the keys of the whole log. Of those that cannot change, each is a mistake.
    fn compare_keys(&mut self, old: &Table, new: &Table) {
        let names = new.0.iter().map(|member| (&member.name, member.node.place));
        let gone = old.0.iter().filter(|member| new.get(&member.name).is_none());
        for (name, place) in names.chain(gone.map(|member| (&member.name, Place::default()))) {
            let is_same = match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) => old.is_same(new),
                _ => false,
            };
            match name.as_str() {
                _ if is_same => {}
                "filter" => self.reloaded.changed.push(name.clone()),
                name if AT_RUN_TIME.contains(&name) => {}
                _ => self.refuse(place, name, "it cannot change while the log runs; restart the program"),
            }
        }
    }

    fn compare_outputs(&mut self, old: &[Wanted], new: &[Wanted]) {
        let find =
            |all: &[Wanted], name: &str| all.iter().find(|wanted| wanted.name == name).map(|wanted| wanted.by.clone());
        for Wanted { name, by } in new {
            let key = format!("output.{name}");
            let change = match find(old, name) {
                None => Change::Start,
                Some(old) => by.change_from(&old),
            };
            match change {
                Change::None => continue,
                Change::Start => self.started.push(name.clone()),
                Change::Filter => self.filtered.push(name.clone()),
                Change::Impossible => {
                    let why =
                        "its sink is set up by the program's code, so only its filter can change while the log runs";
                    self.refuse(by.place(), &key, why);
                    continue;
                }
            }
            self.reloaded.changed.push(key);
        }
        for Wanted { name, .. } in old.iter().filter(|wanted| find(new, &wanted.name).is_none()) {
            self.outputs.removed.push(name.clone());
            self.reloaded.changed.push(format!("output.{name}"));
        }
        self.outputs.replaces = true;
    }

    /// Returns the fields with a new value, absent for those that are gone.
    fn compare_fields(&mut self, state: &State, new: &[(String, OwnedValue)]) -> Vec<(String, OwnedValue)> {
        let old = &state.static_fields;
        let gone = old.iter().filter(|(name, _)| !new.iter().any(|(other, _)| other == name));
        let gone = gone.map(|(name, _)| (name.clone(), OwnedValue::from(None::<u64>)));
        let changed = new.iter().filter(|field| !old.contains(field)).cloned();
        let all: Vec<_> = changed.chain(gone).collect();
        let (forced, free): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(name, _)| state.started.forced_fields.contains(name));
        self.reloaded.changed.extend(free.iter().map(|(name, _)| format!("static_fields.{name}")));
        self.reloaded
            .masked
            .extend(forced.iter().map(|(name, _)| format!("static_fields.{name} (forced by the program)")));
        free
    }

    fn refuse(&mut self, place: Place, key: &str, why: &str) {
        self.mistakes.push(Mistake::new(place, key, why));
    }
}

/// What happens to an output.
enum Change {
    None,
    /// It is new, or takes the place of another.
    Start,
    /// Only its own filter changes.
    Filter,
    Impossible,
}

impl By {
    fn change_from(&self, old: &Self) -> Change {
        let node = |by: &Self| match by {
            Self::Text(node) => Some(node.clone()),
            _ => None,
        };
        match (node(old), node(self)) {
            (None, None) => Change::None,
            (Some(old), Some(new)) if old.is_same(&new) => Change::None,
            (old, new) if same_but_filter(old.as_ref(), new.as_ref()) => Change::Filter,
            (_, Some(new)) if has_sink(&new) => Change::Start,
            _ => Change::Impossible,
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Text(node) => node.place,
            _ => Place::default(),
        }
    }
}

/// Returns whether two tables of an output differ only in its filter. Without a table, the program's code describes it.
fn same_but_filter(old: Option<&Node>, new: Option<&Node>) -> bool {
    let rest = |node: Option<&Node>| {
        let mut table = node.and_then(Node::table).cloned().unwrap_or_default();
        table.take("filter");
        table
    };
    rest(old).is_same(&rest(new))
}

/// Returns whether the text describes the whole output.
fn has_sink(node: &Node) -> bool {
    node.table().is_some_and(|table| table.get("sink").is_some())
}

fn outputs_of(table: &Table) -> Option<&Table> {
    table.get("output")?.table()
}

/// Returns the outputs that a log with this text has.
fn wanted(of_program: &[String], table: &Table) -> Vec<Wanted> {
    let outputs = outputs_of(table);
    let by = |name: &String| match outputs.and_then(|outputs| outputs.get(name)) {
        Some(node) => By::Text(node.clone()),
        None => By::Program,
    };
    let mut wanted: Vec<_> = of_program.iter().map(|name| Wanted { name: name.clone(), by: by(name) }).collect();
    for member in outputs.into_iter().flat_map(|outputs| &outputs.0) {
        if !of_program.contains(&member.name) {
            wanted.push(Wanted { name: member.name.clone(), by: By::Text(member.node.clone()) });
        }
    }
    if wanted.is_empty() {
        wanted.push(Wanted { name: "stdout".to_owned(), by: By::Default });
    }
    wanted
}

/// Returns the fields with the value that counts: the last of each name.
fn last_of_each(fields: &[(String, OwnedValue)]) -> Vec<(String, OwnedValue)> {
    let is_last = |at: usize, name: &str| !fields.iter().skip(at + 1).any(|(other, _)| other == name);
    fields.iter().enumerate().filter(|(at, (name, _))| is_last(*at, name)).map(|(_, field)| field.clone()).collect()
}
