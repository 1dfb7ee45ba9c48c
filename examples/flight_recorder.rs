//! DEBUG lines only of requests that fail: `cargo run --example flight_recorder`.
//!
//! ```text
//! DEBUG connecting 500
//! ERROR not connected 500
//! 999 lines stayed in memory and are gone, 1 was written
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use spanline::schema::Template;
use spanline::{FlightRecorder, Output, Stdout};
use tracing::{debug, error, info_span};

fn main() -> Result<(), Box<dyn Error>> {
    let output = Output::new(Stdout::new()).schema(Template::new("{level} {message} {request_id}")?);
    let guard = spanline::builder()
        .filter("info")
        .filter_variable(None)
        .flight_recorder(FlightRecorder::new("debug").memory_bytes(16 << 20))
        .output(output)
        .init()?;

    for request_id in 1..=1000 {
        let _request = info_span!("request", request_id).entered();
        debug!("connecting"); // costs a copy; it is neither rendered nor written
        if request_id == 500 {
            error!("not connected"); // releases what the request has logged before
        }
    }
    let handle = guard.handle();
    handle.flush(Duration::from_secs(5))?;
    let books = &handle.metrics().outputs[0];
    println!("{} lines stayed in memory and are gone, {} was written", books.held_back.total(), books.released.total());
    Ok(())
}
