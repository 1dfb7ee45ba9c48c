//! `spanline man`: manual pages.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;

use super::Args as CommandLine;
use crate::escape::escaped;
use crate::nearest::unknown;
use crate::report::Report;

const EXAMPLES: &str = "\
Examples:
  spanline man find | man -l -
  spanline man --dir /usr/share/man/man1";

/// Print a manual page, or write all of them
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The command; without one: the page that lists them
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
    /// Write the pages of all commands to this directory
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let mut cli = CommandLine::command();
    if let Some(dir) = &args.dir {
        if let Err(error) = clap_mangen::generate_to(cli, dir) {
            report.failure(&format!("write to {}: {error}", escaped(dir)));
        }
        return Ok(());
    }
    cli.build();
    let page = match &args.command {
        None => Some(cli),
        Some(name) => {
            let names: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
            let found = cli.find_subcommand(name).cloned();
            report.usage(found.ok_or_else(|| unknown("command", name, &names)))
        }
    };
    match page {
        Some(page) => Man::new(page).render(output),
        None => Ok(()),
    }
}
