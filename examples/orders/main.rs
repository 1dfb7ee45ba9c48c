//! A web service and its log: `cargo run --release --example orders`.
//!
//! It starts on a free loopback port, sends itself a few hundred requests, logs JSON lines to stdout and to a rotating
//! file, and says on stderr what became of them. `--help` lists what can be changed. With `--chaos` it breaks things
//! under its log instead, and shows that no line is lost without being counted.
//!
//! Here: how the log is set up and ended. [`service`]: spans, tasks and errors of a request. [`db`]: a layer below,
//! which knows nothing of requests and whose lines carry their ids all the same. [`chaos`]: full disks, closed and stuck
//! pipes, files that are moved away, SIGKILL.

#![expect(clippy::disallowed_methods, reason = "stdout is for the log, so the summary goes to stderr")]

#[cfg(target_os = "linux")]
mod chaos;
mod client;
mod db;
mod service;
mod summary;

use std::error::Error;
use std::future;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use spanline::{Console, Guard, Output, Overflow, RollingFile, Stdout};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::ctrl_c;
use tokio::sync::oneshot;
use tracing::info;

#[cfg(target_os = "linux")]
use chaos::Chaos;
use client::Answer;
use summary::Summary;

/// A web service that sends itself requests, to show its log
#[derive(Parser)]
#[command(name = "orders")]
struct Args {
    /// How many requests it sends itself
    #[arg(long, value_name = "N", default_value_t = 400)]
    requests: usize,
    /// How many of them at a time
    #[arg(long, value_name = "C", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Where orders.log and its older segments are
    #[arg(long, value_name = "DIR", default_value = "logs")]
    log_dir: PathBuf,
    /// Lines for people on stdout, in place of JSON
    #[arg(long)]
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
    let run = client::random_id();
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
    let stdout = Output::new(Stdout::new()).name("stdout").overflow(overflow);
    // Small segments, so that there are some to see, and enough of them to keep all lines of a run. A service would
    // rather say `.max_bytes(100 << 20).daily().keep_files(14).gzip()`.
    let file = RollingFile::new(args.log_dir.join("orders.log")).max_bytes(128 << 10).keep_files(10_000);
    let file = Output::new(file).name("file").overflow(overflow);

    spanline::builder()
        .service("orders")
        // In each line, so that the summary can tell them from those of earlier runs.
        .static_field("run", run)
        .filter("info,orders::db=debug")
        .output(if args.console { stdout.schema(Console::new()) } else { stdout })
        .output(file)
        .init()
}

/// Serves, on a port that the system chooses, the requests it sends itself; with `--serve`, those of others too.
async fn serve(args: &Args) -> Result<Vec<Answer>, Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    info!(%address, "listening");

    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, service::router()).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());

    let mut answers = Vec::new();
    let requests = async {
        client::send(address, args.requests, args.concurrency.into(), &mut answers).await?;
        if args.serve {
            let _ = writeln!(io::stderr(), "serving http://{address}/orders/1 until Ctrl-C");
            future::pending::<()>().await;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::select! {
        done = requests => done?,
        signal = ctrl_c() => signal?,
    }
    drop(stop);
    server.await??;
    info!("stopped");
    Ok(answers)
}
