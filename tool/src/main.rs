//! `spanline`: lists, reads, searches, follows, counts and examines the logs that the library `spanline` writes, draws traces,
//! receives lines from other programs, and checks files that describe a log. It also asks running processes about their logs,
//! and changes them, and opens and checks sealed logs.
//!
//! Each command is one file in [`commands`]. A command writes its output to stdout. What it cannot do, it reports on
//! stderr, and goes on with the rest.

#[cfg(feature = "collect")]
mod collect;
mod commands;
#[cfg(all(unix, feature = "control"))]
mod control;
#[cfg(feature = "find")]
mod doctor;
#[cfg(feature = "find")]
mod entry;
mod escape;
#[cfg(all(unix, feature = "follow"))]
mod follow;
#[cfg(feature = "find")]
mod inputs;
#[cfg(any(feature = "collect", feature = "find"))]
mod loggers;
#[cfg(any(feature = "collect", feature = "find"))]
mod nearest;
mod once;
#[cfg(feature = "find")]
mod page;
#[cfg(feature = "find")]
mod query;
mod report;
#[cfg(feature = "find")]
mod scan;
#[cfg(feature = "sealed")]
mod sealed;
#[cfg(feature = "find")]
mod show;
#[cfg(feature = "find")]
mod stats;
#[cfg(feature = "find")]
mod trace;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;

use commands::Command;
use report::Report;

/// List, read, check, receive, configure and control logs
#[derive(Parser)]
#[command(name = "spanline", version, after_help = report::EXIT_STATUS)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let mut report = Report::default();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(answer) => return report.answer(&answer),
    };
    // Without the lock, which would stop everything else that writes to stdout.
    let mut output = BufWriter::with_capacity(64 << 10, io::stdout());
    let written = args.command.run(&mut output, &mut report).and_then(|()| output.flush());
    report.end(written)
}
