//! The smallest program with a log: `cargo run -p hello`.
//!
//! The crate's default features are off, so a clean build takes under 30 seconds of processor time, on all cores
//! together. To measure it (user + sys):
//!
//! ```sh
//! cargo fetch && time env CARGO_TARGET_DIR="$(mktemp -d)" cargo build -p hello
//! ```
//!
//! It prints:
//!
//! ```text
//! {"timestamp":"…","level":"INFO","target":"hello","message":"hello","user_id":42,"service":"hello","request_id":"r-1",…,"spans":["request"]}
//! {"timestamp":"…","level":"WARN","target":"hello","message":"both lines carry the request id",…"request_id":"r-1",…,"spans":["request"]}
//! ```

use spanline::{Output, Stdout};
use tracing::{info, info_span, warn};

fn main() -> Result<(), spanline::Error> {
    // Dropping the guard at the end of `main` writes what is still queued.
    let _guard = spanline::builder().service("hello").filter("info").output(Output::new(Stdout::new())).init()?;

    let _request = info_span!("request", request_id = "r-1").entered();
    info!(user_id = 42, "hello");
    warn!("both lines carry the request id");
    Ok(())
}
