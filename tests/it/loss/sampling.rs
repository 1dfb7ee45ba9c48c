//! Sampling: a share of the lines of each call site, or of whole traces; the rest is counted and reported.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use spanline::metrics::{OutputMetrics, Reason};
use spanline::record::{Timestamp, TraceId};
use spanline::sink::Memory;
use spanline::{Builder, Output, Sampling};
use tracing::{Level, error, info, info_span, warn};
use tracing_subscriber::Registry;

use crate::support::faults::{built, within};
use crate::support::ledger::{Line, all_told, balance, log, read};
use crate::support::stage::parsed;
use crate::support::wait::PATIENCE;

const MILLISECOND: i64 = 1_000_000;

/// Runs `run` under a log with sampling, whose clock `run` sets; returns the counters and the text.
fn sampled(builder: Builder, run: impl FnOnce(&dyn Fn(i64))) -> (OutputMetrics, Memory) {
    let (hands, memory) = (Arc::new(AtomicI64::new(0)), Memory::new());
    let clock = Arc::clone(&hands);
    let now = move || Timestamp::from_nanos(clock.load(Ordering::SeqCst));
    let (dispatch, guard) = built(builder.filter("trace").clock(now).output(Output::new(memory.clone())));
    within(&dispatch, || run(&|ms| hands.store(ms * MILLISECOND, Ordering::SeqCst)));
    let handle = guard.handle();
    guard.close().unwrap();
    let output = handle.metrics().outputs[0].clone();
    balance(&output, &memory.text());
    all_told(&output, &memory.text());
    (output, memory)
}

fn seqs(memory: &Memory) -> Vec<u64> {
    read(&memory.text()).iter().filter(|line| !line.is_notice()).map(|line| line.seq).collect()
}

fn summaries(memory: &Memory) -> Vec<Line> {
    read(&memory.text()).into_iter().filter(Line::is_notice).collect()
}

#[test]
fn one_in_ten_lines_of_a_call_site_is_logged_and_the_rest_reported() {
    let builder = spanline::builder().sampling(Sampling::one_in(10));
    let (output, memory) = sampled(builder, |set| {
        for seq in 0..25 {
            set(seq);
            info!(seq, "tick");
        }
        info!(seq = 100, "another call site");
    });
    assert_eq!(seqs(&memory), [0, 10, 20, 100]);
    assert_eq!((output.emitted.total(), output.dropped.reason(Reason::Sampled).level(Level::INFO)), (26, 22));
    let summaries = summaries(&memory);
    let [line] = &summaries[..] else { panic!("{summaries:#?}") };
    assert_eq!((line.message.as_str(), line.suppressed, line.reason.as_str()), ("tick", 22, "sampled"));
    let at = |ms: i64| Timestamp::from_nanos(ms * MILLISECOND).to_string();
    assert_eq!((line.first.clone(), line.last.clone()), (at(1), at(24)));
}

#[test]
fn warnings_and_errors_are_kept_unless_the_bound_says_otherwise() {
    let log_all = |_: &dyn Fn(i64)| {
        for _ in 0..4 {
            info!("info");
            warn!("warn");
            error!("error");
        }
    };
    let written = |sampling: Sampling| {
        let (output, _) = sampled(spanline::builder().sampling(sampling), log_all);
        [Level::INFO, Level::WARN, Level::ERROR].map(|level| output.written.level(level))
    };
    assert_eq!(written(Sampling::one_in(4)), [1, 4, 4]);
    assert_eq!(written(Sampling::one_in(4).below(Level::ERROR)), [1, 1, 4]);
}

#[test]
fn a_token_bucket_lets_a_burst_pass_and_then_refills() {
    let sampling = Sampling::token_bucket(3, Duration::from_millis(100));
    let (output, memory) = sampled(spanline::builder().sampling(sampling), |set| {
        for (ms, seqs) in [(0, 0..5), (250, 5..10), (2_000, 10..15)] {
            set(ms);
            seqs.for_each(|seq| log(Level::INFO, 0, seq));
        }
    });
    assert_eq!(seqs(&memory), [0, 1, 2, 5, 6, 10, 11, 12]);
    assert_eq!(output.dropped.reason(Reason::Sampled).total(), 7);
}

/// For each trace, how many lines were logged of the three that `request` logs.
fn traces_of(builder: Builder, ids: &[String]) -> BTreeMap<String, usize> {
    let (_, memory) = sampled(builder, |_| {
        for id in ids {
            let request = info_span!("request", trace_id = id.as_str());
            let _inside = request.enter();
            info!("one");
            info_span!("db").in_scope(|| info!("two"));
            info!("three");
        }
    });
    let mut traces = BTreeMap::new();
    for line in parsed(&memory).iter().filter(|line| line.get("suppressed").is_none()) {
        *traces.entry(line["trace_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    traces
}

fn ids() -> Vec<String> {
    (1..=400_u128).map(|id| format!("{id:032x}")).collect()
}

#[test]
fn a_trace_is_kept_or_dropped_as_a_whole_and_all_services_agree() {
    let sample =
        |one_in| traces_of(spanline::builder().id_seed(one_in).sampling(Sampling::one_in(one_in).of_traces()), &ids());
    let tenth = sample(10);
    assert!(tenth.values().all(|lines| *lines == 3), "{tenth:?}");
    assert!((20..60).contains(&tenth.len()), "{} of 400", tenth.len());
    let reversed: Vec<_> = ids().into_iter().rev().collect();
    let other = traces_of(spanline::builder().id_seed(7).sampling(Sampling::one_in(10).of_traces()), &reversed);
    assert_eq!(tenth, other, "another service, which saw them in another order");
    let half = sample(2);
    assert!(tenth.keys().all(|trace| half.contains_key(trace)), "a smaller share is a part of a larger one");
}

/// Another implementation has to be able to compute the same.
#[test]
fn the_choice_of_traces_never_changes() {
    let mix = |mut half: u64| {
        half = (half ^ (half >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        half = (half ^ (half >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        half ^ (half >> 33)
    };
    let hash = |id: u128| mix(id as u64 ^ mix((id >> 64) as u64));
    let ids: Vec<u128> = (1..200_u128).map(|id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).collect();
    let expected: Vec<_> = ids.iter().filter(|id| hash(**id) <= u64::MAX / 3).map(|id| format!("{id:032x}")).collect();
    let texts: Vec<_> = ids.iter().map(|id| format!("{id:032x}")).collect();
    assert!(texts.iter().all(|id| TraceId::parse(id).is_some()));
    let kept = traces_of(spanline::builder().sampling(Sampling::one_in(3).of_traces()), &texts);
    assert_eq!(kept.keys().cloned().collect::<std::collections::BTreeSet<_>>(), expected.into_iter().collect());
}

#[test]
fn a_bucket_of_traces_decides_once_for_each() {
    let bucket = Sampling::token_bucket(2, Duration::from_secs(1_000)).of_traces();
    let traces = traces_of(spanline::builder().sampling(bucket), &ids());
    assert_eq!(traces.into_iter().collect::<Vec<_>>(), [(ids()[0].clone(), 3), (ids()[1].clone(), 3)]);
}

#[test]
fn lines_of_spans_follow_their_trace_and_lines_outside_traces_are_kept() {
    let all = spanline::builder().span_new("trace").span_close("trace");
    let (output, memory) = sampled(all.sampling(Sampling::one_in(1_000_000).of_traces()), |_| {
        for id in ids() {
            info_span!("request", trace_id = id.as_str()).in_scope(|| error!("kept"));
        }
        info!("outside");
    });
    let messages: Vec<_> = parsed(&memory)
        .iter()
        .filter(|line| line.get("suppressed").is_none())
        .map(|line| line["message"].clone())
        .collect();
    assert_eq!(messages.len(), 401, "all errors, and no line of a span");
    assert_eq!(messages.last().unwrap(), "outside");
    assert_eq!(output.dropped.reason(Reason::Sampled).total(), 800);
}

#[test]
fn sampling_and_a_limit_of_errors_work_together() {
    let builder = spanline::builder().sampling(Sampling::one_in(3)).rate_limit_errors(1, Duration::from_secs(10));
    let (output, _) = sampled(builder, |_| {
        for _ in 0..6 {
            info!("info");
            error!("error");
        }
    });
    assert_eq!((output.written.level(Level::INFO), output.written.level(Level::ERROR)), (2, 1));
    let dropped = [Reason::Sampled, Reason::RateLimited].map(|reason| output.dropped.reason(reason).total());
    assert_eq!(dropped, [4, 5]);
}

#[test]
fn sampling_that_has_no_effect_is_an_error() {
    let second = Duration::from_secs(1);
    for (sampling, wrong) in [
        (Sampling::one_in(0), "one in 0"),
        (Sampling::one_in(1).of_traces(), "one in 1"),
        (Sampling::token_bucket(0, second), "burst of 0"),
        (Sampling::token_bucket(1, Duration::ZERO), "in no time"),
        (Sampling::one_in(2).below(Level::TRACE), "below TRACE"),
    ] {
        let error = spanline::builder()
            .sampling(sampling)
            .output(Output::new(Memory::new()))
            .build::<Registry>()
            .err()
            .unwrap();
        assert!(error.is_invalid() && error.to_string().contains(wrong), "{error}");
    }
    let both = || spanline::builder().rate_limit(3, second).output(Output::new(Memory::new()));
    let error = both().sampling(Sampling::one_in(2)).build::<Registry>().err().unwrap();
    assert!(error.is_invalid() && error.to_string().contains("remove one"), "{error}");
    let (_layer, guard) = both().sampling(Sampling::one_in(2).of_traces()).build::<Registry>().unwrap();
    guard.handle().flush(PATIENCE).unwrap();
}
