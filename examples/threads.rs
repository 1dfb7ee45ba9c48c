//! Spans and variables across functions, threads and a pool of them: `cargo run --example threads`.
//!
//! ```text
//! in a function request_id=r-1 tenant=acme
//! in a thread request_id=r-1 tenant=acme
//! 4 of 4 parts have the request
//! ```

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example with a thread")]

use std::error::Error;

use rayon::prelude::*;
use spanline::propagate::{self, Scope};
use spanline::schema::Template;
use spanline::{Output, Stdout};
use tracing::{info, info_span};

fn function() {
    info!("in a function");
}

fn main() -> Result<(), Box<dyn Error>> {
    let schema = Template::new("{message} request_id={request_id} tenant={tenant}")?;
    let guard = spanline::builder().filter_variable(None).output(Output::new(Stdout::new()).schema(schema)).init()?;

    let _request = info_span!("request", request_id = "r-1").entered();
    // A field for everything below, which no span declares.
    let parts = spanline::with("tenant", "acme").in_scope(|| {
        function();
        // A new thread begins outside any span, unless it takes the span along.
        let thread = std::thread::spawn(propagate::carry(|| info!("in a thread")));
        drop(thread.join());
        let scope = Scope::current();
        let ids = (0..4).into_par_iter().map(|_| scope.in_scope(propagate::context));
        ids.flatten().filter(|context| context.request_id() == Some("r-1")).count()
    });
    guard.close()?;
    println!("{parts} of 4 parts have the request");
    Ok(())
}
