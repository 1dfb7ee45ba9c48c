//! Which processes a command is for, and a request to all of them.

use std::io::{self, Write};

use super::ask::ask_all;
use super::find::{Process, processes};
use super::rows::finish;
use crate::report::Report;

/// Which processes a command is for
#[derive(clap::Args)]
pub(crate) struct Select {
    /// Only processes of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only this process
    #[arg(long)]
    pid: Option<u32>,
    /// Also processes of other users, as root
    ///
    /// Any user can offer a socket under the name of any service. The row tells whose it is.
    #[arg(long)]
    pub(crate) all_users: bool,
    /// Print one JSON object per process, each on a line
    #[arg(long)]
    pub(crate) json: bool,
}

impl Select {
    /// Returns the processes, sorted. None at all is a failure.
    pub(crate) fn processes(&self, report: &mut Report) -> Vec<Process> {
        let mut found = processes(self.all_users, report);
        let is_any_there = !found.is_empty();
        found.retain(|process| {
            self.service.as_deref().is_none_or(|service| process.is_of(service))
                && self.pid.is_none_or(|pid| process.pid == pid)
        });
        if found.is_empty() {
            report.failure(if is_any_there {
                "no process found with that --service or --pid; `spanline ps` lists all"
            } else {
                "no process found; one is found if it has the feature `control`, this user, and the same SPANLINE_CONTROL"
            });
        }
        found
    }

    /// Asks the processes, and prints what has become of it. `done`: what an accepted request is called.
    pub(crate) fn order(
        &self,
        request: &str,
        done: &str,
        output: &mut impl Write,
        report: &mut Report,
    ) -> io::Result<()> {
        let processes = self.processes(report);
        if processes.is_empty() {
            return Ok(());
        }
        finish(&ask_all(&processes, request), done, self.json, output, report)
    }
}
