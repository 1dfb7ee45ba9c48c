//! `spanline metrics`: the counters of running processes.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::control::{Process, Reply, Select, ask_all, finish, print, request, table};
use crate::report::Report;

/// How often `--watch` asks.
const PERIOD: Duration = Duration::from_secs(1);

/// Print the counters of running processes
///
/// One row for each output: lines that were meant for it, that it has written, lost (DROPPED), and not written yet.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print them every second, until it is interrupted or its reader is gone
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    select: Select,
}

const HEADINGS: [&str; 9] =
    ["SERVICE", "PID", "OUTPUT", "EMITTED", "WRITTEN", "DROPPED", "QUEUED", "QUEUED_BYTES", "LAST_ERROR"];

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    loop {
        let processes = args.select.processes(report);
        if processes.is_empty() {
            return Ok(());
        }
        let replies = ask_all(&processes, &request("metrics", json!({})));
        if args.select.json {
            print(&replies, "running", output, report)?;
        } else {
            print_table(replies, output, report)?;
        }
        if !args.watch {
            return Ok(());
        }
        output.flush()?;
        std::thread::sleep(PERIOD);
    }
}

fn print_table(replies: Vec<(Process, Reply)>, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let (good, bad): (Vec<_>, Vec<_>) = replies.into_iter().partition(|(_, reply)| matches!(reply, Reply::Done(_)));
    let rows = good.iter().flat_map(|(process, reply)| {
        let Reply::Done(answer) = reply else { return Vec::new() };
        answer["outputs"].as_array().into_iter().flatten().map(|output| row(process, output)).collect()
    });
    table(&HEADINGS, rows.collect(), output)?;
    if bad.is_empty() && !good.is_empty() { Ok(()) } else { finish(&bad, "running", false, output, report) }
}

fn row(process: &Process, output: &Value) -> Vec<String> {
    let dropped = output["dropped"].as_object().into_iter().flat_map(|reasons| reasons.values()).map(sum).sum::<u64>();
    let waiting = ["queued", "in_flight", "held_back", "spooled"].map(|key| sum(&output[key]));
    vec![
        process.service.clone(),
        process.pid.to_string(),
        output["name"].as_str().unwrap_or("-").to_owned(),
        sum(&output["emitted"]).to_string(),
        sum(&output["written"]).to_string(),
        dropped.to_string(),
        waiting.iter().sum::<u64>().to_string(),
        output["queued_bytes"].as_u64().unwrap_or(0).to_string(),
        output["last_error"].as_str().unwrap_or("-").to_owned(),
    ]
}

/// Returns the lines of all levels.
fn sum(levels: &Value) -> u64 {
    levels.as_object().into_iter().flat_map(|levels| levels.values()).filter_map(Value::as_u64).sum()
}
