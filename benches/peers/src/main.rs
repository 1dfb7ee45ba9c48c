//! Measures spanline beside its peers: each measurement in a separate process, the peers in turns.

mod allocations;
mod args;
mod check;
mod child;
mod machine;
mod measure;
mod peers;
mod plan;
mod proc;
mod reach;
mod report;
mod results;
mod timer;
mod work;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use args::Args;
use child::{Kind, Spec};
use machine::Machine;
use plan::Task;
use results::Results;
use work::Work;

#[global_allocator]
static GLOBAL: allocations::Counting = allocations::Counting;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(spec) = &args.child {
        child::run(spec);
        return ExitCode::SUCCESS;
    }
    let directory = tempfile::tempdir_in(args.dir()).expect("a directory for the logs");
    let done = if args.check { check(&args, directory.path()) } else { run(&args, directory.path()) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, and reports.
fn run(args: &Args, directory: &Path) -> Result<(), String> {
    let machine = Machine::look();
    println!("{machine}\n");
    let tasks = args.plan();
    let mut results = Results::default();
    let mut failures = 0;
    for (at, task) in tasks.iter().enumerate() {
        eprintln!("{}/{}: {:?} {:?}, {} rounds", at + 1, tasks.len(), task.kind, task.point, task.rounds);
        failures += measure(task, directory, &mut results)?;
    }
    println!("{}{}", report::tables(&results), report::ratios(&results));
    if let Some(path) = &args.json {
        write(path, &results.to_json())?;
    }
    if let Some((path, picture)) = args.svg().zip(report::svg(&results, &machine)) {
        write(&path, &picture)?;
    }
    none(failures)
}

/// The peers in turns, beginning with another one in each round. One that fails spoils nothing but its own values.
///
/// Returns how many failed.
fn measure(task: &Task, directory: &Path, results: &mut Results) -> Result<usize, String> {
    let mut failures = 0;
    for round in 0..task.rounds {
        for turn in 0..task.peers.len() {
            let peer = task.peers[(round + turn) % task.peers.len()];
            let directory = directory.join(peer);
            fs::create_dir(&directory).map_err(|error| error.to_string())?;
            let spec = Spec {
                peer: peer.to_owned(),
                kind: task.kind,
                work: task.point.work,
                to_file: task.point.to_file,
                threads: task.point.threads,
                rate: task.point.rate,
                steps: task.steps,
                directory: directory.clone(),
            };
            match child::spawn(&spec) {
                Ok(samples) => results.add(peer, task.point, samples),
                Err(error) => {
                    eprintln!("{error}");
                    failures += 1;
                }
            }
            child::clean(&directory);
        }
    }
    Ok(failures)
}

fn none(failures: usize) -> Result<(), String> {
    if failures == 0 { Ok(()) } else { Err(format!("{failures} measurements failed")) }
}

/// Lets every peer that writes log a few lines, and judges them.
fn check(args: &Args, directory: &Path) -> Result<(), String> {
    // What spanline writes in other schemas is judged by its own tests.
    let writes = |name: &&str| !name.contains(':') && (!name.starts_with("floor-") || *name == "floor-hand-buffer");
    let peers: Vec<_> =
        peers::PEERS.iter().map(|peer| peer.name).filter(writes).filter(|name| args.wants(name)).collect();
    let point = plan::Point::file(Work::W1e);
    let task = Task { kind: Kind::Check, point, steps: check::LINES, rounds: 1, peers };
    none(measure(&task, directory, &mut Results::default())?)?;
    println!("{}: all lines are whole", task.peers.join(", "));
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
