//! Terminal sequences in values are escaped, or removed where an output says so.

use std::fmt;

use serde_json::{Value, json};
use spanline::schema::{NAMES, by_name};
use spanline::sink::Memory;
use spanline::{Output, Redact, SpanExt};
use tracing::subscriber::with_default;
use tracing::{error, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{fixed, parsed};

const RED: &str = "\u{1b}[31mred\u{1b}[0m";

/// Like a report of color-eyre: its `Debug` has colours.
struct Report;

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\n   0: \u{1b}[91mcannot load\u{1b}[0m\n\nLocation:\n   \u{1b}[35msrc/main.rs\u{1b}[0m:\u{1b}[35m7\u{1b}[0m")
    }
}

#[derive(Debug)]
struct Coloured(Option<Box<Coloured>>);

impl fmt::Display for Coloured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\u{1b}[1mbad\u{1b}[0m luck")
    }
}

impl std::error::Error for Coloured {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|source| source as _)
    }
}

/// Returns the lines that `run` logs, from an output that strips and from one that does not.
fn both(redact: Redact, run: impl FnOnce()) -> [Vec<Value>; 2] {
    let (stripped, whole) = (Memory::new(), Memory::new());
    let builder = fixed().redact(redact).output(Output::new(stripped.clone()).strip_ansi());
    let (layer, guard) = builder.output(Output::new(whole.clone())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), run);
    guard.close().unwrap();
    [parsed(&stripped), parsed(&whole)]
}

#[test]
fn texts_lose_their_sequences_in_the_output_that_strips_them() {
    for redact in [Redact::none(), Redact::new(), Redact::new().values()] {
        let [stripped, whole] = both(redact, || {
            let span = info_span!("request", user = RED, size = 7, later = tracing::field::Empty).entered();
            span.set_variable("tenant", RED);
            for _ in 0..2 {
                info!(first = RED, count = 1, report = ?Report, last = "plain", "a {RED} message");
            }
            span.record("later", "\u{1b}]0;title\u{7}shown");
            error!(error = &Coloured(Some(Box::new(Coloured(None)))) as &dyn std::error::Error, "failed");
            info!("no sequence, but é and §");
        });
        for line in &stripped[..2] {
            assert_eq!(
                (&line["message"], &line["first"], &line["count"]),
                (&json!("a red message"), &json!("red"), &json!(1))
            );
            assert_eq!(line["report"], "\n   0: cannot load\n\nLocation:\n   src/main.rs:7");
            assert_eq!(
                (&line["last"], &line["user"], &line["tenant"]),
                (&json!("plain"), &json!("red"), &json!("red"))
            );
            assert_eq!(line["size"], 7);
        }
        assert_eq!(stripped[2]["error"]["message"], "bad luck");
        assert_eq!((&stripped[2]["error"]["chain"], &stripped[2]["later"]), (&json!(["bad luck"]), &json!("shown")));
        assert_eq!(
            (&stripped[3]["message"], &stripped[3]["later"]),
            (&json!("no sequence, but é and §"), &json!("shown"))
        );
        assert_eq!((&whole[0]["first"], &whole[0]["user"]), (&json!(RED), &json!(RED)));
        assert_eq!(whole[2]["error"]["message"], "\u{1b}[1mbad\u{1b}[0m luck");
        assert_eq!(whole[3]["message"], "no sequence, but é and §");
    }
}

#[test]
fn no_schema_shows_a_part_of_a_sequence() {
    for name in NAMES {
        for strips in [true, false] {
            let memory = Memory::new();
            let output = Output::new(memory.clone()).schema(by_name(name).unwrap());
            let output = if strips { output.strip_ansi() } else { output };
            let (layer, guard) = fixed().output(output).build().unwrap();
            with_default(tracing_subscriber::registry().with(layer), || {
                let _span = info_span!("request", user = RED).entered();
                info!(field = RED, report = ?Report, "{RED}");
            });
            guard.close().unwrap();
            let text = memory.text();
            assert!(!text.contains('\u{1b}') && text.contains("red") && text.contains("cannot load"), "{name}: {text}");
            assert_eq!(!text.contains("[31m") && !text.contains("[0m"), strips, "{name}: {text}");
        }
    }
}

#[test]
fn a_secret_behind_a_colour_is_found_once_the_colour_is_gone() {
    let [stripped, _] = both(Redact::new().values(), || {
        info!("login with pass\u{1b}[1mword\u{1b}[0m=hunter2 \u{1b}[32mok\u{1b}[0m");
        info!(password = "\u{1b}[31mhunter2\u{1b}[0m", "by name");
    });
    let text = stripped[0]["message"].as_str().unwrap();
    assert!(text.starts_with("login with password=<redacted>") && text.ends_with("ok"), "{text}");
    assert_eq!(stripped[1]["password"], "<redacted>");
}

#[cfg(feature = "log")]
#[test]
fn records_of_the_log_crate_lose_their_sequences() {
    use crate::support::child::child;
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let guard = spanline::builder().output(Output::new(memory.clone()).strip_ansi()).init().unwrap();
        log::warn!(field = RED; "{RED}");
        guard.close().unwrap();
        let lines = parsed(&memory);
        assert_eq!((&lines[0]["message"], &lines[0]["field"]), (&json!("red"), &json!("red")));
    });
}
