//! `spanline reopen`: the order to running processes.

use std::io::{self, Write};

use serde_json::json;

use crate::control::{Select, request};
use crate::report::Report;

/// Make running processes reopen their files
///
/// For after another program has renamed them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Why, for the line in the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    select: Select,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    args.select.order(&request("reopen", json!({ "reason": args.reason })), "reopened", output, report)
}
