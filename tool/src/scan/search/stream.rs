//! The lines that were found, merged by time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use super::super::pieces::Input;
use super::super::threads::threads;
use super::hits::{FoundLine, Head, Passed};
use super::question::Question;
use super::work::{Shared, most_taken_bytes};

/// Up to this size, all lines are read: that takes no time that matters, and those that are no records are counted.
const FEW_BYTES: u64 = 16 << 20;

/// Finds lines of logs on several threads, and returns them in the order of their times. Lines of the same time come in the
/// order of the logs. Threads end when it is dropped.
pub(crate) struct Search {
    shared: Arc<Shared>,
    heads: Vec<Head>,
    /// The places of the lines that are next, and the numbers of their logs.
    next: BinaryHeap<Reverse<(i64, usize)>>,
    /// The logs whose next line is not known.
    unknown: VecDeque<usize>,
    failures: VecDeque<String>,
    passed: Passed,
    counted: u64,
}

impl Search {
    /// `logs`: the segments of each.
    pub(crate) fn new(logs: Vec<Vec<Input>>, question: Question) -> Self {
        let question = Question {
            reads_all: question.reads_all || stored_bytes(&logs) <= FEW_BYTES,
            needs_times: question.needs_times || logs.len() > 1,
            ..question
        };
        let most = most_taken_bytes(logs.len());
        Self::start(logs, question, most)
    }

    /// `most`: how much of what is found in a part is taken at once, in bytes.
    pub(super) fn start(logs: Vec<Vec<Input>>, question: Question, most: usize) -> Self {
        let (count, threads) = (logs.len(), threads());
        let shared = Arc::new(Shared::new(logs, question, threads, most));
        for _ in 0..threads {
            let shared = Arc::clone(&shared);
            spawn(move || shared.read_parts());
        }
        Self {
            shared,
            heads: (0..count).map(|_| Head::default()).collect(),
            next: BinaryHeap::with_capacity(count),
            unknown: (0..count).collect(),
            failures: VecDeque::new(),
            passed: Passed::default(),
            counted: 0,
        }
    }

    /// Copies the next line; `None` at the end.
    ///
    /// # Errors
    /// Something cannot be read. Lines may follow.
    pub(crate) fn next_line(&mut self, line: &mut Vec<u8>) -> Result<Option<FoundLine>, String> {
        while let Some(number) = self.unknown.front().copied() {
            if let Some(failure) = self.failures.pop_front() {
                return Err(failure);
            }
            if self.find_next(number) {
                self.unknown.pop_front();
            }
        }
        if let Some(failure) = self.failures.pop_front() {
            return Err(failure);
        }
        let Some(Reverse((_, number))) = self.next.pop() else { return Ok(None) };
        self.unknown.push_back(number);
        let taken = self.heads.get_mut(number).and_then(|head| head.take(line));
        Ok(taken.map(|(found, passed)| {
            self.passed += passed;
            found
        }))
    }

    /// Takes the next part of a log, unless its next line is known. Returns whether that is known now, or there is none.
    fn find_next(&mut self, number: usize) -> bool {
        let Some(head) = self.heads.get_mut(number) else { return true };
        if let Some(place) = head.place() {
            self.next.push(Reverse((place, number)));
            return true;
        }
        self.passed += head.take_passed();
        let Some(mut hits) = self.shared.take(number) else { return true };
        self.counted += hits.counted;
        // The parts of a file may fail for the same reason.
        hits.failures.dedup();
        let is_new = |why: &String| head.last_failure.as_ref() != Some(why);
        self.failures.extend(hits.failures.iter().filter(|why| is_new(why)).cloned());
        head.last_failure = hits.failures.pop().or(head.last_failure.take());
        head.replace(hits);
        false
    }

    /// Returns whether the next line can be returned at once.
    pub(crate) fn is_ready(&self) -> bool {
        let is_known = |number: &usize| {
            self.heads.get(*number).is_none_or(|head| head.place().is_some()) || self.shared.is_found(*number)
        };
        !self.failures.is_empty() || self.unknown.iter().all(is_known)
    }

    /// Returns how many lines were read so far that were not returned.
    pub(crate) fn passed(&self) -> Passed {
        self.passed
    }

    /// Returns how many lines were counted so far.
    pub(crate) fn counted(&self) -> u64 {
        self.counted
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// Returns how much of the disk the logs take, in bytes.
fn stored_bytes(logs: &[Vec<Input>]) -> u64 {
    logs.iter().flatten().map(Input::stored_bytes).sum()
}

#[expect(clippy::disallowed_methods, reason = "threads that end with the command")]
fn spawn(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use proptest::prelude::*;
    use spanline::read::Log;

    use super::*;
    use crate::query::{Filter, grep};
    use crate::scan::search::question::Question;

    type Line = (Vec<u8>, Option<i64>);

    /// Returns the lines that a search finds, and those that it only counted.
    fn found(logs: &[PathBuf], question: Question, most: usize) -> (Vec<Line>, u64) {
        let segments =
            |log: &PathBuf| Log::open(log).unwrap().segments().unwrap().into_iter().map(Input::Segment).collect();
        let mut search = Search::start(logs.iter().map(segments).collect(), question, most);
        let (mut all, mut line) = (Vec::new(), Vec::new());
        while let Some(found) = search.next_line(&mut line).unwrap() {
            all.push((line.clone(), found.time));
        }
        (all, search.counted())
    }

    /// Returns the same, one line after the other. `all_times`: whether lines that are not found decide the order.
    fn expected(logs: &[String], all_times: bool) -> Vec<Line> {
        let mut all = Vec::new();
        for (number, log) in logs.iter().enumerate() {
            let (mut last, mut latest) = (None, None);
            for line in log.lines() {
                let time =
                    line.strip_prefix("{\"time\":").and_then(|rest| rest.split([',', '}']).next()?.parse::<i64>().ok());
                last = time.map(|seconds| seconds * 1_000_000_000).or(last);
                let is_found = line.contains("needle");
                if all_times || is_found {
                    latest = latest.max(last);
                }
                if is_found {
                    all.push(((latest, number), (line.as_bytes().to_vec(), last)));
                }
            }
        }
        all.sort_by_key(|(key, _)| *key);
        all.into_iter().map(|(_, line)| line).collect()
    }

    fn question(reads_all: bool) -> Question {
        let filter = Filter { grep: vec![grep("needle").unwrap()], ..Filter::default() };
        Question { reads_all, needs_times: true, ..Question::of_filter(filter) }
    }

    /// The first record decides that a line without a usual key is logfmt.
    #[test]
    fn the_first_line_decides_how_the_others_are_read_though_it_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        fs::write(&path, "time=2026-11-20T10:15:38Z level=info msg=start\nat=info method=GET request_id=r-100\n")
            .unwrap();
        for reads_all in [true, false] {
            let filter = Filter { requests: vec!["r-100".to_owned()], ..Filter::default() };
            let question = Question { reads_all, ..Question::of_filter(filter) };
            assert_eq!(found(std::slice::from_ref(&path), question, 1).0.len(), 1, "{reads_all}");
        }
    }

    /// A log of records, some without a time, and of text. Their times go back at some places.
    fn logs() -> impl Strategy<Value = Vec<String>> {
        let time = 1_700_000_000..1_700_000_050_i64;
        let line = prop_oneof![
            4 => (time, any::<bool>()).prop_map(|(time, has)| {
                format!("{{\"time\":{time},\"message\":\"{}\"}}", if has { "needle" } else { "hay" })
            }),
            1 => Just("{\"message\":\"needle\"}".to_owned()),
            1 => Just("needle in text".to_owned()),
            1 => Just("only hay".to_owned()),
            1 => Just(String::new()),
        ];
        let log = proptest::collection::vec(line, 0..40).prop_map(|lines| lines.join("\n"));
        proptest::collection::vec(log, 1..4)
    }

    fn check(logs: &[String], most: usize) -> Result<(), TestCaseError> {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..logs.len()).map(|number| dir.path().join(format!("{number}.log"))).collect();
        paths.iter().zip(logs).for_each(|(path, log)| fs::write(path, log).unwrap());
        for reads_all in [true, false] {
            let expected = expected(logs, reads_all);
            let (lines, _) = found(&paths, question(reads_all), most);
            prop_assert!(lines == expected, "{}: {} of {}", reads_all, lines.len(), expected.len());
            let count = Question { is_count: true, ..question(reads_all) };
            prop_assert_eq!(found(&paths, count, most), (Vec::new(), expected.len() as u64));
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_lines_of_all_logs_are_found_in_the_order_of_their_times(logs in logs(), most in 1..200_usize) {
            check(&logs, most)?;
        }
    }

    #[test]
    fn the_pieces_of_a_large_log_are_searched_in_their_order() {
        let line = |number: u64| match number % 3001 {
            0 => "needle in text".to_owned(),
            1500 => format!("{{\"time\":{},\"message\":\"needle\"}}", 1_700_000_000 + number / 100),
            _ => format!("{{\"time\":{},\"message\":\"hay {number:0200}\"}}", 1_700_000_000 + number / 100),
        };
        let log: Vec<_> = (0..60_000).map(line).collect();
        check(&[log.join("\n"), "needle in text\n".to_owned()], 4 << 20).unwrap();
    }
}
