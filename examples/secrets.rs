//! Secrets stay out, by the names of fields and by what texts look like: `cargo run --example secrets`.
//!
//! ```text
//! logged in user=ada password=<redacted> otp=<redacted>
//! connecting to postgres://app:<redacted>@db/orders
//! order loaded order={"card":{"number":"<redacted>"},"id":7} iban=<redacted>
//! a page page_token=p-2
//! 5 secrets were removed
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use spanline::schema::Template;
use spanline::{Output, Redact, Stdout};
use tracing::info;

fn main() -> Result<(), Box<dyn Error>> {
    let redact = Redact::new() // the built-in list of names
        .name("iban")
        .name("card.number") // a path into nested data
        .keep("page_token") // an exception
        .values(); // texts, too
    let output = Output::new(Stdout::new()).schema(Template::new("{message} {fields}")?);
    let guard = spanline::builder().filter_variable(None).redact(redact).output(output).init()?;

    info!(user = "ada", password = "hunter2", otp = 123_456, "logged in");
    info!("connecting to postgres://app:hunter2@db/orders");
    let order = serde_json::json!({ "id": 7, "card": { "number": "4111 1111 1111 1111" } });
    info!(order = spanline::json(&order), iban = "DE02 1203 0000 0000 2020 51", "order loaded");
    info!(page_token = "p-2", "a page");

    let handle = guard.handle();
    guard.close()?;
    println!("{} secrets were removed", handle.metrics().outputs[0].redacted);
    Ok(())
}
