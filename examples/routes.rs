//! Outputs that share the levels, and a file for each tenant: `cargo run --example routes`.
//!
//! ```text
//! stdout: INFO order loaded tenant=acme
//! stdout: INFO order loaded tenant=globex
//! acme.log: ["INFO order loaded", "WARN stock is low"]
//! default.log: ["INFO started"]
//! globex.log: ["INFO order loaded"]
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::fs;

use spanline::schema::Template;
use spanline::sink::Route;
use spanline::{Output, RollingFile, Stderr, Stdout};
use tracing::Level;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let folder = directory.path().to_owned();
    let tenants = Route::by_field("tenant", move |tenant| RollingFile::new(folder.join(format!("{tenant}.log"))));

    let on_stdout = Template::new("stdout: {level} {message} {fields}")?;
    let guard = spanline::builder()
        .filter_variable(None)
        // INFO to stdout, except the target `startup`; WARN and ERROR to stderr.
        .output(Output::new(Stdout::new()).schema(on_stdout).output_filter("info,startup=off").below(Level::WARN))
        .output(Output::new(Stderr::new()).output_filter(Level::WARN))
        // Everything, into the file of its tenant.
        .output(Output::new(tenants).schema(Template::new("{level} {message}")?))
        .init()?;

    tracing::info!(target: "startup", "started");
    tracing::info!(tenant = "acme", "order loaded");
    tracing::info!(tenant = "globex", "order loaded");
    tracing::info_span!("request", tenant = "acme").in_scope(|| tracing::warn!("stock is low"));
    guard.close()?;

    let mut names: Vec<_> =
        fs::read_dir(directory.path())?.map(|entry| entry.map(|it| it.file_name())).collect::<Result<_, _>>()?;
    names.sort();
    for name in names.iter().filter_map(|name| name.to_str()).filter(|name| name.ends_with(".log")) {
        let text = fs::read_to_string(directory.path().join(name))?;
        println!("{name}: {:?}", text.lines().collect::<Vec<_>>());
    }
    Ok(())
}
