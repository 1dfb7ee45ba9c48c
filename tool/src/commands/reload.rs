//! `spanline reload`: the order to running processes.

use std::io::{self, Write};

use serde_json::json;

use crate::control::{Select, request};
use crate::report::Report;

/// Make running processes read their configuration again
///
/// All or nothing: a configuration with a mistake changes nothing.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Why, for the line in the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    select: Select,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    args.select.order(&request("reload", json!({ "reason": args.reason })), "reloaded", output, report)
}
