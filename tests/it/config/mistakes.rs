//! Mistakes in a configuration: all at once, each with its place and what was meant.

use proptest::prelude::*;
use spanline::{Builder, Error};
use tracing_subscriber::Registry;
#[cfg(feature = "time-zones")]
use tracing_subscriber::layer::SubscriberExt;

/// The error of a builder that must not start.
#[track_caller]
fn refused(builder: Builder) -> Error {
    builder.build::<Registry>().err().expect("the configuration is refused")
}

const ZONES: bool = cfg!(feature = "time-zones");

/// Mistakes, each with its text.
const MISTAKES: &[(&str, &str)] = &[
    ("fliter = 'info'", "1:1: fliter: unknown key `fliter`; did you mean `filter`?"),
    ("filter = 'inof'", "1:10: filter: "),
    ("filter = 3", "1:10: filter: found a number; expected a filter"),
    ("service = ['a']", "1:11: service: found a list; expected a text"),
    ("max_line_bytes = '1 MeB'", "1:18: max_line_bytes: `1 MeB` is not a size; did you mean `1 MiB`?"),
    ("max_line_bytes = -1", "1:18: max_line_bytes: -1 is negative"),
    ("log = 'yes'", "1:7: log: found a text; expected true or false"),
    ("id_seed = -1", "1:11: id_seed: -1 is out of range"),
    ("backtrace = 'eror'", "1:13: backtrace: unknown backtrace `eror`; did you mean `error`?"),
    ("filter_variable = true", "1:19: filter_variable: found true; expected the name of a variable, or false"),
    ("output = 1", "1:10: output: found a number; expected a table of tables"),
    ("output.a = 1", "1:12: output.a: found a number; expected a table"),
    ("output.a.queue_bytes = 1", "output.a.sink: `sink` is missing"),
    ("output.a.sink = 'stdot'", "1:17: output.a.sink: unknown sink `stdot`; did you mean `stdout`?"),
    ("output.a.sink = 'file'", "output.a.sink: the sink `file` needs more; expected `{ file = … }`"),
    (
        "output.a.sink = { fiel = 'x' }",
        "output.a.sink: the table names no sink; did you mean `file`? Expected one of these keys: stdout",
    ),
    ("output.a.sink = { file = 'x', tcp = 'y' }", "output.a.sink: the table names `file` and `tcp`; expected one sink"),
    (
        "output.a.sink = { file = 'x', keep_file = 1 }",
        "1:31: output.a.sink.keep_file: unknown key `keep_file`; did you mean `keep_files`?",
    ),
    (
        "output.a.sink = { file = 'x', rotate = 'dayly' }",
        "output.a.sink.rotate: unknown period `dayly`; did you mean `daily`?",
    ),
    (
        "output.a.sink = { file = 'x', keep_for = 7 }",
        "output.a.sink.keep_for: 7 has no unit; expected numbers with units",
    ),
    ("output.a.sink = { file = 'x', keep_for = '7 dasy' }", "`7 dasy` is no duration; did you mean `7 day`?"),
    ("output.a.sink = { file = 'x', file_mode = 'rw' }", "output.a.sink.file_mode: `rw` is no mode"),
    (
        "output.a.sink = { file = 'x', compress = 'zip' }",
        "output.a.sink.compress: unknown compress `zip`; did you mean `gzip`?",
    ),
    ("output.a.sink = { route = 'tenant', path = 'x.log' }", "output.a.sink.path: has no `{value}`"),
    ("output.a = { sink = 'stdout', schema = 'esc' }", "output.a.schema: unknown schema `esc`; did you mean `ecs`?"),
    ("output.a = { sink = 'stdout', schema = 'json' }", "output.a.schema: unknown schema `json`; did you mean `flat`?"),
    (
        "output.a = { sink = 'stdout', schema = { name = 'flat', tread_id = true } }",
        "unknown key `tread_id`; did you mean `thread_id`?",
    ),
    ("output.a = { sink = 'stdout', schema = { template = '{tme}' } }", "output.a.schema.template: "),
    (
        "output.a = { sink = 'stdout', schema = { name = 'ecs', time = 'milis' } }",
        "output.a.schema.time: unknown time format `milis`; did you mean `millis`?",
    ),
    (
        "output.a = { sink = 'stdout', schema = { name = 'ecs', time = 'millis Mars' } }",
        if ZONES { "unknown time zone `Mars`; expected" } else { "the zone `Mars` needs the feature `time-zones`" },
    ),
    (
        "output.a = { sink = 'stdout', schema = { name = 'console', palette = { error = 'redd' } } }",
        "output.a.schema.palette.error: unknown style `redd`; did you mean `red`?",
    ),
    (
        "output.a = { sink = 'stdout', overflow = 'drop' }",
        "output.a.overflow: unknown overflow `drop`; did you mean `drop_newest`?",
    ),
    ("output.a = { sink = 'stdout', overflow = { block = '5' } }", "output.a.overflow: `5` is no duration"),
    (
        "output.a = { sink = 'stdout', durability = 'always' }",
        "output.a.durability: found \"always\"; expected `never`",
    ),
    (
        "output.a = { sink = 'stdout', durability = { at_level = 'warning' } }",
        "unknown level `warning`; did you mean `warn`?",
    ),
    (
        "output.a = { sink = 'stdout', below = 'warning' }",
        "output.a.below: unknown below `warning`; did you mean `warn`?",
    ),
    (
        "static_fields.a = '${NO_SUCH_VARIABLE_OF_SPANLINE}'",
        "static_fields.a: the variable NO_SUCH_VARIABLE_OF_SPANLINE is not set",
    ),
    ("static_fields.a = '${'", "static_fields.a: `${` without `}`"),
    ("static_fields.a = []", "static_fields.a: found a list; expected a text, a number, true or false"),
    ("sampling = 1", "1:12: sampling: found a number; expected a list of tables"),
    ("rate_limit = { lines = 0, period = '1 s' }", "rate_limit: allows no line"),
    ("rate_limit = { lines = 1 }", "rate_limit.period: `period` is missing; expected a duration"),
    ("sampling = [{ burst = 1 }]", "sampling[0]: expected either `one_in`, or `burst` and `every`"),
    ("sampling = [{ one_in = 1 }]", "sampling[0]: sampling keeps one in 1; expected 2 or more"),
    ("flight_recorder = {}", "flight_recorder.filter: `filter` is missing"),
    (
        "output.a.sink = { file = 'x', keep_files = 7 }",
        "1:17: output.a.sink: open x: keep_files is set but rotation is not",
    ),
    (
        "output.a.sink = { file = 'x', numbered = true, rotate = 'daily' }",
        "output.a.sink: open x: numbered needs keep_files",
    ),
    ("output.a.sink = { file = 'x', file_mode = '777' }", "output.a.sink: open x: file_mode is 0777"),
    ("output.a.sink = { route = 't', path = '{value}', open_files = 0 }", "output.a.sink: open_files is 0"),
    (
        "output.a.sink = { spool = 'x', sink = 'stdout', max_bytes = 1 }",
        "output.a.sink: max_bytes is 1 B; expected 1 MiB",
    ),
    (
        "output.a.sink = { spool = 'x', sink = { file = 'x', lasy = true } }",
        "output.a.sink.sink.lasy: unknown key `lasy`; did you mean `lazy`?",
    ),
    ("output.a.sink = { syslog = 'upd://host' }", "output.a.sink.syslog: `upd://host` is no server; expected `local`"),
    ("output.a.sink = { syslog = 'local', element = 'a b' }", "output.a.sink: the element is called"),
    ("output.a.sink = { http = 'ftp://host' }", "output.a.sink: "),
    (
        "output.a.sink = { http = 'https://host', headers = { 'a b' = 'c' } }",
        "output.a.sink: \"a…\" is no name of a header",
    ),
    ("output.a.sink = { sqlite = 'x', columns = ['tme'] }", "output.a.sink: "),
    ("output.a.sink = { postgres = 'mysql://host' }", "output.a.sink: "),
    (
        "output.a = { sink = 'stdout', queue_bytes = '1 B' }",
        "1:45: output.a.queue_bytes: queue_bytes is 1 B; expected 4 KiB",
    ),
    ("output.a = { sink = 'stdout', below = 'warn', filter = 'warn' }", "output.a.below: no event passes"),
    ("output.a = { sink = 'stdout', synchronous = '0 s' }", "output.a.synchronous: synchronous is zero"),
    ("output = { a = { sink = { file = 'x' } }, b = { sink = { file = './x' } } }", "output: two outputs write to ./x"),
    ("max_line_bytes = 1", "1:18: max_line_bytes: max_line_bytes is 1 B; expected 256 B"),
    ("static_fields.timestamp = 1", "static_fields: "),
    (
        "rate_limit = { lines = 1, period = '1 s' }\nsampling = [{ one_in = 2 }]",
        "1:14: rate_limit: rate_limit and sampling both",
    ),
    (
        "flight_recorder = { filter = 'debug', memory_bytes = 1 }",
        "flight_recorder: FlightRecorder::memory_bytes is 1 B",
    ),
    ("flush_on_sighup = true\nreopen_on_sighup = true", "2:20: reopen_on_sighup: SIGHUP cannot both"),
    (
        "output.a.sink = { file = 'x', rotate = 'daily at 03:00 Mars/Phobos' }",
        if ZONES {
            "output.a.sink.rotate: unknown time zone `Mars/Phobos`; expected the name of a zone"
        } else {
            "build it with that feature, or set the variable TZ to it, and write `daily at 03:00 local`"
        },
    ),
    (
        "output.a.sink = { file = 'x', rotate = '03:00 Berlin' }",
        if ZONES {
            "1:40: output.a.sink.rotate: unknown time zone `Berlin`; did you mean `Europe/Berlin`?"
        } else {
            "1:40: output.a.sink.rotate: the zone `Berlin` needs the feature `time-zones`"
        },
    ),
    (
        "output.a.sink = { file = 'x', rotate = 'daily', time_zone = 'Europe/Berln' }",
        if ZONES {
            "output.a.sink.time_zone: unknown time zone `Europe/Berln`; did you mean `Europe/Berlin`?"
        } else {
            "output.a.sink.time_zone: the zone `Europe/Berln` needs the feature `time-zones`"
        },
    ),
    ("env.default.unset = 'filter'", "1:21: env.default.unset: found a text; expected a list of keys"),
    ("env.default.unset = [1]", "1:22: env.default.unset: found a number; expected a key with those around it"),
    (
        "filter = 'info'\nenv.default.unset = ['fliter']",
        "2:22: env.default.unset: `fliter` is not set outside the environments, so it cannot be unset; did you mean \
         `filter`?",
    ),
    ("env.default.unset = ['a = 1, b']", "env.default.unset: `a = 1, b` is no key; expected a key"),
    ("env.default = { filter = 'info', unset = ['filter'] }", "`filter` is not set outside the environments"),
    ("unset = ['filter']", "1:1: unset: unknown key `unset`"),
    ("env = 1", "1:7: env: found a number; expected a table for each environment"),
    ("env.prod = 1", "env.prod: found a number; expected a table of settings"),
    ("env.prod.env.prod = {}", "env.prod: an environment has no environments"),
    ("a = 9999999999999999999", "the number 9999999999999999999 is too large"),
];

#[test]
fn each_mistake_is_named_with_its_place_and_what_was_meant() {
    for (text, expected) in MISTAKES {
        let error = refused(Builder::from_toml(*text));
        let message = error.to_string();
        assert!(error.is_invalid() && message.contains(expected), "{text}\n{message}\nexpected {expected}");
        assert!(message.contains("configuration:"), "{text}\n{message}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once_in_its_order() {
    let text = "
fliter = 'info'
max_line_bytes = 'x'

[output.file]
sink = { file = 'app.log', keep_for = '1 parsec', compres = 'gzip' }
schema = 'esc'
overflow = 'never'

[output.other]
sink = 'stdot'
queue_bytes = true
";
    let message = refused(Builder::from_toml(text)).to_string();
    let lines: Vec<&str> = message.lines().collect();
    let keys = [
        ":2:1: fliter: ",
        ":3:18: max_line_bytes: ",
        ":6:39: output.file.sink.keep_for: ",
        ":6:51: output.file.sink.compres: ",
        ":7:10: output.file.schema: ",
        ":8:12: output.file.overflow: ",
        ":11:8: output.other.sink: ",
        ":12:15: output.other.queue_bytes: ",
    ];
    assert_eq!(lines[0], format!("configuration has {} mistakes:", keys.len()), "{message}");
    for (line, key) in lines[1..].iter().zip(keys) {
        assert!(line.starts_with(&format!("configuration{key}")), "{line}\nexpected {key}");
    }
    assert_eq!(lines.len(), keys.len() + 1);
}

#[test]
fn a_time_of_day_can_have_a_zone() {
    let named = ["03:00 Europe/Berlin", "daily at 03:00 Europe/Berlin", "weekly on monday Asia/Tokyo", "daily EST"];
    let named = if ZONES { &named[..] } else { &[] };
    let words = ["daily at 03:00 local", "daily at 03:00 UTC", "weekly on monday local", "03:00"];
    for rotate in words.iter().chain(named) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let text = format!("output.a.sink = {{ file = '{}', rotate = '{rotate}' }}", path.display());
        let (_layer, guard) = Builder::from_toml(text).build::<Registry>().unwrap();
        guard.close().unwrap();
    }
}

#[cfg(feature = "time-zones")]
#[test]
fn files_and_lines_can_have_a_named_zone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let file = path.display();
    for sink in ["rotate = 'daily', time_zone = 'Europe/Berlin'", "rotate = 'hourly Europe/Berlin'"] {
        for schema in
            ["{ name = 'flat', time = 'millis Asia/Tokyo' }", "{ template = '{time:%:z}', time_zone = 'Asia/Tokyo' }"]
        {
            let text = format!("output.a = {{ sink = {{ file = '{file}', {sink} }}, schema = {schema} }}");
            let (layer, guard) = Builder::from_toml(text).build::<Registry>().unwrap();
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || tracing::info!("a line"));
            guard.close().unwrap();
        }
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() == 4 && text.lines().all(|line| line.contains("+09:00")), "{text}");
    // The zone is set once.
    for twice in ["rotate = 'daily UTC', time_zone = 'UTC'", "rotate = 'daily', local_time = true, time_zone = 'UTC'"] {
        let message = refused(Builder::from_toml(format!("output.a.sink = {{ file = 'x', {twice} }}"))).to_string();
        assert!(message.contains("output.a.sink.time_zone: another key sets the zone too"), "{message}");
    }
}

#[test]
fn a_mistake_of_syntax_is_named_with_its_place() {
    let message = refused(Builder::from_toml("a = \n[b\nc = 'x'\nd = = 2\n")).to_string();
    assert!(message.contains("configuration:1:") && message.contains("configuration:4:"), "{message}");
    let json = "{\n  \"service\": \"orders\",\n  \"filter\": \"info\"\n  \"log\": true\n}";
    let message = refused(Builder::from_json(json)).to_string();
    assert!(message.starts_with("configuration:4:3: no JSON: expected `,` or `}`"), "{message}");
    for (text, expected) in [
        ("[]", "configuration:1:1: found a list; expected an object"),
        ("{\"a\": null}", "configuration:1:7: found null; remove the key instead"),
        ("{\"log\": true, \"log\": true}", "log: occurs twice"),
        ("", "configuration:1:1: no JSON: EOF"),
    ] {
        let message = refused(Builder::from_json(text)).to_string();
        assert!(message.contains(expected), "{text}\n{message}");
    }
}

#[test]
fn json_mistakes_have_places_too() {
    let text = "{\n  \"fliter\": \"info\",\n  \"output\": { \"a\": { \"sink\": { \"file\": \"x\", \"keep_files\": \"é\" } } }\n}";
    let message = refused(Builder::from_json(text)).to_string();
    assert!(message.contains("configuration:2:13: fliter: unknown key"), "{message}");
    assert!(message.contains("configuration:3:59: output.a.sink.keep_files: found a text"), "{message}");
}

#[test]
fn deep_and_large_texts_are_refused_and_do_no_harm() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(300_000), "]".repeat(300_000));
    assert!(refused(Builder::from_json(deep)).to_string().contains("nested too deeply"));
    let deep = format!("a = {}1{}", "[".repeat(300_000), "]".repeat(300_000));
    assert!(refused(Builder::from_toml(deep)).is_invalid());
    let many = format!("sampling = [{}]", "{},".repeat(200_000));
    assert!(refused(Builder::from_toml(many)).to_string().starts_with("configuration has more than 100 mistakes"));
    let many: String = (0..20_000).map(|number| format!("output.o{number}.sink = 'stdout'\n")).collect();
    assert!(refused(Builder::from_toml(many)).to_string().contains("output: 20000 outputs; expected at most 64"));
    let many: String = (0..20_000).map(|number| format!("key_{number} = 1\n")).collect();
    let message = refused(Builder::from_toml(many)).to_string();
    assert!(
        message.ends_with("\nand more") && message.starts_with("configuration has more than 100 mistakes"),
        "{}",
        message.len()
    );
}

#[test]
fn promise_44_a_secret_in_a_mistake_is_not_repeated() {
    let texts = [
        "output.a.sink = { datadog = 'https://a', api_key = 'hunter2' }",
        "output.a.sink = { datadog = 'https://a', api_key = { text = 'hunter2' } }",
        "output.a.sink = { http = 'https://a', bearer = ['hunter2'] }",
        "output.a.sink = { http = 'https://a', secret_headers = { X-Key = 'hunter2' } }",
        "output.a.sink = { postgres = 'postgres://a', password = 'hunter2' }",
    ];
    for text in texts {
        let message = format!("{:#}", refused(Builder::from_toml(text)));
        assert!(!message.contains("hunter2") && message.contains("{ env = \"NAME\" }"), "{message}");
    }
}

/// Pieces that a text of a configuration is made of.
fn piece() -> impl Strategy<Value = String> {
    const WORDS: [&str; 39] = [
        "filter",
        "output",
        "sink",
        "file",
        "schema",
        "env",
        "a",
        "=",
        ".",
        "[",
        "]",
        "[[",
        "{",
        "}",
        ",",
        "\n",
        "\"",
        "'",
        "'info'",
        "1",
        "-1",
        "1.5",
        "true",
        "'x'",
        "static_fields",
        "'${A}'",
        "prod",
        "'stdout'",
        "#",
        "sampling",
        "redact",
        "'''",
        "0x1F",
        "1979-05-27",
        "inf",
        "\\u00e9",
        "é",
        ":",
        "null",
    ];
    prop_oneof![8 => proptest::sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// `sink = 'file'` cannot be reached with a path, so nothing is written.
    #[test]
    fn any_text_is_read_or_refused(pieces in proptest::collection::vec(piece(), 0..30)) {
        let text = pieces.join(" ");
        for builder in [Builder::from_toml(&text), Builder::from_json(&text)] {
            // A sink that opens a file or a socket would be an effect of the test.
            let builder = builder.register_sink("file", |_| Err(Error::invalid("not here")));
            if let Err(error) = builder.environment("prod").build::<Registry>() {
                prop_assert!(error.is_invalid(), "{error}");
            }
        }
    }
}
