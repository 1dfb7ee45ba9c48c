//! Another formatter with spanline's queue and files behind it: `cargo run --example fmt_appender`.
//!
//! ```text
//! …  INFO request{request_id="r-1"}: fmt_appender: order loaded user_id=42
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use spanline::schema::Console;
use spanline::{Output, RollingFile};

fn main() -> Result<(), Box<dyn Error>> {
    let file = RollingFile::new("logs/fmt.log").rotate_bytes(10 << 20).daily().keep_files(7);
    // The formatter renders the lines. The schema only renders the log's notices of lost lines.
    let (appender, guard) = Output::new(file).schema(Console::new()).appender()?;
    tracing_subscriber::fmt().with_ansi(false).with_writer(appender).init();

    let request = tracing::info_span!("request", request_id = "r-1");
    request.in_scope(|| tracing::info!(user_id = 42, "order loaded"));

    // Writes what is queued, and reports what was left. Dropping the guard writes it too.
    guard.close()?;
    print!("{}", std::fs::read_to_string("logs/fmt.log")?);
    Ok(())
}
