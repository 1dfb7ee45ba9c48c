//! Opening sealed fields: values that were moved, errors, hostile lines.

use serde_json::json;
use spanline::Output;
use spanline::read::open_field;
use spanline::schema::by_name;
use spanline::sealed::{Key, LineOpener};
use spanline::sink::Memory;
use tracing::info;
use tracing::subscriber::with_default;
use tracing_subscriber::prelude::*;

use super::fields::{NUMBER, pair, sealing, tokens};
use crate::support::stage::{NOW, lines_of, text_of};

#[test]
fn a_moved_value_is_found() {
    let (key, recipients) = pair();
    let clock = std::sync::atomic::AtomicI64::new(NOW.as_nanos());
    let builder = sealing(&["card", "pin"], &recipients).clock(move || {
        spanline::record::Timestamp::from_nanos(clock.fetch_add(1_000, std::sync::atomic::Ordering::Relaxed))
    });
    let lines = text_of(builder, || {
        info!(card = NUMBER, pin = 1234, "ada");
        info!(card = "0000-0000", pin = 7, "bob");
    });
    let of_line = |line: &str| tokens(line).iter().map(|token| (*token).to_owned()).collect::<Vec<_>>();
    let (ada, bob) = (of_line(&lines[0]), of_line(&lines[1]));
    let findings = |line: &str| LineOpener::new(key.clone()).open_line(line.as_bytes()).findings;
    assert!(findings(&lines[0]).is_empty() && findings(&lines[1]).is_empty());
    // Within its line, under another name.
    let swapped = lines[0].replace(&ada[0], "@").replace(&ada[1], &ada[0]).replace('@', &ada[1]);
    assert!(findings(&lines[0].replace(&ada[1], &ada[0]))[0].contains("it stands under the name pin"));
    assert_eq!(findings(&swapped).len(), 2);
    // To another line.
    let moved = lines[1].replace(&bob[0], &ada[0]);
    assert!(
        findings(&moved)[0].starts_with("the value of card was moved here from another line"),
        "{:?}",
        findings(&moved)
    );
    let without_time = |line: &str| line.replacen("2026-", "x", 1);
    let moved = findings(&without_time(&moved));
    assert!(moved.len() == 1 && moved[0].contains("of another event"), "{moved:?}");
    // Into a list, and into the text of a message.
    for moved in [
        lines[1].replace(&format!("\"{}\"", bob[1]), &format!("[\"{}\"]", bob[1])),
        lines[1].replace("\"bob\"", &format!("\"bob {}\"", bob[1])),
    ] {
        assert!(findings(&moved)[0].contains("the value of pin was moved here: it stands within a text or a list"));
    }
    // A line that is there twice.
    let mut opener = LineOpener::new(key.clone());
    assert!(opener.open_line(lines[0].as_bytes()).findings.is_empty());
    let again = opener.open_line(lines[0].as_bytes()).findings;
    assert!(again.len() == 2 && again[0].contains("it stood in an earlier line"), "{again:?}");
}

/// Nested data has the same names at several places.
#[test]
fn a_value_that_was_moved_to_the_same_name_elsewhere_is_found() {
    let (key, recipients) = pair();
    let order = json!({ "seller": { "card": 1 }, "list": [{ "a": "}" }], "buyer": { "name": "\"{", "card": 2 } });
    for name in ["flat", "nested", "ecs", "gcp", "otel", "pino", "gelf", "logfmt", "console"] {
        let memory = Memory::new();
        let output = Output::new(memory.clone()).schema(by_name(name).unwrap());
        let (layer, guard) = sealing(&["card", "pin"], &recipients).output(output).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || {
            info!(order = spanline::json(&order), seller.pin = 3, buyer.pin = 4, "nested");
            info!(order = %order, "a text");
        });
        guard.close().unwrap();
        for line in memory.lines() {
            let findings = |line: &str| LineOpener::new(key.clone()).open_line(line.as_bytes()).findings;
            assert_eq!(findings(&line), Vec::<String>::new(), "{name}: {line}");
            let tokens: Vec<_> = tokens(&line).into_iter().map(str::to_owned).collect();
            let names: Vec<_> = tokens.iter().map(|token| open_field(&key, token).unwrap().name().to_owned()).collect();
            let swap = |one: &str, other: &str| {
                let of = |end: &str| &tokens[names.iter().position(|name| name.ends_with(end)).unwrap()];
                line.replace(of(one), "\0").replace(of(other), of(one)).replace('\0', of(other))
            };
            let found = findings(&swap("seller.card", "buyer.card"));
            assert!(
                found.len() == 2 && found[0].contains("was moved here: it stands under the name"),
                "{name}: {found:?}"
            );
            if tokens.len() == 4 {
                assert_eq!(findings(&swap("seller.pin", "buyer.pin")).len(), 2, "{name}");
            }
        }
    }
}

#[test]
fn a_value_that_was_copied_or_moved_to_a_similar_name_is_found() {
    let (key, recipients) = pair();
    let order = json!({ "dir": "C:\\", "card": 2, "value": { "card": 3 } });
    for name in ["flat", "nested", "otel"] {
        let memory = Memory::new();
        let output = Output::new(memory.clone()).schema(by_name(name).unwrap());
        let (layer, guard) = sealing(&["card", "value", "user.ssn"], &recipients).output(output).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || {
            let user = json!({ "ssn": 5 });
            info!(card = 1, value = 4, order = spanline::json(&order), user = spanline::json(&user), "paid");
            let span = tracing::info_span!("request", card = NUMBER);
            span.in_scope(|| info!("the field of a span stands there twice in some schemas"));
        });
        guard.close().unwrap();
        let findings = |line: &str| LineOpener::new(key.clone()).open_line(line.as_bytes()).findings;
        for line in memory.lines() {
            assert_eq!(findings(&line), Vec::<String>::new(), "{name}: {line}");
        }
        let line = &memory.lines()[0];
        let tokens: Vec<_> = tokens(line).into_iter().map(str::to_owned).collect();
        let of = |name: &str| {
            let is_it = |token: &&String| open_field(&key, token).unwrap().name() == name;
            tokens.iter().find(is_it).unwrap_or_else(|| panic!("{name}"))
        };
        let copied = line.replace(of("order.card"), of("card"));
        assert!(
            findings(&copied)[0].contains("it stands at two places of the line"),
            "{name}: {:?}",
            findings(&copied)
        );
        if name != "otel" {
            let moved = line.replace("\"user\":{\"ssn\"", "\"users\":{\"sn\"");
            assert!(moved != *line && findings(&moved)[0].contains("it stands under the name"), "{name}");
        }
    }
}

/// What a line holds may be anything, and takes no longer than its length.
#[test]
fn a_line_full_of_what_looks_like_values_is_read_at_once() {
    let (key, _) = pair();
    for part in [
        "sealed:v1:",
        "{\"a\":\"sealed:v1:\",",
        "\"stringValue\":\"sealed:v1:\",",
        "a=sealed:v1: ",
        "\\\"sealed:v1:\\\"[",
    ] {
        let line = part.repeat(2_000_000 / part.len());
        let opened = LineOpener::new(key.clone()).open_line(line.as_bytes());
        assert_eq!(opened.findings.len(), 16 * 1024 + 1, "{part}");
        assert!(opened.findings[16 * 1024].contains("more than 16384 sealed values"));
        assert_eq!(opened.line, line.as_bytes());
    }
}

#[test]
fn errors_say_what_is_wrong_with_a_token() {
    let ((key, recipients), (other, _)) = (pair(), pair());
    let line = &lines_of(sealing(&["card"], &recipients), || info!(card = NUMBER, "one"))[0];
    let token = line["card"].as_str().unwrap();
    let error = |key: &Key, token: &str| open_field(key, token).unwrap_err().to_string();
    assert!(error(&other, token).contains("this key is not one of its recipients"), "{}", error(&other, token));
    assert!(error(&key, "4929").contains("found another text; expected `sealed:v1:…`"));
    assert!(error(&key, "sealed:v2:abc").contains("it has version 2"));
    assert!(error(&key, "sealed:failed").contains("could not seal"));
    assert!(error(&key, &token[..token.len() - 4]).contains("damaged"));
    assert!(error(&key, &token[..200]).contains("damaged: it is cut") || error(&key, &token[..200]).contains("base64"));
    let found = LineOpener::new(other).open_line(line.to_string().as_bytes());
    assert_eq!((found.opened, found.findings.len(), found.line), (0, 1, line.to_string().into_bytes()));
    assert!(found.findings[0].starts_with("the value of card cannot be opened: "), "{:?}", found.findings);
    // Each change of a byte shows.
    for at in (10..token.len()).step_by(7) {
        let mut changed = token.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(open_field(&key, std::str::from_utf8(&changed).unwrap()).is_err(), "byte {at}");
    }
}

#[test]
fn hostile_tokens_and_lines_never_panic() {
    use proptest::test_runner::{Config, TestRunner};

    let (key, recipients) = pair();
    let line = text_of(sealing(&["card"], &recipients), || info!(card = NUMBER, "one")).remove(0);
    let token = tokens(&line)[0].to_owned();
    let mut runner = TestRunner::new(Config::with_cases(300));
    let bytes = proptest::collection::vec(proptest::num::u8::ANY, 0..400);
    runner
        .run(&(bytes, 0..1000_usize, 0..1000_usize), |(bytes, at, length)| {
            const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let encoded: String = bytes.iter().map(|byte| char::from(DIGITS[usize::from(byte % 64)])).collect();
            assert!(open_field(&key, &format!("sealed:v1:{encoded}")).is_err());
            let at = at.min(line.len());
            let end = (at + length).min(line.len());
            let mut edited = line.as_bytes().to_vec();
            edited.splice(at..end, bytes.iter().copied());
            let mut opener = LineOpener::new(key.clone());
            opener.open_line(&edited);
            opener.open_line(&bytes);
            let quotes: Vec<u8> = bytes.iter().map(|byte| b"\"\\:= m\x1b["[usize::from(byte % 8)]).collect();
            opener.open_line(&[&quotes[..], token.as_bytes(), &quotes[..]].concat());
            opener.open_line(&[&quotes[..], b"sealed:v1:", &quotes[..]].concat());
            Ok(())
        })
        .unwrap();
}
