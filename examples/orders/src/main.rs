//! Three web services and their log: `cargo run --release -p orders`.
//!
//! The services listen on free loopback ports. Clients call `orders`, which calls `stock`, which calls `warehouse`. This
//! program sends them a few hundred requests and logs to stdout and to a rotating file. It reports the results on stderr,
//! with the lines of one trace through all three services. `--schema` sets the format of stdout, `--to` sends the lines
//! to a server or a database, and `--help` lists the other options. `--chaos` breaks things under the log instead, and
//! shows that every lost line is counted.
//!
//! This file sets up the log and ends it. [`services`] handle requests and pass the context on. [`db`] is a layer below.
//! [`destination`] makes the outputs of `--to`. [`summary`] reads the log back. [`chaos`] covers full disks, closed and stuck pipes, moved files and SIGKILL.

#![expect(clippy::disallowed_methods, reason = "stdout carries the log, so the summary goes to stderr")]

#[cfg(target_os = "linux")]
mod chaos;
mod client;
mod db;
mod destination;
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

/// Run three web services, send them requests, and show their log
#[derive(Parser)]
#[command(name = "orders")]
struct Args {
    /// Number of requests to send
    #[arg(long, value_name = "N", default_value_t = 400)]
    requests: usize,
    /// Number of requests at a time
    #[arg(long, value_name = "C", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Directory of orders.log and its closed segments
    #[arg(long, value_name = "DIR", default_value = "logs")]
    log_dir: PathBuf,
    /// Format of the lines on stdout
    #[arg(long, value_name = "NAME", default_value = "flat", value_parser = PossibleValuesParser::new(schema::NAMES))]
    schema: String,
    /// The same as `--schema console`
    #[arg(long, conflicts_with = "schema")]
    console: bool,
    /// Send the lines there, too; may be repeated
    #[arg(long, value_name = "URL", long_help = format!("Send the lines there, too; may be repeated\n\n{}", destination::FORMS))]
    to: Vec<String>,
    /// Keep serving afterwards, until Ctrl-C
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

    // The runtime and its tasks have ended. `close` returns once everything they logged is written.
    let end = guard.close();
    let summary = Summary::new(&answers, handle.metrics(), &args.log_dir, &run)?;
    // `eprint!` would panic if stderr is closed.
    let _ = write!(io::stderr(), "{summary}");
    end?;
    Ok(ExitCode::SUCCESS)
}

/// Sets up two outputs and those of `--to`, each with its own queue and worker.
fn start_log(args: &Args, run: &str) -> Result<Guard, spanline::Error> {
    // This run shows all lines, so a full queue makes its callers wait. A service that prefers losing DEBUG lines to
    // waiting keeps the default, `Overflow::Shed`.
    let overflow = Overflow::Block { max_wait: Duration::from_secs(5) };
    let schema = by_name(if args.console { "console" } else { &args.schema })?;
    let stdout = Output::new(Stdout::new()).name("stdout").schema(schema).overflow(overflow);
    // Small segments make rotation visible, and their number is enough for all lines of a run. A typical service sets
    // `.rotate_bytes(100 << 20).daily().keep_files(14).gzip()`.
    let file = RollingFile::new(args.log_dir.join("orders.log")).rotate_bytes(128 << 10).keep_files(10_000);
    let file = Output::new(file).name("file").overflow(overflow);

    let others: Vec<_> = args.to.iter().map(|url| destination::output(url)).collect::<Result<_, _>>()?;
    let builder = others.into_iter().fold(spanline::builder().output(stdout).output(file), |builder, other| {
        builder.output(other.overflow(overflow))
    });
    builder
        // Every line has it, so the summary can tell this run from earlier ones.
        .static_field("run", run)
        .filter("info")
        // Writes the DEBUG lines of a request that fails, and of no other.
        .flight_recorder(FlightRecorder::new("orders=debug"))
        // Fields such as `password` are redacted by default; this also searches texts for secrets.
        .redact(Redact::new().values())
        .init()
}

/// Starts the services and sends them requests; with `--serve`, keeps answering others.
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
    // A caller stops before the service that it calls.
    for service in [orders, stock, warehouse] {
        service.stop().await?;
    }
    Ok(answers)
}
