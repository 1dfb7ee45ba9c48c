//! The smallest sink of your own, a closure: `cargo run --example sink_closure`.
//!
//! It counts the lines of each level. The program ends with status 1 if the books do not balance.
//!
//! ```text
//! {"INFO": 1000, "WARN": 1}
//! emitted 1001, written 1001
//! ```

#![allow(clippy::disallowed_methods, reason = "the rule is for the library")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use spanline::Output;
use spanline::sink::{Lines, Next};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let counts = Arc::new(Mutex::new(BTreeMap::<&str, u64>::new()));
    let of_sink = Arc::clone(&counts);
    let count = move |lines: &mut Lines| {
        let mut counts = of_sink.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines.iter() {
            *counts.entry(line.level.as_str()).or_default() += 1;
        }
        // All that was offered is written.
        lines.advance(usize::MAX);
        Ok(Next::Done)
    };
    let guard = spanline::builder().filter("info").output(Output::new(count).name("counts")).init()?;
    (0..1_000).for_each(|order| tracing::info!(order, "order loaded"));
    tracing::warn!("stock is low");
    let handle = guard.handle();
    guard.close()?;
    let books = &handle.metrics().outputs[0];
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{:?}", counts.lock().unwrap_or_else(PoisonError::into_inner))?;
    writeln!(stdout, "emitted {}, written {}", books.emitted.total(), books.written.total())?;
    let is_balanced = books.emitted.total() == 1_001 && books.written.total() == 1_001;
    Ok(if is_balanced { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
