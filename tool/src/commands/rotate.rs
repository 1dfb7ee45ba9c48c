//! `spanline rotate`: the order to running processes.

use std::io::{self, Write};

use serde_json::json;

use crate::control::{Select, request};
use crate::report::Report;

/// Make running processes start new segments of their files
///
/// Each rolling file closes its current segment.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Why, for the line in the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    select: Select,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    args.select.order(&request("rotate", json!({ "reason": args.reason })), "rotated", output, report)
}
