//! Lines before the log exists, and records of the `log` crate: `cargo run --example early`.
//!
//! ```text
//! INFO early: configuration read path=orders.toml
//! INFO early: started
//! WARN early: from the crate `log` attempt=2
//! ```

use std::error::Error;

use spanline::schema::Template;
use spanline::{Output, Stdout};

fn main() -> Result<(), Box<dyn Error>> {
    let early = spanline::early(1 << 20)?; // keeps up to 1 MiB
    tracing::info!(path = "orders.toml", "configuration read");

    let schema = Template::new("{level} {target}: {message} {fields}")?;
    let output = Output::new(Stdout::new()).schema(schema);
    let _guard = spanline::builder().filter_variable(None).early(early).output(output).init()?;
    tracing::info!("started");
    log::warn!(attempt = 2; "from the crate `log`");
    Ok(())
}
