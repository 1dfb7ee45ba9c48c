//! The texts that occur most often.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;

use super::distinct::fingerprint;
use super::lately::Lately;
use super::names::short_name;
use crate::entry::Value;

/// How many different texts a thread counts.
const MAX_TEXTS: usize = if cfg!(test) { 1 << 10 } else { 16 << 10 };

/// Counts texts. When there are too many different ones, those that occurred least are forgotten, and counts become lower
/// bounds.
///
/// Source: Gurmeet Manku and Rajeev Motwani, *Approximate Frequency Counts over Data Streams*.
#[derive(Clone, Debug, Default)]
pub(super) struct Top {
    texts: HashMap<u128, Counted, BuildHasherDefault<OfFingerprint>>,
    /// The texts that came lately, as lines spell them, and how often they came again.
    lately: Lately<Again>,
    /// How often a forgotten text may have occurred.
    forgotten: u64,
}

/// Takes a part of a fingerprint for its hash.
#[derive(Default)]
struct OfFingerprint(u64);

impl Hasher for OfFingerprint {
    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }

    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Clone, Debug)]
struct Again {
    fingerprint: u128,
    /// These are not in the counts yet.
    times: u64,
}

#[derive(Clone, Debug)]
struct Counted {
    text: Box<str>,
    count: u64,
}

/// The texts that occurred most often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopTexts {
    /// By their number; texts that occurred as often are in order.
    pub(crate) texts: Vec<(String, u64)>,
    /// How many lines each text may have beyond its count; 0 if counts are exact.
    pub(crate) error: u64,
}

impl Top {
    #[inline]
    pub(super) fn add(&mut self, value: Value<'_>) {
        match value.json_text().and_then(|spelling| self.lately.get(spelling)) {
            Some(again) => again.times += 1,
            None => self.add_new(value),
        }
    }

    /// Adds one that has not come lately.
    fn add_new(&mut self, value: Value<'_>) {
        let fingerprint = match value.plain_text() {
            Some(plain) => self.count(plain),
            None => self.count(value.shown().as_bytes()),
        };
        if let Some(spelling) = value.json_text()
            && let Some(old) = self.lately.put(spelling, Again { fingerprint, times: 0 })
        {
            self.count_again(&old);
        }
    }

    /// Counts a text. Returns its fingerprint.
    fn count(&mut self, text: &[u8]) -> u128 {
        let key = fingerprint(text);
        if let Some(known) = self.texts.get_mut(&key) {
            known.count += 1;
            return key;
        }
        if self.texts.len() >= MAX_TEXTS {
            self.forget();
        }
        let text = short_name(&String::from_utf8_lossy(text)).into();
        self.texts.insert(key, Counted { text, count: 1 });
        key
    }

    fn count_again(&mut self, again: &Again) {
        if let Some(known) = self.texts.get_mut(&again.fingerprint) {
            known.count += again.times;
        }
    }

    /// Counts all that came again, so that each text has its count.
    fn settle(&mut self) {
        let mut lately = mem::take(&mut self.lately);
        lately.take().for_each(|again| self.count_again(&again));
        self.lately = lately;
    }

    /// Forgets at least half of the texts.
    fn forget(&mut self) {
        self.settle();
        let mut counts: Vec<u64> = self.texts.values().map(|counted| counted.count).collect();
        let middle = counts.len() / 2;
        let (_, median, _) = counts.select_nth_unstable(middle);
        let median = *median;
        self.texts.retain(|_, counted| counted.count > median);
        self.forgotten += median;
    }

    /// Returns the texts that occurred most often in all threads.
    pub(super) fn merge(all: Vec<Self>, most: usize) -> TopTexts {
        let mut sum = Self::default();
        for mut one in all {
            one.settle();
            sum.forgotten += one.forgotten;
            for (key, counted) in mem::take(&mut one.texts) {
                match sum.texts.get_mut(&key) {
                    Some(known) => known.count += counted.count,
                    // Without a limit: there are few threads.
                    None => drop(sum.texts.insert(key, counted)),
                }
            }
        }
        let error = sum.forgotten;
        let mut texts: Vec<_> =
            sum.texts.into_values().map(|counted| (String::from(counted.text), counted.count)).collect();
        texts.sort_unstable_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        texts.truncate(most);
        TopTexts { texts, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Parser, Part};

    /// Adds the message of a line.
    fn add(top: &mut Top, line: &str) {
        let mut parser = Parser::default();
        parser.read(line.as_bytes());
        top.add(parser.entry(line.as_bytes()).part(Part::Message).unwrap());
    }

    #[test]
    fn spellings_of_a_text_are_one_text() {
        let lines = [r#"{"message":"a\"b"}"#, r#"{"message":"\u0061\"b"}"#, "message=\"a\\\"b\" level=info", "plain"];
        let mut top = Top::default();
        for line in lines.into_iter().cycle().take(3 * lines.len()) {
            add(&mut top, line);
        }
        assert_eq!(Top::merge(vec![top], 9).texts, [("a\"b".to_owned(), 9), ("plain".to_owned(), 3)]);
    }

    #[test]
    fn texts_are_counted_and_sorted() {
        let mut threads = [Top::default(), Top::default()];
        for (number, text) in ["b", "a", "c", "a", "b", "a", "d"].into_iter().enumerate() {
            threads[number % 2].count(text.as_bytes());
        }
        let found = Top::merge(threads.into(), 3);
        assert_eq!(found.error, 0);
        assert_eq!(found.texts, [("a".to_owned(), 3), ("b".to_owned(), 2), ("c".to_owned(), 1)]);
    }

    #[test]
    fn among_too_many_texts_the_frequent_ones_are_found() {
        let mut top = Top::default();
        for number in 0..10 * MAX_TEXTS {
            top.count(number.to_string().as_bytes());
            if number % 4 == 0 {
                add(&mut top, r#"{"message":"often"}"#);
            }
        }
        let expected = 10 * MAX_TEXTS as u64 / 4;
        let found = Top::merge(vec![top], 1);
        let (text, count) = &found.texts[0];
        assert_eq!(text, "often");
        assert!(*count <= expected && count + found.error >= expected, "{found:?}");
        assert!(found.error > 0);
    }
}
