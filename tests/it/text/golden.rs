//! Scenarios whose lines are compared byte for byte with files in `tests/golden`; see [`crate::support::golden`].

use std::error::Error;
use std::fmt;

use spanline::schema::{Flat, SpanFields};
use spanline::sink::Memory;
use spanline::{Output, SpanExt};
use tracing::field::Empty;
use tracing::{debug, error, error_span, info, info_span, trace, warn};
use tracing_subscriber::Registry;

use crate::support::golden::golden;
use crate::support::stage::{Site, fixed};

#[derive(Debug)]
struct Failed(&'static str, Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

fn failed() -> Failed {
    Failed("order not loaded", Some(Box::new(Failed("query failed", Some(Box::new(Failed("timed out", None)))))))
}

#[test]
fn levels_without_a_span() {
    golden("levels").coloured().builder(|builder| builder.service("orders")).run(|| {
        trace!(target: "orders", "a");
        debug!(target: "orders", "b");
        info!(target: "orders", "c");
        warn!(target: "orders::db", "d");
        error!(target: "orders", "e");
        info!(target: "orders", user_id = 42, "order {} loaded", 7);
        info!(target: "orders", "");
        info!(target: "orders", user_id = 42);
        info!(target: "a::target::that::is::longer::than::the::column::of::the::console", "f");
        info!("the module's own target");
    });
}

#[test]
fn nested_spans() {
    golden("nested").coloured().builder(|builder| builder.service("orders").static_field("env", "test")).run(|| {
        info!(target: "orders", "outside");
        let request = info_span!("request", request_id = "r-1", method = "GET");
        let _request = request.enter();
        info!(target: "orders", user_id = 42, "order loaded");
        info_span!("db", table = "orders", rows = Empty).in_scope(|| {
            warn!(target: "orders", elapsed = 1.5, ok = true, "slow");
            info_span!("pool").in_scope(|| info!(target: "orders", "deep"));
        });
        info_span!("cache").in_scope(|| info!(target: "orders", "a sibling"));
        info!(target: "orders", "back in the request");
        info_span!(parent: None, "other", request_id = "r-2").in_scope(|| info!(target: "orders", "another trace"));
    });
}

#[test]
fn the_same_key_everywhere() {
    golden("same_key").builder(|builder| builder.static_field("key", "static").static_field("env", "test")).run(|| {
        info!(target: "orders", "the static one");
        info!(target: "orders", key = "event", "the event's");
        info!(target: "orders", key = "first", key = "last", "the last");
        let _outer = info_span!("outer", key = "outer", request_id = 1).entered();
        info!(target: "orders", "the outer span's");
        let _inner = info_span!("inner", key = "inner", other = "x", request_id = 2).entered();
        info!(target: "orders", "the inner span's");
        info!(target: "orders", key = "event", "the event's");
        info!(target: "orders", key = None::<u64>, "an empty one is none");
        info!(target: "orders", request_id = "event", "a request id of the event's own");
        info!(target: "orders", env = "event", "a static field shadowed by the event");
        info_span!("third", env = "span").in_scope(|| info!(target: "orders", "a static field shadowed by a span"));
        info!(target: "orders", key = "first", other = 1, key = "last", "the last");
        info_span!("double", twice = 1, twice = 2).in_scope(|| info!(target: "orders", "the span's last"));
        error!(target: "orders", other = "event", error = "text", "a shared key and an error");
    });
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// Each reserved key of `Flat` as a field, with a value of the right kind for those that take one.
macro_rules! right {
    ($log:ident!($($head:tt)*)) => {
        $log!($($head)* timestamp = "2000-01-01T00:00:00.000000Z", level = "FORGED", target = "forged",
            service = "mine", trace_id = TRACE, span_id = SPAN, parent_span_id = "00F067AA0BA902B8", spans = "forged",
            fields = "forged", error = "failed")
    };
}

/// Each reserved key of `Flat` as a field, with a value of the wrong kind.
macro_rules! wrong {
    ($log:ident!($($head:tt)*)) => {
        $log!($($head)* timestamp = 0, level = 1, target = true, service = 5, trace_id = "no trace",
            span_id = 7, parent_span_id = "", spans = 1.5, fields = 1, error = 404)
    };
}

#[test]
fn promise_32_reserved_keys_as_an_events_fields() {
    let events = || {
        right!(info!(target: "orders",));
        wrong!(info!(target: "orders",));
        info!(target: "orders", message = 42);
        info!(target: "orders", message = true, a = 1);
        info!(target: "orders", { message = "the field comes after the text" }, "the text");
        info!(target: "orders", pid = 1, hostname = "h", thread_id = 1, thread_name = "n", file = "f", line = 1,
            module = "m", "no slots unless switched on");
        info!(target: "orders", traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "no span");
    };
    golden("reserved_event_free").run(events);
    golden("reserved_event_taken").builder(|builder| builder.service("orders")).run(|| {
        info_span!("outer").in_scope(|| info_span!("inner").in_scope(events));
    });
}

#[test]
fn promise_32_reserved_keys_as_a_spans_fields() {
    let spans = || {
        right!(info_span!("right",)).in_scope(|| info!(target: "orders", "in the span"));
        wrong!(info_span!("wrong",)).in_scope(|| info!(target: "orders", "in the span"));
        right!(info_span!("right",)).in_scope(|| {
            info_span!("inner").in_scope(|| {
                info!(target: "orders", "in a span below");
                wrong!(info!(target: "orders",));
            });
        });
        info_span!("s", message = "the span's").in_scope(|| {
            info!(target: "orders", a = 1);
            info!(target: "orders", "the event's");
        });
    };
    golden("reserved_span_free").run(spans);
    golden("reserved_span_taken").builder(|builder| builder.service("orders")).run(|| {
        info_span!("outer").in_scope(spans);
    });
}

#[test]
fn promise_32_the_names_of_what_is_switched_on_are_reserved_too() {
    let flat = || Flat::new().file().line().module();
    golden("reserved_switches").flat(flat()).run(|| {
        // Made without a place in the source: the slots are free.
        let site = Site::event("orders", tracing::Level::INFO, &["message", "file", "line", "module"]);
        site.log(&[Some(&"free"), Some(&"mine.rs"), Some(&7), Some(&"mine")]);
        site.log(&[Some(&"of the wrong kind"), Some(&1), Some(&"7"), Some(&true)]);
        site.log(&[Some(&"some"), Some(&"mine.rs"), None, None]);
        site.log(&[Some(&"none"), None, None, None]);
    });
}

#[test]
fn static_fields() {
    golden("static_fields")
        .builder(|builder| {
            builder
                .static_field("version", "1.0")
                .static_field("env", "first")
                .static_field("env", "last")
                .static_field("pid", "no slot")
                .static_field("we\"ird\n", "\u{202e}")
        })
        .run(|| {
            info!(target: "orders", "a line");
            info!(target: "orders", version = 2, "shadowed");
            info_span!("s", version = "span's").in_scope(|| {
                info!(target: "orders", "shadowed");
                info!(target: "orders", version = true, "shadowed");
            });
            info_span!("s").in_scope(|| info!(target: "orders", "not shadowed"));
        });
}

#[test]
fn promise_32_a_static_field_of_a_reserved_name_is_an_error() {
    for name in ["timestamp", "level", "trace_id", "spans", "fields", "error"] {
        let built = fixed().static_field(name, "x").output(Output::new(Memory::new())).build::<Registry>();
        let error = built.err().unwrap();
        assert!(error.is_invalid() && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn recorded_later() {
    golden("recorded").run(|| {
        let outer = info_span!("outer", user = Empty, state = "new", request_id = Empty);
        outer.in_scope(|| info!(target: "orders", "nothing recorded"));
        let early = info_span!(parent: &outer, "opened_before");
        outer.record("user", 7);
        outer.record("request_id", "r-1");
        outer.record("state", "paid");
        outer.record("unknown", "ignored");
        let late = info_span!(parent: &outer, "opened_after");
        for span in [&outer, &early, &late] {
            span.in_scope(|| info!(target: "orders", "recorded"));
        }
        outer.record("user", "seven");
        early.record("user", "no such field");
        for span in [&outer, &early, &late] {
            span.in_scope(|| info!(target: "orders", "recorded again, of another kind"));
        }
        info!(target: "orders", parent: &early, state = "event", "by its parent");
        let double = info_span!("double", twice = 1, twice = 2);
        double.record("twice", 3);
        double.in_scope(|| info!(target: "orders", "a name declared twice"));
        let traced = info_span!("traced", trace_id = Empty);
        traced.in_scope(|| info!(target: "orders", "a made trace id"));
        traced.record("trace_id", TRACE);
        traced.in_scope(|| info!(target: "orders", "a recorded trace id"));
        traced.record("trace_id", "malformed");
        traced.in_scope(|| info!(target: "orders", "a malformed trace id"));
    });
}

#[test]
fn explicit_parents() {
    golden("parents").run(|| {
        let one = info_span!("one", request_id = 1);
        let two = info_span!("two", request_id = 2);
        let _entered = one.enter();
        info!(target: "orders", "in one");
        info!(target: "orders", parent: &two, "in two");
        info!(target: "orders", parent: None, "in none");
        info!(target: "orders", parent: &tracing::Span::none(), "in a disabled span: none");
        let below = info_span!(parent: &two, "below");
        below.in_scope(|| info!(target: "orders", "below two"));
        info!(target: "orders", parent: &below, "below two");
        info_span!(parent: None, "root").in_scope(|| info!(target: "orders", "a root"));
        below.follows_from(&one);
        info!(target: "orders", parent: &below, "follows_from is not shown");
    });
}

#[test]
fn values_of_every_type() {
    golden("values").run(|| {
        info!(target: "orders", yes = true, no = false, "bool");
        info!(target: "orders", a = i64::MIN, b = -1, c = i8::MIN, d = u64::MAX, e = u8::MAX, f = usize::MIN, "64 bits");
        info!(target: "orders", a = 1.5, b = -0.0, c = 1e300, d = 5e-324, e = 0.1f32, f = 3.0, g = 1e21, "floats");
        info!(target: "orders", a = f64::NAN, b = f64::INFINITY, c = f64::NEG_INFINITY, d = f32::NAN, "not numbers");
        info!(target: "orders", a = -5i128, b = i128::from(u64::MAX), c = i128::from(u64::MAX) + 1, d = i128::MIN, "i128");
        info!(target: "orders", a = 5u128, b = u128::from(u64::MAX), c = u128::MAX, "u128");
        info!(target: "orders", a = "text", b = String::from("owned"), c = "", d = "größe 日本 🦀", "text");
        info!(target: "orders", a = &b"\x00\xff\xfe"[..], b = &b""[..], c = &b"plain"[..], "bytes");
        info!(target: "orders", a = ?"quoted \"text\"", b = ?Some(vec![1, 2]), c = ?(), d = ?'x', "debug");
        info!(target: "orders", a = %"shown", b = %1.5, c = %format_args!("{}-{}", 1, 2), "display");
        info!(target: "orders", a = Some(1), b = None::<i32>, c = Some("text"), d = Empty, "options");
        info!(target: "orders", a = Box::new(7), b = std::num::Wrapping(3), c = std::num::NonZeroU8::MIN, "wrapped");
        let order = serde_json::json!({"id": 7, "items": ["tea", {"n": 1.5}], "none": null, "bidi": "\u{202e}x"});
        info!(target: "orders", order = spanline::json(&order), list = spanline::json(&[1, 2]), "nested");
        info!(target: "orders", a = spanline::json(&"text"), b = spanline::json(&1u8), c = spanline::json(&()), "json");
        info!(target: "orders", text = %"{\"not\":\"nested\"}", debug = ?"[1]", "text that looks like JSON is text");
        info!(target: "orders", r#type = "raw", r#fn = 1, plain = 2, "raw identifiers");
        info!(target: "orders", { "quoted key" = 1, dotted.key = 2, "" = 3, "r#quoted" = 4 }, "any name");
        let span = info_span!("values", bytes = &b"\xff"[..], float = f64::NAN, wide = u128::MAX, r#type = "span");
        span.in_scope(|| info!(target: "orders", "in a span"));
        span.in_scope(|| info!(target: "orders", r#type = "event", "in a span"));
    });
}

#[test]
fn errors() {
    golden("errors").coloured().run(|| {
        let failed = failed();
        let dynamic: &(dyn Error + 'static) = &failed;
        error!(target: "orders", error = dynamic, "with sources");
        error!(target: "orders", error = &Failed("alone", None) as &(dyn Error + 'static), "without");
        error!(target: "orders", cause = dynamic, "under another name");
        error!(target: "orders", error = dynamic, cause = dynamic, "both");
        error!(target: "orders", error = %failed, "displayed");
        error!(target: "orders", error = ?failed.1, "debugged");
        error!(target: "orders", error = "text", "text");
        error!(target: "orders", error = 404, "no error: a number");
        error!(target: "orders", error = true, "no error: a bool");
        error!(target: "orders", error = spanline::json(&["a"]), "no error: JSON");
        error!(target: "orders", error = &b"bytes"[..], "no error: bytes");
        let span = error_span!("span", error = dynamic);
        span.in_scope(|| {
            error!(target: "orders", "the span's");
            error!(target: "orders", error = "the event's", "the event's goes first");
            error!(target: "orders", error = 1, "also where it is none");
        });
        span.record("error", "recorded");
        span.in_scope(|| error!(target: "orders", "recorded"));
        error_span!("inner", error = 5).in_scope(|| error!(target: "orders", "a span's that is none"));
    });
}

#[test]
fn the_error_of_an_instrumented_function() {
    #[tracing::instrument(target = "orders", err, ret)]
    fn load(order: u32) -> Result<u32, Failed> {
        if order == 7 { Err(failed()) } else { Ok(order) }
    }
    #[tracing::instrument(target = "orders", err(Debug), skip_all, fields(request_id = "r-1"))]
    fn parse() -> Result<(), Failed> {
        Err(Failed("malformed", None))
    }
    golden("instrument").run(|| {
        let _ = load(6);
        let _ = load(7);
        let _ = parse();
    });
}

#[test]
fn trace_ids() {
    golden("trace_ids").run(|| {
        let event = || info!(target: "orders", "event");
        info_span!("plain", trace_id = TRACE).in_scope(event);
        info_span!("dashed", trace_id = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736").in_scope(event);
        info_span!("upper", trace_id = "4BF92F3577B34DA6A3CE929D0E0E4736").in_scope(event);
        info_span!("display", trace_id = %TRACE).in_scope(event);
        for malformed in ["", "4bf9", "00000000000000000000000000000000", "4bf92f3577b34da6a3ce929d0e0e473g"] {
            info_span!("malformed", trace_id = malformed).in_scope(event);
        }
        info_span!("a_number", trace_id = 7).in_scope(event);
        let traceparent = format!("00-{TRACE}-{SPAN}-01");
        info_span!("traceparent", traceparent).in_scope(|| {
            event();
            info_span!("below", a = 1).in_scope(event);
            info_span!("below_with_its_own", trace_id = "0af7651916cd43dd8448eb211c80319c").in_scope(event);
            info_span!("below_malformed", trace_id = "?").in_scope(event);
        });
        info_span!("upper_traceparent", traceparent = %traceparent.to_uppercase()).in_scope(event);
        info_span!("malformed_traceparent", traceparent = "00-nonsense").in_scope(event);
        info_span!("both", traceparent, trace_id = "0af7651916cd43dd8448eb211c80319c").in_scope(event);
        info_span!("both_the_same", traceparent, trace_id = TRACE).in_scope(event);
        info_span!("both_one_malformed", traceparent = "?", trace_id = TRACE).in_scope(event);
        info_span!("root").in_scope(|| info_span!("child", traceparent).in_scope(event));
        info_span!("of_a_span", trace_id = TRACE).in_scope(|| {
            info!(target: "orders", trace_id = "0af7651916cd43dd8448eb211c80319c", "an event does not change the trace");
        });
    });
}

#[test]
fn request_ids() {
    golden("request_ids").run(|| {
        info_span!("text", request_id = "r-1").in_scope(|| info!(target: "orders", "event"));
        info_span!("number", request_id = 7).in_scope(|| {
            info_span!("below").in_scope(|| info!(target: "orders", "event"));
        });
        info_span!("debug", request_id = ?Some(7)).in_scope(|| info!(target: "orders", "event"));
        info_span!("json", request_id = spanline::json(&[1, 2])).in_scope(|| info!(target: "orders", "event"));
        info_span!("shadowed", request_id = 1).in_scope(|| {
            info_span!("inner", request_id = "2").in_scope(|| info!(target: "orders", "event"));
            info!(target: "orders", request_id = true, "event");
        });
        info!(target: "orders", request_id = 3, "no span");
    });
}

#[test]
fn context_variables() {
    golden("variables").run(|| {
        let span = info_span!("request", request_id = "r-1", declared = "opened", empty = Empty);
        span.set_variable("tenant", "acme");
        span.set_variable("attempt", 2u64);
        let below = info_span!(parent: &span, "below");
        below.in_scope(|| info!(target: "orders", "inherited"));
        below.in_scope(|| info!(target: "orders", tenant = "event", "shadowed"));
        below.set_variable("tenant", "inner");
        below.in_scope(|| info!(target: "orders", "the inner one's"));
        span.in_scope(|| info!(target: "orders", "the outer one's"));
        span.set_variable("attempt", 3u64);
        span.in_scope(|| info!(target: "orders", "a later value"));
        span.set_variable("level", "FORGED");
        span.set_variable("we\"ird\n", true);
        span.set_variable("", -1);
        span.in_scope(|| info!(target: "orders", "any name"));
        span.set_variable("declared", "a variable");
        span.set_variable("empty", "a variable");
        span.in_scope(|| info!(target: "orders", "of the names of fields"));
        span.record("declared", "recorded");
        span.record("empty", "recorded");
        span.in_scope(|| info!(target: "orders", "and recorded later"));
        span.set_variable("request_id", "r-2");
        span.in_scope(|| info!(target: "orders", "another request"));
        tracing::Span::none().set_variable("nothing", "happens");
    });
}

#[test]
fn the_spans_fields_all_or_some() {
    let run = || {
        let traceparent = format!("00-{TRACE}-{SPAN}-01");
        let span = info_span!("request", request_id = "r-1", method = "GET", path = "/", level = "FORGED", traceparent);
        span.set_variable("tenant", "acme");
        span.in_scope(|| {
            info!(target: "orders", method = "event's own", "event");
            info_span!("inner", method = "POST", trace_id = "malformed").in_scope(|| info!(target: "orders", "event"));
        });
    };
    golden("span_fields_all").run(run);
    let named = SpanFields::Named(vec!["method".to_owned(), "tenant".to_owned(), "absent".to_owned()]);
    golden("span_fields_named").flat(Flat::new().span_fields(named)).run(run);
    golden("span_fields_ids_only").flat(Flat::new().span_fields(SpanFields::IdsOnly)).run(run);
}

#[test]
fn promise_33_promise_36_hostile_text() {
    const HOSTILE: &str = "a\nb\r\t\0\u{1b}[31m\"\\\u{7f}\u{9b}\u{2028}\u{2029}\u{202e}\u{feff}é🦀";
    golden("hostile").coloured().run(|| {
        info!(target: "orders", value = HOSTILE, "a value");
        info!(target: "orders", "{HOSTILE}");
        info!(target: "orders", value = ?HOSTILE, display = %HOSTILE, "formatted");
        error!(target: "orders", error = HOSTILE, "an error");
        info!(target: "orders", "${{jndi:ldap://x/a}} {{}} %n %s {{0}}");
        info!(target: "orders", value = "${jndi:ldap://x/a} {} %n %s {0}", "verbatim");
        info!(target: "orders", value = "a=1 level=ERROR", empty = "", "no forged fields");
        let site = Site::event("or\nders\u{202e}", tracing::Level::WARN, &["message", "na\nme\u{2028}", "a\"b\\"]);
        site.log(&[Some(&"names and targets"), Some(&1), Some(&2)]);
        let span = Site::span("sp\nan\u{202e}", "orders", &["fie\u{1b}ld", "request_id"]);
        span.open(&[Some(&HOSTILE), Some(&HOSTILE)]).in_scope(|| info!(target: "orders", "a span's names"));
    });
}

#[test]
fn promise_17_a_long_line_is_cut() {
    golden("truncated").cut().builder(|builder| builder.max_line_bytes(600)).run(|| {
        let long = "0123456789".repeat(1000);
        info!(target: "orders", "short");
        info!(target: "orders", long, after = 1, "long");
        info!(target: "orders", "{long}");
        error!(target: "orders", error = %long, "an error");
        info!(target: "orders", bytes = long.as_bytes(), "bytes");
        info!(target: "orders", json = spanline::json(&long), "JSON becomes text");
        info!(target: "orders", quotes = "\"".repeat(400), "escaping makes it longer");
        info!(target: "orders", wide = "é".repeat(500), "cut between characters");
        info_span!("span", request_id = "r-1", long).in_scope(|| info!(target: "orders", "a span's field"));
    });
}
