//! Context variables: present in each line of their scope and in no other.

use serde_json::{Value, json};
use spanline::SpanExt;
use spanline::propagate::TraceContext;
use tracing::{info, info_span};

use crate::context::trace_context::{PARENT, TRACE, text};
use crate::support::stage::{fixed, lines, lines_of};

#[test]
fn variables_are_in_every_line_below_and_nowhere_else() {
    let lines = lines(|| {
        spanline::with("tenant", "acme").and("attempt", 2).in_scope(|| {
            info!("outside spans");
            info_span!("request", attempt = 3).in_scope(|| {
                info!("a span further in");
                spanline::with("attempt", 4).and("attempt", 5).in_scope(|| {
                    info!("variables further in");
                    info!(attempt = 6, tenant = true, "its own");
                });
                info!("behind");
            });
        });
        info!("after");
    });
    let seen: Vec<_> = lines.iter().map(|line| (line["tenant"].clone(), line["attempt"].clone())).collect();
    let acme = |attempt: u64| (json!("acme"), json!(attempt));
    assert_eq!(seen, [acme(2), acme(3), acme(5), (json!(true), json!(6)), acme(3), (Value::Null, Value::Null)]);
    assert!(lines[0].get("trace_id").or(lines[0].get("span_id")).or(lines[0].get("spans")).is_none(), "{}", lines[0]);
    for line in &lines[1..5] {
        assert_eq!(line["spans"], json!(["request"]));
        assert_eq!((text(line, "span_id"), text(line, "trace_id").len()), (text(&lines[1], "span_id"), 32));
        assert!(line.get("parent_span_id").is_none(), "{line}");
    }
}

#[test]
fn variables_have_the_types_they_were_given_and_obey_reserved_names() {
    let lines = lines(|| {
        let all =
            spanline::with("text", "a\n\"b".to_owned()).and("bool", true).and("float", 1.5).and("level", "FORGED");
        all.and("small", -1i8).and("size", 3usize).and("trace_id", TRACE).in_scope(|| info!("x"));
    });
    let line = &lines[0];
    assert_eq!(line["level"], "INFO");
    assert_eq!((&line["text"], &line["bool"], &line["float"]), (&json!("a\n\"b"), &json!(true), &json!(1.5)));
    assert_eq!((&line["small"], &line["size"], &line["fields"]), (&json!(-1), &json!(3), &json!({"level": "FORGED"})));
    assert_eq!(line["trace_id"], TRACE);
}

/// Whatever the filters say of other things, as long as anything is logged.
#[test]
fn variables_and_contexts_pass_the_filters() {
    let builder = fixed().filter("off,orders=error").context_level(tracing::level_filters::LevelFilter::OFF);
    let lines = lines_of(builder, || {
        let remote = TraceContext::from_traceparent(PARENT).unwrap();
        let _remote = remote.enter();
        let _tenant = spanline::with("tenant", "acme").enter();
        tracing::error!(target: "orders", "x");
    });
    assert_eq!((text(&lines[0], "tenant"), text(&lines[0], "trace_id")), ("acme", TRACE));
}

#[test]
fn variables_stay_with_their_task() {
    let lines = lines(|| {
        let task = |id: usize| {
            let work = async move {
                for _ in 0..20 {
                    info!(expected = id, "step");
                    tokio::task::yield_now().await;
                }
            };
            spanline::with("id", id).instrument(work)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let local = tokio::task::LocalSet::new();
        (0..5).for_each(|id| drop(local.spawn_local(task(id))));
        runtime.block_on(local);
        info!("after");
    });
    assert_eq!(lines.len(), 101);
    assert!(lines[..100].iter().all(|line| line["id"] == line["expected"]), "{lines:#?}");
    assert!(lines[100].get("id").is_none());
}

#[test]
fn a_variable_of_an_open_span_can_be_set_within_others() {
    let lines = lines(|| {
        let variables = spanline::with("tenant", "acme");
        let span = variables.span();
        span.set_variable("user", 7);
        span.in_scope(|| info!("x"));
        info!("after");
    });
    assert_eq!((&lines[0]["tenant"], &lines[0]["user"]), (&json!("acme"), &json!(7)));
    assert!(lines[1].get("user").is_none());
}

#[test]
fn many_variables_of_a_span_cost_no_more_each_than_few() {
    // The time for all is quadratic, if each copies those before it: minutes.
    let builder = fixed().max_line_bytes(2 << 20);
    let lines = lines_of(builder, || {
        let span = info_span!("request");
        let names: Vec<_> = (0..30_000).map(|number| format!("variable_{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            span.set_variable(name, number);
        }
        // The last value of a name counts.
        span.set_variable("variable_7", "seven");
        span.in_scope(|| info!("x"));
    });
    assert_eq!((&lines[0]["variable_7"], &lines[0]["variable_29999"]), (&json!("seven"), &json!(29_999)));
}

#[test]
fn variables_beyond_the_memory_of_a_line_are_ignored_with_a_complaint() {
    let complaints = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = std::sync::Arc::clone(&complaints);
    let builder = fixed().max_line_bytes(20_000).on_complaint(move |text| heard.lock().unwrap().push(text.to_owned()));
    let lines = lines_of(builder, || {
        let span = info_span!("request");
        for number in 0..1_000 {
            span.set_variable(&format!("variable_{number}"), "x".repeat(100));
        }
        // There is room for a value that takes no more than the one before it.
        span.set_variable("variable_0", "first");
        span.in_scope(|| info!("x"));
    });
    assert_eq!((&lines[0]["variable_0"], lines[0].get("variable_999")), (&json!("first"), None));
    let complaints = complaints.lock().unwrap();
    assert!(complaints.len() == 1 && complaints[0].contains("request"), "{complaints:?}");
}
