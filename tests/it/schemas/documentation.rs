//! The examples of docs/schemas.md are what the code writes.

use spanline::Output;
use spanline::schema::{Color, Console, Edits, Gcp, Schema};
use tracing::{Level, info_span};

use super::golden::of_here;
use super::{output_lines, schema};
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
    for name in ["flat", "nested", "ecs", "datadog", "otel", "bunyan", "lambda", "logfmt"] {
        check(name, &|output| output.schema(schema(name)));
    }
    check("gcp", &|output| output.schema(Gcp::new().project("my-project")));
    let console = || Console::new().utc().color(Color::Never);
    let consoles: [fn(Console) -> Console; 3] = [|console| console, Console::compact, Console::pretty];
    for shape in consoles {
        check("console", &|output| output.schema(Box::new(shape(console())) as Box<dyn Schema>));
    }
    let edits = || Edits::new().rename("timestamp", "ts").remove("spans").insert("type", "app");
    check("edits", &|output| output.edits(edits()));
    assert!(missing.is_empty(), "not in docs/schemas.md:\n{missing}");
}
