//! Fewer lines: a share of the traces, a limit for each call site, and equal lines in a row:
//! `cargo run --example sampling`.
//!
//! ```text
//! 1000 traces, about one in ten kept, each with both lines: true
//! 10 of 1000 repeats written, and one line that counts the others: true
//! 1 of 5 equal lines written, and one that counts 4 others
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use spanline::sink::Memory;
use spanline::{Builder, Output, Sampling};
use tracing::{info, info_span, subscriber};
use tracing_subscriber::prelude::*;

/// Logs with these settings, and returns the lines.
fn lines(builder: Builder, deduplicate: bool, log: impl FnOnce()) -> Result<Vec<String>, spanline::Error> {
    let memory = Memory::new();
    let output = Output::new(memory.clone());
    let output = if deduplicate { output.deduplicate() } else { output };
    let (layer, guard) = builder.output(output).build()?;
    subscriber::with_default(tracing_subscriber::registry().with(layer), log);
    guard.close()?;
    Ok(memory.lines())
}

fn main() -> Result<(), Box<dyn Error>> {
    let sampled = lines(spanline::builder().sampling(Sampling::one_in(10).of_traces()), false, || {
        for order in 0..1000 {
            let _request = info_span!("request", order).entered();
            info!("order loaded");
            info!("order sent");
        }
    })?;
    let count = |what: &str| sampled.iter().filter(|line| line.contains(what) && !line.contains("suppressed")).count();
    let (loaded, sent) = (count("order loaded"), count("order sent"));
    println!(
        "1000 traces, about one in ten kept, each with both lines: {}",
        loaded == sent && (50..200).contains(&loaded)
    );

    let limit = spanline::builder().rate_limit(10, Duration::from_secs(60));
    let limited = lines(limit, false, || (0..1000).for_each(|attempt| info!(attempt, "not connected")))?;
    let has_report = limited.iter().any(|line| line.contains("\"suppressed\":990"));
    println!("{} of 1000 repeats written, and one line that counts the others: {has_report}", limited.len() - 1);

    let equal = lines(spanline::builder(), true, || (0..5).for_each(|_| info!("not connected")))?;
    let others = equal.last().and_then(|line| line.split("\"suppressed\":").nth(1)?.split(',').next());
    println!("{} of 5 equal lines written, and one that counts {} others", equal.len() - 1, others.unwrap_or("no"));
    Ok(())
}
