//! Mistakes in settings: what was written, where, and what the error or the complaint says.
//!
//! Those in the environment variable of the filter are in `filter_variable`; those in paths of files in
//! `files::start`.

use std::time::Duration;

use spanline::schema::Console;
use spanline::sink::{Memory, Period};
use spanline::{ByteSize, FlightRecorder, Output, Overflow, RollingFile};
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;

use crate::support::child::child;
use crate::support::log_directory::{Dir, refusal};
use crate::support::stage::Said;

/// Filters that have no effect, and what the error says.
const FILTERS: &[(&str, &str)] = &[
    ("warning", "`warning` is not a level; did you mean `warn`? For a target of that name, write `warning=trace`"),
    ("CRITICAL", "did you mean `error`?"),
    ("verbose", "did you mean `trace`?"),
    ("err", "did you mean `error`?"),
    ("dbg", "did you mean `debug`?"),
    ("none", "did you mean `off`?"),
    ("wran", "did you mean `warn`?"),
    ("info,tarce", "did you mean `trace`?"),
    ("info;orders=debug", "write `info,orders=debug`"),
    ("info orders=debug", "write `info,orders=debug`"),
    ("\"info\"", "write `info`"),
    ("info,orders='debug'", "write `orders=debug`"),
    ("*=debug", "for all targets, write `debug`"),
    ("info,or*ders=debug", "only at the end"),
    ("debug,/needle", "patterns for messages are not supported"),
    ("orders=warning", "did you mean `orders=warn`?"),
    ("debug=orders", "write `orders=debug`"),
    ("RUST_LOG=debug", "write `debug`"),
    ("", "the filter is empty"),
    (" , ", "the filter is empty"),
];

#[test]
fn promise_54_a_filter_without_effect_is_an_error_wherever_it_is_set() {
    let output = || Output::new(Memory::new()).name("out");
    let (_layer, guard) = spanline::builder().output(output()).build::<Registry>().unwrap();
    let handle = guard.handle();
    for (text, advice) in FILTERS {
        let text = *text;
        let builder = || spanline::builder().filter_variable(None);
        let refused = |builder: spanline::Builder| builder.build::<Registry>().err().unwrap();
        for (place, error) in [
            ("filter: ", refused(builder().filter(text).output(output()))),
            ("output out: ", refused(builder().output(output().output_filter(text)))),
            ("span_close: ", refused(builder().span_close(text).output(output()))),
            ("flight_recorder: ", refused(builder().flight_recorder(FlightRecorder::new(text)).output(output()))),
            ("", handle.set_filter(text).unwrap_err()),
            ("", handle.set_output_filter("out", text).unwrap_err()),
        ] {
            let said = error.to_string();
            assert!(error.is_invalid() && said.starts_with(place) && said.contains(advice), "{text:?}: {said}");
        }
    }
    let nothing = spanline::builder().filter(Targets::new()).build::<Registry>().err().unwrap();
    assert!(nothing.to_string().contains("the filter is empty"), "{nothing}");
    drop(spanline::builder().filter(LevelFilter::OFF).output(output()).build::<Registry>().unwrap());
}

#[test]
fn promise_54_an_unknown_name_suggests_the_nearest_one() {
    let schema = |name: &str| spanline::schema::by_name(name).err().unwrap();
    let period = |text: &str| text.parse::<Period>().unwrap_err();
    let overflow = |text: &str| text.parse::<Overflow>().unwrap_err();
    let size = |text: &str| text.parse::<ByteSize>().unwrap_err();
    let (_layer, guard) =
        spanline::builder().output(Output::new(Memory::new()).name("stdout")).build::<Registry>().unwrap();
    for (error, advice, names) in [
        (schema("jsn"), "did you mean `flat`?", "nested"),
        (schema("JSON"), "did you mean `flat`?", "nested"),
        (schema("ECS"), "did you mean `ecs`?", "nested"),
        (schema("elasticsearch"), "did you mean `ecs`?", "nested"),
        (schema("consol"), "did you mean `console`?", "nested"),
        (schema("logfm"), "did you mean `logfmt`?", "nested"),
        (period("day"), "did you mean `daily`?", "weekly"),
        (period("Hourly"), "did you mean `hourly`?", "weekly"),
        (period("weeky"), "did you mean `weekly`?", "daily at"),
        (overflow("drop"), "did you mean `drop_newest`?", "shed"),
        (overflow("Shed"), "did you mean `shed`?", "block"),
        (overflow("drop-newest"), "did you mean `drop_newest`?", "block 100ms"),
        (size("8 M"), "did you mean `8 MiB`?", "KiB"),
        (size("8 MiBs"), "did you mean `8 MiB`?", "KiB"),
        (size("100 kbytes"), "did you mean `100 kB`?", "KiB"),
        (guard.handle().set_output_filter("stdot", "info").unwrap_err(), "did you mean `stdout`?", "one of: stdout"),
    ] {
        let said = error.to_string();
        assert!(error.is_invalid() && said.contains(advice) && said.contains(names), "{said}");
    }
    for error in [schema("protobuf"), period("fortnightly"), overflow("panic"), size("8 parsecs")] {
        assert!(!error.to_string().contains("did you mean"), "{error}");
    }
}

#[test]
fn promise_54_a_setting_of_a_file_without_effect_is_an_error() {
    let dir = Dir::new();
    let day = Duration::from_secs(24 * 3600);
    for (log, advice) in [
        (dir.log().keep_files(7), "keep_files is set but rotation is not; add `daily()` or `rotate_bytes(…)`"),
        (dir.log().keep_for(day), "keep_for is set but rotation is not"),
        (dir.log().keep_bytes(1 << 20), "keep_bytes is set but rotation is not"),
        (dir.log().local_time(), "local_time is set but rotation is not; add `daily()` or `rotate_bytes(…)`"),
        (RollingFile::new("/dev/stdout"), "write `Output::new(Stdout::new())`"),
        (RollingFile::new("/dev/stderr"), "write `Output::new(Stderr::new())`"),
        (RollingFile::new("-"), "write `Output::new(Stdout::new())`"),
        (RollingFile::new("~/a.log"), "only a shell expands `~`"),
        (RollingFile::new("$HOME/a.log"), "only a shell expands `$HOME`"),
        (RollingFile::new("${LOGS}/a.log"), "only a shell expands `${LOGS}`"),
        (RollingFile::new("logs/a-%Y-%m-%d.log"), "the path has a date, but no period is set; add `daily()`"),
        (RollingFile::new("logs/a-YYYY-MM-DD.log"), "write `%Y-%m-%d` and `daily()`, or a plain name and `daily()`"),
        (RollingFile::new("file:///var/log/a.log"), "write the path alone: `/var/log/a.log`"),
    ] {
        let said = refusal(log);
        assert!(said.contains(advice), "{said}");
    }
    assert!(dir.names().is_empty());
}

#[test]
fn a_temporary_directory_may_have_any_letters() {
    let dir = Dir::new();
    let log = RollingFile::new(dir.join(".tmpYYYYjd/a.log"));
    let (_, guard) = spanline::builder().output(Output::new(log)).build::<Registry>().unwrap();
    guard.close().unwrap();
}

#[test]
fn promise_54_a_setting_of_an_output_without_effect_is_an_error() {
    let output = || Output::new(Memory::new()).name("out");
    let refused = |output: Output| spanline::builder().output(output).build::<Registry>().err().unwrap();
    let never = Overflow::Block { max_wait: Duration::ZERO };
    for (error, advice) in [
        (refused(output().overflow(never)), "output out: overflow blocks for no time; expected a max_wait such as"),
        (
            refused(output().synchronous(Duration::ZERO)),
            "output out: synchronous has a max_wait of zero; expected more",
        ),
        (output().output_filter("warn").appender().err().unwrap(), "an appender has no filter; remove `output_filter`"),
    ] {
        assert!(error.is_invalid() && error.to_string().starts_with(advice), "{error}");
    }
}

/// Values of `TZ` that name no time zone.
const NO_ZONES: [&str; 3] = ["Europe/Berln", "CET-1CEST", ":Nowhere"];

#[test]
fn promise_54_a_mistyped_time_zone_is_one_complaint_where_local_times_are_used() {
    let name = this_test!();
    for zone in NO_ZONES.into_iter().chain(["UTC", "CET-1", "CET-1CEST,M3.5.0,M10.5.0/3", ""]) {
        let output = child(name, &[("TZ", zone)], || {
            let expected = usize::from(NO_ZONES.contains(&std::env::var("TZ").unwrap().as_str()));
            let dir = Dir::new();
            let file = || RollingFile::new(dir.path()).daily();
            let said = |outputs: Vec<Output>| {
                let said = Said::default();
                let builder = spanline::builder().on_complaint(said.hook());
                drop(outputs.into_iter().fold(builder, spanline::Builder::output).build::<Registry>().unwrap());
                said.all()
            };
            let local = || Output::new(file().local_time());
            let console = || Output::new(Memory::new()).schema(Console::new());
            for outputs in [vec![local()], vec![console()], vec![local(), console()]] {
                let said = said(outputs);
                assert_eq!(said.len(), expected, "{said:?}");
                let is_right = |text: &String| text.contains("TZ is `") && text.contains("is not a time zone");
                assert!(said.iter().all(is_right), "{said:?}");
            }
            drop(local().appender().unwrap());
            let utc = vec![Output::new(file()), Output::new(Memory::new()).schema(Console::new().utc())];
            assert!(said(utc).is_empty());
        });
        let Some(output) = output else { return };
        // An appender has no hook.
        let said = String::from_utf8(output.stderr).unwrap();
        let lines = said.lines().filter(|line| line.starts_with("spanline: TZ is")).count();
        assert_eq!(lines, usize::from(NO_ZONES.contains(&zone)), "{said}");
    }
}

/// The gate runs this with `tracing` compiled without DEBUG and TRACE, too.
#[test]
fn promise_54_levels_that_are_not_compiled_in_are_one_complaint() {
    let said = Said::default();
    let output = Output::new(Memory::new()).name("out");
    let builder = spanline::builder().filter("info").on_complaint(said.hook()).output(output);
    let (_layer, guard) = builder.build::<Registry>().unwrap();
    assert!(said.all().is_empty());
    guard.handle().set_filter("info,orders=trace").unwrap();
    guard.handle().set_output_filter("out", "trace").unwrap();
    guard.handle().set_filter("trace").unwrap();
    let is_removed = STATIC_MAX_LEVEL < LevelFilter::TRACE;
    assert_eq!(said.all().len(), usize::from(is_removed), "{:?}", said.all());
    assert!(said.all().iter().all(|text| text.contains("max_level_")));
}
