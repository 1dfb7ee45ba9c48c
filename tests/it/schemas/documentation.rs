//! The examples of docs/schemas.md are what the code writes.

use spanline::Output;
use spanline::schema::{Edits, Gcp, Schema, built_in};
use tracing::{Level, info_span};

use super::golden::of_here;
use super::output_lines;
use crate::support::stage::Site;

fn example() {
    info_span!("request", request_id = "r-1", method = "GET").in_scope(|| {
        let site = Site::placed("orders", Level::INFO, &["message", "user_id"], "src/main.rs", 42);
        site.log(&[Some(&"order loaded"), Some(&42)]);
    });
}

#[test]
fn the_page_shows_what_each_schema_writes() {
    let page = include_str!("../../../docs/schemas.md");
    let mut missing = String::new();
    let mut check = |name: &str, set: &dyn Fn(Output) -> Output| {
        for line in output_lines(set, example).iter().flat_map(|line| line.lines().map(of_here).collect::<Vec<_>>()) {
            if !page.lines().any(|shown| shown == line) {
                missing += &format!("{name}:\n{line}\n");
            }
        }
    };
    for schema in built_in() {
        let shown = || match schema.name {
            "gcp" => Box::new(Gcp::new().project("my-project")) as Box<dyn Schema>,
            _ => schema.reproducible(),
        };
        check(schema.name, &|output| output.schema(shown()));
    }
    let edits = || Edits::new().rename("timestamp", "ts").remove("spans").insert("type", "app");
    check("edits", &|output| output.edits(edits()));
    assert!(missing.is_empty(), "not in docs/schemas.md:\n{missing}");
}

#[test]
fn the_page_lists_each_schema() {
    let page = include_str!("../../../docs/schemas.md");
    let rows: String = page.lines().filter(|line| line.starts_with("| `")).collect();
    for schema in built_in() {
        assert!(rows.contains(&format!("`{}`", schema.name)), "{} has no row in docs/schemas.md", schema.name);
    }
}
