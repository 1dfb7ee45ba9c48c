//! A log that a file describes, for each environment, and that follows its changes:
//! `cargo run --features config --example configuration`.
//!
//! ```text
//! prod: WARN stock is low app=orders
//! after the change: INFO configuration reloaded by=program changed="filter, output.console" app=orders
//! after the change: INFO order loaded app=orders
//! after the change: INFO configuration not reloaded error="…:10:10: filter: …did you mean `debug`?…
//! refused: …:10:10: filter: …did you mean `debug`?…
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::fs;
use std::time::Duration;

use spanline::Builder;

const FILE: &str = r#"
filter = "info"
static_fields = { app = "orders" }

[output.console]
sink = "stdout"
schema = { name = "template", template = "dev: {level} {message} {fields}" }

[env.prod]
filter = "warn"
output.console.schema.template = "prod: {level} {message} {fields}"
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("spanline.toml");
    fs::write(&path, FILE)?;
    // Or `spanline::init()`, which reads the file that SPANLINE_CONFIG names, and SPANLINE_ENV for the environment.
    let guard = Builder::from_file(&path).environment("prod").filter_variable(None).on_complaint(|_| {}).init()?;
    let log = || {
        tracing::info!("order loaded");
        tracing::warn!("stock is low");
    };
    log();

    // An operator edits the file. `watch = true` would notice it.
    fs::write(&path, FILE.replace("\"warn\"", "\"info,configuration=info\"").replace("prod: ", "after the change: "))?;
    guard.handle().reload()?;
    tracing::info!("order loaded");

    // A mistake changes nothing.
    fs::write(&path, FILE.replace("\"warn\"", "\"dbug\""))?;
    let refused = guard.handle().reload().map_err(|error| error.to_string().replace('\n', " "));
    guard.handle().flush(Duration::from_secs(5))?;
    println!("refused: {}", refused.err().unwrap_or_default());
    Ok(())
}
