//! Sealed fields: no output shows the value, and the key opens it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde_json::{Value as Json, json};
use spanline::read::open_field;
use spanline::schema::{Console, Edits, Template, by_name};
use spanline::sealed::{Key, LineOpener, Recipients};
use spanline::sink::Memory;
use spanline::{Builder, FlightRecorder, Output, Redact, SpanExt};
use tracing::subscriber::with_default;
use tracing::{error, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{NOW, Said, fixed, lines_of, parsed, text_of};

/// No part of a value that is to be sealed contains this elsewhere.
pub(super) const NUMBER: &str = "4929-1234-5678";

#[derive(Serialize)]
struct Card {
    number: &'static str,
    months: [u8; 2],
}

const CARD: Card = Card { number: NUMBER, months: [12, 29] };

pub(super) fn pair() -> (Key, Recipients) {
    let (file, recipient) = Key::generate();
    (Key::parse(&*file).unwrap(), Recipients::parse(recipient).unwrap())
}

/// Redaction stays out of the way.
pub(super) fn sealing(names: &[&str], recipients: &Recipients) -> Builder {
    fixed().redact(Redact::none()).seal_fields(names.iter().copied(), recipients.clone())
}

fn value(key: &Key, token: &Json) -> Json {
    let field = open_field(key, token.as_str().unwrap_or_else(|| panic!("no token: {token}"))).unwrap();
    serde_json::from_str(field.value()).unwrap()
}

/// Logs sealed values in each way that there is.
fn log_values() {
    info!(card = NUMBER, user = spanline::json(&json!({ "ssn": NUMBER, "name": "ada" })), "by name");
    info!(paid = spanline::sealed(&CARD), "by value");
    info!(card = ?Some(NUMBER), user = %json!({ "ssn": [NUMBER] }), "formatted");
    let span = info_span!("request", card = NUMBER, paid = spanline::sealed(&CARD), later = tracing::field::Empty);
    span.in_scope(|| {
        info!("inherited");
        span.record("later", spanline::sealed(NUMBER));
        info!("recorded");
        span.set_variable("user", format!(r#"{{"ssn":"{NUMBER}"}}"#));
        info!("a variable");
        spanline::with("card", NUMBER).in_scope(|| info!("scoped"));
        error!(error = NUMBER, "an error");
    });
}

/// The tokens in a text.
pub(super) fn tokens(text: &str) -> Vec<&str> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || "-_:".contains(char);
    text.match_indices("sealed:v1:")
        .map(|(at, _)| {
            let rest = &text[at..];
            &rest[..rest.find(|char| !is_part(char)).unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn the_key_opens_what_each_way_to_seal_has_sealed() {
    let (key, recipients) = pair();
    let lines = lines_of(sealing(&["card", "user.ssn", "error"], &recipients), log_values);
    let card = json!({ "number": NUMBER, "months": [12, 29] });
    assert_eq!(value(&key, &lines[0]["card"]), NUMBER);
    assert_eq!((value(&key, &lines[0]["user"]["ssn"]), &lines[0]["user"]["name"]), (json!(NUMBER), &json!("ada")));
    assert_eq!(value(&key, &lines[1]["paid"]), card);
    assert_eq!(value(&key, &lines[2]["card"]), format!("Some({NUMBER:?})"));
    let user: Json = serde_json::from_str(lines[2]["user"].as_str().unwrap()).unwrap();
    assert_eq!(value(&key, &user["ssn"]), json!([NUMBER]));
    assert_eq!((value(&key, &lines[3]["card"]), value(&key, &lines[3]["paid"])), (json!(NUMBER), card));
    assert_eq!(value(&key, &lines[4]["later"]), NUMBER);
    let user: Json = serde_json::from_str(lines[5]["user"].as_str().unwrap()).unwrap();
    assert_eq!(value(&key, &user["ssn"]), NUMBER);
    assert_eq!(value(&key, &lines[6]["card"]), NUMBER);
    let error = value(&key, &lines[7]["error"]["message"]);
    assert_eq!(error, NUMBER);
}

#[test]
fn a_token_binds_name_time_writer_and_event() {
    let (key, recipients) = pair();
    let lines = lines_of(sealing(&["card", "user.ssn"], &recipients), log_values);
    let open = |token: &Json| open_field(&key, token.as_str().unwrap()).unwrap();
    let (card, ssn) = (open(&lines[0]["card"]), open(&lines[0]["user"]["ssn"]));
    assert_eq!((card.name(), ssn.name(), card.time()), ("card", "user.ssn", NOW));
    assert_eq!((card.writer(), card.sequence()), (ssn.writer(), ssn.sequence()));
    let later = open(&lines[3]["card"]);
    assert_eq!((later.writer(), card.sequence(), later.sequence()), (card.writer(), 0, 3));
    assert!(!format!("{card:?}").contains(NUMBER));
}

#[test]
fn equal_values_have_different_texts_in_each_line_also_in_those_of_one_span() {
    let (key, recipients) = pair();
    let text = text_of(sealing(&["card"], &recipients), || {
        info_span!("request", card = NUMBER, paid = spanline::sealed(&7)).in_scope(|| {
            for _ in 0..50 {
                info!(card = NUMBER, "twice");
                info!("inherited");
            }
        });
    })
    .join("\n");
    let tokens = tokens(&text);
    assert_eq!(tokens.len(), 50 * 4);
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), tokens.len());
    assert!(
        tokens.iter().all(|token| [r#""4929-1234-5678""#, "7"].contains(&open_field(&key, token).unwrap().value()))
    );
}

#[test]
fn no_schema_shows_the_value_and_each_of_its_lines_opens() {
    let (key, recipients) = pair();
    let names = spanline::schema::NAMES.into_iter().chain(["colours", "template", "edits"]);
    let mut none: BTreeMap<&str, String> = BTreeMap::new();
    for name in names {
        let memory = Memory::new();
        let output = Output::new(memory.clone());
        let output = match name {
            "colours" => output.schema(Console::new().color(spanline::schema::Color::Always)),
            "template" => output.schema(Template::new("{timestamp} {level} {message} {fields}").unwrap()),
            "edits" => output.edits(Edits::new().rename("paid", "paid_with")),
            name => output.schema(by_name(name).unwrap()),
        };
        let builder = sealing(&["card", "user.ssn", "error"], &recipients).output(output);
        let (layer, guard) = builder.build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), log_values);
        guard.close().unwrap();
        let text = memory.text();
        assert!(!text.contains("4929-1234"), "{name}: {text}");
        assert!(!text.contains("\"sealed\"") && !text.contains("=sealed "), "{name}: {text}");
        let mut opener = LineOpener::new(key.clone());
        let mut opened = 0;
        for line in text.lines() {
            let found = opener.open_line(line.as_bytes());
            let plain = String::from_utf8(found.line).unwrap();
            let moved = found.findings.iter().filter(|finding| !(name == "edits" && finding.contains("paid_with")));
            assert_eq!(moved.count(), 0, "{name}: {:?}\n{line}\n{plain}", found.findings);
            if line.starts_with('{') {
                serde_json::from_str::<Json>(&plain).unwrap_or_else(|error| panic!("{name}: {error}: {plain}"));
            }
            assert_eq!(tokens(&plain).len(), 0, "{name}: {plain}");
            assert!(found.opened == 0 || plain.contains("4929-1234"), "{name}: {plain}");
            opened += found.opened;
        }
        if opened < 10 {
            none.insert(name, text);
        }
    }
    assert!(none.is_empty(), "{none:#?}");
}

#[test]
fn an_output_shows_values_only_if_it_is_set_to() {
    let (_, recipients) = pair();
    let (sealed, clear) = (Memory::new(), Memory::new());
    let builder = sealing(&["card", "user.ssn", "error"], &recipients)
        .output(Output::new(sealed.clone()))
        .output(Output::new(clear.clone()).name("clear").unsealed_fields());
    let (layer, guard) = builder.build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), log_values);
    guard.close().unwrap();
    assert!(!sealed.text().contains("4929-1234"));
    let lines = parsed(&clear);
    assert!(tokens(&clear.text()).is_empty());
    assert_eq!(lines[0]["card"], NUMBER);
    assert_eq!(lines[1]["paid"], json!({ "number": NUMBER, "months": [12, 29] }));
    assert_eq!(lines[4]["later"], NUMBER);
}

/// A writer for `tracing_subscriber::fmt`.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Formats a value that is sealed in several ways, and logs while it does.
struct Nosy<'v>(&'v dyn Fn() -> String);

impl fmt::Debug for Nosy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!(inner = spanline::sealed(NUMBER), "while formatting");
        f.write_str(&(self.0)())
    }
}

/// A structure that only contains a sealed value, so that both are at one place.
#[derive(Debug)]
struct Around<T>(T);

#[test]
fn other_layers_and_other_texts_see_the_word_sealed() {
    let (key, recipients) = pair();
    let (shared, memory) = (Shared::default(), Memory::new());
    let other = shared.clone();
    let fmt = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || other.clone());
    let (layer, guard) = sealing(&["nothing"], &recipients).output(Output::new(memory.clone())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer).with(fmt), || {
        info!(paid = spanline::sealed(&CARD), "beside");
        info!(paid = ?spanline::sealed(&CARD), also = %spanline::sealed(&CARD), "with signs");
        info!("in the message: {} {:?}", spanline::sealed(&CARD), spanline::sealed(&CARD));
        info!(nosy = ?Nosy(&|| format!("{}", spanline::sealed(&CARD))), "nosy");
        info!(around = debug(Around(spanline::sealed(NUMBER))), inside = ?Around(spanline::sealed(NUMBER)), "around");
        info!(two = ?[spanline::sealed(NUMBER), spanline::sealed(NUMBER)], "two");
        info_span!("request", paid = spanline::sealed(&CARD)).in_scope(|| info!("inherited"));
    });
    guard.close().unwrap();
    let (seen, text) = (String::from_utf8(shared.0.lock().unwrap().clone()).unwrap(), memory.text());
    assert!(!seen.contains("4929-1234") && !text.contains("4929-1234"), "{seen}{text}");
    assert!(seen.contains("paid=sealed"), "{seen}");
    let opened: Vec<_> =
        tokens(&text).iter().map(|token| open_field(&key, token).unwrap().value().to_owned()).collect();
    assert!(opened.len() >= 3 && opened.iter().all(|value| value.contains("4929-1234")), "{opened:?}");
}

/// A `Serialize` that fails, panics, or is too long.
struct Bad(&'static str);

impl Serialize for Bad {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error, SerializeSeq};
        let mut seq = serializer.serialize_seq(None)?;
        seq.serialize_element(NUMBER)?;
        match self.0 {
            "fails" => return Err(S::Error::custom("it fails")),
            "panics" => panic!("it panics"),
            "is long" => seq.serialize_element(&"x".repeat(4 << 20))?,
            _ => info!(inner = spanline::json(&[1]), "it logs"),
        }
        seq.serialize_element(NUMBER)?;
        seq.end()
    }
}

#[test]
fn a_value_that_cannot_be_written_whole_is_not_shown_either() {
    let (key, recipients) = pair();
    for bad in ["fails", "panics", "is long", "logs"] {
        let text = text_of(sealing(&[], &recipients), || info!(bad = spanline::sealed(&Bad(bad)), "bad")).join("\n");
        assert!(!text.contains("4929-1234"), "{bad}: {}", &text[..text.len().min(500)]);
        assert_eq!(tokens(&text).iter().filter(|token| open_field(&key, token).is_ok()).count(), 1, "{bad}");
    }
}

#[test]
fn without_recipients_a_value_is_redacted_and_the_log_complains_once() {
    let said = Said::default();
    let lines = lines_of(fixed().on_complaint(said.hook()), || {
        for _ in 0..3 {
            info!(paid = spanline::sealed(&CARD), "no recipients");
        }
    });
    assert!(lines.iter().all(|line| line["paid"] == "<redacted>"), "{lines:?}");
    assert_eq!(said.all().len(), 1, "{:?}", said.all());
    assert!(said.all()[0].contains("Builder::seal_fields"));
    let captured = spanline::testing::capture(|| info!(paid = spanline::sealed(&CARD), "in a test"));
    assert!(!format!("{captured:?}").contains("4929-1234"));
}

#[test]
fn a_value_that_is_redacted_is_not_sealed() {
    let (key, recipients) = pair();
    let said = Said::default();
    let builder = fixed()
        .redact(Redact::new().values())
        .on_complaint(said.hook())
        .seal_fields(["password", "card", "user.ssn"], recipients);
    let lines = lines_of(builder, || {
        info!(password = NUMBER, card = 4_111_111_111_111_111_u64, user = spanline::json(&json!({ "ssn": 1 })), "both");
        info!(
            password = spanline::sealed(NUMBER),
            paid = spanline::sealed(&json!({ "password": NUMBER, "x": 1 })),
            "both"
        );
    });
    assert_eq!((&lines[0]["password"], &lines[1]["password"]), (&json!("<redacted>"), &json!("<redacted>")));
    assert_eq!(lines[0]["user"]["ssn"], "<redacted>");
    assert_eq!(lines[0]["card"], "<redacted>");
    assert_eq!(value(&key, &lines[1]["paid"]), json!({ "password": "<redacted>", "x": 1 }));
    let told = said.all();
    assert!(told.len() == 1 && told[0].contains("`password`, `user.ssn` cannot be sealed"), "{told:?}");
}

#[test]
fn names_match_as_in_redaction() {
    let (key, recipients) = pair();
    let deep = json!({ "a": [{ "user": { "SSN": 1, "ssn_count": 2 } }], "card": null, "oldCard": true, "cards": 3 });
    let lines = lines_of(sealing(&["card", "user.ssn", "*_iban"], &recipients), || {
        info!(
            r#type = 1,
            Card = 1.5,
            old_card = true,
            cards = 2,
            home_iban = 3_u128,
            deep = spanline::json(&deep),
            "names"
        );
        info!(user.ssn = 7, user_ssn = 8, ssn = 9, "paths");
    });
    let line = &lines[0];
    assert_eq!((&line["type"], &line["cards"]), (&json!(1), &json!(2)));
    assert_eq!(value(&key, &line["Card"]), 1.5);
    assert_eq!((value(&key, &line["old_card"]), value(&key, &line["home_iban"])), (json!(true), json!(3)));
    let deep = &line["deep"];
    assert_eq!((value(&key, &deep["a"][0]["user"]["SSN"]), &deep["a"][0]["user"]["ssn_count"]), (json!(1), &json!(2)));
    assert_eq!(
        (value(&key, &deep["card"]), value(&key, &deep["oldCard"]), &deep["cards"]),
        (json!(null), json!(true), &json!(3))
    );
    let name = open_field(&key, deep["a"][0]["user"]["SSN"].as_str().unwrap()).unwrap().name().to_owned();
    assert_eq!(name, "deep.a.user.SSN");
    assert_eq!((value(&key, &lines[1]["user.ssn"]), value(&key, &lines[1]["user_ssn"])), (json!(7), json!(8)));
    assert_eq!(lines[1]["ssn"], 9);
}

#[test]
fn filters_see_tokens_and_neither_repeats_nor_panics_show_values() {
    let (_, recipients) = pair();
    let memory = Memory::new();
    let output = Output::new(memory.clone()).deduplicate().record_filter(|record| {
        let seen =
            format!("{:?}{:?}{:?}", record.fields().collect::<Vec<_>>(), record.context(), record.lookup("card"));
        assert!(!seen.contains("4929-1234"), "{seen}");
        true
    });
    let (layer, guard) = sealing(&["card", "user.ssn", "error"], &recipients).output(output).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        info_span!("request", card = NUMBER).in_scope(|| {
            for _ in 0..5 {
                info!(card = NUMBER, paid = spanline::sealed(&CARD), "again and again");
            }
        });
        log_values();
    });
    guard.close().unwrap();
    let text = memory.text();
    assert!(text.contains("\"suppressed\":4") && !text.contains("panicked") && !text.contains("4929-1234"), "{text}");
}

#[test]
fn lines_that_were_held_back_or_suppressed_show_no_values() {
    let (key, recipients) = pair();
    let builder = sealing(&["card", "user.ssn", "error"], &recipients)
        .filter("info")
        .flight_recorder(FlightRecorder::new("trace"))
        .rate_limit(2, std::time::Duration::from_secs(60));
    let text = text_of(builder, || {
        info_span!("request", request_id = 1, card = NUMBER).in_scope(|| {
            tracing::debug!(card = NUMBER, paid = spanline::sealed(&CARD), "held back");
            (0..5).for_each(|_| info!(card = NUMBER, "suppressed"));
            log_values();
        });
    })
    .join("\n");
    assert!(text.contains("held back") && text.contains("\"suppressed\":3") && !text.contains("4929-1234"), "{text}");
    assert!(tokens(&text).iter().all(|token| open_field(&key, token).unwrap().value().contains("4929-1234")));
}

/// The schemas of these sinks cannot be chosen.
#[cfg(all(feature = "sqlite", feature = "syslog"))]
#[test]
fn neither_columns_of_a_database_nor_structured_data_show_values() {
    let (key, recipients) = pair();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(crate::support::wait::PATIENCE)).unwrap();
    let syslog = spanline::sink::Syslog::udp(socket.local_addr().unwrap().to_string());
    let builder = sealing(&["card", "user.ssn", "error"], &recipients)
        .output(Output::new(spanline::sink::Sqlite::new(&path)))
        .output(Output::new(syslog));
    let (layer, guard) = builder.build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), log_values);
    guard.close().unwrap();
    let mut written = Vec::new();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        written.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let mut opener = LineOpener::new(key);
    let mut packet = vec![0; 1 << 16];
    for _ in 0..8 {
        let bytes = socket.recv(&mut packet).unwrap();
        let line = &packet[..bytes];
        written.extend_from_slice(line);
        let opened = opener.open_line(line);
        let plain = String::from_utf8_lossy(&opened.line);
        assert!(opened.findings.is_empty() && opened.opened > 0, "{:?}: {plain}", opened.findings);
        assert!(plain.contains("4929-1234"), "{plain}");
    }
    let text = String::from_utf8_lossy(&written);
    assert!(!text.contains("4929-1234") && text.matches("sealed:v1:").count() > 20);
}

#[test]
fn a_static_field_cannot_be_sealed() {
    let (_, recipients) = pair();
    let build = |builder: Builder| builder.output(Output::new(Memory::new())).build::<tracing_subscriber::Registry>();
    let error = build(sealing(&["card"], &recipients).static_field("card", NUMBER)).map(drop).unwrap_err();
    assert!(error.to_string().contains("seal_fields") && !error.to_string().contains(NUMBER), "{error}");
    let (_layer, guard) = build(sealing(&["card"], &recipients)).unwrap();
    let error = guard.handle().set_static_field("card", NUMBER).unwrap_err();
    assert!(error.to_string().contains("seal_fields") && !error.to_string().contains(NUMBER), "{error}");
}

#[test]
fn a_route_gets_no_sealed_value_and_no_token() {
    let (_, recipients) = pair();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let route = spanline::sink::Route::by_field("card", move |name| {
        spanline::RollingFile::new(path.join(format!("{name}.log")))
    });
    let (layer, guard) = sealing(&["card"], &recipients).output(Output::new(route)).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || (0..5).for_each(|_| info!(card = NUMBER, "routed")));
    guard.close().unwrap();
    let names = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".log")).collect();
    assert!(names.len() == 1 && !names[0].contains("4929-1234") && !names[0].contains("v1"), "{names:?}");
}

#[cfg(feature = "config")]
#[test]
fn the_configuration_seals_fields() {
    let (file, recipient) = Key::generate();
    let key = Key::parse(&*file).unwrap();
    let text = format!("[seal_fields]\nnames = [\"card\"]\nrecipients = [\"{recipient}\"]\n");
    let lines = lines_of(Builder::from_toml(&text), || info!(card = NUMBER, "configured"));
    assert_eq!(value(&key, &lines[0]["card"]), NUMBER);
    let build = |text: &str| {
        let builder = Builder::from_toml(text).output(Output::new(Memory::new()));
        builder.build::<tracing_subscriber::Registry>().map(drop).unwrap_err().to_string()
    };
    let error = build("[seal_fields]\nnames = [\"card\"]\n");
    assert!(error.contains("seal_fields.recipients") && error.contains("missing"), "{error}");
    let secret = file.lines().last().unwrap();
    let error = build(&format!("[seal_fields]\nrecipients = [\"{secret}\"]\n"));
    assert!(error.contains("found a secret key") && !error.contains(secret), "{error}");
}
