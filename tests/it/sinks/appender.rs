//! The appender: queue, worker and sink for lines that other formatters make.

use std::io::Write;

use spanline::metrics::Reason;
use spanline::schema::Console;
use spanline::sink::{Memory, Writer};
use spanline::{Output, Overflow};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::faults::{Faulty, built, within};
use crate::support::ledger::{LEVELS, Line, in_order, log, read};
use crate::support::wait::PATIENCE;

#[test]
fn each_writer_makes_one_line_of_all_its_calls() {
    let memory = Memory::new();
    let (appender, guard) = Output::new(memory.clone()).appender().unwrap();
    let handle = guard.handle();
    let mut writer = appender.make_writer();
    for part in ["one ", "line", " in", " parts", "\n"] {
        writer.write_all(part.as_bytes()).unwrap();
        writer.flush().unwrap();
    }
    assert_eq!(handle.metrics().outputs[0].emitted.total(), 0, "it is not done");
    drop(writer);
    appender.make_writer().write_all(b"without a newline").unwrap();
    appender.make_writer().write_all(b"a panic\n  at line 1\n  at line 2\n").unwrap();
    drop(appender.make_writer());
    guard.close().unwrap();
    assert_eq!(memory.text(), "one line in parts\nwithout a newline\na panic\n  at line 1\n  at line 2\n");
    assert_eq!(handle.metrics().outputs[0].written.level(Level::INFO), 3, "lines are what was written at once");
}

#[test]
fn text_of_several_lines_stays_whole_between_threads() {
    let memory = Memory::new();
    let output = Output::new(memory.clone()).overflow(Overflow::Block { max_wait: PATIENCE });
    let (appender, guard) = output.appender().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let appender = &appender;
            scope.spawn(move || {
                for seq in 0..500 {
                    let mut writer = appender.make_writer();
                    writeln!(writer, "{thread} {seq} a").unwrap();
                    writeln!(writer, "{thread} {seq} b").unwrap();
                }
            });
        }
    });
    guard.close().unwrap();
    let text = memory.lines();
    assert_eq!(text.len(), 8_000);
    for pair in text.chunks(2) {
        assert_eq!(pair[0].strip_suffix('a'), pair[1].strip_suffix('b'));
    }
}

#[test]
fn fmt_writes_through_it_with_each_events_level() {
    let memory = Memory::new();
    let (appender, guard) = Output::new(memory.clone()).appender().unwrap();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::TRACE);
    let dispatch = subscriber.with_writer(appender).finish().into();
    within(&dispatch, || (0..1_000).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq)));
    let handle = guard.handle();
    guard.close().unwrap();
    assert_eq!(in_order(&read(&memory.text())), 1_000);
    for level in LEVELS {
        assert_eq!(handle.metrics().outputs[0].written.level(level), 200);
    }
}

#[test]
fn less_important_lines_are_shed_first() {
    let file = Faulty::gated();
    let (appender, guard) = Output::new(Writer::new(file.clone())).queue_bytes(64 << 10).appender().unwrap();
    let handle = guard.handle();
    let subscriber = tracing_subscriber::fmt().json().with_max_level(Level::TRACE).with_writer(appender).finish();
    let dispatch = subscriber.into();
    within(&dispatch, || {
        (0..1_000).for_each(|seq| log(Level::DEBUG, 0, seq));
        let half = handle.metrics().outputs[0].clone();
        assert!(half.queued_bytes <= 32 << 10);
        assert_eq!(half.dropped.total(), half.dropped.reason(Reason::Shed).level(Level::DEBUG));
        log(Level::ERROR, 0, 0);
        assert_eq!(handle.metrics().outputs[0].queued.level(Level::ERROR), 1);
        (0..1_000).for_each(|seq| log(Level::ERROR, 0, seq));
        assert!(handle.metrics().outputs[0].dropped.reason(Reason::QueueFull).level(Level::ERROR) > 0);
    });
    file.gate.open();
    guard.close().unwrap();
}

#[test]
fn promise_02_the_notice_of_loss_follows_the_schema() {
    for console in [false, true] {
        let file = Faulty::gated();
        let mut output = Output::new(Writer::new(file.clone())).overflow(Overflow::DropNewest).queue_bytes(8 << 10);
        if console {
            output = output.schema(Console::new().utc());
        }
        let (appender, guard) = output.appender().unwrap();
        let handle = guard.handle();
        (0..1_000).for_each(|_| appender.make_writer().write_all(b"some text\n").unwrap());
        file.gate.open();
        guard.close().unwrap();
        let (text, output) = (file.text(), &handle.metrics().outputs[0]);
        let notices: Vec<_> = text.lines().filter(|line| *line != "some text").collect();
        assert_eq!(notices.len(), 1, "{notices:?}");
        let is_json = serde_json::from_str::<Line>(notices[0]).is_ok_and(|line| line.is_notice());
        assert_eq!(is_json, !console, "{notices:?}");
        assert!(notices[0].contains("queue_full") && notices[0].contains(&output.dropped.total().to_string()));
        assert_eq!(output.written.total() + output.dropped.total(), 1_000);
    }
}

#[test]
fn an_appender_has_no_filter() {
    let (appender, guard) = Output::new(Memory::new()).appender().unwrap();
    let handle = guard.handle();
    assert!(handle.set_filter("info").unwrap_err().is_invalid());
    drop(guard);
    appender.make_writer().write_all(b"late\n").unwrap();
    assert_eq!(handle.metrics().outputs[0].written.total(), 1, "the caller wrote it");
}

#[test]
fn another_crates_appender_is_a_sink() {
    let directory = tempfile::tempdir().unwrap();
    let rolling = tracing_appender::rolling::RollingFileAppender::builder()
        .filename_prefix("orders")
        .build(directory.path())
        .unwrap();
    let output = Output::new(Writer::new(rolling)).overflow(Overflow::Block { max_wait: PATIENCE });
    let (dispatch, guard) = built(spanline::builder().output(output));
    within(&dispatch, || (0..1_000).for_each(|seq| log(Level::INFO, 0, seq)));
    guard.close().unwrap();
    let path = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(in_order(&read(&std::fs::read_to_string(path).unwrap())), 1_000);
}
