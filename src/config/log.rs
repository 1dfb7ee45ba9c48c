//! The section of the whole log: the top level of a file.

use tracing::level_filters::LevelFilter;

use super::{limits, outputs, schemas};
use crate::builder::{Builder, MAX_OUTPUTS};
use crate::settings::{Key, Kind, Section, Value, expand};

/// Settings that only code can make, each with the reason. The page lists them.
pub(super) const ONLY_IN_CODE: &[(&str, &str)] = &[
    ("clock", "takes a closure; for tests"),
    ("on_complaint", "takes a closure"),
    ("early", "takes over what was logged before, which only the program has"),
    ("record_filter", "takes a closure, of an output"),
    ("Async, Memory, Writer and sinks as closures", "hold a value of the program; `register_sink` gives one a name"),
    ("Custom", "takes closures; `register_schema` gives it a name"),
    ("Secret::text", "a secret does not belong in the file"),
    ("Http::requests, Profile, OwnThreads", "are for sinks of the program"),
    ("RollingFile::from_tracing_appender", "takes values of that crate"),
];

/// Keys that can change while the log runs.
pub(super) const AT_RUN_TIME: [&str; 3] = ["filter", "output", "static_fields"];

/// Reads the top level, and calls the setters of `builder`.
pub(super) fn log(section: &mut Section<'_>, builder: Builder) -> Builder {
    let seed = "Seeds the ids, for tests: every run makes the same ones.";
    let context = "The level up to which spans hand down their fields and ids.";
    let standard = "Adds two outputs: lines below this level go to stdout, and others to stderr.";
    let builder = section
        .on(builder)
        .text("service", "none", "The service's name, in every line.", Builder::service)
        .with(static_fields)
        .filter("filter", "info", "Which events any output can receive. `RUST_LOG` overrides it.", Builder::filter)
        .with(filter_variable)
        .word("context_level", "info", &FILTERS, context, Builder::context_level)
        .bytes(
            "max_line_bytes",
            "1 MiB",
            "The longest line, 256 bytes to 1 GiB. Values are cut to fit.",
            Builder::max_line_bytes,
        )
        .with(output)
        .level("stdout_and_stderr", "none", standard, Builder::stdout_and_stderr)
        .with(rate_limits)
        .with(|builder, section| {
            let base = builder.redact_settings();
            let key = Key::new("redact", Kind::Section("redact"), "see there", "Which values are secret.");
            section.inner(key, |section| limits::redact(section, base)).into_iter().fold(builder, Builder::redact)
        })
        .with(seal_fields)
        .done();
    let builder = diagnostics(section, builder);
    let builder = section
        .on(builder)
        .with(|builder, section| {
            let base = builder.shutdown_waits();
            let key =
                Key::new("shutdown", Kind::Section("shutdown"), "see there", "How long the end of the log waits.");
            match section.inner(key, |section| limits::shutdown(section, base)) {
                Some((timeout, cap)) => builder.shutdown_timeout(timeout, cap),
                None => builder,
            }
        })
        .bool("watch", "false", "Reloads this file when it changes.", Builder::watches)
        .bool("log", "true", "Whether records of the `log` crate are taken.", Builder::takes_log)
        .with(|builder, section| match section.count::<u64>(Key::new("id_seed", Kind::Count, "random", seed)) {
            Some(seed) => builder.id_seed(seed),
            None => builder,
        })
        .done();
    let builder = integrations(section, builder);
    if section.is_right() {
        // What the program's code has set wrong has no place in the text: `init` and `build` report it.
        for (key, error) in builder.mistakes() {
            if section.table().get(key).is_some() {
                section.refuse(key, &error);
            }
        }
    }
    builder
}

fn static_fields(builder: Builder, section: &mut Section<'_>) -> Builder {
    let doc = "Fields of every line. `${NAME}` and `${NAME:-default}` stand for variables of the environment.";
    let key = Key::new("static_fields", Kind::ValueMap, "none", doc);
    let variable = |name: &str| std::env::var(name).ok();
    let fields = schemas::values(section, key, &|text| expand(text, variable));
    fields.into_iter().fold(builder, |builder, (name, value)| builder.static_field(name, value))
}

fn filter_variable(builder: Builder, section: &mut Section<'_>) -> Builder {
    let kind = Kind::OneOf(vec![Kind::Form("ORDERS_LOG"), Kind::Bool]);
    let doc = "The variable that overrides `filter`; `false` for none.";
    let expected = "expected the name of a variable, or false";
    let name = section.value(Key::new("filter_variable", kind, "RUST_LOG", doc), |node| match &node.value {
        Value::Text(name) if !name.is_empty() && !name.contains(['=', '\0']) => Ok(Some(name.clone())),
        Value::Bool(false) => Ok(None),
        _ => Err(format!("found {}; {expected}", node.shown())),
    });
    match name {
        Some(name) => builder.filter_variable(name.as_deref()),
        None => builder,
    }
}

fn output(builder: Builder, section: &mut Section<'_>) -> Builder {
    let mut builder = Some(builder);
    let key = Key::new("output", Kind::Named("output"), "stdout", "The outputs, each with its name: `[output.file]`.");
    let count = section.table().get("output").and_then(|node| node.table()).map_or(0, |table| table.0.len());
    if count > MAX_OUTPUTS {
        section.ask(key);
        section.mistake("output", format!("{count} outputs; expected at most {MAX_OUTPUTS}"));
        return builder.unwrap_or_else(crate::builder::builder);
    }
    section.each(key, |name, section| {
        let Some(mut log) = builder.take() else { return };
        let base = log.take_output(name);
        builder = Some(match outputs::output(name, base, section) {
            Some(output) => log.output(output),
            None => log,
        });
    });
    builder.unwrap_or_else(crate::builder::builder)
}

fn rate_limits(builder: Builder, section: &mut Section<'_>) -> Builder {
    let lines = "Limits repeats of each call site, except ERROR.";
    let errors = "Limits repeats of ERROR lines.";
    let limit = section.inner(Key::new("rate_limit", Kind::Section("rate_limit"), "none", lines), limits::rate_limit);
    let builder =
        limit.flatten().into_iter().fold(builder, |builder, (lines, period)| builder.rate_limit(lines, period));
    let key = Key::new("rate_limit_errors", Kind::Section("rate_limit"), "none", errors);
    let limit = section.inner(key, limits::rate_limit).flatten();
    let mut builder =
        limit.into_iter().fold(builder, |builder, (lines, period)| builder.rate_limit_errors(lines, period));
    let mut all = Vec::new();
    let doc = "Which share of the lines is logged: one for lines of call sites, one for traces.";
    section.each(Key::new("sampling", Kind::Sections("sampling"), "none", doc), |_, section| {
        all.extend(limits::sampling(section));
    });
    for sampling in all {
        builder = builder.sampling(sampling);
    }
    builder
}

fn seal_fields(builder: Builder, section: &mut Section<'_>) -> Builder {
    let doc = "Which fields are sealed, and for whom.";
    #[cfg(feature = "sealed")]
    {
        let key = Key::new("seal_fields", Kind::Section("seal_fields"), "none", doc);
        let base = builder.seal_settings();
        section.inner(key, |section| limits::seal_fields(section, base)).into_iter().fold(builder, Builder::seals)
    }
    #[cfg(not(feature = "sealed"))]
    {
        let key = Key::new("seal_fields", Kind::ValueMap, "none", doc);
        if !section.walk().is_check && section.ask(key).is_some() {
            section.mistake("seal_fields", super::words::needs_feature("sealed"));
        }
        builder
    }
}

fn diagnostics(section: &mut Section<'_>, builder: Builder) -> Builder {
    let backtrace = "Adds a backtrace to events at and above this level.";
    let panics = "Whether a panic is an ERROR line.";
    let held = "Keeps detail in memory, and writes it if its request logs an ERROR.";
    section
        .on(builder)
        .word("backtrace", "off", &FILTERS, backtrace, Builder::backtrace)
        .bool("log_panics", "true with `init`", panics, Builder::log_panics)
        .filter("span_new", "off", "Logs a line when a span opens.", Builder::span_new)
        .filter("span_enter", "off", "Logs a line each time a span is entered.", Builder::span_enter)
        .filter("span_exit", "off", "Logs a line each time a span is exited.", Builder::span_exit)
        .filter("span_close", "off", "Logs a line when a span closes, with its times.", Builder::span_close)
        .with(|builder, section| {
            let key = Key::new("flight_recorder", Kind::Section("flight_recorder"), "none", held);
            section.inner(key, limits::flight_recorder).into_iter().fold(builder, Builder::flight_recorder)
        })
        .done()
}

fn integrations(section: &mut Section<'_>, builder: Builder) -> Builder {
    let flush = "Writes the queued lines on SIGTERM, SIGINT and SIGQUIT.";
    let hangup = "Writes the queued lines on SIGHUP.";
    let reopen = "Reopens files on SIGHUP.";
    let reload = "Reads this file again on SIGHUP, and reopens files.";
    let otel = "Takes ids from the layer of `tracing-opentelemetry`.";
    #[cfg(all(unix, feature = "signals"))]
    let builder = section
        .on(builder)
        .bool("flush_on_signals", "false", flush, Builder::flushes_on_signals)
        .bool("flush_on_sighup", "false", hangup, Builder::flushes_on_sighup)
        .bool("reopen_on_sighup", "false", reopen, Builder::reopens_on_sighup)
        .bool("reload_on_sighup", "false", reload, Builder::reloads_on_sighup)
        .done();
    #[cfg(not(all(unix, feature = "signals")))]
    for (name, doc) in [
        ("flush_on_signals", flush),
        ("flush_on_sighup", hangup),
        ("reopen_on_sighup", reopen),
        ("reload_on_sighup", reload),
    ] {
        let key = Key::new(name, Kind::Bool, "false", doc);
        #[cfg(unix)]
        super::words::refuse_without(section, key, "signals");
        #[cfg(not(unix))]
        super::words::refuse_off_unix(section, key);
    }
    let key = Key::new("control", Kind::Bool, "true with `init`", "Offers a control socket, see the page on control.");
    #[cfg(feature = "control")]
    let builder = section.bool(key).into_iter().fold(builder, Builder::control);
    #[cfg(not(feature = "control"))]
    super::words::refuse_without(section, key, "control");
    let key = Key::new("opentelemetry", Kind::Bool, "false", otel);
    #[cfg(feature = "opentelemetry")]
    let builder = section.bool(key).into_iter().fold(builder, Builder::takes_opentelemetry);
    #[cfg(not(feature = "opentelemetry"))]
    super::words::refuse_without(section, key, "opentelemetry");
    builder
}

const FILTERS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];
