//! Which value wins: defaults, the builder, the file, the overlay, `RUST_LOG`, and what the program forces.

use std::sync::{Arc, Mutex};

use spanline::record::Record;
use spanline::schema::Schema;
use spanline::sink::Memory;
use spanline::{Builder, Error, Output};
use tracing::subscriber::with_default;
use tracing::{debug, error, info, warn};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;

use crate::support::child::child;
use crate::support::stage::{messages, parsed};

/// A builder with a sink `memory`, whose lines are those of the returned one.
fn with_memory(text: &str) -> (Builder, Memory) {
    let memory = Memory::new();
    (over(Builder::from_toml(text), &memory), memory)
}

fn over(builder: Builder, memory: &Memory) -> Builder {
    let sink = memory.clone();
    builder.register_sink("memory", move |settings| {
        settings.flag("memory");
        Ok(Box::new(sink.clone()))
    })
}

fn run(builder: Builder, log: impl FnOnce()) {
    let (layer, guard) = builder.build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), log);
    guard.close().unwrap();
}

fn each_level() {
    error!("error");
    warn!("warn");
    info!("info");
    debug!("debug");
}

const MEMORY: &str = "[output.memory]\nsink = { memory = true }\n";

#[test]
fn the_file_wins_over_the_builder_and_the_overlay_over_the_file() {
    let text = format!("filter = 'warn'\n{MEMORY}[env.prod]\nfilter = 'error'\n[env.default]\nfilter = 'debug'");
    for (environment, levels) in [("prod", 1), ("default", 4), ("undefined", 4)] {
        let (builder, memory) = with_memory(&text);
        run(builder.filter("off").environment(environment), each_level);
        assert_eq!(messages(&memory).len(), levels, "{environment}");
    }
    // Without overlays, the file; without a filter there, the builder.
    for (text, levels) in [(format!("filter = 'warn'\n{MEMORY}"), 2), (MEMORY.to_owned(), 1)] {
        let (builder, memory) = with_memory(&text);
        run(builder.filter("error"), each_level);
        assert_eq!(messages(&memory).len(), levels);
    }
}

#[test]
fn nothing_overrides_what_the_program_forces() {
    let name = this_test!();
    let inside = || {
        let text = format!("filter = 'debug'\nservice = 'file'\n{MEMORY}[env.prod]\nservice = 'overlay'");
        let (builder, memory) = with_memory(&text);
        run(builder.environment("prod").force_filter("error").force_service("forced"), each_level);
        assert_eq!(messages(&memory), ["error"]);
        assert_eq!(parsed(&memory)[0]["service"], "forced");
        // The variable wins over the file, and what `force` sets is set last.
        let (builder, memory) = with_memory(&format!("filter = 'error'\n{MEMORY}"));
        let builder = builder.filter_variable("RUST_LOG").force(|builder| builder.service("again"));
        run(builder, each_level);
        assert_eq!(messages(&memory), ["error", "warn", "info"]);
        assert_eq!(parsed(&memory)[0]["service"], "again");
        // The file can choose the variable, too.
        let (builder, memory) = with_memory(&format!("filter = 'error'\nfilter_variable = false\n{MEMORY}"));
        run(builder.filter_variable("RUST_LOG"), each_level);
        assert_eq!(messages(&memory), ["error"]);
    };
    child(name, &[("RUST_LOG", "info")], inside);
}

#[test]
fn an_undefined_environment_is_one_complaint() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&said);
    let (builder, _) = with_memory(&format!("{MEMORY}[env.prod]\nfilter = 'error'\n[env.default]\nfilter = 'debug'"));
    let builder = builder.environment("staging").on_complaint(move |text| hook.lock().unwrap().push(text.to_owned()));
    run(builder, each_level);
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("does not define the environment `staging`; `[env.default]` applies"), "{said:?}");
}

#[test]
fn an_output_of_the_file_replaces_or_changes_one_of_the_program() {
    let (ours, other) = (Memory::new(), Memory::new());
    let text = "[output.audit]\nfilter = 'error'\nschema = 'ecs'\n[output.new]\nsink = { memory = true }";
    let builder = over(Builder::from_toml(text), &other).filter("debug");
    let audit = Output::new(ours.clone()).name("audit");
    let third = Memory::new();
    run(builder.output(audit).output(Output::new(third.clone()).name("third")), each_level);
    assert_eq!(messages(&ours), ["error"]);
    assert!(parsed(&ours)[0].get("@timestamp").is_some());
    assert_eq!(messages(&other).len(), 4);
    assert_eq!(messages(&third).len(), 4, "an output that the file does not name stays");
    let replaced = Memory::new();
    let text = "[output.audit]\nsink = { memory = true }";
    run(over(Builder::from_toml(text), &replaced).output(Output::new(ours.clone()).name("audit")), each_level);
    assert_eq!((messages(&ours).len(), messages(&replaced).len()), (1, 3));
}

#[test]
fn an_overlay_changes_single_options_or_replaces_a_sink_and_a_schema() {
    let text = "
[output.a]
sink = { memory = true }
schema = { name = 'flat', edits = { remove = ['target'] } }
[env.keys]
output.a.schema.edits.insert = { kept = true }
[env.whole]
output.a.schema = { name = 'flat' }
";
    for (environment, has_target, has_kept) in [("keys", false, true), ("whole", true, false)] {
        let (builder, memory) = with_memory(text);
        run(builder.environment(environment), || info!("x"));
        let line = &parsed(&memory)[0];
        let found = (line.get("target").is_some(), line.get("kept").is_some());
        assert_eq!(found, (has_target, has_kept), "{environment}: {line}");
    }
}

#[test]
fn an_overlay_unsets_what_the_rest_of_the_file_sets() {
    let text = "
filter = 'debug'
static_fields = { a = 1, 'b.c' = 2 }
[output.a]
sink = { memory = true }
schema = { name = 'flat', edits = { remove = ['target'] } }
[output.'other one']
sink = 'stdout'
[env.prod]
unset = ['filter', 'output.a.schema.edits', 'output.\"other one\"', \"static_fields.'b.c'\"]
[env.again]
unset = ['static_fields', 'output.\"other one\"']
static_fields.d = 3
";
    let (builder, memory) = with_memory(text);
    // What the program sets applies again.
    run(builder.filter("error").environment("prod"), each_level);
    assert_eq!(messages(&memory), ["error"]);
    let line = &parsed(&memory)[0];
    assert!(line.get("target").is_some() && line["a"] == 1 && line.get("b.c").is_none(), "{line}");
    let (builder, memory) = with_memory(text);
    run(builder.environment("again"), || info!("x"));
    let line = &parsed(&memory)[0];
    assert!(line.get("target").is_none() && line["d"] == 3 && line.get("a").is_none(), "{line}");
    // In JSON, keys are spelled in the same way.
    let json = r#"{ "filter": "off", "output": { "memory": { "sink": { "memory": true } } }, "env": { "prod": { "unset": ["filter"] } } }"#;
    let memory = Memory::new();
    run(over(Builder::from_json(json), &memory).environment("prod"), each_level);
    assert_eq!(messages(&memory).len(), 3);
}

#[test]
fn many_keys_to_unset_take_linear_time() {
    let count = 20_000;
    let keys: String = (0..count).map(|number| format!("static_fields.key_{number} = 1\n")).collect();
    let list: String = (0..count).map(|number| format!("'static_fields.key_{number}',")).collect();
    let (builder, memory) = with_memory(&format!("{keys}{MEMORY}[env.prod]\nunset = [{list}]"));
    run(builder.environment("prod"), || info!("x"));
    assert!(parsed(&memory)[0].get("key_1").is_none());
}

#[test]
fn names_to_redact_add_to_those_of_the_program() {
    let (builder, memory) = with_memory(&format!("redact.names = ['iban']\n{MEMORY}"));
    run(builder.redact(spanline::Redact::new().name("shoe_size")), || {
        info!(iban = "DE02", shoe_size = 43, password = "hunter2", user = "ada");
    });
    let line = &parsed(&memory)[0];
    let hidden = ["iban", "shoe_size", "password"].map(|key| line[key] == "<redacted>");
    assert_eq!((hidden, &line["user"]), ([true; 3], &"ada".into()), "{line}");
    // Without the default names, those of the program stay.
    let (builder, memory) = with_memory(&format!("redact = {{ default_names = false, values = false }}\n{MEMORY}"));
    run(builder.redact(spanline::Redact::new().name("shoe_size").values()), || {
        info!(shoe_size = 43, password = "hunter2", "Bearer abcdefghijklmnopqrstuvwxyz0123456789");
    });
    let line = &parsed(&memory)[0];
    assert_eq!((&line["shoe_size"], &line["password"]), (&"<redacted>".into(), &"hunter2".into()), "{line}");
    assert!(line["message"].as_str().unwrap().contains("abcdef"), "{line}");
}

#[test]
fn a_switch_that_the_program_turned_on_can_be_turned_off() {
    let memory = Memory::new();
    let builder = Builder::from_toml("output.a.deduplicate = false");
    run(builder.output(Output::new(memory.clone()).name("a").deduplicate()), || (0..3).for_each(|_| info!("same")));
    assert_eq!(messages(&memory).len(), 3);
}

struct Shouting(String);

impl Schema for Shouting {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let message = record.message().and_then(|message| message.as_str()).unwrap_or_default();
        out.extend_from_slice(format!("{}{}", message.to_uppercase(), self.0).as_bytes());
    }
}

#[test]
fn sinks_and_schemas_of_the_program_have_names_and_settings() {
    let text = |table: &str| format!("[output.a]\nsink = {{ memory = true }}\nschema = {table}");
    let shouting = |builder: Builder| {
        builder.register_schema("shouting", |settings| {
            let end = settings.text("end").unwrap_or_default();
            if end == "?" {
                return Err(Error::invalid("a shout is no question"));
            }
            Ok(Box::new(Shouting(end)))
        })
    };
    let (builder, memory) = with_memory(&text("{ name = 'shouting', end = '!' }"));
    run(shouting(builder), || info!("hello"));
    assert_eq!(memory.lines(), ["HELLO!"]);
    for (table, expected) in [
        ("{ name = 'shouting', end = 1 }", "output.a.schema.end: found a number; expected a text"),
        ("{ name = 'shouting', edn = '!' }", "output.a.schema.edn: unknown key `edn`; did you mean `end`?"),
        ("{ name = 'shouting', end = '?' }", "output.a.schema: a shout is no question"),
        ("'shoutign'", "output.a.schema: unknown schema `shoutign`; did you mean `shouting`?"),
    ] {
        let (builder, _) = with_memory(&text(table));
        let error = shouting(builder).build::<Registry>().err().unwrap().to_string();
        assert!(error.contains(expected), "{error}\nexpected {expected}");
    }
}
