//! Counts over time, in steps that get longer as the time does.

use std::collections::BTreeMap;

use super::level_counts::LevelCounts;
use crate::loggers::LineLevel;

/// The steps, in seconds. Each divides the next one, so that counts of one step make up those of a longer one.
const STEPS: [i64; 13] = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 21_600, 86_400, 604_800, 31_449_600];

/// How many steps are kept. More cover a longer time.
const MAX_COUNTS: usize = 4096;

/// How many lines of each level there are in each step of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    /// The place in [`STEPS`].
    step: usize,
    counts: BTreeMap<i64, LevelCounts>,
    /// The step of the last line, which most often is that of the next one, and its counts.
    last: Option<(i64, LevelCounts)>,
}

/// One step of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its first second since 1970.
    pub(crate) second: i64,
    pub(crate) counts: LevelCounts,
}

/// A time without lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Its first second since 1970.
    pub(crate) from: i64,
    pub(crate) seconds: i64,
}

impl Timeline {
    pub(crate) fn add(&mut self, second: i64, level: Option<LineLevel>) {
        let start = second - second.rem_euclid(self.seconds());
        match &mut self.last {
            Some((last, counts)) if *last == start => counts.add(level),
            _ => {
                self.flush();
                let mut counts = LevelCounts::default();
                counts.add(level);
                self.last = Some((start, counts));
            }
        }
    }

    /// Returns the lengths of steps, in seconds, the shortest first.
    #[cfg(feature = "clickhouse")]
    pub(crate) fn lengths() -> &'static [i64] {
        &STEPS
    }

    /// Returns a timeline of counts that were made elsewhere.
    ///
    /// `distinct`: how many steps with lines there are, for each length. `count` gets the length to use, and returns the first
    /// seconds of the steps, the levels, and how many lines they have.
    ///
    /// # Errors
    /// `count` fails.
    #[cfg(feature = "clickhouse")]
    pub(crate) fn counted<E>(
        distinct: &[u64],
        count: impl FnOnce(i64) -> Result<Vec<(i64, Option<LineLevel>, u64)>, E>,
    ) -> Result<Self, E> {
        let fits = |steps: &u64| *steps <= MAX_COUNTS as u64;
        let step = distinct.iter().position(fits).unwrap_or(STEPS.len() - 1).min(STEPS.len() - 1);
        let mut timeline = Self { step, ..Self::default() };
        for (second, level, lines) in count(timeline.seconds())? {
            let mut counts = LevelCounts::default();
            counts.add_lines(level, lines);
            timeline.put(second, counts);
        }
        Ok(timeline)
    }

    /// Returns how long a step is, in seconds.
    pub(crate) fn seconds(&self) -> i64 {
        STEPS.get(self.step).copied().unwrap_or(i64::MAX)
    }

    fn flush(&mut self) {
        if let Some((start, counts)) = self.last.take() {
            self.put(start, counts);
        }
    }

    fn put(&mut self, second: i64, counts: LevelCounts) {
        let start = second - second.rem_euclid(self.seconds());
        *self.counts.entry(start).or_default() += counts;
        while self.counts.len() > MAX_COUNTS && self.step + 1 < STEPS.len() {
            self.lengthen(self.step + 1);
        }
    }

    /// Makes the steps longer.
    fn lengthen(&mut self, step: usize) {
        self.flush();
        self.step = step;
        let seconds = self.seconds();
        let mut counts = BTreeMap::<i64, LevelCounts>::new();
        for (second, one) in std::mem::take(&mut self.counts) {
            *counts.entry(second - second.rem_euclid(seconds)).or_default() += one;
        }
        self.counts = counts;
    }

    /// Adds the counts of another one.
    pub(crate) fn merge(&mut self, mut other: Self) {
        other.flush();
        self.flush();
        if other.step > self.step {
            self.lengthen(other.step);
        }
        other.counts.into_iter().for_each(|(second, counts)| self.put(second, counts));
    }

    /// Returns the times without lines between the first and the last one, up to whole steps: a gap is at least that long.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let mut all = self.clone();
        all.flush();
        let step = all.seconds();
        let ends = all.counts.keys().map(|start| start.saturating_add(step));
        let gap = |(from, next): (i64, &i64)| Gap { from, seconds: next.saturating_sub(from) };
        ends.zip(all.counts.keys().skip(1)).map(gap).collect()
    }

    /// Returns the counts in at most `most` steps, from the first to the last one, those without lines too; in more of them
    /// only if the longest ones are more.
    ///
    /// `step`: how long a step has to be at least, in seconds.
    pub(crate) fn steps(&self, most: usize, step: Option<i64>) -> (i64, Vec<Step>) {
        let mut all = self.clone();
        all.flush();
        let span = |all: &Self| {
            let first = all.counts.first_key_value().map_or(0, |(first, _)| *first);
            let last = all.counts.last_key_value().map_or(0, |(last, _)| *last);
            (first, last)
        };
        let is_fine = |all: &Self| {
            let (first, last) = span(all);
            let count = (i128::from(last) - i128::from(first)) / i128::from(all.seconds()) + 1;
            count <= most as i128 && step.is_none_or(|step| all.seconds() >= step)
        };
        while !is_fine(&all) && all.step + 1 < STEPS.len() {
            all.lengthen(all.step + 1);
        }
        let (first, last) = span(&all);
        let seconds = all.seconds();
        if all.counts.is_empty() {
            return (seconds, Vec::new());
        }
        let starts = (0..).map_while(|number: i64| first.checked_add(number.checked_mul(seconds)?));
        let at = |second| Step { second, counts: all.counts.get(&second).copied().unwrap_or_default() };
        // The longest steps are few: all times have them.
        (seconds, starts.take_while(|second| *second <= last).map(at).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(timeline: &Timeline, most: usize, step: Option<i64>) -> (i64, Vec<(i64, u64)>) {
        let (seconds, steps) = timeline.steps(most, step);
        (seconds, steps.into_iter().map(|step| (step.second, step.counts.total())).collect())
    }

    #[test]
    fn steps_are_as_short_as_fits() {
        let mut timeline = Timeline::default();
        for second in [100, 103, 100, 101] {
            timeline.add(second, None);
        }
        assert_eq!(totals(&timeline, 4, None), (1, vec![(100, 2), (101, 1), (102, 0), (103, 1)]));
        assert_eq!(totals(&timeline, 3, None), (5, vec![(100, 4)]));
        assert_eq!(timeline.gaps(), [(101, 0), (102, 1)].map(|(from, seconds)| Gap { from, seconds }));
        assert_eq!(totals(&timeline, 100, Some(60)), (60, vec![(60, 4)]));
        assert_eq!(totals(&Timeline::default(), 9, None), (1, vec![]));
    }

    #[test]
    fn no_line_is_missing_however_long_the_time_is() {
        let mut timeline = Timeline::default();
        [0, 1_795_169_738, -2_208_988_800, 1_795_342_538].into_iter().for_each(|second| timeline.add(second, None));
        for (most, step) in [(1, None), (40, None), (40, Some(1)), (100_000, Some(1))] {
            let (_, steps) = totals(&timeline, most, step);
            assert_eq!(steps.iter().map(|(_, lines)| lines).sum::<u64>(), 4, "{most} {step:?}");
        }
    }

    #[test]
    fn a_long_time_is_counted_in_longer_steps() {
        let (mut one, mut other) = (Timeline::default(), Timeline::default());
        for second in 0..20_000 {
            one.add(second, Some(LineLevel::Info));
            other.add(-second, Some(LineLevel::Error));
        }
        for extreme in [i64::MAX / 1_000_000_000, i64::MIN / 1_000_000_000] {
            other.add(extreme, None);
        }
        one.merge(other);
        let (_, steps) = one.steps(10_000, None);
        let sum = |of: fn(&LevelCounts) -> u64| steps.iter().map(|step| of(&step.counts)).sum::<u64>();
        assert_eq!((sum(LevelCounts::total), sum(LevelCounts::errors)), (40_002, 20_000));
    }
}
