//! Which lines go to which output: upper bounds of levels, and filters over whole records.

use spanline::metrics::{OutputMetrics, Reason};
use spanline::record::Value;
use spanline::sink::Memory;
use spanline::{Builder, Output};
use tracing::subscriber::with_default;
use tracing::{Level, debug, error, info, info_span, trace, warn, warn_span};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;

use crate::support::child::{child, stdout_lines};
use crate::support::ledger::{LEVELS, balance};
use crate::support::stage::{fixed, messages, parsed};
use crate::support::strict;

fn log_each_level() {
    error!("error");
    warn!("warn");
    info!("info");
    debug!("debug");
    trace!("trace");
}

/// Runs `run` under a log, and returns the counters of its outputs.
fn run(builder: Builder, run: impl FnOnce()) -> Vec<OutputMetrics> {
    let (layer, guard) = builder.build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), run);
    let handle = guard.handle();
    guard.close().unwrap();
    handle.metrics().outputs
}

#[test]
fn an_upper_bound_splits_the_levels_so_that_each_line_is_written_once() {
    let [low, high] = [(); 2].map(|()| Memory::new());
    let builder = fixed()
        .output(Output::new(low.clone()).below(Level::WARN))
        .output(Output::new(high.clone()).output_filter(Level::WARN));
    let outputs = run(builder, log_each_level);
    assert_eq!(messages(&low), ["info", "debug", "trace"]);
    assert_eq!(messages(&high), ["error", "warn"]);
    let emitted: Vec<_> = outputs.iter().map(|output| output.emitted.total()).collect();
    assert_eq!(emitted, [3, 2], "a line above the bound was never meant for the output");
    assert_eq!(outputs.iter().map(|output| output.filtered.total()).sum::<u64>(), 0);
}

#[test]
fn an_upper_bound_holds_for_records_of_the_log_crate() {
    let low = Memory::new();
    run(fixed().output(Output::new(low.clone()).below(Level::WARN)), || {
        let log = |level, text: &str| {
            let args = format_args!("{text}");
            tracing_log::format_trace(&log::Record::builder().level(level).target("orders").args(args).build())
                .unwrap();
        };
        log(log::Level::Error, "severe");
        log(log::Level::Info, "plain");
    });
    assert_eq!(messages(&low), ["plain"]);
}

#[test]
fn a_line_below_the_bound_inherits_from_a_span_above_it() {
    let low = Memory::new();
    run(fixed().output(Output::new(low.clone()).below(Level::WARN)), || {
        warn_span!("import", tenant = "acme").in_scope(|| info!("row"));
    });
    let line = &parsed(&low)[0];
    assert_eq!((&line["tenant"], line["trace_id"].is_string()), (&"acme".into(), true), "{line}");
}

#[test]
fn a_bound_that_lets_nothing_pass_is_an_error_that_says_what_to_change() {
    let memory = || Output::new(Memory::new()).name("low");
    for output in [memory().below(Level::TRACE), memory().below(Level::INFO).output_filter("info,db=warn")] {
        let error = spanline::builder().output(output).build::<Registry>().err().unwrap();
        assert!(error.is_invalid(), "{error}");
        let text = format!("{error:#}");
        assert!(text.contains("low") && text.contains("no event passes") && text.contains("raise"), "{text}");
    }
    for output in [memory().below(Level::INFO).output_filter("debug"), memory().below(Level::INFO).output_filter("off")]
    {
        let (_layer, _guard) = spanline::builder().output(output).build::<Registry>().unwrap();
    }
    let (_layer, guard) = spanline::builder().output(memory().below(Level::WARN)).build::<Registry>().unwrap();
    let error = guard.handle().set_output_filter("low", "error").unwrap_err();
    assert!(error.is_invalid() && format!("{error:#}").contains("no event passes"), "{error:#}");
    guard.handle().set_output_filter("low", "debug").unwrap();
    guard.handle().set_output_filter("low", "off").unwrap();
}

#[test]
fn one_line_of_setup_sends_info_to_stdout_and_warnings_to_stderr() {
    let inside = || {
        let guard = spanline::builder().stdout_and_stderr(Level::WARN).init().unwrap();
        log_each_level();
        guard.close().unwrap();
    };
    let Some(output) = child(this_test!(), &[], inside) else { return };
    let levels = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| strict::line(line)["level"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(levels(&stdout_lines(&output)), ["INFO"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect();
    assert_eq!(levels(&lines), ["ERROR", "WARN"]);
}

#[test]
fn a_record_filter_sees_fields_spans_and_metadata_and_what_it_refuses_is_counted_as_filtered() {
    let [audit, rest] = [(); 2].map(|()| Memory::new());
    let is_audit = |record: &spanline::record::Record<'_>| {
        let of_span = || record.context().is_some_and(|context| context.names().any(|name| name == "payment"));
        record.field("audit") == Some(Value::Bool(true)) || of_span() || record.target() == "keys"
    };
    let builder = fixed()
        .output(Output::new(audit.clone()).record_filter(is_audit))
        .output(Output::new(rest.clone()).record_filter(move |record| !is_audit(record)));
    let outputs = run(builder, || {
        info!(audit = true, "flag");
        info!(audit = false, "no flag");
        info_span!("payment").in_scope(|| debug!("in span"));
        warn!(target: "keys", "target");
        error!("other");
    });
    assert_eq!(messages(&audit), ["flag", "in span", "target"]);
    assert_eq!(messages(&rest), ["no flag", "other"]);
    for (output, memory) in outputs.iter().zip([&audit, &rest]) {
        balance(output, &memory.text());
        assert_eq!((output.emitted.total(), output.dropped.total(), output.notices), (5, 0, 0));
        assert_eq!(output.filtered.total(), 5 - memory.lines().len() as u64);
    }
    let filtered: Vec<_> = LEVELS.iter().map(|level| outputs[0].filtered.level(*level)).collect();
    assert_eq!(filtered, [1, 0, 1, 0, 0], "by level");
}

#[test]
fn a_record_filter_sees_no_secret() {
    let memory = Memory::new();
    let takes = |record: &spanline::record::Record<'_>| record.field("password").unwrap().as_str() != Some("hunter2");
    let outputs = run(fixed().output(Output::new(memory.clone()).record_filter(takes)), || {
        info!(password = "hunter2", "login");
    });
    assert_eq!((memory.lines().len(), outputs[0].filtered.total()), (1, 0));
}

#[test]
fn a_record_filter_that_panics_drops_its_line_and_says_so() {
    let memory = Memory::new();
    let takes = |record: &spanline::record::Record<'_>| {
        assert!(record.field("poison").is_none(), "poisoned");
        true
    };
    let outputs = run(
        fixed().log_panics(false).on_complaint(|_| ()).output(Output::new(memory.clone()).record_filter(takes)),
        || {
            info!("before");
            info!(poison = true, "poison");
            info!("behind");
        },
    );
    let lines = balance(&outputs[0], &memory.text());
    assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["before", "behind"]);
    assert_eq!((outputs[0].dropped.reason(Reason::Panicked).total(), outputs[0].filtered.total()), (1, 0));
}

#[test]
fn a_flush_and_a_synchronous_call_do_not_wait_for_a_line_that_is_refused() {
    let memory = Memory::new();
    let output = Output::new(memory.clone()).record_filter(|_| false).synchronous(std::time::Duration::from_secs(60));
    let outputs = run(fixed().output(output), || info!("refused"));
    assert_eq!((outputs[0].filtered.total(), outputs[0].queued.total(), outputs[0].overdue), (1, 0, 0));
    assert!(memory.lines().is_empty());
}

#[test]
fn an_appender_refuses_filters_that_cannot_apply_to_it() {
    for output in [Output::new(Memory::new()).below(Level::WARN), Output::new(Memory::new()).record_filter(|_| true)] {
        let error = output.appender().err().unwrap();
        assert!(error.is_invalid() && error.to_string().contains("an appender has no filter"), "{error}");
    }
}
