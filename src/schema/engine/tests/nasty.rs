//! Descriptions that meet users' fields in every way.

use crate::schema::{Custom, Members};

/// How many there are.
pub(super) const NASTY: usize = 8;

/// Descriptions whose keys are like those of users' fields, of the line's other members, or need an escape.
pub(super) fn nasty() -> [Custom; NASTY] {
    [
        Custom::new("log.message", |line| {
            line.message("a")
                .message("b")
                .request_id("c")
                .request_id("d\"\n")
                .constant("message", 1)
                .trace_id("trace_id")
        }),
        Custom::new("", |line| {
            line.level("fields.a").target("a").error_type("error").file("request_id").module("message")
        }),
        Custom::new("d\"\n", |line| {
            line.fields()
                .object("", |inside| inside.level("").target("a").object("", |inside| inside.span_id("")))
                .constant("error", 1)
                .constant("log.error", 2)
        }),
        Custom::new("a,\"b", |line| {
            line.level("").object("fields", |fields| fields.span_id("a").fields().level("fields.b"))
        }),
        Custom::new("log.error", |line| {
            line.object("error", |error| error.fields().message("message").stack("error").error_type("log.error"))
        }),
        Custom::new("time", |line| {
            line.stack("a.b")
                .value("error", |record| record.message().map(|_| "m").into())
                .thread_name("service")
                .thread_id("")
        }),
        Custom::new("time", |line| {
            line.object("a", |a| a.object("a", |a| a.object("a", Members::fields).message("a").error("b")).level("b"))
                .service("a.b")
                .spans("b")
                .parent_span_id("c")
                .event_name("trace_id")
                .error_message("span_id")
                .error_type("level_name")
        }),
        Custom::new("fields", |line| {
            line.object("x", |x| x.event_name("a").file("b").line("line").message("message").fields().level("error"))
                .level("truncated")
                .target("held_back")
                .module("backtrace")
        }),
    ]
}
