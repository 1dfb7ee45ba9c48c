//! Directives that follow the context: `[request{request_id="r-42"}]=debug`.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use spanline::sink::Memory;
use spanline::{FlightRecorder, Output, SpanExt};
use tracing::field::Empty;
use tracing::subscriber::with_default;
use tracing::{Span, debug, debug_span, error, info, info_span, trace, trace_span, warn};
use tracing_subscriber::prelude::*;

use crate::support::child::child;
use crate::support::stage::{fixed, lines_of, messages, parsed};

/// What is logged under a filter, as messages.
fn logged(filter: &str, run: impl FnOnce()) -> Vec<String> {
    let lines = lines_of(fixed().filter(filter), run);
    lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn events_inside_a_matching_span_have_its_level_and_all_others_stay_as_they_are() {
    let request = |id: &str| info_span!("request", request_id = id);
    let log = || {
        for id in ["r-41", "r-42"] {
            let _request = request(id).entered();
            debug!("debug of {id}");
            trace!("trace of {id}");
            info_span!("db").in_scope(|| debug!(target: "sqlx::query", "query of {id}"));
            warn!("warning of {id}");
        }
        debug!("outside");
        info!("info");
    };
    let detailed = ["warning of r-41", "debug of r-42", "query of r-42", "warning of r-42", "info"];
    assert_eq!(logged(r#"info,[request{request_id="r-42"}]=debug"#, log), detailed);
    assert_eq!(logged(r#"[request{request_id="r-42"}]=debug"#, log), detailed, "all else is at INFO");
    assert_eq!(
        logged(r#"info,[request{request_id="r-4"}]=debug"#, log),
        ["warning of r-41", "warning of r-42", "info"]
    );
    for others in ["off", "error", "off,sqlx=off"] {
        let few = logged(&format!("{others},[{{request_id=r-42}}]=debug"), log);
        assert_eq!(few, ["debug of r-42", "query of r-42", "warning of r-42"], "{others}");
    }
}

#[test]
fn a_directive_tests_target_name_and_every_field() {
    #[derive(Debug)]
    struct Shown;
    impl std::fmt::Display for Shown {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("7 apples, \"red\"")
        }
    }
    let is_logged = |directive: &str| {
        let log = || {
            let span = info_span!(
                target: "orders::db", "request", user = 42, share = 1.5, paid = true, tenant = "acme-eu", what = %Shown,
                big = u64::MAX, debt = -3_i64
            );
            span.in_scope(|| debug!("detail"));
        };
        !logged(&format!("info,{directive}=debug"), log).is_empty()
    };
    for yes in [
        "[request]",
        "orders[request]",
        "orders::db[request]",
        "ord*[request]",
        "orders[{user}]",
        "[request{user=42}]",
        "[{user=42.0}]",
        "[{user=\"42\"}]",
        "[{share=1.50}]",
        "[{share=1.5,paid=true,tenant=acme-eu}]",
        "[{paid}]",
        "[{tenant=acme*}]",
        "[{tenant=\"acme-\"*}]",
        "[{tenant=*}]",
        "[{what=\"7 apples, \\\"red\\\"\"}]",
        "[{big=18446744073709551615}]",
        "[{debt=-3}]",
    ] {
        assert!(is_logged(yes), "{yes}");
    }
    for no in [
        "[req]",
        "order[request]",
        "db[request]",
        "ords*[request]",
        "[request{nothing}]",
        "[{user=43}]",
        "[{user=\"42.0\"}]",
        "[{share=1}]",
        "[{share=1.5,paid=false}]",
        "[{tenant=acme}]",
        "[{tenant=\"acme*\"}]",
        "[{tenant=eu*}]",
        "[{big=-1}]",
    ] {
        assert!(!is_logged(no), "{no}");
    }
}

/// Whether the DEBUG event in a span with some fields is logged under a directive.
#[cfg(feature = "regex")]
fn is_asked_for(directive: &str) -> bool {
    let log = || {
        let span =
            info_span!("request", path = "/orders/4711", user = 42, quote = "say \"[a,b]\"", user_agent = "curl/8");
        span.in_scope(|| debug!("detail"));
    };
    !logged(&format!("info,{directive}=debug,db=warn"), log).is_empty()
}

#[cfg(feature = "regex")]
#[test]
fn a_regular_expression_matches_a_part_of_the_value() {
    for yes in [
        r#"[{path=~"orders"}]"#,
        r#"[{path=~"^/orders/\d+$"}]"#,
        r#"[request{path=~"^/(orders|carts)/[0-9]{4}$",user=42}]"#,
        r#"[{user=~"^4[0-9]$"}]"#,
        r#"[{quote=~"^say \"\[.,b\]\"$"}]"#,
        r#"[{user_agent = ~ "(?i)CURL"}]"#,
        r#"[{path=~""}]"#,
    ] {
        assert!(is_asked_for(yes), "{yes}");
    }
    for no in [
        r#"[{path=~"^orders"}]"#,
        r#"[{path=~"^/orders/\d{1,3}$"}]"#,
        r#"[{path="^/orders"}]"#,
        r#"[{path="~orders"}]"#,
        r#"[{other=~""}]"#,
        r#"[{user_agent=~"CURL"}]"#,
    ] {
        assert!(!is_asked_for(no), "{no}");
    }
    for (wrong, advice) in [
        (r#"[{path=~"("}]"#, "the regular expression is not valid"),
        (r#"[{path=~"(a{1000}){1000}"}]"#, "the regular expression is not valid"),
        (r#"[{path=~orders}]"#, "a regular expression stands in quotes"),
        (r#"[{path=~"a"b}]"#, "the second quote"),
    ] {
        let error = fixed().filter(wrong).build::<tracing_subscriber::Registry>().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(advice), "{error}");
    }
}

#[cfg(not(feature = "regex"))]
#[test]
fn a_regular_expression_needs_its_feature() {
    let built = fixed().filter(r#"[{path=~"orders"}]=debug"#).build::<tracing_subscriber::Registry>();
    assert!(built.map(|_| ()).unwrap_err().to_string().contains("the feature `regex`"));
}

#[test]
fn a_directive_that_comes_later_finds_spans_that_are_open() {
    let memory = Memory::new();
    let (layer, guard) = fixed().filter("info").output(Output::new(memory.clone())).build().unwrap();
    let handle = guard.handle();
    with_default(tracing_subscriber::registry().with(layer), || {
        let log = |step: u64| debug!(step, "step {step}");
        let one = info_span!("request", request_id = 1);
        let other = info_span!("request", request_id = 2);
        one.in_scope(|| log(1));
        handle.set_filter("info,[request{request_id=1}]=debug").unwrap();
        one.in_scope(|| log(2));
        other.in_scope(|| log(3));
        handle.set_filter("info,[request{request_id=2}]=debug").unwrap();
        one.in_scope(|| log(4));
        other.in_scope(|| log(5));
        handle.set_filter("info").unwrap();
        other.in_scope(|| log(6));
    });
    guard.close().unwrap();
    assert_eq!(messages(&memory), ["step 2", "step 5"]);
}

#[test]
fn values_that_are_set_later_count_for_the_span_and_those_inside() {
    let logged = logged("info,[{tenant=\"acme\"}]=debug", || {
        let outer = info_span!("request", tenant = Empty, user = Empty);
        let _outer = outer.clone().entered();
        let inner = info_span!("inner");
        inner.in_scope(|| debug!("before"));
        outer.record("tenant", "acme");
        inner.in_scope(|| debug!("recorded"));
        outer.record("user", 7);
        inner.in_scope(|| debug!("still"));
        outer.record("tenant", "other");
        inner.in_scope(|| debug!("no more"));
        Span::current().set_variable("tenant", "acme");
        inner.in_scope(|| debug!("variable"));
    });
    assert_eq!(logged, ["recorded", "still", "variable"]);
}

#[test]
fn context_variables_and_spans_that_only_a_directive_shows_match() {
    let logged = logged("info,[{tenant=acme}]=trace,[batch{n=2}]=debug", || {
        spanline::with("tenant", "acme").in_scope(|| trace!("variable"));
        spanline::with("tenant", "other").in_scope(|| trace!("other"));
        for n in 1..3 {
            debug_span!("batch", n).in_scope(|| debug!("batch {n}"));
        }
    });
    assert_eq!(logged, ["variable", "batch 2"]);
}

/// What is logged under a filter that applies to the whole registry, as messages with a field.
fn logged_by_init(filter: &str, field: &str, run: impl FnOnce()) -> Vec<(String, Value)> {
    let memory = Memory::new();
    let guard = spanline::builder().filter(filter).output(Output::new(memory.clone())).init().unwrap();
    run();
    drop(guard);
    let message = |line: &Value| line["message"].as_str().unwrap().to_owned();
    parsed(&memory).iter().map(|line| (message(line), line[field].clone())).collect()
}

#[test]
fn spans_inside_a_matching_span_hand_down_their_fields_at_its_level() {
    let log = || {
        for id in 1..3 {
            info_span!("request", id).in_scope(|| {
                let load = debug_span!("load", table = "orders");
                load.in_scope(|| {
                    info!("info {id}");
                    info_span!("row", table = "rows").in_scope(|| info!("row {id}"));
                });
                trace_span!("step", table = "steps").in_scope(|| info!("step {id}"));
                load
            });
        }
        debug_span!("outside", table = "none").in_scope(|| info!("outside"));
    };
    let expected = [
        ("info 1", json!("orders")),
        ("row 1", json!("rows")),
        ("step 1", Value::Null),
        ("info 2", Value::Null),
        ("row 2", json!("rows")),
        ("step 2", Value::Null),
        ("outside", Value::Null),
    ]
    .map(|(message, table)| (message.to_owned(), table));
    let filter = "info,[request{id=1}]=debug";
    let lines = lines_of(fixed().filter(filter), log);
    let message = |line: &Value| line["message"].as_str().unwrap().to_owned();
    assert_eq!(lines.iter().map(|line| (message(line), line["table"].clone())).collect::<Vec<_>>(), expected);
    // Events in a span that is not seen are inside the request all the same.
    assert!(lines[..6].iter().all(|line| line["id"].is_u64()), "{lines:?}");
    // Only the global filter says what lines inherit.
    let own = Output::new(Memory::new()).output_filter(filter);
    let lines = lines_of(fixed().filter("info").output(own), log);
    assert!(lines[0].get("table").is_none());
    child(this_test!(), &[], || assert_eq!(logged_by_init(filter, "table", log), expected));
}

#[test]
fn what_names_its_parent_is_inside_that_span() {
    child(this_test!(), &[], || {
        let log = || {
            let [one, two] = [1, 2].map(|id| info_span!("request", id));
            for _ in 0..3 {
                for (request, other) in [(&one, &two), (&two, &one)] {
                    let _inside = request.enter();
                    debug!(parent: other, "event");
                    debug_span!(parent: other, "load").in_scope(|| debug!("in a span"));
                    debug!(parent: None, "outside");
                }
                debug!(parent: &one, "event");
            }
        };
        let logged = logged_by_init("info,[request{id=1}]=debug", "id", log);
        let turn = [("event", 1), ("in a span", 1), ("event", 1)].map(|(text, id)| (text.to_owned(), json!(id)));
        assert_eq!(logged, [&turn[..], &turn, &turn].concat());
    });
}

/// The answer of a layer's filter must not fall on an event that an expression among the fields logs.
#[test]
fn an_event_that_is_logged_among_the_fields_of_another_is_not_lost() {
    let logged = logged("info,[request{id=1}]=debug", || {
        let load = || {
            info!("loaded");
            7
        };
        for id in 1..3 {
            info_span!("request", id).in_scope(|| {
                debug!(rows = load(), "detail");
                debug_span!("span", rows = load()).in_scope(|| info!("in a span"));
                let _ = tracing::event_enabled!(tracing::Level::DEBUG);
                info!("after {id}");
            });
        }
    });
    let lines = |detail: &'static str| ["loaded", detail, "loaded", "in a span"];
    let without_detail = ["loaded", "loaded", "in a span"];
    assert_eq!(logged, [&lines("detail")[..], &["after 1"], &without_detail, &["after 2"]].concat());
}

#[test]
fn each_output_keeps_its_own_filter() {
    let memories = [(); 4].map(|()| Memory::new());
    let output = |place: usize| Output::new(memories[place].clone());
    let (layer, guard) = fixed()
        .filter("info,[{id=1}]=debug")
        .output(output(0))
        .output(output(1).output_filter("warn"))
        .output(output(2).output_filter("warn,[{id=1}]=trace"))
        .output(output(3).output_filter("trace"))
        .build()
        .unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        for id in 1..3 {
            info_span!("request", id).in_scope(|| {
                trace!("trace {id}");
                debug!("debug {id}");
                info!("info {id}");
                warn!("warn {id}");
            });
        }
    });
    let books = guard.handle().metrics();
    guard.close().unwrap();
    assert_eq!(messages(&memories[0]), ["debug 1", "info 1", "warn 1", "info 2", "warn 2"]);
    assert_eq!(messages(&memories[1]), ["warn 1", "warn 2"]);
    assert_eq!(messages(&memories[2]), ["debug 1", "info 1", "warn 1", "warn 2"]);
    assert_eq!(messages(&memories[3]), messages(&memories[0]));
    let emitted: Vec<_> = books.outputs.iter().map(|output| output.emitted.total()).collect();
    assert_eq!(emitted, [5, 2, 4, 5]);
}

#[test]
fn detail_that_is_granted_is_not_held_back_as_well() {
    let holding = fixed().filter("info,[request{request_id=1}]=debug").flight_recorder(FlightRecorder::new("debug"));
    let lines = lines_of(holding, || {
        for id in 1..3 {
            info_span!("request", request_id = id).in_scope(|| {
                debug!("detail {id}");
                error!("error {id}");
            });
        }
    });
    let seen: Vec<_> = lines.iter().map(|line| (line["message"].as_str().unwrap(), line.get("held_back"))).collect();
    let held = json!(true);
    assert_eq!(seen, [("detail 1", None), ("error 1", None), ("detail 2", Some(&held)), ("error 2", None)]);
}

/// Lines are whole and each is there once, while one thread changes the filter and others log.
#[test]
fn filters_change_while_requests_log() {
    let memory = Memory::new();
    let (layer, guard) =
        fixed().filter("info").output(Output::new(memory.clone()).queue_bytes(64 << 20)).build().unwrap();
    let handle = guard.handle();
    let subscriber = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loggers: Vec<_> = (0..4)
            .map(|thread| {
                let subscriber = &subscriber;
                scope.spawn(move || {
                    tracing::dispatcher::with_default(subscriber, || {
                        for id in 0..500 {
                            let span = info_span!("request", request_id = id, thread, state = Empty).entered();
                            debug!("detail");
                            span.record("state", "half");
                            info!("line");
                        }
                    });
                })
            })
            .collect();
        scope.spawn(|| {
            let mut turn = 0;
            while !is_done.load(Ordering::SeqCst) {
                let filters = ["info,[{request_id=7}]=debug", "info", "info,[{state=half}]=trace,[{thread=1}]=debug"];
                handle.set_filter(filters[turn % 3]).unwrap();
                turn += 1;
            }
        });
        loggers.into_iter().for_each(|logger| logger.join().unwrap());
        is_done.store(true, Ordering::SeqCst);
    });
    guard.close().unwrap();
    let lines = parsed(&memory);
    let count = |message: &str| lines.iter().filter(|line| line["message"] == message).count();
    assert_eq!(count("line"), 2000);
    let is_asked_for = |line: &&Value| line["request_id"] == 7 || line["thread"] == 1 || line["state"] == "half";
    let details: Vec<_> = lines.iter().filter(|line| line["message"] == "detail").collect();
    assert_eq!(details.iter().filter(|line| !is_asked_for(line)).count(), 0);
}

/// A hook sets the field that the directive names, for callers that know the secret.
#[cfg(feature = "tower")]
#[test]
fn a_header_grants_detail_to_its_request_alone() {
    let layer = spanline::tower::ServerLayer::new().on_request(|request, fields| {
        if request.headers.get("x-log-detail").is_some_and(|asked| asked == "s3same") {
            fields.add("detail", true);
        }
    });
    let serve = |asked: Option<&str>| {
        let mut request = http::Request::get("/orders");
        if let Some(asked) = asked {
            request = request.header("x-log-detail", asked);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let mut exchange = layer.begin(&mut head);
        exchange.run(|| info_span!("handler").in_scope(|| debug!("detail for {asked:?}")));
    };
    let logged = logged("info,spanline::http=off,[request{detail=true}]=debug", || {
        [None, Some("guess"), Some("s3same"), None].into_iter().for_each(serve);
    });
    assert_eq!(
        logged,
        ["detail for Some(\"s3same\")", "request finished"],
        "a directive inside a span overrides `off`"
    );
}

#[cfg(feature = "log")]
#[test]
fn records_of_the_log_crate_follow_the_context() {
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let filter = "info,noisy=off,[request{request_id=1}]=debug";
        let guard = spanline::builder().filter(filter).output(Output::new(memory.clone())).init().unwrap();
        for id in 1..3 {
            info_span!("request", request_id = id).in_scope(|| {
                log::debug!(target: "orders", "debug {id}");
                log::trace!(target: "orders", "trace {id}");
                log::info!(target: "orders", "info {id}");
            });
        }
        log::debug!(target: "orders", "outside");
        drop(guard);
        assert_eq!(messages(&memory), ["debug 1", "info 1", "info 2"]);
    });
}
