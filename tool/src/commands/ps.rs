//! `spanline ps`: the processes that offer control, and their filters.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::control::{Reply, Select, ask_all, pid_of, print, request, table};
use crate::report::Report;

/// List the running processes and their filters
///
/// SOURCE says where the filter comes from: `default`, `builder`, `configuration`, a variable, or `control`, which another
/// process or the program itself has set. UNTIL is when it reverts. OUTPUTS have their own filters behind their names.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    select: Select,
}

const HEADINGS: [&str; 8] = ["SERVICE", "PID", "VERSION", "STARTED", "FILTER", "SOURCE", "UNTIL", "OUTPUTS"];

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let processes = args.select.processes(report);
    if processes.is_empty() {
        return Ok(());
    }
    let replies = ask_all(&processes, &request("identify", json!({})));
    if args.select.json {
        return print(&replies, "running", output, report);
    }
    let rows = replies.iter().map(|(process, reply)| {
        let (service, pid) = (process.service.clone(), pid_of(process));
        match reply {
            Reply::Done(answer) => {
                let text = |key: &str| answer[key].as_str().unwrap_or("-").to_owned();
                let started = text("started").chars().take("2026-11-20T10:15:38".len()).collect();
                let service = answer["service"].as_str().map_or(service, str::to_owned);
                let rest = ["filter", "source", "until"].map(text);
                [service, pid, text("program_version"), started]
                    .into_iter()
                    .chain(rest)
                    .chain([outputs(answer)])
                    .collect()
            }
            Reply::Refused(why) => vec![service, pid, format!("refused: {why}")],
            Reply::Gone => vec![service, pid, "gone".to_owned()],
            Reply::NoAnswer => vec![service, pid, "did not answer in 2 s".to_owned()],
        }
    });
    // Problems have a table that has room for their text.
    let (good, bad): (Vec<Vec<String>>, Vec<Vec<String>>) = rows.partition(|row| row.len() == HEADINGS.len());
    table(&HEADINGS, good, output)?;
    let is_bad = !bad.is_empty();
    table(&["SERVICE", "PID", "PROBLEM"], bad, output)?;
    if is_bad {
        report.fail();
    }
    if replies.is_empty() {
        report.failure("no process found");
    }
    Ok(())
}

fn outputs(answer: &Value) -> String {
    let named = answer["outputs"].as_array().into_iter().flatten().map(|output| {
        let name = output["name"].as_str().unwrap_or("-");
        output["filter"].as_str().map_or(name.to_owned(), |filter| format!("{name}[{filter}]"))
    });
    named.collect::<Vec<_>>().join(" ")
}
