//! A command-line program: lines for people on stderr, answers on stdout: `cargo run --example cli -- -v`.
//!
//! ```text
//! the answer: 3 files
//! ```
//!
//! ```text stderr
//! …:…:… WARN   skipped  path=a.txt
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use spanline::schema::Console;
use spanline::{Output, Stderr};
use tracing::level_filters::LevelFilter;

fn main() -> Result<(), spanline::Error> {
    // With clap: `#[arg(short, long, action = clap::ArgAction::Count)]`.
    let verbose = std::env::args().filter(|argument| argument == "-v").count();
    let level = [LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG][verbose.min(2)];
    let builder = spanline::builder().filter(level);
    // A flag is more specific than RUST_LOG.
    let builder = if verbose > 0 { builder.filter_variable(None) } else { builder };
    let _guard = builder.output(Output::new(Stderr::new()).schema(Console::new().compact())).init()?;

    tracing::info!(files = 3, "copied");
    tracing::warn!(path = "a.txt", "skipped");
    println!("the answer: 3 files");
    Ok(())
}
