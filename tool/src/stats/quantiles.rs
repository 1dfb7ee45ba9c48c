//! The quantiles of a numeric field, for each value of another one.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use sketches_ddsketch::DDSketch;

use super::names::{OTHERS, short_name};
use super::runs::{Disk, Merge, Runs};
use crate::entry::{Entry, Path};

/// How many numbers a thread holds in memory: 16 bytes each.
const IN_MEMORY: usize = if cfg!(test) { 8 << 10 } else { 256 << 10 };

/// More groups than these are one, `…`.
const MAX_GROUPS: usize = 4096;

/// The relative error of a sketch: that of its default settings.
const SKETCH_ERROR: f64 = 0.01;

/// The quantiles that are told.
pub(crate) const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// A field, and what its values are grouped by.
#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) field: String,
    pub(crate) by: Option<String>,
    field_path: Path,
    by_path: Option<Path>,
    groups: Mutex<Groups>,
}

/// The names of groups, by their numbers.
#[derive(Debug, Default)]
struct Groups {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

/// The values that one thread has seen.
///
/// Each is a number: that of its group, and a double, so that numbers are in the order of both. When the disk is full, values
/// go to sketches, which know them up to [`SKETCH_ERROR`].
#[derive(Clone)]
pub(super) struct Values {
    measure: Arc<Measure>,
    numbers: Vec<u128>,
    runs: Runs,
    sketches: HashMap<u32, DDSketch>,
    /// The numbers of the names that were met.
    groups: HashMap<String, u32>,
    summaries: HashMap<u32, Summary>,
    disk: Arc<Disk>,
}

/// What is known of a group without its order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) sum: f64,
}

/// The quantiles of one group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantiles {
    /// The value of the other field; `None` if the line lacks it, or nothing was asked for.
    pub(crate) group: Option<String>,
    pub(crate) summary: Summary,
    /// The smallest values with this share of all at or below them: [`QUANTILES`].
    pub(crate) values: [f64; QUANTILES.len()],
    /// By which share of itself a value may be off; 0 if it is exact.
    pub(crate) error: f64,
}

impl Measure {
    pub(crate) fn new(field: String, by: Option<String>) -> Self {
        let (field_path, by_path) = (Path::new(&field), by.as_deref().map(Path::new));
        Self { field, by, field_path, by_path, groups: Mutex::default() }
    }

    /// Returns the number of a group.
    #[expect(clippy::disallowed_methods, reason = "the one lock of the threads that count, which ignores poisoning")]
    fn group(&self, name: &str) -> u32 {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = groups.numbers.get(name) {
            return *number;
        }
        let name = if groups.names.len() < MAX_GROUPS { name } else { OTHERS };
        let next = u32::try_from(groups.names.len()).unwrap_or(u32::MAX);
        let number = *groups.numbers.entry(name.to_owned()).or_insert(next);
        if number == next {
            groups.names.push(name.to_owned());
        }
        number
    }

    /// Returns the name of a group.
    #[expect(clippy::disallowed_methods, reason = "the one lock of the threads that count, which ignores poisoning")]
    fn name(&self, group: u32) -> Option<String> {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.names.get(group as usize).cloned()
    }
}

/// The group of lines that lack the other field.
const NONE: u32 = u32::MAX;

impl Values {
    pub(super) fn new(measure: Arc<Measure>, disk: Arc<Disk>) -> Self {
        Self {
            measure,
            numbers: Vec::new(),
            runs: Runs::default(),
            sketches: HashMap::new(),
            groups: HashMap::new(),
            summaries: HashMap::new(),
            disk,
        }
    }

    /// Adds the value of an entry, if it has a number.
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let value = self.measure.field_path.value(entry).and_then(|value| value.number());
        let Some(value) = value.map(|number| number.as_float()).filter(|value| value.is_finite()) else { return };
        let group = match self.measure.by_path.as_ref().and_then(|path| path.value(entry)) {
            Some(name) => self.group(short_name(&name.shown())),
            None => NONE,
        };
        let new = Summary { count: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0 };
        self.summaries.entry(group).or_insert(new).add(value);
        self.numbers.push(u128::from(group) << 64 | u128::from(ordered(value)));
        if self.numbers.len() >= IN_MEMORY {
            self.make_room();
        }
    }

    fn group(&mut self, name: &str) -> u32 {
        if let Some(number) = self.groups.get(name) {
            return *number;
        }
        let number = self.measure.group(name);
        if self.groups.len() < MAX_GROUPS {
            self.groups.insert(name.to_owned(), number);
        }
        number
    }

    fn make_room(&mut self) {
        self.sort();
        if !self.runs.push(&self.numbers, &self.disk) {
            sketch(&mut self.sketches, self.numbers.iter().copied());
        }
        self.numbers.clear();
    }

    /// Sorts the numbers in memory, the largest first.
    fn sort(&mut self) {
        self.numbers.sort_unstable_by(|one, other| other.cmp(one));
    }

    /// Returns the quantiles of each group of all threads, that with the most values first.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub(super) fn merge(measure: &Measure, all: Vec<Self>) -> io::Result<Vec<Quantiles>> {
        let mut summaries = HashMap::<u32, Summary>::new();
        let mut sketches = HashMap::<u32, DDSketch>::new();
        let (mut memory, mut runs) = (Vec::new(), Vec::new());
        for mut one in all {
            one.sort();
            memory.push(one.numbers);
            runs.push(one.runs);
            for (group, summary) in one.summaries {
                summaries.entry(group).and_modify(|sum| sum.merge(summary)).or_insert(summary);
            }
            for (group, sketch) in one.sketches {
                // Both have the same settings.
                let _ = sketches.entry(group).or_default().merge(&sketch);
            }
        }
        let mut merge = Merge::new(memory, runs)?;
        let mut found = HashMap::new();
        if sketches.is_empty() {
            exact(&mut merge, &summaries, &mut found)?;
        } else {
            while let Some(number) = merge.next()? {
                sketch(&mut sketches, [number]);
            }
            for (group, sketch) in &sketches {
                let count = summaries.get(group).map_or(0, |summary| summary.count);
                // It takes a share of the ranks from 0 on, and the whole part of that.
                let share = |rank: u64| ((rank as f64 - 0.5) / (count as f64 - 1.0).max(1.0)).clamp(0.0, 1.0);
                let value = |quantile| sketch.quantile(share(rank(quantile, count))).ok().flatten().unwrap_or_default();
                found.insert(*group, QUANTILES.map(value));
            }
        }
        let error = if sketches.is_empty() { 0.0 } else { SKETCH_ERROR };
        let mut quantiles: Vec<_> = summaries
            .into_iter()
            .filter_map(|(group, summary)| {
                let name = (group != NONE).then(|| measure.name(group).unwrap_or_default());
                Some(Quantiles { group: name, summary, values: *found.get(&group)?, error })
            })
            .collect();
        quantiles.sort_by(|one, other| {
            other.summary.count.cmp(&one.summary.count).then_with(|| one.group.cmp(&other.group))
        });
        Ok(quantiles)
    }
}

/// Finds the quantiles of each group among all numbers, which come group by group, the largest first.
fn exact(
    merge: &mut Merge,
    summaries: &HashMap<u32, Summary>,
    found: &mut HashMap<u32, [f64; QUANTILES.len()]>,
) -> io::Result<()> {
    let (mut current, mut above) = (None, 0);
    while let Some(number) = merge.next()? {
        let group = (number >> 64) as u32;
        if current.replace(group) != Some(group) {
            above = 0;
        }
        let count = summaries.get(&group).map_or(0, |summary| summary.count);
        let values = found.entry(group).or_insert([0.0; QUANTILES.len()]);
        for (value, quantile) in values.iter_mut().zip(QUANTILES) {
            if count.checked_sub(above) == Some(rank(quantile, count)) {
                *value = unordered(number as u64);
            }
        }
        above += 1;
    }
    Ok(())
}

/// Returns the nearest rank, from 1 on: at least this share of all values is at or below it.
fn rank(quantile: f64, count: u64) -> u64 {
    ((quantile * count as f64).ceil() as u64).clamp(1, count.max(1))
}

/// Adds numbers to the sketches of their groups.
fn sketch(sketches: &mut HashMap<u32, DDSketch>, numbers: impl IntoIterator<Item = u128>) {
    for number in numbers {
        sketches.entry((number >> 64) as u32).or_default().add(unordered(number as u64));
    }
}

impl Summary {
    fn add(&mut self, value: f64) {
        self.merge(Self { count: 1, min: value, max: value, sum: value });
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
    }
}

/// Returns bits that are in the order of doubles.
fn ordered(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn unordered(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Parser;

    fn merged(values: impl Iterator<Item = (f64, &'static str)>, disk: u64) -> Vec<Quantiles> {
        let measure = Arc::new(Measure::new("ms".to_owned(), Some("path".to_owned())));
        let disk = Arc::new(Disk::new(disk));
        let mut threads = [(); 2].map(|()| Values::new(Arc::clone(&measure), Arc::clone(&disk)));
        let mut parser = Parser::default();
        for (number, (value, path)) in values.enumerate() {
            let line = format!("{{\"ms\":{value},\"path\":\"{path}\"}}");
            parser.read(line.as_bytes());
            threads[number % 2].add(&parser.entry(line.as_bytes()));
        }
        Values::merge(&measure, threads.into()).unwrap()
    }

    #[test]
    fn quantiles_are_exact_also_on_disk() {
        let count = 3 * IN_MEMORY as u64;
        let values = (0..count).map(|number| {
            // Each number once, in no order.
            let value = (number * 7919) % count;
            (value as f64 - 1000.0, if value < count / 2 { "/a" } else { "/b" })
        });
        let found = merged(values, 1 << 30);
        let half = count as f64 / 2.0;
        assert_eq!(found[0].group.as_deref(), Some("/a"));
        assert_eq!(found[0].summary.count, count / 2);
        assert_eq!((found[0].summary.min, found[0].summary.max), (-1000.0, half - 1001.0));
        let expected = QUANTILES.map(|quantile| (quantile * half).ceil() - 1.0 - 1000.0);
        assert_eq!(found[0].values, expected);
        assert_eq!(found[1].values, expected.map(|value| value + half));
        assert_eq!(found[1].error, 0.0);
    }

    #[test]
    fn without_room_on_disk_quantiles_are_estimates() {
        let count = 3 * IN_MEMORY as u64;
        let found = merged((1..=count).map(|number| (number as f64, "/a")), 0);
        for (value, quantile) in found[0].values.iter().zip(QUANTILES) {
            let expected = quantile * count as f64;
            assert!((value - expected).abs() <= 1.5 * SKETCH_ERROR * expected, "{value} {expected}");
        }
        assert_eq!((found[0].error, found[0].summary.max), (SKETCH_ERROR, count as f64));
    }

    #[test]
    fn doubles_are_in_order() {
        let values = [f64::MIN, -1.5, -0.0, 0.0, 1e-300, 2.0, f64::MAX];
        assert!(values.is_sorted_by_key(|value| ordered(*value)));
        assert_eq!(values.map(|value| unordered(ordered(value))), values);
    }
}
