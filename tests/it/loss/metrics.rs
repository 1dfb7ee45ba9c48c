//! The counters as monitoring systems take them: Prometheus' text format, read strictly, and the `metrics` facade.
#![cfg(any(feature = "metrics", feature = "prometheus"))]

use std::collections::BTreeMap;

use spanline::sink::{Memory, Writer};
use spanline::{Handle, Output, Overflow};

use crate::support::faults::{Faulty, built, within};
use crate::support::ledger::{LEVELS, log};

/// A series: its name and its labels, sorted.
type Key = (String, BTreeMap<String, String>);

const HOSTILE: &str = "a \"quoted\\name\"\nin two {lines}, ü";

/// Two outputs: one that loses lines, one of a hostile name.
fn lossy(with: impl FnOnce(&Handle)) {
    let file = Faulty::gated();
    let lossy =
        Output::new(Writer::new(file.clone())).name("file").overflow(Overflow::DropNewest).queue_bytes(16 << 10);
    let hostile = Output::new(Memory::new()).name(HOSTILE).output_filter("error");
    let (dispatch, guard) = built(spanline::builder().service(HOSTILE).filter("trace").output(lossy).output(hostile));
    within(&dispatch, || (0..1_000).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq)));
    within(&dispatch, || tracing::error!(password = 1, "redacted"));
    with(&guard.handle());
    file.gate.open();
    guard.close().unwrap();
}

/// What the snapshot has under each name, worked out anew.
fn expected(metrics: &spanline::metrics::Metrics) -> BTreeMap<Key, f64> {
    let mut all = BTreeMap::new();
    for (name, count) in metrics.by_service_level() {
        let (service, level) = name.rsplit_once('.').unwrap();
        let labels = [("service", service), ("level", level)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        all.insert(("spanline_events_total".to_owned(), labels.into()), count as f64);
    }
    for output in &metrics.outputs {
        let mut put = |name: &str, labels: &[(&str, &str)], value: f64| {
            let labels = labels.iter().copied().chain([("output", output.name.as_str())]);
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert!(all.insert((format!("spanline_{name}"), labels), value).is_none());
        };
        for level in LEVELS {
            let label = level.as_str().to_ascii_lowercase();
            let label = ("level", label.as_str());
            put("lines_emitted_total", &[label], output.emitted.level(level) as f64);
            put("lines_written_total", &[label], output.written.level(level) as f64);
            put("lines_filtered_total", &[label], output.filtered.level(level) as f64);
            put("lines_queued", &[label], output.queued.level(level) as f64);
            put("lines_taken_over_total", &[label], output.taken_over.level(level) as f64);
            put("lines_in_flight", &[label], output.in_flight.level(level) as f64);
            put("lines_spooled", &[label], output.spooled.level(level) as f64);
            put("lines_held_back", &[label], output.held_back.level(level) as f64);
            put("lines_released_total", &[label], output.released.level(level) as f64);
            put("lines_evicted_total", &[label], output.evicted.level(level) as f64);
            for (reason, lines) in output.dropped.reasons() {
                put("lines_dropped_total", &[("reason", reason.as_str()), label], lines.level(level) as f64);
            }
        }
        put("queued_bytes", &[], output.queued_bytes as f64);
        put("queue_limit_bytes", &[], output.max_queued_bytes as f64);
        put("oldest_queued_seconds", &[], output.oldest_queued.unwrap_or_default().as_secs_f64());
        put("written_bytes_total", &[], output.written_bytes as f64);
        put("notices_total", &[], output.notices as f64);
        put("lines_resent_total", &[], output.resent as f64);
        put("spooled_bytes", &[], output.spooled_bytes as f64);
        put("spooling_seconds", &[], output.spooling_for.unwrap_or_default().as_secs_f64());
        put("replayed_bytes_total", &[], output.replayed_bytes as f64);
        put("retries_total", &[], output.retries as f64);
        put("panics_total", &[], output.panics as f64);
        put("syncs_total", &[], output.syncs as f64);
        put("failed_syncs_total", &[], output.failed_syncs as f64);
        put("not_durable_total", &[], output.not_durable as f64);
        put("overdue_total", &[], output.overdue as f64);
        put("redacted_total", &[], output.redacted as f64);
    }
    all
}

/// Asks that all that was expected is there, and nothing else but reasons with no line.
#[track_caller]
fn compare(metrics: &spanline::metrics::Metrics, mut found: BTreeMap<Key, f64>) {
    for (key, value) in expected(metrics) {
        assert_eq!(found.remove(&key), Some(value), "{key:?}");
    }
    for (key, value) in found {
        assert!(key.0 == "spanline_lines_dropped_total" && value == 0.0, "{key:?} {value}");
    }
}

#[cfg(feature = "prometheus")]
mod prometheus {
    use super::*;

    /// Reads the format by its grammar: a family is HELP, TYPE, then all its samples, once; no sample twice.
    fn read(text: &str) -> BTreeMap<Key, f64> {
        assert!(text.ends_with('\n'), "the last line ends in a line feed, too");
        let mut found = BTreeMap::new();
        let mut families: Vec<(String, String)> = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(!help.is_empty() && !help.contains('\\'));
                let (typed, kind) = lines.next().unwrap().strip_prefix("# TYPE ").unwrap().split_once(' ').unwrap();
                assert_eq!(name, typed);
                assert!(families.iter().all(|(other, _)| other != name), "{name} comes twice");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
                assert!(kind == "counter" || kind == "gauge");
                families.push((name.to_owned(), kind.to_owned()));
                continue;
            }
            let (key, value) = sample(line);
            let (family, kind) = families.last().unwrap();
            assert_eq!(&key.0, family, "a sample outside its family");
            if kind == "counter" {
                value.parse::<u64>().unwrap();
            }
            assert!(found.insert(key, value.parse().unwrap()).is_none(), "{line} comes twice");
        }
        found
    }

    fn is_name(name: &str) -> bool {
        let mut chars = name.chars();
        chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && chars.all(|char| char.is_ascii_alphanumeric() || char == '_')
    }

    /// `name{label="value",…} number`
    fn sample(line: &str) -> (Key, &str) {
        let (name, mut rest) = line.split_once('{').unwrap();
        assert!(is_name(name), "{name}");
        let mut labels = BTreeMap::new();
        loop {
            let (label, behind) = rest.split_once("=\"").unwrap();
            assert!(is_name(label) && !label.starts_with("__"), "{label}");
            let (mut value, mut chars) = (String::new(), behind.chars());
            loop {
                match chars.next().unwrap() {
                    '"' => break,
                    '\\' => value.push(match chars.next().unwrap() {
                        'n' => '\n',
                        same @ ('\\' | '"') => same,
                        other => panic!("\\{other} is no escape"),
                    }),
                    other => value.push(other),
                }
            }
            assert!(labels.insert(label.to_owned(), value).is_none(), "{label} comes twice");
            match chars.next().unwrap() {
                ',' => rest = chars.as_str(),
                '}' => break rest = chars.as_str(),
                other => panic!("{other} behind a label"),
            }
        }
        ((name.to_owned(), labels), rest.strip_prefix(' ').unwrap())
    }

    #[test]
    fn the_text_has_every_number_and_keeps_to_the_format() {
        lossy(|handle| {
            let metrics = handle.metrics();
            assert!(metrics.dropped() > 0);
            compare(&metrics, read(&metrics.to_prometheus()));
        });
    }

    #[test]
    fn every_reason_is_there_before_the_first_loss() {
        let (_dispatch, guard) = built(spanline::builder().output(Output::new(Memory::new())));
        let found = read(&guard.handle().metrics().to_prometheus());
        let dropped = found.keys().filter(|(name, _)| name == "spanline_lines_dropped_total");
        assert!(dropped.clone().any(|(_, labels)| labels["reason"] == "queue_full" && labels["level"] == "error"));
        assert_eq!(dropped.count() % LEVELS.len(), 0);
    }

    #[test]
    fn no_output_is_no_sample() {
        assert!(read(&spanline::metrics::Metrics::default().to_prometheus()).is_empty());
    }
}

#[cfg(feature = "metrics")]
mod facade {
    use std::sync::{Arc, Mutex};

    use metrics::{
        Counter, CounterFn, Gauge, GaugeFn, Histogram, KeyName, Metadata, Recorder, SharedString, Unit,
        with_local_recorder,
    };

    use super::*;

    /// Keeps what it is given.
    #[derive(Default)]
    struct Kept {
        values: Arc<Mutex<BTreeMap<Key, f64>>>,
        described: Mutex<BTreeMap<String, (Option<Unit>, String)>>,
    }

    struct Place(Arc<Mutex<BTreeMap<Key, f64>>>, Key);

    impl Place {
        fn put(&self, value: f64) {
            self.0.lock().unwrap().insert(self.1.clone(), value);
        }
    }

    impl CounterFn for Place {
        fn increment(&self, _: u64) {
            panic!("the counters are absolute");
        }

        fn absolute(&self, value: u64) {
            assert!(self.1.0.ends_with("_total"));
            self.put(value as f64);
        }
    }

    impl GaugeFn for Place {
        fn increment(&self, _: f64) {
            panic!("gauges are set");
        }

        fn decrement(&self, _: f64) {
            panic!("gauges are set");
        }

        fn set(&self, value: f64) {
            assert!(!self.1.0.ends_with("_total"));
            self.put(value);
        }
    }

    impl Kept {
        fn place(&self, key: &metrics::Key) -> Arc<Place> {
            let labels = key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
            Arc::new(Place(Arc::clone(&self.values), (key.name().to_owned(), labels)))
        }

        fn describe(&self, name: &KeyName, unit: Option<Unit>, text: SharedString) {
            self.described.lock().unwrap().insert(name.as_str().to_owned(), (unit, text.into_owned()));
        }
    }

    impl Recorder for Kept {
        fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
            self.describe(&name, unit, text);
        }

        fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
            self.describe(&name, unit, text);
        }

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
            panic!("there are no histograms");
        }

        fn register_counter(&self, key: &metrics::Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.place(key))
        }

        fn register_gauge(&self, key: &metrics::Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.place(key))
        }

        fn register_histogram(&self, _: &metrics::Key, _: &Metadata<'_>) -> Histogram {
            panic!("there are no histograms");
        }
    }

    #[test]
    fn the_recorder_gets_every_number_with_its_unit() {
        lossy(|handle| {
            let kept = Kept::default();
            let metrics = handle.metrics();
            with_local_recorder(&kept, || (0..2).for_each(|_| metrics.publish()));
            let found = kept.values.lock().unwrap().clone();
            let described = kept.described.lock().unwrap();
            for (name, _) in found.keys() {
                let (unit, text) = &described[name];
                assert!(!text.is_empty());
                let expected = match name.trim_end_matches("_total") {
                    bytes if bytes.ends_with("_bytes") => Unit::Bytes,
                    seconds if seconds.ends_with("_seconds") => Unit::Seconds,
                    _ => Unit::Count,
                };
                assert_eq!(*unit, Some(expected), "{name}");
            }
            compare(&metrics, found);
        });
    }

    #[test]
    fn without_a_recorder_nothing_happens() {
        spanline::metrics::Metrics::default().publish();
    }
}
