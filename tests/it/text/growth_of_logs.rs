//! Work grows in proportion to what the log has to do with: filters, call sites, outputs, names, headers, files.

use std::io::Write;
use std::time::Duration;

use serde_json::value::RawValue;
use spanline::propagate::TraceContext;
use spanline::{FlightRecorder, Output, Redact};
use tracing::{Level, error, info, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::growth::{Measured, Nowhere, assert_linear, growth, work_of, worked};
use crate::support::log_directory::{Dir, NOON, Play};
use crate::support::stage::{Site, fixed};

/// Directives for this many targets, in no order, which is slow for a sorted list.
fn directives(count: usize) -> String {
    let targets = (0..count).map(|at| format!("module_{:06}=debug", at * 7_919 % count));
    targets.chain(["info".to_owned()]).collect::<Vec<_>>().join(",")
}

/// Returns the work on what `run` logs to a plain log.
fn logged(run: impl FnOnce()) -> Duration {
    Measured::new(fixed(), Output::new).work(run)
}

#[test]
fn promise_54_filters_take_work_in_proportion_to_their_directives() {
    let (_layer, guard) = fixed().output(Output::new(Nowhere)).build::<Registry>().unwrap();
    let handle = guard.handle();
    assert_linear("set_filter", 2_000, |count| {
        let text = directives(count);
        work_of(|| handle.set_filter(&text).unwrap())
    });
    assert_linear("the filter of a log", 1_000, |count| {
        let builder = spanline::builder().filter(directives(count));
        work_of(|| drop(builder.output(Output::new(Nowhere)).build::<Registry>().unwrap()))
    });
    assert_linear("call sites under as many directives", 500, |count| {
        let site = |at| Site::event(&format!("module_{at:06}::inside"), Level::INFO, &[]);
        let sites: Vec<_> = (0..count).map(site).collect();
        let log = Measured::new(fixed().filter(directives(count)), Output::new);
        log.work(|| sites.iter().for_each(|site| site.log(&[])))
    });
    assert_linear("the length of a target and of a directive", 2_000, |length| {
        let target = "a::".repeat(length) + "b";
        let site = Site::event(&(target.clone() + "::c"), Level::INFO, &[]);
        let log =
            Measured::new(fixed().filter(format!("{target}=info,{}=debug", "a::".repeat(length) + "c*")), Output::new);
        log.work(|| site.log(&[]))
    });
}

#[test]
fn promise_54_call_sites_take_work_in_proportion_to_their_number() {
    assert_linear("call sites", 500, |count| {
        let sites: Vec<_> = (0..count).map(|at| Site::event(&format!("target_{at}"), Level::INFO, &["a"])).collect();
        logged(|| (0..2).for_each(|_| sites.iter().for_each(|site| site.log(&[Some(&1)]))))
    });
    assert_linear("call sites whose repeats are limited", 500, |count| {
        let sites: Vec<_> = (0..count).map(|at| Site::event(&format!("target_{at}"), Level::INFO, &[])).collect();
        let log = Measured::new(fixed().rate_limit(1, Duration::from_secs(1)), Output::new);
        log.work(|| (0..3).for_each(|_| sites.iter().for_each(|site| site.log(&[]))))
    });
    assert_linear("call sites of spans", 150, |count| {
        let sites: Vec<_> = (0..count).map(|at| Site::span(&format!("span_{at}"), "orders", &["a"])).collect();
        logged(|| sites.iter().for_each(|site| site.open(&[Some(&1)]).in_scope(|| info!("inside"))))
    });
}

#[test]
fn promise_54_spans_and_lines_that_are_held_take_work_in_proportion_to_their_number() {
    assert_linear("open spans", 500, |count| {
        logged(|| {
            let spans: Vec<_> = (0..count).map(|at| info_span!(parent: None, "request", request_id = at)).collect();
            spans.iter().for_each(|span| span.in_scope(|| info!("inside")));
        })
    });
    let recorder = || fixed().filter("info").flight_recorder(FlightRecorder::new("debug"));
    assert_linear("lines held back for a request", 500, |count| {
        let log = Measured::new(recorder(), Output::new);
        log.work(|| {
            let _request = info_span!("request", request_id = "r-1").entered();
            (0..count).for_each(|at| tracing::debug!(at, "held back"));
            error!("they are released");
        })
    });
    assert_linear("requests with lines held back", 150, |count| {
        let log = Measured::new(recorder(), Output::new);
        log.work(|| {
            let requests: Vec<_> = (0..count).map(|at| info_span!("request", request_id = at)).collect();
            requests.iter().for_each(|request| request.in_scope(|| tracing::debug!("held back")));
            requests.iter().for_each(|request| request.in_scope(|| error!("they are released")));
        })
    });
}

#[test]
fn promise_54_outputs_and_appenders_take_work_in_proportion_to_their_number() {
    let outputs = growth("outputs", 16, 64, |count| {
        let others = (1..count).map(|at| Output::new(Nowhere).name(format!("output {at}")));
        let builder = others.fold(fixed(), spanline::Builder::output);
        // The other workers do the same in their own time.
        let before = worked();
        let log = Measured::new(builder, Output::new);
        let start = worked() - before;
        start + log.work(|| (0..500).for_each(|at| info!(at, "to all")))
    });
    outputs.unwrap_or_else(|why| panic!("{why}"));
    assert_linear("lines of an appender", 2_000, |count| {
        let (appender, guard) = Output::new(Nowhere).queue_bytes(64 << 20).appender().unwrap();
        let text = "a line\n".repeat(count);
        let work = work_of(|| appender.make_writer().write_all(text.as_bytes()).unwrap());
        guard.close().unwrap();
        work
    });
}

#[test]
fn promise_54_redaction_takes_work_in_proportion_to_names_and_text() {
    let work = |redact: Redact, text: &str| {
        let log = Measured::new(fixed().redact(redact).max_line_bytes(1 << 28), Output::new);
        log.work(|| info!(text, "{text}"))
    };
    let pieces = [
        "plain words, ",
        "password=hunter2 ",
        "{\"password\":[",
        "\\\"",
        "\u{1b}[1m",
        "4111 1111 1111 1111 ",
        "https://user:word@host/path?token=1 ",
        "Bearer abc.def ",
        "eyJhbGciOiJIUzI1NiJ9.",
        "-----BEGIN PRIVATE KEY-----\n",
    ];
    for piece in pieces {
        assert_linear(&format!("redaction of {piece:?}"), 4_000, |bytes| {
            work(Redact::new().values(), &piece.repeat(bytes / piece.len()))
        });
    }
    let json = |names: &[String]| {
        let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":{{\"inside\":\"text\"}}")).collect();
        RawValue::from_string(format!("{{{}}}", members.join(","))).unwrap()
    };
    // Each pattern is compared with each name, so only one of them grows.
    for (what, name, members) in [
        ("names", "field_{}", usize::MAX),
        ("paths", "field_{}.inside", usize::MAX),
        ("patterns", "field_{}.*", 20),
        ("endings", "*field{}", 20),
    ] {
        assert_linear(&format!("redacted {what}"), 200, |count| {
            let named =
                |count, name: &str| (0..count).map(|at| name.replace("{}", &at.to_string())).collect::<Vec<_>>();
            let json = json(&named(count.min(members), "field_{}"));
            let builder = fixed().max_line_bytes(1 << 28).redact(Redact::new().names(named(count, name)));
            let log = Measured::new(builder, Output::new);
            log.work(|| info!(json = spanline::json(&json), "members"))
        });
    }
}

#[test]
fn promise_54_headers_take_work_in_proportion_to_their_number() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
    assert_linear("headers", 2_000, |count| {
        let headers: Vec<_> = (0..count).map(|at| (format!("x-header-{at}"), parent.clone())).collect();
        work_of(|| drop(TraceContext::from_headers(headers).unwrap()))
    });
    for name in ["traceparent", "tracestate", "x-request-id"] {
        assert_linear(&format!("headers {name}"), 2_000, |count| {
            let headers: Vec<_> = (0..count).map(|_| (name, parent.clone())).collect();
            work_of(|| drop(TraceContext::from_headers(headers)))
        });
    }
    assert_linear("bytes of a tracestate", 1_000, |bytes| {
        let members: Vec<_> = (0..16).map(|at| format!("k{at}={}", "v".repeat(bytes / 16))).collect();
        let state = members.join(",");
        work_of(|| drop(TraceContext::default().with_tracestate(&state)))
    });
    assert_linear("bytes of a traceparent", 8_000, |bytes| {
        let parent = format!("01{}-{}", &parent[2..], "x".repeat(bytes));
        work_of(|| (0..100).for_each(|_| drop(TraceContext::from_traceparent(&parent).unwrap())))
    });
}

#[cfg(feature = "axum")]
#[test]
fn promise_54_requests_take_work_in_proportion_to_headers_and_added_fields() {
    use axum::Router;
    use axum::http::{HeaderName, HeaderValue};
    use axum::routing::get;
    use spanline::tower::ServerLayer;

    use crate::support::http::{request, send};

    let work = |layer: ServerLayer, headers: usize| {
        let app = Router::new().route("/", get(|| async { info!("handling") })).layer(layer);
        let mut request = request("GET", "/");
        for at in 0..headers {
            let name = HeaderName::from_bytes(format!("x-header-{at}").as_bytes()).unwrap();
            request.headers_mut().insert(name, HeaderValue::from_static("value"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let log = Measured::new(fixed().max_line_bytes(1 << 28), Output::new);
        log.work(|| drop(runtime.block_on(send(app, request))))
    };
    assert_linear("headers of a request", 1_000, |count| work(ServerLayer::new(), count));
    assert_linear("fields that a hook adds", 400, |count| {
        let layer = ServerLayer::new().on_request(move |_, fields| {
            (0..count).for_each(|at| fields.add(&format!("a_name_{at:06}"), at));
        });
        work(layer, 1)
    });
}

#[test]
fn promise_54_files_take_work_in_proportion_to_their_number() {
    let with = |count: usize| {
        let dir = Dir::new();
        for at in 0..count {
            std::fs::write(dir.join(&format!("orders.2026-11-19T120000-{at:06}.log")), "a line\n").unwrap();
        }
        dir
    };
    let rotation = |dir: &Dir, keep: usize| {
        work_of(|| {
            let mut log = dir.log().rotate_bytes(2).keep_files(keep).open();
            (0..3).for_each(|_| log.put("another", NOON));
            log.close();
        })
    };
    assert_linear("segments", 100, |count| rotation(&with(count), 10 * count));
    assert_linear("segments to remove", 100, |count| rotation(&with(count), 1));
    assert_linear("segments to read", 100, |count| {
        let dir = with(count);
        work_of(|| {
            let mut lines = spanline::read::Log::open(dir.path()).unwrap().lines().unwrap();
            let read = std::iter::from_fn(|| lines.next_line().unwrap().map(|line| line.len()));
            assert_eq!(read.count(), count);
        })
    });
}
