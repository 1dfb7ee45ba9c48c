//! The environment variable that overrides the filter of the program, and the mistakes in it.

use spanline::Output;
use spanline::sink::Memory;
use tracing::subscriber::with_default;
use tracing::{debug, error, info, trace, warn};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;

use crate::support::child::{child, stdout_lines};
use crate::support::stage::{Said, messages};
use crate::support::wait::PATIENCE;

fn log_each_level() {
    error!("error");
    warn!("warn");
    info!("info");
    debug!("debug");
    trace!("trace");
}

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// What the variable has, what the complaint says (nothing where there is none), and how many levels are logged. The
/// filter of the program is `warn`.
const VARIABLES: &[(&str, &str, usize)] = &[
    // Right.
    ("off", "", 0),
    ("error", "", 1),
    ("TRACE", "", 5),
    ("5", "", 5),
    ("off,it=info", "", 3),
    ("it", "", 5),
    ("it*=debug", "", 4),
    ("another_crate=trace", "", 0),
    ("info,", "", 3),
    // Unset.
    ("", "", 2),
    ("  ", "", 2),
    (" , ,", "", 2),
    // Levels of other libraries, and slips.
    ("warning", "did you mean `warn`? For a target of that name, write `warning=trace`", 2),
    ("WARNING", "did you mean `warn`?", 2),
    ("CRITICAL", "did you mean `error`?", 2),
    ("fatal", "did you mean `error`?", 2),
    ("verbose", "did you mean `trace`?", 2),
    ("all", "did you mean `trace`?", 2),
    ("inof", "did you mean `info`?", 2),
    ("debgu", "did you mean `debug`?", 2),
    ("it=warning", "did you mean `it=warn`?", 2),
    ("it=loud", "expected `off`, `error`", 2),
    ("debug=it", "the target comes first: write `it=debug`", 2),
    // Other syntax.
    ("info;it=debug", "write `info,it=debug`", 2),
    ("info it=debug", "write `info,it=debug`", 2),
    ("it:debug", "write `it=debug`", 2),
    ("\"info\"", "write `info`", 2),
    ("'debug'", "write `debug`", 2),
    ("\"debug,it=trace\"", "write `debug`", 2),
    ("*=debug", "for all targets, write `debug`", 2),
    ("=debug", "for all targets, write `debug`", 2),
    ("RUST_LOG=debug", "write `debug`", 2),
    ("/needle", "patterns for messages are not supported", 2),
    ("[span=debug", "the `]` is missing", 2),
    ("--verbose", "neither a level nor a target", 2),
    // What is right applies. If it names no level for all targets, it applies over the filter of the program.
    ("debug,/needle", "patterns for messages are not supported", 4),
    ("info,it=loud,[span=debug", "(2 mistakes in all)", 3),
    ("warning,it=debug", "did you mean `warn`?", 4),
    ("warning,another_crate=trace", "did you mean `warn`?", 2),
];

#[test]
fn promise_54_a_mistake_in_the_variable_is_one_complaint_and_the_default_filter_applies() {
    let names: Vec<String> = (0..VARIABLES.len()).map(|at| format!("SPANLINE_MISTAKE_{at}")).collect();
    let variables: Vec<_> = names.iter().zip(VARIABLES).map(|(name, (text, ..))| (name.as_str(), *text)).collect();
    child(this_test!(), &variables, || {
        for (name, (text, complaint, levels)) in names.iter().zip(VARIABLES) {
            let (memory, said) = (Memory::new(), Said::default());
            let builder = spanline::builder().filter("warn").filter_variable(name.as_str()).on_complaint(said.hook());
            let (layer, guard) = builder.output(Output::new(memory.clone())).build().unwrap();
            with_default(tracing_subscriber::registry().with(layer), log_each_level);
            guard.close().unwrap();
            assert_eq!(messages(&memory), LEVELS[..*levels], "{text:?}: {:?}", said.all());
            match (*complaint, &said.all()[..]) {
                ("", []) => {}
                ("", said) => panic!("{text:?} is right, but: {said:?}"),
                (expected, [said]) => {
                    assert!(said.contains(name.as_str()) && said.contains(expected), "{text:?}: {said}");
                }
                (_, said) => panic!("{text:?}: not one complaint: {said:?}"),
            }
        }
    });
}

#[test]
fn promise_54_init_complains_of_rust_log_once() {
    let name = this_test!();
    for (value, logged, complains) in [("warning", 3, true), ("warn,it=loud,it=debug", 4, true), ("warn", 2, false)] {
        let output = child(name, &[("RUST_LOG", value)], || {
            let guard = spanline::init().unwrap();
            log_each_level();
            guard.close().unwrap();
        });
        let Some(output) = output else { return };
        assert_eq!(stdout_lines(&output).len(), logged, "{value}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().filter(|line| line.contains("RUST_LOG")).count(), usize::from(complains), "{said}");
    }
}

/// What `init` logs under `RUST_LOG=trace` and `ORDERS_LOG=info`.
fn logged_by_init(name: &str, builder: fn() -> spanline::Builder, expected: usize) {
    child(name, &[("RUST_LOG", "trace"), ("ORDERS_LOG", "info")], || {
        let memory = Memory::new();
        let guard = builder().output(Output::new(memory.clone())).init().unwrap();
        log_each_level();
        guard.handle().flush(PATIENCE).unwrap();
        assert_eq!(messages(&memory), LEVELS[..expected]);
    });
}

#[test]
fn rust_log_overrides_the_filter_of_the_program() {
    logged_by_init(this_test!(), || spanline::builder().filter("warn"), 5);
}

#[test]
fn a_filter_without_a_variable_is_final() {
    logged_by_init(this_test!(), || spanline::builder().filter("warn").filter_variable(None), 2);
}

#[test]
fn the_program_names_another_variable() {
    logged_by_init(this_test!(), || spanline::builder().filter("warn").filter_variable("ORDERS_LOG"), 3);
}

#[test]
fn a_variable_that_is_not_set_leaves_the_filter() {
    logged_by_init(this_test!(), || spanline::builder().filter("warn").filter_variable("NOT_SET"), 2);
}

#[test]
fn build_reads_no_variable_unless_one_is_named() {
    child(this_test!(), &[("RUST_LOG", "trace")], || {
        for (variable, levels) in [(None, 2), (Some("RUST_LOG"), 5)] {
            let memory = Memory::new();
            let builder = spanline::builder().filter("warn").output(Output::new(memory.clone()));
            let builder = if variable.is_some() { builder.filter_variable(variable) } else { builder };
            let (layer, guard) = builder.build().unwrap();
            with_default(tracing_subscriber::registry().with(layer), log_each_level);
            guard.close().unwrap();
            assert_eq!(messages(&memory), LEVELS[..levels], "{variable:?}");
        }
    });
}

#[test]
fn promise_54_a_name_that_no_variable_can_have_is_an_error() {
    for name in ["", "ORDERS=LOG", "a\0b"] {
        let error = spanline::builder().filter_variable(name).build::<Registry>().err().unwrap();
        assert!(error.is_invalid() && error.to_string().contains("no variable can be called"), "{error}");
    }
}

#[cfg(not(feature = "config"))]
#[test]
fn promise_54_init_complains_of_a_file_that_it_cannot_read() {
    let output = child(this_test!(), &[("SPANLINE_CONFIG", "spanline.toml")], || {
        let _guard = spanline::init().unwrap();
    });
    if let Some(output) = output {
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().filter(|line| line.contains("SPANLINE_CONFIG has no effect")).count(), 1, "{said}");
    }
}
