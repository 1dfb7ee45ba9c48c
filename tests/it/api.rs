//! The public surface, as its users try it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::time::Duration;

use spanline::sink::{Control, Lines, Memory, Next, Sink, Writer};
use spanline::{ByteSize, Error, FlightRecorder, Guard, Output, Overflow, RollingFile};
use tracing::level_filters::LevelFilter;
use tracing::{Level, info};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::support::faults::{Complaints, Faulty, built, within};
use crate::support::wait::{PATIENCE, until};

mod compiles {
    use super::*;

    fn log() -> (Memory, Guard) {
        let memory = Memory::new();
        let (_, guard) = built(spanline::builder().output(Output::new(memory.clone())));
        (memory, guard)
    }

    #[test]
    fn close_works_with_the_question_mark_in_any_main() {
        fn own() -> Result<(), Error> {
            log().1.close()?;
            Ok(())
        }
        fn boxed() -> Result<(), Box<dyn StdError + Send + Sync>> {
            log().1.close()?;
            Ok(())
        }
        fn plain() -> Result<(), Box<dyn StdError>> {
            log().1.close()?;
            Ok(())
        }
        fn with_anyhow() -> anyhow::Result<()> {
            log().1.close()?;
            Ok(())
        }
        fn with_eyre() -> eyre::Result<()> {
            log().1.close()?;
            Ok(())
        }
        own().unwrap();
        boxed().unwrap();
        plain().unwrap();
        with_anyhow().unwrap();
        with_eyre().unwrap();
    }

    #[test]
    fn names_and_services_are_any_text() {
        let (number, memory) = (7, Memory::new());
        let output = Output::new(memory.clone()).name(format!("file-{number}"));
        let (dispatch, guard) = built(spanline::builder().service(format!("orders-{number}")).output(output));
        within(&dispatch, || info!("hello"));
        assert!(guard.handle().metrics().output("file-7").is_some());
        guard.close().unwrap();
        assert!(memory.text().contains(r#""service":"orders-7""#));
    }

    /// Which of the levels TRACE to ERROR a filter lets pass, set in each of the places that take one.
    #[expect(clippy::needless_pass_by_value, reason = "a value of any kind is the point")]
    fn passes(filter: impl spanline::IntoFilter + Clone) -> Vec<String> {
        let log_all = || {
            tracing::trace!("TRACE");
            tracing::debug!("DEBUG");
            tracing::info!("INFO");
            tracing::warn!("WARN");
            tracing::error!("ERROR");
        };
        let lines = |set: &dyn Fn(spanline::Builder, Output) -> spanline::Builder, then: &dyn Fn(&Guard)| {
            let memory = Memory::new();
            let (dispatch, guard) = built(set(spanline::builder(), Output::new(memory.clone()).name("out")));
            then(&guard);
            within(&dispatch, log_all);
            guard.close().unwrap();
            let level = |line: &String| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["message"].as_str().unwrap().to_owned()
            };
            memory.lines().iter().map(level).collect::<Vec<_>>()
        };
        let (before, mute) = (|_: &Guard| {}, "off");
        let global = lines(&|builder, output| builder.filter(filter.clone()).output(output), &before);
        let own = lines(&|builder, output| builder.output(output.output_filter(filter.clone())), &before);
        let set = lines(&|builder, output| builder.filter(mute).output(output), &|guard| {
            guard.handle().set_filter(filter.clone()).unwrap();
        });
        let set_own = lines(&|builder, output| builder.output(output.output_filter(mute)), &|guard| {
            guard.handle().set_output_filter("out", filter.clone()).unwrap();
        });
        assert_eq!([&own, &set, &set_own], [&global; 3]);
        global
    }

    #[test]
    fn a_filter_is_text_of_any_kind_a_level_or_targets() {
        let targets = Targets::new().with_default(LevelFilter::WARN);
        for passed in [
            passes("warn"),
            passes(&"warn"),
            passes("warn".to_owned()),
            passes(&"warn".to_owned()),
            passes(Cow::Borrowed("warn")),
            passes(&Cow::Borrowed("warn")),
            passes(targets),
            passes(Level::WARN),
            passes(LevelFilter::WARN),
        ] {
            assert_eq!(passed, ["WARN", "ERROR"]);
        }
        assert!(passes(LevelFilter::OFF).is_empty());
        assert_eq!(passes(Level::TRACE).len(), 5);
        let debug: String = "debug".into();
        let _ =
            spanline::builder().span_close(Level::INFO).flight_recorder(FlightRecorder::new(debug)).filter(Level::INFO);
        let _ = FlightRecorder::new(LevelFilter::DEBUG);
    }

    #[test]
    fn a_size_is_a_plain_number_or_a_parsed_one() {
        let from_config: ByteSize = "1 MiB".parse().unwrap();
        let number: u64 = 1 << 20;
        let output = || Output::new(Memory::new()).name("out");
        for output in [output().queue_bytes(1 << 20), output().queue_bytes(number), output().queue_bytes(from_config)] {
            let (_, guard) = built(spanline::builder().output(output));
            assert_eq!(guard.handle().metrics().outputs[0].max_queued_bytes, 1 << 20);
        }
        // Larger than an `i32`, to which an untyped number would fall back.
        let _ = RollingFile::new("a.log").rotate_bytes(10 << 30).keep_bytes(100 << 30);
        let _ = RollingFile::new("a.log").rotate_bytes(from_config).keep_bytes(from_config);
        let _ = FlightRecorder::new("debug").memory_bytes(from_config).memory_bytes_per_request(64 << 10);
        let _ = spanline::builder().max_line_bytes(from_config);
        let _ = spanline::builder().max_line_bytes(spanline::Builder::DEFAULT_MAX_LINE_BYTES / 2);
    }
}

mod limits {
    use super::*;

    #[track_caller]
    fn refused(builder: spanline::Builder) -> String {
        let built = builder.build::<tracing_subscriber::Registry>();
        let error = built.map(drop).expect_err("out of bounds");
        assert!(error.is_invalid(), "{error:?}");
        error.to_string()
    }

    fn output() -> Output {
        Output::new(Memory::new()).name("out")
    }

    #[test]
    fn every_limit_refuses_and_names_itself_the_value_and_the_bounds() {
        let minute = Duration::from_secs(60);
        let queue = |bytes: u64| spanline::builder().output(output().queue_bytes(bytes));
        let line = |bytes: u64| spanline::builder().output(output()).max_line_bytes(bytes);
        let recorder = |recorder| spanline::builder().output(output()).flight_recorder(recorder);
        for (builder, expected) in [
            (queue(0), "output out: queue_bytes is 0 B; expected 4 KiB to 1 GiB"),
            (queue(4095), "output out: queue_bytes is 4095 B; expected 4 KiB to 1 GiB"),
            (queue((1 << 30) + 1), "output out: queue_bytes is 1073741825 B; expected 4 KiB to 1 GiB"),
            (queue(u64::MAX), "output out: queue_bytes is 18446744073709551615 B; expected 4 KiB to 1 GiB"),
            (line(255), "max_line_bytes is 255 B; expected 256 B to 1 GiB"),
            (line(2 << 30), "max_line_bytes is 2 GiB; expected 256 B to 1 GiB"),
            (
                recorder(FlightRecorder::new("debug").memory_bytes(0)),
                "FlightRecorder::memory_bytes is 0 B; expected 4 KiB to 64 GiB",
            ),
            (
                recorder(FlightRecorder::new("debug").memory_bytes_per_request(2 << 30)),
                "FlightRecorder::memory_bytes_per_request is 2 GiB; expected 4 KiB to 1 GiB",
            ),
            (
                spanline::builder().output(output().synchronous(Duration::ZERO)),
                "output out: synchronous has a max_wait of zero; expected more, such as 100 ms",
            ),
            (
                spanline::builder().output(output()).rate_limit(0, minute),
                "rate_limit is 0 lines in 60s; expected at least one line and a period longer than zero; \
                 to hide all lines, use a filter",
            ),
            (
                spanline::builder().output(output()).rate_limit_errors(1, Duration::ZERO),
                "rate_limit_errors is 1 lines in 0ns; expected at least one line and a period longer than zero; \
                 to hide all lines, use a filter",
            ),
            (
                (0..65).fold(spanline::builder(), |builder, number| builder.output(output().name(number.to_string()))),
                "65 outputs; expected at most 64",
            ),
        ] {
            assert_eq!(refused(builder), expected);
        }
    }

    #[test]
    fn a_file_that_would_rotate_at_zero_bytes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.log");
        let said = refused(spanline::builder().output(Output::new(RollingFile::new(&path).rotate_bytes(0))));
        assert!(said.contains("orders.log") && said.contains("rotate_bytes is 0 B; expected at least 1 B"), "{said}");
        assert!(!path.exists());
    }

    #[test]
    fn the_bounds_themselves_are_accepted() {
        let line = |bytes: u64| spanline::builder().output(output()).max_line_bytes(bytes);
        let recorder = FlightRecorder::new("debug").memory_bytes(4 << 10).memory_bytes_per_request(4 << 10);
        for builder in [
            spanline::builder().output(output().queue_bytes(4 << 10)),
            spanline::builder().output(output().queue_bytes(1 << 30)),
            line(256),
            line(1 << 30),
            spanline::builder().output(output()).flight_recorder(recorder),
        ] {
            built(builder).1.close().unwrap();
        }
    }

    #[test]
    fn an_appender_checks_the_same_limits() {
        let error = output().queue_bytes(0).appender().map(drop).unwrap_err();
        assert_eq!(error.to_string(), "output out: queue_bytes is 0 B; expected 4 KiB to 1 GiB");
    }

    #[test]
    fn names_say_what_is_wrong_with_them() {
        for (builder, expected) in [
            (spanline::builder().output(output()).output(output()), "two outputs are called `out`; give one"),
            (spanline::builder().output(output().name("")), "no output can be called ``; expected a name that is not"),
            (
                spanline::builder().static_field("level", "x"),
                "no static field can be called `level`: the name is reser",
            ),
            (spanline::builder().static_field("", "x"), "no static field can be called ``: the name is empty; choose"),
        ] {
            let said = refused(builder);
            assert!(said.starts_with(expected), "{said}");
        }
        let (_, guard) = built(spanline::builder().output(output()).output(output().name("other")));
        let error = guard.handle().set_output_filter("nowhere", "info").unwrap_err();
        assert_eq!(error.to_string(), "unknown output `nowhere`; expected one of: out, other");
    }
}

mod debug {
    use super::*;

    /// Queued lines must not appear where a handle is printed.
    #[test]
    fn a_handle_prints_names_and_counts_and_no_line() {
        const LINES: usize = 1_000;
        let file = Faulty::gated();
        let output = Output::new(Writer::new(file.clone())).name("file").overflow(Overflow::DropNewest);
        let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(output));
        let (appender, appender_guard) = Output::new(Memory::new()).name("lines").appender().unwrap();
        let handle = guard.handle();
        let payload = "payload ".repeat(100);
        within(&dispatch, || (0..LINES).for_each(|seq| info!(seq, payload, "queued")));
        let counts =
            format!(r#"name: "file", emitted: {LINES}, written: 0, queued: {LINES}, in_flight: 0, dropped: 0"#);
        for printed in [format!("{handle:?}"), format!("{guard:?}")] {
            assert!(printed.contains(&counts) && printed.len() < 200, "{printed}");
        }
        for printed in [format!("{appender:?}"), format!("{appender_guard:?}")] {
            assert!(printed.contains(r#""lines""#) && printed.len() < 200, "{printed}");
        }
        assert!(format!("{dispatch:?}").len() < 2_000);
        file.gate.open();
        guard.close().unwrap();
    }

    #[test]
    fn a_builder_prints_the_names_of_static_fields_and_not_their_values() {
        let builder = spanline::builder().service("orders").static_field("api_key", "hush-hush");
        let printed = format!("{:?}", builder.filter("info").output(Output::new(Memory::new()).queue_bytes(1 << 20)));
        assert!(printed.contains("orders") && printed.contains("api_key") && printed.contains("memory"), "{printed}");
        assert!(!printed.contains("hush-hush") && printed.len() < 2_000, "{printed}");
    }
}

mod errors {
    use super::*;

    fn refused() -> io::Error {
        io::Error::new(ErrorKind::ConnectionRefused, "connection refused")
    }

    fn failure() -> Error {
        #[derive(Debug)]
        struct Tls(io::Error);
        impl std::fmt::Display for Tls {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the handshake failed")
            }
        }
        impl StdError for Tls {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.0)
            }
        }
        Error::retry("cannot connect to collector:4317").with_source(Tls(refused()))
    }

    const CHAIN: &str = "cannot connect to collector:4317: the handshake failed: connection refused";

    #[test]
    fn display_has_the_message_and_debug_the_chain() {
        let error = failure();
        assert_eq!(error.to_string(), "cannot connect to collector:4317");
        assert_eq!(format!("{error:#}"), CHAIN);
        assert_eq!(format!("{error:?}"), CHAIN, "main prints this");
    }

    #[test]
    fn anyhow_and_eyre_print_each_cause_once() {
        for printed in [
            format!("{:#}", anyhow::Error::new(failure())),
            format!("{:?}", anyhow::Error::new(failure())),
            format!("{:#}", eyre::Report::new(failure())),
        ] {
            for part in CHAIN.split(": ") {
                assert_eq!(printed.matches(part).count(), 1, "{part} in {printed}");
            }
        }
        let chain: Vec<_> = anyhow::Error::new(failure()).chain().map(ToString::to_string).collect();
        assert_eq!(chain.join(": "), CHAIN);
    }

    #[test]
    fn an_error_has_a_kind_and_any_source() {
        let kinds = |error: &Error| {
            [
                error.is_retryable(),
                error.is_rejected(),
                error.is_closed(),
                error.is_invalid(),
                error.is_timeout(),
                error.is_own_thread(),
            ]
        };
        let only = |place: usize| std::array::from_fn::<_, 6, _>(|other| other == place);
        assert_eq!(kinds(&Error::retry("x")), only(0));
        assert_eq!(kinds(&Error::rejected("x")), only(1));
        assert_eq!(kinds(&Error::closed("x")), only(2));
        assert_eq!(kinds(&Error::invalid("x")), only(3));
        let boxed: Box<dyn StdError + Send + Sync> = refused().into();
        for error in [
            Error::rejected("no").with_source("a text"),
            Error::rejected("no").with_source("a text".to_owned()),
            Error::rejected("no").with_source(boxed),
            Error::rejected("no").with_source(anyhow::anyhow!("any cause")),
            Error::rejected("no").with_source("x".parse::<u8>().unwrap_err()),
        ] {
            assert!(error.is_rejected() && error.source().is_some());
        }
        let asked = |error: io::Error| Error::from(error);
        assert!(asked(refused()).is_retryable() && asked(refused()).source().is_some());
        assert!(failure().unwritten_lines().is_none());
    }

    #[test]
    fn close_tells_how_many_lines_are_left() {
        let file = Faulty::gated();
        let builder = spanline::builder().on_complaint(|_| {}).shutdown_timeout(Duration::ZERO, Duration::ZERO);
        let (dispatch, guard) = built(builder.output(Output::new(Writer::new(file.clone()))));
        within(&dispatch, || (0..3).for_each(|seq| info!(seq, "left")));
        let error = guard.close().unwrap_err();
        assert_eq!((error.unwritten_lines(), error.is_timeout()), (Some(3), true));
        assert_eq!(error.to_string(), "3 lines were not written in time");
        file.gate.open();
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named_and_the_cause_is_the_source() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let path = folder.path().join("file/orders.log");
        let builder = spanline::builder().output(Output::new(RollingFile::new(&path)));
        let error = builder.build::<tracing_subscriber::Registry>().map(drop).unwrap_err();
        assert!(error.to_string().contains("file/orders.log"), "{error}");
        let cause = error.source().expect("a cause").downcast_ref::<io::Error>().expect("an I/O error");
        assert!(!error.to_string().contains(&cause.to_string()), "{error}");
        assert!(format!("{error:?}").ends_with(&cause.to_string()), "{error:?}");
    }

    struct Failing;

    impl Sink for Failing {
        fn write(&mut self, _: &mut Lines) -> Result<Next, Error> {
            Err(failure())
        }

        fn control(&mut self, control: Control) -> Result<(), Error> {
            if control == Control::Sync { Err(failure()) } else { Ok(()) }
        }
    }

    #[test]
    fn complaints_and_the_last_error_have_the_chain() {
        let complaints = Complaints::default();
        let builder = spanline::builder().shutdown_timeout(Duration::ZERO, Duration::ZERO);
        let (dispatch, guard) = built(builder.on_complaint(complaints.hook()).output(Output::new(Failing).name("out")));
        let handle = guard.handle();
        within(&dispatch, || info!("never written"));
        until("the error", || handle.metrics().outputs[0].last_error.is_some());
        assert_eq!(handle.metrics().outputs[0].last_error.as_deref(), Some(CHAIN));
        assert!(complaints.all().contains(&format!("output out: {CHAIN}")), "{:?}", complaints.all());
        let _ = guard.close();
    }

    #[test]
    fn an_order_that_fails_names_the_output() {
        let (_, guard) = built(spanline::builder().on_complaint(|_| {}).output(Output::new(Failing).name("out")));
        let error = guard.handle().sync(PATIENCE).unwrap_err();
        assert_eq!(error.to_string(), "output out: cannot connect to collector:4317");
        assert_eq!(format!("{error:#}"), format!("output out: {CHAIN}"));
    }
}

#[cfg(feature = "serde")]
mod config {
    use serde_json::{from_str, json};

    use super::*;

    #[test]
    fn a_size_in_a_configuration_is_a_number_or_a_text() {
        for (text, bytes) in [("\"8 MiB\"", 8 << 20), ("\"100MB\"", 100_000_000), ("512", 512), ("0", 0)] {
            assert_eq!(from_str::<ByteSize>(text).unwrap().as_u64(), bytes, "{text}");
        }
        for text in ["\"8 megs\"", "-1", "1.5", "null", "[]"] {
            let said = from_str::<ByteSize>(text).unwrap_err().to_string();
            assert!(said.contains("such as"), "{text}: {said}");
        }
        assert_eq!(json!(ByteSize::new(8 << 20)), "8 MiB");
        assert_eq!(from_str::<ByteSize>(&json!(ByteSize::new(8_388_609)).to_string()).unwrap().as_u64(), 8_388_609);
    }
}

/// One who installs the log in parts of a program finds all that is needed without naming a private type.
#[test]
fn every_type_of_the_surface_can_be_named() {
    fn start(builder: spanline::Builder) -> Result<(Guard, spanline::Handle), Error> {
        let (layer, guard) = builder.build::<tracing_subscriber::Registry>()?;
        let handle = guard.handle();
        drop(tracing_subscriber::registry().with(layer));
        Ok((guard, handle))
    }
    let (guard, handle) = start(spanline::builder().output(Output::new(Memory::new()))).unwrap();
    handle.flush(PATIENCE).unwrap();
    guard.close().unwrap();
}
