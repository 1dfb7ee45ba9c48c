//! The command line.

use clap::Parser;

use super::Command;
use crate::report::EXIT_STATUS;

/// List, read, check, receive, configure and control logs
#[derive(Parser)]
#[command(name = "spanline", version, after_help = EXIT_STATUS)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print directly to the terminal, without a pager
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,
}
