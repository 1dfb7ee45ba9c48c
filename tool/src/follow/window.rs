//! Lines of several sources, by time, within a window.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

/// If lines that wait have more bytes, the earliest one no longer does.
const MAX_BYTES: usize = 32 << 20;

/// Where a line belongs: its time, then the number of its source, then its own number.
type Place = (i64, usize, u64);

/// Keeps each line until the window is over, so that earlier lines of other sources can come before it.
pub(super) struct Window {
    span: Duration,
    waiting: BinaryHeap<Reverse<(Place, Vec<u8>)>>,
    /// When the lines have to go, in this order.
    due: VecDeque<(Instant, Place)>,
    bytes: usize,
    /// The number of the next line.
    number: u64,
    /// The place of the line that went last.
    last: Option<Place>,
}

impl Window {
    pub(super) fn new(span: Duration) -> Self {
        Self { span, waiting: BinaryHeap::new(), due: VecDeque::new(), bytes: 0, number: 0, last: None }
    }

    /// Takes a line. `waits`: whether other sources may have earlier lines.
    pub(super) fn push(&mut self, source: usize, time: i64, line: Vec<u8>, now: Instant, waits: bool) {
        let place = (time, source, self.number);
        self.number += 1;
        self.bytes += line.len();
        self.waiting.push(Reverse((place, line)));
        if self.last.is_some_and(|last| place < last) {
            self.due.push_front((now, place));
        } else {
            self.due.push_back((if waits { now + self.span } else { now }, place));
        }
    }

    /// Returns the next line whose time has come, and the number of its source.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(usize, Vec<u8>)> {
        if self.bytes > MAX_BYTES {
            return self.pop_first();
        }
        while let Some((due, place)) = self.due.front() {
            if *due > now {
                return None;
            }
            // All that come before it go first.
            if self.waiting.peek().is_some_and(|Reverse((first, _))| first <= place) {
                return self.pop_first();
            }
            self.due.pop_front();
        }
        None
    }

    /// Returns the first line, at the end.
    pub(super) fn pop_first(&mut self) -> Option<(usize, Vec<u8>)> {
        let Reverse((place, line)) = self.waiting.pop()?;
        self.bytes = self.bytes.saturating_sub(line.len());
        self.last = self.last.max(Some(place));
        Some((place.1, line))
    }

    /// Returns how long the next line still waits.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.due.front().map(|(due, _)| due.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(window: &mut Window, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| window.pop(now)).map(|(_, line)| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn lines_within_the_window_are_in_order_and_late_ones_are_not_lost() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut window = Window::new(Duration::from_millis(200));
        for (source, time, arrived) in [(0, 10, 0), (0, 12, 1), (1, 11, 50), (1, 13, 150)] {
            window.push(source, time, time.to_string().into_bytes(), at(arrived), true);
        }
        assert!(times(&mut window, at(199)).is_empty());
        assert_eq!(window.wait(at(199)), Some(Duration::from_millis(1)));
        assert_eq!(times(&mut window, at(201)), ["10", "11", "12"]);
        window.push(0, 5, b"late".to_vec(), at(210), true);
        assert_eq!(times(&mut window, at(210)), ["late"]);
        assert_eq!(times(&mut window, at(400)), ["13"]);
        assert_eq!(window.wait(at(400)), None);
    }

    #[test]
    fn equal_times_keep_the_order_of_each_source() {
        let now = Instant::now();
        let mut window = Window::new(Duration::ZERO);
        for (source, text) in [(1, "b1"), (0, "a1"), (1, "b2"), (0, "a2")] {
            window.push(source, 7, text.as_bytes().to_vec(), now, true);
        }
        assert_eq!(times(&mut window, now), ["a1", "a2", "b1", "b2"]);
    }

    #[test]
    fn memory_is_bounded() {
        let now = Instant::now();
        let mut window = Window::new(Duration::from_secs(60));
        for time in 0..40 {
            window.push(0, time, vec![b'x'; 1 << 20], now, true);
        }
        assert_eq!(times(&mut window, now).len(), 8);
    }
}
