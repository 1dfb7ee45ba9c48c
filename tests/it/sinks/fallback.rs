//! The sink `Fallback`: a second sink while the first one fails.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use spanline::sink::{Fallback, Lines, Memory, Next, Sink, Spool};
use spanline::{Error, Output, RollingFile};
use tracing::Level;

use crate::sinks::peer::balanced;
use crate::support::faults::{Complaints, built, panic_quietly, within};
use crate::support::ledger::{LEVELS, log, read};
use crate::support::wait::{PATIENCE, until};

/// What the first sink does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum How {
    #[default]
    Takes,
    /// Takes a part of the first line, and then fails.
    Tears,
    /// Takes lines, and acknowledges none.
    Holds,
    Fails,
    Waits,
    Panics,
}

#[derive(Clone, Default)]
struct First(Arc<Mutex<(How, Vec<u8>)>>);

impl First {
    fn set(&self, how: How) {
        self.0.lock().unwrap().0 = how;
    }

    /// The numbers of the whole lines that it took.
    fn numbers(&self) -> Vec<u64> {
        numbers(&String::from_utf8(self.0.lock().unwrap().1.clone()).unwrap())
    }
}

fn numbers(text: &str) -> Vec<u64> {
    read(text).iter().filter(|line| !line.is_notice()).map(|line| line.seq).collect()
}

impl Sink for First {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let mut state = self.0.lock().unwrap();
        let bytes = lines.iter().flat_map(|line| line.bytes).copied().collect::<Vec<_>>();
        match state.0 {
            How::Takes => {
                lines.acknowledge(..);
                lines.advance(bytes.len());
                state.1.extend(bytes);
                Ok(Next::Done)
            }
            How::Tears => {
                lines.advance(bytes.len().min(7));
                Err(Error::retry("reset"))
            }
            How::Holds => {
                lines.hand_over(bytes.len());
                Ok(Next::Done)
            }
            How::Fails => Err(Error::retry("away")),
            How::Waits => Ok(Next::Later(std::time::Instant::now() + PATIENCE)),
            How::Panics => {
                drop(state);
                panic_quietly()
            }
        }
    }
}

#[test]
fn each_line_is_in_one_of_both_sinks_whatever_the_first_one_does() {
    for how in [How::Fails, How::Tears, How::Holds, How::Waits, How::Panics] {
        let (first, second, complaints) = (First::default(), Memory::new(), Complaints::default());
        let fallback = Fallback::new(first.clone(), second.clone()).patience(Duration::from_millis(20));
        let builder = spanline::builder().filter("trace").on_complaint(complaints.hook());
        let (dispatch, guard) = built(builder.output(Output::new(fallback).name("out")));
        let handle = guard.handle();
        let mut next = 0;
        let mut log_some = || {
            within(&dispatch, || (next..next + 50).for_each(|seq| log(Level::INFO, 0, seq)));
            next += 50;
        };
        log_some();
        handle.flush(PATIENCE).unwrap();
        assert_eq!(first.numbers(), (0..50).collect::<Vec<_>>());
        for _ in 0..3 {
            first.set(how);
            let before = numbers(&second.text()).len();
            log_some();
            until("lines in the second sink", || numbers(&second.text()).len() == before + 50);
            first.set(How::Takes);
            let before = first.numbers().len();
            let mut logged = 0;
            // Until the pause after the failures is over.
            until("lines in the first sink", || {
                log_some();
                logged += 50;
                handle.flush(PATIENCE).unwrap();
                first.numbers().len() > before
            });
        }
        guard.close().unwrap();
        let books = balanced(&handle.metrics());
        let (in_first, in_second) = (first.numbers(), numbers(&second.text()));
        assert_eq!((books.written.total(), books.dropped.total()), (next, 0), "{how:?}");
        assert!(in_first.is_sorted() && in_second.is_sorted(), "{how:?}");
        let mut all = [in_first, in_second].concat();
        all.sort_unstable();
        assert_eq!(all, (0..next).collect::<Vec<_>>(), "{how:?}");
        let said = complaints.all();
        for switch in ["second sink until", "takes lines again"] {
            assert!(said.iter().any(|text| text.contains(switch)), "{how:?}: {said:?}");
        }
    }
}

#[test]
fn a_file_as_the_second_sink_rotates_and_takes_what_is_left_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let first = First::default();
    first.set(How::Holds);
    let file = RollingFile::new(folder.path().join("it.log")).rotate_bytes(1 << 20).keep_for(Duration::from_secs(3600));
    let fallback = Fallback::new(first, file).patience(PATIENCE);
    let output = Output::new(fallback).name("out");
    let builder = spanline::builder().filter("trace").on_complaint(|_| {}).output(output);
    let (dispatch, guard) = built(builder.shutdown_timeout(Duration::from_secs(2), PATIENCE));
    within(&dispatch, || (0..100).for_each(|seq| log(Level::INFO, 0, seq)));
    let handle = guard.handle();
    guard.close().unwrap();
    let text = std::fs::read_to_string(folder.path().join("it.log")).unwrap();
    assert_eq!(numbers(&text), (0..100).collect::<Vec<_>>());
    assert_eq!(balanced(&handle.metrics()).written.total(), 100);
}

#[test]
fn a_line_that_the_first_sink_rejects_does_not_go_to_the_second() {
    let mut script = VecDeque::from([(); 3]);
    let first = move |lines: &mut Lines| match lines.first() {
        Some(line)
            if line.bytes.windows(8).any(|part| part == b"\"seq\":7,") || line.bytes.ends_with(b"\"seq\":7}\n") =>
        {
            script.pop_front();
            Err(Error::rejected("seven"))
        }
        Some(line) => {
            lines.advance(line.bytes.len());
            Ok(Next::Done)
        }
        None => Ok(Next::Done),
    };
    let second = Memory::new();
    let builder = spanline::builder().filter("trace").on_complaint(|_| {});
    let (dispatch, guard) = built(builder.output(Output::new(Fallback::new(first, second.clone())).name("out")));
    within(&dispatch, || (0..20).for_each(|seq| log(Level::INFO, 0, seq)));
    let handle = guard.handle();
    guard.close().unwrap();
    let books = balanced(&handle.metrics());
    assert_eq!((books.written.total(), books.dropped.total(), second.text().as_str()), (19, 1, ""));
}

/// Logs lines of all levels in turn.
fn log_all(from: u64, to: u64) {
    (from..to).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq));
}

/// Returns whether the line of a number is of WARN or above.
fn is_severe(seq: &u64) -> bool {
    seq % 5 < 2
}

#[test]
fn while_the_first_sink_fails_the_second_gets_the_lines_of_its_level_and_the_others_count_as_filtered() {
    for how in [How::Fails, How::Tears, How::Holds, How::Waits, How::Panics] {
        let (first, second, complaints) = (First::default(), Memory::new(), Complaints::default());
        let fallback = Fallback::new(first.clone(), second.clone()).patience(Duration::from_millis(20));
        let output = Output::new(fallback.second_level(Level::WARN)).name("out");
        let builder = spanline::builder().filter("trace").on_complaint(complaints.hook());
        let (dispatch, guard) = built(builder.output(output));
        let handle = guard.handle();
        let books = || handle.metrics().outputs.remove(0);
        within(&dispatch, || log_all(0, 50));
        handle.flush(PATIENCE).unwrap();
        assert_eq!((first.numbers(), books().filtered.total()), ((0..50).collect(), 0));
        first.set(how);
        within(&dispatch, || log_all(50, 100));
        until("lines in the second sink", || numbers(&second.text()).len() == 20);
        until("the others to be counted", || books().filtered.total() == 30);
        first.set(How::Takes);
        let mut next = 100;
        until("lines in the first sink", || {
            within(&dispatch, || log_all(next, next + 5));
            next += 5;
            handle.flush(PATIENCE).unwrap();
            first.numbers().len() > 50
        });
        guard.close().unwrap();
        let books = balanced(&handle.metrics());
        let (in_first, in_second) = (first.numbers(), numbers(&second.text()));
        assert!(in_first.is_sorted() && in_second.is_sorted() && in_second.iter().all(is_severe), "{how:?}");
        assert_eq!((books.dropped.total(), books.queued.total()), (0, 0), "{how:?}");
        assert_eq!(books.written.total(), (in_first.len() + in_second.len()) as u64, "{how:?}");
        assert_eq!(books.filtered.total(), next - books.written.total(), "{how:?}");
        assert_eq!((books.filtered.level(Level::ERROR), books.filtered.level(Level::WARN)), (0, 0), "{how:?}");
        let missing = (0..next).filter(|seq| !in_first.contains(seq) && !in_second.contains(seq)).collect::<Vec<_>>();
        assert!(missing.iter().all(|seq| !is_severe(seq)), "{how:?}: {missing:?}");
        let said = complaints.all().join("\n");
        assert!(said.contains("lines of WARN and above go to the second sink"), "{said}");
        let told = said.lines().filter_map(|text| text.strip_suffix(" lines were left out meanwhile"));
        let told: u64 = told.map(|text| text.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        // On a slow machine, there may be several switches, and one with equal numbers is reported once.
        assert!((1..=books.filtered.total()).contains(&told), "{told}: {said}");
    }
}

#[test]
fn the_first_sink_gets_the_lines_of_its_level_and_the_second_all_of_them() {
    let (first, second) = (First::default(), Memory::new());
    let fallback = Fallback::new(first.clone(), second.clone()).first_level(Level::WARN);
    let builder = spanline::builder().filter("trace").on_complaint(|_| {});
    let (dispatch, guard) = built(builder.output(Output::new(fallback).name("out")));
    let handle = guard.handle();
    // The first line of each batch is one that the first sink does not get.
    let log_some = |from: u64| {
        within(&dispatch, || log_all(from + 2, from + 52));
        handle.flush(PATIENCE).unwrap();
    };
    log_some(0);
    assert_eq!(first.numbers(), (2..52).filter(is_severe).collect::<Vec<_>>());
    assert_eq!(handle.metrics().outputs[0].filtered.total(), 30);
    // The failure is noticed with a line that both get.
    first.set(How::Fails);
    within(&dispatch, || log(Level::ERROR, 0, 55));
    handle.flush(PATIENCE).unwrap();
    log_some(55);
    assert_eq!(numbers(&second.text()), [55].into_iter().chain(57..107).collect::<Vec<_>>());
    first.set(How::Takes);
    let (mut next, mut logged) = (105, 101);
    until("lines in the first sink", || {
        log_some(next);
        (next, logged) = (next + 50, logged + 50);
        first.numbers().len() > 20
    });
    guard.close().unwrap();
    let books = balanced(&handle.metrics());
    let (in_first, in_second) = (first.numbers(), numbers(&second.text()));
    assert!(in_first.iter().all(is_severe) && in_first.is_sorted() && in_second.is_sorted());
    let is_in_one = |seq: &u64| in_first.contains(seq) != in_second.contains(seq);
    let severe = (2..52).chain([55]).chain(57..next + 2).filter(is_severe);
    assert!(severe.into_iter().all(|seq| is_in_one(&seq)), "each severe line is in one of both");
    assert_eq!(books.written.total(), (in_first.len() + in_second.len()) as u64);
    assert_eq!((books.filtered.total(), books.dropped.total()), (logged - books.written.total(), 0));
}

#[test]
fn lines_of_a_spool_that_the_second_sink_is_not_meant_to_have_count_as_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (First::default(), First::default());
    first.set(How::Fails);
    second.set(How::Fails);
    let fallback = Fallback::new(first, second.clone()).second_level(Level::WARN);
    let spool = Spool::new(folder.path().join("spool"), fallback);
    let builder = spanline::builder().filter("trace").on_complaint(|_| {});
    let (dispatch, guard) = built(builder.output(Output::new(spool).name("out")));
    let handle = guard.handle();
    within(&dispatch, || log_all(0, 100));
    until("lines on disk", || handle.metrics().outputs[0].spooled.total() > 0);
    second.set(How::Takes);
    until("all lines to be somewhere", || {
        let books = handle.metrics().outputs.remove(0);
        books.written.total() + books.filtered.total() == 100
    });
    guard.close().unwrap();
    let books = balanced(&handle.metrics());
    assert_eq!((books.spooled.total(), books.queued.total(), books.dropped.total()), (0, 0, 0), "{books:#?}");
    assert_eq!((books.written.total(), books.filtered.total()), (40, 60), "{books:#?}");
    assert_eq!(second.numbers(), (0..100).filter(is_severe).collect::<Vec<_>>());
}

#[test]
fn lines_that_the_first_sink_holds_after_a_failure_go_to_the_second_without_another_line() {
    let (first, second) = (First::default(), Memory::new());
    first.set(How::Fails);
    let fallback = Fallback::new(first.clone(), second.clone()).patience(Duration::from_millis(20));
    let builder = spanline::builder().filter("trace").on_complaint(|_| {});
    let (dispatch, guard) = built(builder.output(Output::new(fallback).name("out")));
    within(&dispatch, || log(Level::INFO, 0, 0));
    until("a line in the second sink", || numbers(&second.text()).len() == 1);
    first.set(How::Holds);
    for seq in 1..5 {
        within(&dispatch, || log(Level::INFO, 0, seq));
        until("the line in the second sink", || numbers(&second.text()).len() as u64 == seq + 1);
    }
    guard.close().unwrap();
}
