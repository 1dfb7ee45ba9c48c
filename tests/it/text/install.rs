//! `init` where another subscriber or logger is installed: the error says which, and nothing is opened.

use std::path::Path;

use spanline::{Error, Output, RollingFile};
use tracing::info;
use tracing::subscriber::set_default;

use crate::support::child::child;
use crate::support::log_directory::Dir;

/// Checks that `init` with a file fails, and that it makes no file.
#[track_caller]
fn refused(builder: spanline::Builder) -> Error {
    let dir = Dir::new();
    let log: &Path = &dir.join("orders.log");
    let error = builder.output(Output::new(RollingFile::new(log))).init().err().unwrap();
    assert!(error.is_invalid() && dir.names().is_empty(), "{error}, {:?}", dir.names());
    error
}

#[test]
fn promise_54_a_second_init_says_that_it_is_the_second() {
    child(this_test!(), &[], || {
        let guard = spanline::builder().output(Output::new(spanline::sink::Memory::new())).init().unwrap();
        for builder in [spanline::builder(), spanline::builder().without_log()] {
            let said = refused(builder).to_string();
            assert!(said.contains("spanline is already the global subscriber; call `init` once"), "{said}");
            assert!(!said.contains("without_log"), "{said}");
        }
        // A scoped subscriber hides the global one from its thread only.
        let _scope = set_default(tracing_subscriber::registry());
        assert!(refused(spanline::builder()).to_string().contains("call `init` once"));
        guard.close().unwrap();
    });
}

#[test]
fn promise_54_init_after_fmt_says_how_to_install_both() {
    child(this_test!(), &[], || {
        tracing_subscriber::fmt().init();
        let said = refused(spanline::builder()).to_string();
        assert!(said.contains("tracing_subscriber::fmt().init()") && said.contains("Builder::build"), "{said}");
        assert!(!said.contains("without_log"), "{said}");
    });
}

#[test]
fn a_subscriber_of_a_scope_is_no_obstacle() {
    child(this_test!(), &[], || {
        let scope = set_default(tracing_subscriber::registry());
        let memory = spanline::sink::Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone())).init().unwrap();
        drop(scope);
        info!("logged");
        guard.close().unwrap();
        assert_eq!(memory.lines().len(), 1);
    });
}

#[cfg(feature = "log")]
#[test]
fn promise_54_init_after_another_logger_says_how_to_keep_it() {
    child(this_test!(), &[], || {
        tracing_log::LogTracer::init().unwrap();
        let said = refused(spanline::builder()).to_string();
        assert!(said.contains("`LogTracer::init()`") && said.contains("`Builder::without_log`"), "{said}");
        // The advice is right.
        let memory = spanline::sink::Memory::new();
        let guard = spanline::builder().without_log().output(Output::new(memory.clone())).init().unwrap();
        info!("logged");
        guard.close().unwrap();
        assert_eq!(memory.lines().len(), 1);
    });
}
