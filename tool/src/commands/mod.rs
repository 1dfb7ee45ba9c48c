//! The commands: a file and a variant for each.

mod cat;
#[cfg(feature = "collect")]
mod collect;
#[cfg(feature = "config")]
mod config;
mod ls;

use std::io::{self, Write};

use clap::Subcommand;

use crate::report::Report;

#[derive(Subcommand)]
pub(crate) enum Command {
    Cat(cat::Args),
    #[cfg(feature = "collect")]
    Collect(collect::Args),
    #[cfg(feature = "config")]
    Config(config::Args),
    Ls(ls::Args),
}

impl Command {
    /// Runs the command. Only a failure to write to `output` ends it early.
    pub(crate) fn run(self, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
        match self {
            Self::Cat(args) => cat::run(&args, output, report),
            #[cfg(feature = "collect")]
            Self::Collect(args) => collect::run(&args, report),
            #[cfg(feature = "config")]
            Self::Config(args) => config::run(&args, output, report),
            Self::Ls(args) => ls::run(&args, output, report),
        }
    }
}
