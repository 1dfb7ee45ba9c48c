//! Errors as data: the message, the type and the whole chain, also of hostile errors; and backtraces of events.

use std::error::Error;
use std::fmt;

use serde_json::{Value, json};
use spanline::record::{ErrorChain, Record};
use spanline::schema::Schema;
use tracing::{Level, error, info_span, warn};

use crate::support::stage::{fixed, lines, lines_of, text_of};
use crate::support::strict;

/// One of a chain: says its number and has the rest as its source.
#[derive(Debug)]
struct Link(usize, Option<Box<Link>>);

impl Link {
    fn chain(length: usize) -> Self {
        (1..length).fold(Self(length - 1, None), |inner, at| Self(length - 1 - at, Some(Box::new(inner))))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

fn links(numbers: std::ops::Range<usize>) -> Value {
    numbers.map(|at| format!("link {at}")).collect()
}

#[test]
fn an_error_line_has_the_whole_chain_in_order() {
    for length in [1, 5, 65] {
        let chain = Link::chain(length);
        let lines = lines(|| error!(error = &chain as &(dyn Error + 'static), "failed"));
        assert_eq!(lines[0]["error"], json!({ "message": "link 0", "type": "Link", "chain": links(1..length) }));
    }
}

#[test]
fn a_long_chain_keeps_its_nearest_sources() {
    let chain = Link::chain(100);
    let lines = lines(|| error!(error = &chain as &(dyn Error + 'static), "failed"));
    assert_eq!(lines[0]["error"]["chain"], links(1..65));
}

fn with_anyhow(length: usize) -> anyhow::Error {
    (1..length)
        .rev()
        .fold(anyhow::anyhow!("link {}", length - 1), |inner, at| inner.context(format!("link {}", at - 1)))
}

fn with_eyre(length: usize) -> eyre::Report {
    (1..length).rev().fold(eyre::eyre!("link {}", length - 1), |inner, at| inner.wrap_err(format!("link {}", at - 1)))
}

#[test]
fn anyhow_and_eyre_errors_have_the_same_shape() {
    for length in [1, 5, 65] {
        let (anyhow, eyre) = (with_anyhow(length), with_eyre(length));
        let lines = lines(|| {
            error!(error = anyhow.as_ref() as &(dyn Error + 'static), "as_ref");
            error!(error = &*anyhow as &(dyn Error + 'static), "deref");
            error!(error = eyre.as_ref() as &(dyn Error + 'static), "as_ref");
            error!(error = &*eyre as &(dyn Error + 'static), "deref");
        });
        for line in lines {
            assert_eq!(line["error"]["message"], "link 0", "{line}");
            assert_eq!(line["error"]["chain"], links(1..length), "{line}");
        }
    }
}

#[test]
fn errors_wrapped_by_anyhow_and_eyre_keep_their_type() {
    let number = || "x".parse::<u8>().unwrap_err();
    let (anyhow, eyre) = (anyhow::Error::new(number()), eyre::Report::new(number()));
    let told = (Some("ParseIntError".to_owned()), "invalid digit found in string".to_owned());
    assert_eq!(type_and_message(anyhow.as_ref()), told);
    assert_eq!(type_and_message(&*eyre), told);
}

/// An error whose every method is the caller's choice.
struct Hostile {
    display: fn(&mut fmt::Formatter<'_>) -> fmt::Result,
    debug: fn(&mut fmt::Formatter<'_>) -> fmt::Result,
    source: fn(&Self) -> Option<&(dyn Error + 'static)>,
}

const TAME: Hostile = Hostile { display: |f| f.write_str("tame"), debug: |f| f.write_str("Tame"), source: |_| None };

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.display)(f)
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.debug)(f)
    }
}

impl Error for Hostile {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        (self.source)(self)
    }
}

/// The error of a line, with a field behind it that has to be whole.
#[track_caller]
fn logged(hostile: &Hostile) -> Value {
    let lines = lines(|| {
        let _span = info_span!("request", request_id = "r-1").entered();
        error!(error = hostile as &(dyn Error + 'static), after = 7, "failed");
    });
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["after"], &lines[0]["request_id"]), (&json!(7), &json!("r-1")));
    lines[0]["error"].clone()
}

#[test]
fn promise_12_an_error_that_misbehaves_harms_neither_the_caller_nor_the_line() {
    assert_eq!(logged(&TAME), json!({ "message": "tame", "type": "Tame", "chain": [] }));
    let panics = logged(&Hostile { display: |_| panic!("display"), ..TAME });
    assert_eq!(panics["message"], "<panicked>");
    let fails = logged(&Hostile { display: |_| Err(fmt::Error), ..TAME });
    assert_eq!(fails["message"], "<format error>");
    let source = logged(&Hostile { source: |_| panic!("source"), ..TAME });
    assert_eq!(source, json!({ "message": "tame", "type": "Tame", "chain": [] }));
    let cycle = logged(&Hostile { source: |own| Some(never_ending(own)), ..TAME });
    assert_eq!(cycle["chain"].as_array().unwrap().len(), 64);
}

/// An error that is its own source, by way of one that never ends.
fn never_ending(_: &Hostile) -> &(dyn Error + 'static) {
    static AGAIN: Hostile = Hostile { source: |_| Some(&AGAIN), ..TAME };
    &AGAIN
}

#[test]
fn promise_12_a_debug_text_that_misbehaves_leaves_the_error_without_a_type() {
    for debug in [
        (|_| panic!("debug")) as fn(&mut fmt::Formatter<'_>) -> fmt::Result,
        |f| f.write_str("a sentence"),
        |f| f.write_str(&"x".repeat(1 << 20)),
        |f| (0..1 << 20).try_for_each(|_| f.write_str("x")),
        |f| {
            loop {
                let _ = f.write_str("x");
            }
        },
        |f| {
            loop {
                let _ = f.write_str("");
            }
        },
    ] {
        assert_eq!(type_and_message(&Hostile { debug, ..TAME }), (None, "tame".to_owned()));
    }
    // It panics after its name, where the text is no longer used.
    let late = |f: &mut fmt::Formatter<'_>| {
        f.write_str("Late {")?;
        panic!("behind the name");
    };
    let told = type_and_message(&Hostile { debug: late, ..TAME });
    assert_eq!(told, (Some("Late".to_owned()), "tame".to_owned()));
    let told = type_and_message(&Hostile { debug: |_| Err(fmt::Error), ..TAME });
    assert_eq!(told, (None, "tame".to_owned()));
}

/// Writes what `ErrorChain` says.
struct Told;

impl Schema for Told {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let chain = record.fields().find_map(|(_, value)| match value {
            spanline::record::Value::Error(chain) => Some(chain),
            _ => None,
        });
        let told = chain.map(|chain: ErrorChain<'_>| json!([chain.type_name(), chain.message()]));
        out.extend_from_slice(json!(told).to_string().as_bytes());
    }
}

/// What a custom schema receives of an error.
#[track_caller]
fn type_and_message(error: &(dyn Error + 'static)) -> (Option<String>, String) {
    let memory = spanline::sink::Memory::new();
    let output = spanline::Output::new(memory.clone()).schema(Told);
    drop(text_of(fixed().output(output), || error!(error, "failed")));
    serde_json::from_str(&memory.text()).unwrap()
}

#[inline(never)]
fn where_it_is_logged() {
    error!("failed");
}

#[cfg(unix)]
#[test]
fn a_backtrace_begins_where_the_event_was_logged() {
    let builder = || fixed().backtrace(Level::ERROR);
    let lines = lines_of(builder(), || {
        where_it_is_logged();
        warn!("below the level");
        tracing::Span::none().in_scope(where_it_is_logged);
    });
    for at in [0, 2] {
        let backtrace = lines[at]["backtrace"].as_str().unwrap();
        assert!(backtrace.lines().next().unwrap().contains("where_it_is_logged"), "{backtrace}");
        assert!(backtrace.contains("a_backtrace_begins_where_the_event_was_logged"), "{backtrace}");
        assert!(!backtrace.contains("spanline::layer") && !backtrace.contains("src/layer/"), "{backtrace}");
    }
    assert_eq!(lines[1].get("backtrace"), None);
    let without = crate::support::stage::lines(where_it_is_logged);
    assert_eq!(without[0].get("backtrace"), None);
}

#[test]
fn promise_16_a_backtrace_has_a_limit() {
    #[inline(never)]
    fn down(depth: u32) {
        match depth {
            0 => error!("failed"),
            depth => down(std::hint::black_box(depth - 1)),
        }
    }
    let lines = lines_of(fixed().backtrace(Level::ERROR), || down(1000));
    let length = lines[0]["backtrace"].as_str().unwrap().len();
    assert!((8 * 1024..=10 * 1024).contains(&length), "{length}");
    let texts = text_of(fixed().backtrace(Level::ERROR).max_line_bytes(2048), || down(1000));
    assert!(texts[0].len() <= 2048 && strict::line(&texts[0])["truncated"] == true, "{}", texts[0]);
}

#[test]
fn promise_32_a_field_named_backtrace_is_not_the_backtrace() {
    let log = || {
        error!(backtrace = "mine", "failed");
        warn!(backtrace = "mine", "text in a free slot");
        warn!(backtrace = 7, "no text");
    };
    let on = lines_of(fixed().backtrace(Level::ERROR), log);
    assert!(on[0]["backtrace"].as_str().unwrap().contains("it::text::errors"));
    assert_eq!(on[0]["fields"], json!({ "backtrace": "mine" }));
    assert_eq!((&on[1]["backtrace"], &on[2]["fields"]), (&json!("mine"), &json!({ "backtrace": 7 })));
    let off = lines(log);
    assert_eq!((&off[0]["backtrace"], &off[2]["backtrace"]), (&json!("mine"), &json!(7)));
}
