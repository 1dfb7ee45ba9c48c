//! `spanline flush`: the order to running processes.

use std::io::{self, Write};

use serde_json::json;

use crate::control::{Select, request};
use crate::report::Report;

/// Make running processes hand over everything logged so far
///
/// Waits until each sink has handed it to the system.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    select: Select,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    args.select.order(&request("flush", json!({})), "flushed", output, report)
}
