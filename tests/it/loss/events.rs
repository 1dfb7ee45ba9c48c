//! Events by service and level: each once, whatever outputs it goes to.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use spanline::metrics::{ByLevel, Metrics};
use spanline::sink::{Lines, Memory, Writer};
use spanline::{Builder, FlightRecorder, Output, Overflow, Sampling};
use tracing::{Dispatch, Level, debug, error, info, info_span, trace, warn};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::child::child;
use crate::support::faults::{Faulty, Taken, built, sink, within};
use crate::support::ledger::{LEVELS, log};
use crate::support::wait::PATIENCE;

/// Events of error, warn, info, debug and trace.
fn events(metrics: &Metrics) -> [u64; 5] {
    let [service] = &metrics.services[..] else { panic!("one service, not {:#?}", metrics.services) };
    let counts = LEVELS.map(|level| service.events.level(level));
    let prefix = if service.service.is_empty() { String::new() } else { format!("{}.", service.service) };
    let names = LEVELS.map(|level| format!("{prefix}{}", level.as_str().to_ascii_lowercase()));
    assert_eq!(metrics.by_service_level(), names.into_iter().zip(counts).collect::<BTreeMap<_, _>>());
    counts
}

fn by_level(lines: ByLevel) -> [u64; 5] {
    LEVELS.map(|level| lines.level(level))
}

/// Logs to the outputs of a builder; returns the counters of the end.
fn logged(builder: Builder, run: impl FnOnce()) -> Metrics {
    let (dispatch, guard) = built(builder);
    within(&dispatch, run);
    let handle = guard.handle();
    guard.close().unwrap();
    handle.metrics()
}

fn memory(filter: &str) -> Output {
    Output::new(Memory::new()).output_filter(filter)
}

#[test]
fn an_event_counts_once_however_many_outputs_want_it_and_not_if_none_does() {
    let builder = spanline::builder().filter("trace").service("payment-service");
    let metrics = logged(builder.output(memory("warn")).output(memory("info")).output(memory("error")), || {
        (0..7).for_each(|_| error!("wanted by three"));
        (0..5).for_each(|_| warn!("wanted by two"));
        (0..2).for_each(|_| info!("wanted by the second"));
        (0..3).for_each(|_| debug!("wanted by none"));
    });
    assert_eq!(events(&metrics), [7, 5, 2, 0, 0]);
    let counts = metrics.by_service_level();
    assert_eq!((counts["payment-service.info"], counts["payment-service.trace"], counts.len()), (2, 0, 5));
    let emitted: Vec<_> = metrics.outputs.iter().map(|output| by_level(output.emitted)).collect();
    assert_eq!(emitted, [[7, 5, 0, 0, 0], [7, 5, 2, 0, 0], [7, 0, 0, 0, 0]], "each output counts what it gets");
}

#[test]
fn all_levels_are_there_before_the_first_event() {
    let metrics = logged(spanline::builder().service("orders.eu").output(memory("info")), || {});
    assert_eq!(events(&metrics), [0; 5]);
    assert!(metrics.by_service_level().contains_key("orders.eu.error"));
}

#[test]
fn without_a_service_the_keys_are_the_levels() {
    let metrics = logged(spanline::builder().output(memory("info")), || info!("anonymous"));
    assert_eq!(metrics.by_service_level()["info"], 1);
}

#[test]
fn an_event_that_is_lost_counts_once() {
    let file = Faulty::gated();
    let lossy = || {
        let sink = Writer::new(file.clone());
        Output::new(sink).overflow(Overflow::DropNewest).queue_bytes(8 << 10)
    };
    let (dispatch, guard) = built(spanline::builder().filter("trace").output(lossy()).output(lossy()));
    within(&dispatch, || (0..1_000).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq)));
    let metrics = guard.handle().metrics();
    assert!(metrics.outputs.iter().all(|output| output.dropped.total() > 100), "{metrics:#?}");
    assert_eq!(events(&metrics), [200; 5]);
    file.gate.open();
    guard.close().unwrap();
}

#[test]
fn an_event_that_a_limit_or_sampling_suppresses_counts_once() {
    let hour = Duration::from_secs(3_600);
    let limits: [fn(Builder, Duration) -> Builder; 2] = [
        |builder, hour| builder.rate_limit(3, hour).rate_limit_errors(2, hour),
        |builder, _| builder.sampling(Sampling::one_in(10)),
    ];
    for limit in limits {
        let builder = limit(spanline::builder().filter("trace"), hour);
        let metrics = logged(builder.output(memory("trace")).output(memory("warn")), || {
            (0..100).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq));
        });
        assert!(metrics.dropped() > 20, "{metrics:#?}");
        assert_eq!(events(&metrics), [20; 5]);
    }
}

#[test]
fn an_event_that_is_held_back_counts_once_also_if_it_is_released_or_goes_to_another_output() {
    let builder = || spanline::builder().filter("trace").flight_recorder(FlightRecorder::new("debug"));
    let outputs: [&[&str]; 4] = [&["info"], &["info", "info"], &["info", "trace"], &["debug", "info", "warn"]];
    for filters in outputs {
        let builder = filters.iter().fold(builder(), |builder, filter| builder.output(memory(filter)));
        let metrics = logged(builder, || {
            let request = |id: u64| info_span!("request", request_id = id);
            request(1).in_scope(|| {
                (0..4).for_each(|_| debug!("released"));
                info!("fine");
                error!("failed");
                error!("failed once more");
            });
            request(2).in_scope(|| (0..3).for_each(|_| debug!("freed")));
        });
        assert_eq!(events(&metrics), [2, 0, 1, 7, 0], "{filters:?}");
        let first = by_level(metrics.outputs[0].emitted);
        assert!(filters.len() > 1 || first == events(&metrics), "one output: {first:?}");
    }
}

#[test]
fn what_a_sink_logs_counts_once_whether_or_not_another_output_takes_it() {
    for others in [&["trace", "trace"][..], &["error"], &[]] {
        let (taken, logs_to) = (Taken::default(), Arc::<OnceLock<Dispatch>>::default());
        let to = Arc::clone(&logs_to);
        let talks = sink(move |lines: &mut Lines| {
            to.get().into_iter().for_each(|dispatch| within(dispatch, || warn!("the sink has something to say")));
            taken.all(lines);
            Ok(())
        });
        let builder = spanline::builder().output(Output::new(talks));
        let (dispatch, guard) = built(others.iter().fold(builder, |all, filter| all.output(memory(filter))));
        logs_to.set(dispatch.clone()).unwrap();
        let handle = guard.handle();
        within(&dispatch, || info!("one"));
        handle.flush(PATIENCE).unwrap();
        guard.close().unwrap();
        let metrics = handle.metrics();
        let said = metrics.outputs[0].emitted.level(Level::WARN);
        assert!(said >= 1);
        assert_eq!(events(&metrics), [0, said, 1, 0, 0], "{others:?}");
    }
}

#[test]
fn the_lines_of_spans_and_of_an_appender_count() {
    let builder = spanline::builder().filter("info").span_new("info").span_close("info");
    let metrics = logged(builder.output(memory("info")).output(memory("info")), || drop(info_span!("work").entered()));
    assert_eq!(events(&metrics), [0, 0, 2, 0, 0]);
    let (appender, guard) = Output::new(Memory::new()).appender().unwrap();
    (0..3).for_each(|_| appender.make_writer().write_all(b"a line\n").unwrap());
    assert_eq!(events(&guard.handle().metrics()), [0, 0, 3, 0, 0]);
    guard.close().unwrap();
}

#[test]
fn early_events_count_once_also_those_for_which_there_was_no_room() {
    child(this_test!(), &[], || {
        let early = spanline::early(16 << 10).unwrap();
        (0..1_000).for_each(|seq| log(Level::INFO, 0, seq));
        trace!("wanted by none");
        warn!("wanted by both");
        let builder = spanline::builder().service("orders").filter("info").early(early);
        let guard = builder.output(memory("info")).output(memory("info")).init().unwrap();
        info!("late");
        let metrics = guard.handle().metrics();
        assert!(metrics.dropped() > 100, "{metrics:#?}");
        assert_eq!(events(&metrics), [0, 1, 1_001, 0, 0]);
        guard.close().unwrap();
    });
}

#[test]
fn threads_that_log_to_two_outputs_count_each_event_once_and_no_count_ever_falls() {
    const THREADS: u64 = 4;
    const EACH: u64 = 3_000;
    let (dispatch, guard) = built(spanline::builder().filter("trace").output(memory("trace")).output(memory("info")));
    let handle = guard.handle();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let dispatch = &dispatch;
                scope.spawn(move || {
                    within(dispatch, || (0..EACH).for_each(|seq| log(LEVELS[seq as usize % 5], thread, seq)));
                })
            })
            .collect();
        let mut before = [0; 5];
        while !threads.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let now = events(&handle.metrics());
            assert!(before.iter().zip(now).all(|(before, now)| *before <= now), "{before:?}, then {now:?}");
            before = now;
        }
    });
    assert_eq!(events(&handle.metrics()), [THREADS * EACH / 5; 5]);
    guard.close().unwrap();
}
