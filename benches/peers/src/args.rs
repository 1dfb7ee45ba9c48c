//! The command line.

use std::path::{Path, PathBuf};

use clap::Parser;
use clap::builder::PossibleValuesParser;

use crate::peers::PEERS;
use crate::plan::{Task, plan};
use crate::work::Work;

/// Measures spanline beside its peers, all in one run, and holds it to its ratios.
#[derive(Parser)]
#[command(name = "run")]
pub struct Args {
    /// One short round of everything, in less than two minutes; the figures are rough.
    #[arg(long)]
    pub quick: bool,
    /// Writes all values, as a list of objects.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes the picture; without --quick, --only and --work it is benches/peers.svg unless set.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Only these peers.
    #[arg(long, value_name = "PEER", value_delimiter = ',', value_parser = names())]
    only: Vec<String>,
    /// Only these workloads.
    #[arg(long, value_name = "WORK", value_delimiter = ',', ignore_case = true)]
    work: Vec<Work>,
    /// Where the log files go, one at a time; beside the program unless set.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only logs a few lines with each peer and judges what they say.
    #[arg(long)]
    pub check: bool,
    /// Makes one measurement, in this process.
    #[arg(long, hide = true)]
    pub child: Option<String>,
}

fn names() -> PossibleValuesParser {
    PEERS.iter().map(|peer| peer.name).collect::<Vec<_>>().into()
}

impl Args {
    /// The measurements that are asked for.
    pub fn plan(&self) -> Vec<Task> {
        let mut tasks = plan(self.quick);
        tasks.retain(|task| self.work.is_empty() || self.work.contains(&task.point.work));
        for task in &mut tasks {
            task.peers.retain(|peer| self.wants(peer));
        }
        tasks
    }

    pub fn wants(&self, peer: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == peer)
    }

    /// A full run replaces the picture in the repository.
    pub fn svg(&self) -> Option<PathBuf> {
        let is_full = !self.quick && self.only.is_empty() && self.work.is_empty();
        let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).with_extension("svg");
        self.svg.clone().or_else(|| is_full.then(usual))
    }

    /// A directory on a disk: in memory, where temporary files often are, nothing would be written.
    pub fn dir(&self) -> PathBuf {
        let beside =
            || std::env::current_exe().expect("the path of this program").parent().expect("its directory").into();
        self.dir.clone().unwrap_or_else(beside)
    }
}
