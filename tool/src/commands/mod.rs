//! The commands: a file and a variant for each.

mod args;
mod cat;
#[cfg(feature = "collect")]
mod collect;
#[cfg(feature = "manual")]
mod completions;
#[cfg(feature = "find")]
mod conditions;
#[cfg(feature = "config")]
mod config;
#[cfg(feature = "find")]
mod doctor;
#[cfg(feature = "clickhouse")]
mod engine;
#[cfg(feature = "find")]
mod find;
#[cfg(all(unix, feature = "control"))]
mod flush;
#[cfg(all(unix, feature = "follow"))]
mod follow;
#[cfg(feature = "find")]
mod hist;
#[cfg(feature = "find")]
mod index;
#[cfg(feature = "sealed")]
mod keygen;
#[cfg(all(unix, feature = "control"))]
mod level;
#[cfg(feature = "clickhouse")]
mod load;
mod ls;
#[cfg(feature = "manual")]
mod man;
#[cfg(all(unix, feature = "control"))]
mod metrics;
#[cfg(feature = "sealed")]
mod open;
#[cfg(all(unix, feature = "control"))]
mod ps;
#[cfg(all(unix, feature = "config", feature = "control"))]
mod push;
#[cfg(all(unix, feature = "control"))]
mod release;
#[cfg(all(unix, feature = "control"))]
mod reload;
#[cfg(all(unix, feature = "control"))]
mod reopen;
#[cfg(all(unix, feature = "control"))]
mod rotate;
#[cfg(feature = "find")]
mod shape;
#[cfg(feature = "find")]
mod stats;
#[cfg(feature = "find")]
mod trace;
#[cfg(feature = "sealed")]
mod verify;

use std::io::{self, Write};

use clap::Subcommand;

pub(crate) use args::Args;

use crate::report::Report;

#[derive(Subcommand)]
pub(crate) enum Command {
    Cat(cat::Args),
    #[cfg(feature = "collect")]
    Collect(collect::Args),
    #[cfg(feature = "manual")]
    Completions(completions::Args),
    #[cfg(feature = "config")]
    Config(config::Args),
    #[cfg(feature = "find")]
    Doctor(Box<doctor::Args>),
    #[cfg(feature = "find")]
    Find(Box<find::Args>),
    #[cfg(all(unix, feature = "control"))]
    Flush(flush::Args),
    #[cfg(all(unix, feature = "follow"))]
    Follow(Box<follow::Args>),
    #[cfg(feature = "find")]
    Hist(Box<hist::Args>),
    #[cfg(feature = "find")]
    Index(index::Args),
    #[cfg(feature = "sealed")]
    Keygen(keygen::Args),
    #[cfg(all(unix, feature = "control"))]
    Level(level::Args),
    #[cfg(feature = "clickhouse")]
    Load(load::Args),
    Ls(ls::Args),
    #[cfg(feature = "manual")]
    Man(man::Args),
    #[cfg(all(unix, feature = "control"))]
    Metrics(metrics::Args),
    #[cfg(feature = "sealed")]
    Open(open::Args),
    #[cfg(all(unix, feature = "control"))]
    Ps(ps::Args),
    #[cfg(all(unix, feature = "control"))]
    Release(release::Args),
    #[cfg(all(unix, feature = "control"))]
    Reload(reload::Args),
    #[cfg(all(unix, feature = "control"))]
    Reopen(reopen::Args),
    #[cfg(all(unix, feature = "control"))]
    Rotate(rotate::Args),
    #[cfg(feature = "find")]
    Stats(Box<stats::Args>),
    #[cfg(feature = "find")]
    Trace(Box<trace::Args>),
    #[cfg(feature = "sealed")]
    Verify(verify::Args),
}

impl Command {
    /// Returns whether people read its output, which may be long: it follows the settings, and a pager may show it.
    pub(crate) fn is_for_people(&self) -> bool {
        let is_read = matches!(self, Self::Cat(_) | Self::Ls(_));
        #[cfg(feature = "find")]
        let is_read = is_read
            || matches!(self, Self::Doctor(_) | Self::Find(_) | Self::Hist(_) | Self::Stats(_) | Self::Trace(_));
        #[cfg(feature = "sealed")]
        let is_read = is_read || matches!(self, Self::Open(_));
        is_read
    }

    /// Returns whether its output comes while others write its input, so that a pager would hold it back.
    pub(crate) fn is_live(&self) -> bool {
        match self {
            Self::Cat(args) => args.reads_stdin(),
            #[cfg(feature = "find")]
            Self::Find(args) => args.reads_stdin(),
            #[cfg(all(unix, feature = "follow"))]
            Self::Stats(args) => args.is_live(),
            _ => false,
        }
    }

    /// Runs the command. Only a failure to write to `output` ends it early.
    pub(crate) fn run(self, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
        match self {
            Self::Cat(args) => cat::run(&args, output, report),
            #[cfg(feature = "collect")]
            Self::Collect(args) => collect::run(&args, report),
            #[cfg(feature = "manual")]
            Self::Completions(args) => completions::run(&args, output),
            #[cfg(feature = "config")]
            Self::Config(args) => config::run(&args, output, report),
            #[cfg(feature = "find")]
            Self::Doctor(args) => doctor::run(*args, output, report),
            #[cfg(feature = "find")]
            Self::Find(args) => find::run(*args, output, report),
            #[cfg(all(unix, feature = "control"))]
            Self::Flush(args) => flush::run(&args, output, report),
            #[cfg(all(unix, feature = "follow"))]
            Self::Follow(args) => follow::run(*args, output, report),
            #[cfg(feature = "find")]
            Self::Hist(args) => hist::run(*args, output, report),
            #[cfg(feature = "find")]
            Self::Index(args) => index::run(&args, output, report),
            #[cfg(feature = "sealed")]
            Self::Keygen(args) => keygen::run(&args, output, report),
            #[cfg(all(unix, feature = "control"))]
            Self::Level(args) => level::run(&args, output, report),
            #[cfg(feature = "clickhouse")]
            Self::Load(args) => load::run(&args, output, report),
            Self::Ls(args) => ls::run(&args, output, report),
            #[cfg(feature = "manual")]
            Self::Man(args) => man::run(&args, output, report),
            #[cfg(all(unix, feature = "control"))]
            Self::Metrics(args) => metrics::run(&args, output, report),
            #[cfg(feature = "sealed")]
            Self::Open(args) => open::run(&args, output, report),
            #[cfg(all(unix, feature = "control"))]
            Self::Ps(args) => ps::run(&args, output, report),
            #[cfg(all(unix, feature = "control"))]
            Self::Release(args) => release::run(&args, output, report),
            #[cfg(all(unix, feature = "control"))]
            Self::Reload(args) => reload::run(&args, output, report),
            #[cfg(all(unix, feature = "control"))]
            Self::Reopen(args) => reopen::run(&args, output, report),
            #[cfg(all(unix, feature = "control"))]
            Self::Rotate(args) => rotate::run(&args, output, report),
            #[cfg(feature = "find")]
            Self::Stats(args) => stats::run(*args, output, report),
            #[cfg(feature = "find")]
            Self::Trace(args) => trace::run(*args, output, report),
            #[cfg(feature = "sealed")]
            Self::Verify(args) => verify::run(&args, output, report),
        }
    }
}
