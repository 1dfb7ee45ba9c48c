//! Three web services and their log: `cargo run --release -p orders`.
//!
//! They start on free loopback ports: `orders`, which clients call, calls `stock`, and that `warehouse`. This program
//! sends them a few hundred requests, logs to stdout and to a rotating file, and says on stderr what became of it all,
//! with the lines of one trace through all three. `--schema` chooses how stdout looks, `--help` lists what else can be
//! changed. With `--chaos` it breaks things under its log instead, and shows that no line is lost without being counted.
//!
//! Here: how the log is set up and ended. [`services`]: what they do, with the context going from one to the next.
//! [`db`]: a layer below. [`summary`]: the log read back. [`chaos`]: full disks, closed and stuck pipes, files that are
//! moved away, SIGKILL.

#![expect(clippy::disallowed_methods, reason = "stdout is for the log, so the summary goes to stderr")]

#[cfg(target_os = "linux")]
mod chaos;
mod client;
mod db;
mod services;
mod summary;

use std::error::Error;
use std::future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use spanline::schema::{self, by_name};
use spanline::{FlightRecorder, Guard, Output, Overflow, Redact, RollingFile, Stdout};
use tokio::runtime::Runtime;
use tokio::signal::ctrl_c;

#[cfg(target_os = "linux")]
use chaos::Chaos;
use client::Answer;
use services::{Service, orders, stock, warehouse};
use summary::Summary;

/// Three web services that are sent requests, to show their log
#[derive(Parser)]
#[command(name = "orders")]
struct Args {
    /// How many requests are sent
    #[arg(long, value_name = "N", default_value_t = 400)]
    requests: usize,
    /// How many of them at a time
    #[arg(long, value_name = "C", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Where orders.log and its older segments are
    #[arg(long, value_name = "DIR", default_value = "logs")]
    log_dir: PathBuf,
    /// How the lines on stdout look
    #[arg(long, value_name = "NAME", default_value = "flat", value_parser = PossibleValuesParser::new(schema::NAMES))]
    schema: String,
    /// The same as `--schema console`
    #[arg(long, conflicts_with = "schema")]
    console: bool,
    /// Serve on after that, until Ctrl-C
    #[arg(long)]
    serve: bool,
    #[cfg(target_os = "linux")]
    #[command(flatten)]
    chaos: Chaos,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    #[cfg(target_os = "linux")]
    if let Some(status) = chaos::run(&args.chaos)? {
        return Ok(status);
    }
    let run = spanline::propagate::new_request_id();
    let guard = start_log(&args, &run)?;
    let handle = guard.handle();

    let answers = Runtime::new()?.block_on(serve(&args))?;

    // Only now, with the runtime and its tasks gone: what is logged before this is written when it returns.
    let end = guard.close();
    let summary = Summary::new(&answers, handle.metrics(), &args.log_dir, &run)?;
    // Not `eprint!`, which panics when nobody reads stderr any more.
    let _ = write!(io::stderr(), "{summary}");
    end?;
    Ok(ExitCode::SUCCESS)
}

/// Sets up two outputs, each with a queue and a worker of its own.
fn start_log(args: &Args, run: &str) -> Result<Guard, spanline::Error> {
    // When a queue is full, wait for its reader instead of losing lines, as this run wants to show all of them. A
    // service that had rather lose DEBUG lines than be late keeps the default, `Overflow::Shed`.
    let overflow = Overflow::Block { max_wait: Duration::from_secs(5) };
    let schema = by_name(if args.console { "console" } else { &args.schema })?;
    let stdout = Output::new(Stdout::new()).name("stdout").schema(schema).overflow(overflow);
    // Small segments, so that there are some to see, and enough of them to keep all lines of a run. A service would
    // rather say `.rotate_bytes(100 << 20).daily().keep_files(14).gzip()`.
    let file = RollingFile::new(args.log_dir.join("orders.log")).rotate_bytes(128 << 10).keep_files(10_000);
    let file = Output::new(file).name("file").overflow(overflow);

    spanline::builder()
        // In each line, so that the summary can tell them from those of earlier runs.
        .static_field("run", run)
        .filter("info")
        // What leads to an error is written with it: the DEBUG lines of the request that fails, and of no other.
        .flight_recorder(FlightRecorder::new("orders=debug"))
        // Fields called `password` and the like are left out anyway; this looks into texts as well.
        .redact(Redact::new().values())
        .output(stdout)
        .output(file)
        .init()
}

/// Starts the services and sends them requests; with `--serve`, answers those of others too.
async fn serve(args: &Args) -> Result<Vec<Answer>, Box<dyn Error>> {
    let warehouse = Service::start("warehouse", warehouse::routes()).await?;
    let stock = Service::start("stock", stock::routes(warehouse.peer()?)).await?;
    let orders = Service::start("orders", orders::routes(stock.peer()?)).await?;

    let mut answers = Vec::new();
    let requests = async {
        client::send(orders.address, args.requests, args.concurrency.into(), &mut answers).await?;
        if args.serve {
            let _ = writeln!(io::stderr(), "serving http://{}/orders/1 until Ctrl-C", orders.address);
            future::pending::<()>().await;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::select! {
        done = requests => done?,
        signal = ctrl_c() => signal?,
    }
    // Callers before those they call.
    for service in [orders, stock, warehouse] {
        service.stop().await?;
    }
    Ok(answers)
}
