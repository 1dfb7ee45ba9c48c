//! The commands: a file and a variant for each.

mod cat;
mod ls;

use std::io::{self, Write};

use clap::Subcommand;

use crate::report::Report;

#[derive(Subcommand)]
pub(crate) enum Command {
    Cat(cat::Args),
    Ls(ls::Args),
}

impl Command {
    /// Runs the command. Only a failure to write to `output` ends it early.
    pub(crate) fn run(self, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
        match self {
            Self::Cat(args) => cat::run(&args, output, report),
            Self::Ls(args) => ls::run(&args, output, report),
        }
    }
}
