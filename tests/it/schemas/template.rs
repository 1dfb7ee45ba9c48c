//! `Template`: what its braces take, what it refuses, and the formats that users bring along.

use proptest::prelude::*;
use spanline::schema::{Color, Edits, LevelFormat, Template};
use tracing::{Level, error, info, info_span, warn};

use super::{lines_by, output_lines};
use crate::support::any::with_given;
use crate::support::stage::Site;
use crate::text::safe_lines::{expected, fields, text};

fn template(text: &str) -> Template {
    Template::new(text).unwrap().utc().color(Color::Never)
}

fn colored(text: &str) -> Template {
    template(text).color(Color::Always)
}

/// The event of the documentation.
fn order_loaded() {
    info_span!("request", request_id = "r-1", method = "GET").in_scope(|| {
        let site = Site::placed("orders", Level::INFO, &["message", "user_id"], "src/main.rs", 42);
        site.log(&[Some(&"order loaded"), Some(&42)]);
    });
}

/// The line of that event.
fn line(text: &str) -> String {
    line_of(template(text))
}

fn line_of(template: Template) -> String {
    let lines = lines_by(template, order_loaded);
    lines.join("\n")
}

fn refused(text: &str) -> String {
    let error = Template::new(text).unwrap_err();
    assert!(error.is_invalid());
    error.to_string()
}

#[test]
fn parts_are_named_between_braces() {
    assert_eq!(
        line("{time:%Y-%m-%d %H:%M:%S,%3f} | {level:<8} | [{file}:{line}] | {target}.{function} | {message} {fields}"),
        "2026-11-20 10:15:38,123 | INFO     | [src/main.rs:42] | orders.request | order loaded \
         user_id=42 method=GET request_id=r-1 version=1.2.3 env=test"
    );
    assert_eq!(line("{{{level}}} {service} {spans} {env}"), "{INFO} orders request test");
    assert_eq!(line("{message}\n\t{user_id}"), "order loaded\n\t42");
    let ids = line("{trace_id}/{span_id}");
    assert!(ids.len() == 49 && ids.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'/'), "{ids}");
    assert_eq!(line_of(template("{process}").process_name("orders-web")), "orders-web");
    assert!(std::env::args().next().unwrap().contains(&line("{process}")));
    assert_eq!(line("{pid}"), std::process::id().to_string());
    assert_eq!(line_of(template("{level}").level(LevelFormat::Python)), "20");
    assert_eq!(line_of(template("[{level:<5}]").level(LevelFormat::Lower)), "[info ]");
}

#[test]
fn times_have_the_formats_of_chrono_in_any_zone() {
    assert_eq!(line("{time:%d/%b/%Y:%H:%M:%S %z}"), "20/Nov/2026:10:15:38 +0000");
    assert_eq!(line("{time:%H:%M:%S%.6f} {time:%s}"), "10:15:38.123456 1795169738");
    assert_eq!(line("{time}"), "2026-11-20 10:15:38.123");
    assert_eq!(line_of(template("{time:%H:%M %:z}").offset_minutes(330).unwrap()), "15:45 +05:30");
    assert!(template("{time}").offset_minutes(1440).is_err());
}

#[cfg(feature = "time-zones")]
#[test]
fn times_are_those_of_a_named_zone() {
    assert_eq!(
        line_of(template("{time:%d %H:%M %:z %Z}").time_zone("America/New_York").unwrap()),
        "20 05:15 -05:00 EST"
    );
    let error = template("{time}").time_zone("America/NewYork").unwrap_err().to_string();
    assert!(error.contains("did you mean `America/New_York`?"), "{error}");
    let format = spanline::schema::Rfc3339::millis();
    let flat = spanline::schema::Flat::new().time(format.time_zone("Europe/Berlin").unwrap());
    let text = lines_by(flat, order_loaded).join("");
    assert!(text.contains("\"timestamp\":\"2026-11-20T11:15:38.123+01:00\""), "{text}");
    assert!(format.time_zone("Mars").unwrap_err().to_string().contains("unknown time zone `Mars`"));
}

#[test]
fn values_are_padded_aligned_and_cut() {
    for (text, expected) in [
        ("[{level:<8}]", "[INFO    ]"),
        ("[{level:8}]", "[INFO    ]"),
        ("[{level:>8}]", "[    INFO]"),
        ("[{level:^7}]", "[ INFO  ]"),
        ("[{level:*^7}]", "[*INFO**]"),
        ("[{level: <6}]", "[INFO  ]"),
        ("[{level:.2}]", "[IN]"),
        ("[{message:>8.5}]", "[   order]"),
        ("[{line:5}]", "[   42]"),
        ("[{line:05}]", "[00042]"),
        ("[{user_id:<5}]", "[42   ]"),
        ("[{user_id:5}]", "[   42]"),
        ("[{absent:5}]", "[     ]"),
        ("[{:<20}{file}:{line}{/}]", "[src/main.rs:42      ]"),
        ("[{:>6.3}{level}{/}]", "[   INF]"),
    ] {
        assert_eq!(line(text), expected, "{text}");
    }
    let lines = lines_by(template("[{message:<4}] [{trace_id:>3}] [{function:^3}]"), || info!("ä€"));
    assert_eq!(lines, ["[ä€  ] [   ] [   ]"], "characters are counted, and a line without a context is aligned too");
}

#[test]
fn a_line_without_a_value_has_the_default() {
    assert_eq!(line("[{request_id:-NO_REQUEST}]"), "[r-1]");
    let lines = lines_by(
        template("{request_id:-NO_REQUEST} [{user_id:>6:-none}] {function:-?} {error:-no error} {trace_id:-no trace}"),
        || info!("x"),
    );
    assert_eq!(lines, ["NO_REQUEST [  none] ? no error no trace"]);
}

#[test]
fn a_group_is_in_the_line_if_the_line_has_what_it_asks_for() {
    let text = "{?request_id}[{request_id}] {/}{?error}failed: {error}{?user_id} for {user_id}{/} {/}{message}";
    let lines = lines_by(template(text), || {
        info!("a");
        info!(user_id = 1, "b");
        info_span!("request", request_id = "r-1").in_scope(|| {
            info!("c");
            error!(error = "timeout", "d");
            error!(error = "timeout", user_id = 7, "e");
        });
    });
    assert_eq!(lines, ["a", "b", "[r-1] c", "[r-1] failed: timeout d", "[r-1] failed: timeout for 7 e"]);
}

#[test]
fn styles_are_in_the_line_only_if_it_is_coloured() {
    let text = "{level:<6|level}{message|bold red} {|dim}[{file}:{line|cyan}]{/} {?user_id|green}u={user_id}{/}";
    assert_eq!(line(text), "INFO  order loaded [src/main.rs:42] u=42");
    assert_eq!(
        line_of(colored(text)),
        "\x1b[32mINFO  \x1b[0m\x1b[1;31morder loaded\x1b[0m \
         \x1b[2m[src/main.rs:\x1b[36m42\x1b[0m\x1b[2m]\x1b[0m \x1b[32mu=42\x1b[0m"
    );
    let lines = lines_by(colored("{message|level}"), || {
        info!("a");
        warn!("b");
    });
    assert_eq!(lines, ["\x1b[32ma\x1b[0m", "\x1b[33mb\x1b[0m"]);
    assert_eq!(line_of(colored("{:<6}{level|level}{/}|")), "\x1b[32mINFO\x1b[0m  |", "styles have no width");
    assert_eq!(line_of(colored("{:.2}{level|level}{/}|")), "\x1b[32mIN\x1b[0m|", "and are not cut");
}

#[test]
fn fields_are_those_that_the_template_does_not_name() {
    let rest = "method=GET request_id=r-1 version=1.2.3 env=test";
    assert_eq!(line("{user_id} {fields}"), format!("42 message=\"order loaded\" {rest}"));
    assert_eq!(line("{fields}"), format!("message=\"order loaded\" user_id=42 {rest}"));
    assert_eq!(line("{message} [{fields}]"), format!("order loaded [user_id=42 {rest}]"));
    assert_eq!(line("{message}{fields}"), format!("order loaded user_id=42 {rest}"));
    assert_eq!(line("{message}{?absent} {user_id}{/} {fields}"), format!("order loaded user_id=42 {rest}"));
    let named = "{method}{request_id}{version}{env}{user_id}";
    assert_eq!(line(&format!("{named}{{message}} {{fields}}")), "GETr-11.2.3test42order loaded", "no space at the end");
    assert_eq!(line(&format!("{named}{{message}} [{{fields}}]")), "GETr-11.2.3test42order loaded []");
}

#[test]
fn a_field_called_like_something_else_is_not_lost() {
    let log = || {
        info_span!("s", message = "span's", error = "span's").in_scope(|| {
            info!(line = 7, held_back = "mine", trace_id = "theirs", error = "own", "a b");
        });
    };
    let fields = "error=own line=7 fields.trace_id=theirs held_back=mine \
                  fields.message=span's fields.error=span's version=1.2.3 env=test";
    let lines = lines_by(template("{.line} {message} {fields}"), log);
    assert_eq!(lines[0], format!("7 a b {}", fields.replace("line=7 ", "")));
    let lines = lines_by(template("{line:.0}{message} {fields}"), log);
    assert_eq!(lines[0], format!("a b {fields}"));
}

#[test]
fn the_message_is_never_empty() {
    let lines = lines_by(template("{message}|{message:>8}"), || {
        info!(error = "timeout", "");
        info!(target: "orders", user_id = 1);
    });
    assert!(lines[0] == "timeout| timeout" && !lines[1].starts_with('|'), "{lines:?}");
}

#[test]
fn an_edit_removes_a_field_from_the_whole_line() {
    let edits = Edits::new().remove("method").rename("user_id", "uid").insert("type", "app");
    let lines = |text: &str| output_lines(|output| output.schema(template(text)).edits(edits.clone()), order_loaded);
    assert_eq!(
        lines("{method:-none} {message} {fields}"),
        ["none order loaded uid=42 type=app request_id=r-1 version=1.2.3 env=test"]
    );
    assert_eq!(lines("{message}"), ["order loaded type=app"]);
}

#[test]
fn a_mistake_is_an_error_with_its_column_and_advice() {
    for (text, column, advice) in [
        ("{time} {levels}", 9, "did you mean `level`?"),
        ("é {levelname}", 4, "did you mean `level`?"),
        ("{asctime}", 2, "did you mean `time`?"),
        ("{lineno}", 2, "did you mean `line`?"),
        ("{?messages}x{/}", 3, "did you mean `message`?"),
        ("{levels}", 2, "a field of this name is `{.levels}`"),
        ("{time:%H:%Q}", 10, "`%Q`"),
        ("{time:%H:%", 1, "write `}`"),
        ("{level {message}", 1, "write `}`"),
        ("level}", 6, "write `}}`"),
        ("{}", 2, "{message}"),
        ("{ level}", 2, "without spaces"),
        ("{level:<}", 8, "no width"),
        ("{level:<x}", 8, "no width"),
        ("{level:9999}", 8, "1000"),
        ("{level:99999999999999999999999}", 8, "1000"),
        ("{level|gren}", 8, "did you mean `green`?"),
        ("{level|}", 8, "bold red"),
        ("{message}{/}", 10, "ends nothing"),
        ("x{?error}y", 3, "write `{/}`"),
        ("{?error:-x}y{/}", 8, "no default"),
        ("{fields} {fields}", 11, "twice"),
        ("{fields:<8}", 2, "no width"),
        ("{?error}{fields}{/}", 10, "outside"),
        ("{:<9}{|dim}{fields}{/}{/}", 13, "outside"),
        ("a\u{1b}[31m", 2, "{level|red}"),
        ("{user_id:-\u{202e}}", 11, "control character"),
        ("{time:\u{7}}", 7, "control character"),
    ] {
        let error = refused(text);
        assert!(error.contains(&format!("column {column}:")) && error.contains(advice), "{text:?}: {error}");
    }
    let deep = "{|dim}".repeat(1000);
    assert!(refused(&deep).contains("deeper than 8"));
    for name in ["id", "model", "ms", "user", "order", "http.method", "tier", ".levels", ".name"] {
        assert!(Template::new(&format!("{{{name}}}")).is_ok(), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_text_of_a_template_panics(text in "(\\{|\\}|\\?|/|:|-|<|>|\\^|\\.|\\||%|0|7|99|level|fields|message|time|a|dim|é|\\PC){0,24}") {
        // A line has something in any case: a record for which a template has nothing gets no line.
        for (text, least) in [(&text, 0), (&format!("{text}."), 1)] {
            if let Ok(template) = Template::new(text) {
                let count = lines_by(template.color(Color::Always), order_loaded).len();
                prop_assert!((least..=1).contains(&count), "{} lines", count);
            }
        }
    }

    /// A template of well-formed pieces.
    #[test]
    fn each_template_of_known_pieces_is_accepted(pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..12)) {
        let text = pieces.concat() + " {fields}";
        let line = line(&text);
        prop_assert!(line.contains("user_id=42") || pieces.iter().any(|piece| piece.contains("{user_id")), "{}", line);
    }

    /// Whatever is logged, the line is one line without control characters, and `{fields}` has the others' names.
    #[test]
    fn promise_32_hostile_texts_stay_on_one_line(target in text(), span in (text(), text()), own in fields(), inner in fields()) {
        let schema = template("{time} {level:>5.3} {target:^3} {spans} {?a}{a:.2}{/} {user:-none} {message} [{fields}] {error}");
        let names: Vec<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        let inner_names: Vec<&str> = inner.iter().map(|(name, _)| name.as_str()).collect();
        let lines = lines_by(schema, || {
            let site = Site::event(&target, Level::INFO, &names);
            let span = Site::span(&span.0, "orders", &inner_names);
            with_given(&inner, |inner| {
                let span = span.open(inner);
                with_given(&own, |own| span.in_scope(|| site.log(own)));
            });
        });
        prop_assert_eq!(lines.len(), 1);
        let is_unsafe = |char: char| char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        prop_assert!(!lines[0].contains(is_unsafe), "{:?}", lines[0]);
        let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase()) && !matches!(name, "a" | "user");
        for name in expected(&[&own, &inner]).keys().filter(|name| !name.is_empty() && is_plain(name)) {
            let key = format!("{name}=");
            prop_assert!(lines[0].contains(&key), "{} is lost: {:?}", name, lines[0]);
        }
    }
}

const PIECES: [&str; 12] = [
    "{time:%H}",
    "{level|level}",
    "{message:>20.5}",
    "{?user_id}{user_id}{/}",
    "{user_id:-x}",
    "{?error}{message}{/}",
    "{:<7}{line}{/}",
    "{{",
    "}}",
    " - ",
    "\n",
    "{|bold}{thread}{?a|red}b{/}{/}",
];

/// Each row of the page's table of formats renders the line beside it.
#[test]
fn the_page_shows_the_line_of_each_format() {
    let page = include_str!("../../../docs/schemas.md");
    let table = page.split_once("| format | template | line |\n|---|---|---|\n").unwrap().1;
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let (mut count, mut wrong) = (0, String::new());
    for row in rows {
        let row = row.replace("\\|", "\0");
        let cells: Vec<String> = row.split('|').map(|cell| cell.trim().replace('\0', "|")).collect();
        let code = |cell: &str| cell.trim_matches('`').to_owned();
        let (text, shown) = (code(&cells[2]), code(&cells[3]));
        let thread = std::thread::Builder::new().name("main".to_owned());
        let is_lower = cells[1].contains("Lower");
        let level = if is_lower { LevelFormat::Lower } else { LevelFormat::Upper };
        let line = thread.spawn(move || {
            let id = format!("{:?}", std::thread::current().id()).replace("ThreadId(", " ").replace(')', " ");
            let pid = std::process::id().to_string();
            line_of(template(&text).process_name("orders").level(level)).replace(&pid, "4711").replace(&id, " 1 ")
        });
        let line = line.unwrap().join().unwrap();
        count += 1;
        if line.trim_end() != shown {
            wrong += &format!("{}: {line}\n", cells[1]);
        }
    }
    assert!(count >= 15 && wrong.is_empty(), "not in docs/schemas.md:\n{wrong}");
}
