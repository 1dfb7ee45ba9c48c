//! `spanline`: lists, reads, searches, follows, counts and examines the logs that the library `spanline` writes, draws traces,
//! receives lines from other programs, and checks files that describe a log. It also asks running processes about their logs,
//! and changes them, and opens and checks sealed logs.
//!
//! Each command is one file in [`commands`]. A command writes its output to stdout. What it cannot do, it reports on
//! stderr, and goes on with the rest.

#[cfg(feature = "clickhouse")]
mod clickhouse;
#[cfg(feature = "collect")]
mod collect;
mod commands;
#[cfg(all(unix, feature = "control"))]
mod control;
#[cfg(feature = "find")]
mod counted;
#[cfg(feature = "find")]
mod doctor;
#[cfg(feature = "find")]
mod entry;
mod escape;
#[cfg(all(unix, feature = "collect", feature = "follow"))]
mod export;
#[cfg(feature = "find")]
mod fnv;
#[cfg(all(unix, feature = "follow"))]
mod follow;
mod help;
#[cfg(feature = "find")]
mod index;
#[cfg(feature = "find")]
mod indexing;
#[cfg(feature = "find")]
mod inputs;
#[cfg(all(unix, feature = "keys"))]
mod keys;
mod log_paths;
#[cfg(any(feature = "collect", feature = "find"))]
mod loggers;
mod nearest;
mod once;
#[cfg(feature = "collect")]
mod outputs;
#[cfg(feature = "find")]
mod page;
mod pager;
#[cfg(feature = "find")]
mod query;
mod report;
#[cfg(feature = "find")]
mod scan;
mod sealed;
mod settings;
#[cfg(feature = "find")]
mod show;
#[cfg(feature = "find")]
mod stats;
#[cfg(feature = "find")]
mod terminal;
#[cfg(feature = "find")]
mod trace;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use commands::Args;
use pager::Output;
use report::Report;
use settings::Settings;

fn main() -> ExitCode {
    let mut report = Report::default();
    let cli = help::grouped(Args::command());
    let settings = Settings::read(&cli);
    let cli = match &settings {
        Ok(settings) => settings.apply(cli, io::stdout().is_terminal()),
        Err(_) => cli,
    };
    let args = match cli.try_get_matches().and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(answer) => {
            if let Some(command) = help::left_out(&answer) {
                report.failure(&format!(
                    "this build has no `{command}`; `cargo install spanline-cli` builds all commands"
                ));
            }
            return report.answer(&answer);
        }
    };
    let mut output = match settings {
        _ if !args.command.is_for_people() => Output::stdout(),
        Err(mistakes) => return report.wrong_settings(&mistakes),
        Ok(_) if args.no_pager || args.command.is_live() => Output::stdout(),
        Ok(settings) => Output::paged(settings.pager.as_deref(), &mut report),
    };
    let written = args.command.run(&mut output, &mut report);
    let written = output.end(written, &mut report);
    report.end(written)
}
