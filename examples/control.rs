//! Levels that change while the program runs, for a time, and for one request: `cargo run --example control`.
//!
//! With the feature `control`, `spanline level debug --request r-42 --for 10m` does the same from outside.
//!
//! ```text
//! INFO for all: loaded r-41
//! DEBUG for one: detail r-42
//! INFO for one: loaded r-42
//! INFO filter set …
//! DEBUG for a time: detail r-41
//! the filter: info
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use spanline::schema::Template;
use spanline::{Output, Stdout};
use tracing::{debug, info, info_span};

fn request(id: &str, phase: &str) {
    let _request = info_span!("request", request_id = id).entered();
    debug!("{phase}: detail");
    info!("{phase}: loaded");
}

fn main() -> Result<(), Box<dyn Error>> {
    let schema = Template::new("{level} {message} {request_id}")?;
    let output = Output::new(Stdout::new()).schema(schema);
    let guard = spanline::builder().filter("info").filter_variable(None).output(output).init()?;
    let handle = guard.handle();

    request("r-41", "for all");

    handle.set_filter("info,[request{request_id=\"r-42\"}]=debug")?;
    request("r-42", "for one");

    handle.set_filter_for("off,control=debug", Duration::from_secs(600))?; // reverts by itself
    info_span!("request", request_id = "r-41").in_scope(|| debug!("for a time: detail"));
    handle.set_filter("info")?;

    handle.flush(Duration::from_secs(5))?;
    println!("the filter: {}", handle.filter());
    Ok(())
}
