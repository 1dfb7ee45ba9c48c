//! ECS lines to a server over TCP, kept on disk while it is away: `cargo run --features net,spool --example spool`.
//!
//! ```text
//! without a server: 0 written, 100 on disk
//! the server has 100 lines, the first: {"@timestamp":…"message":"order loaded"…}
//! ```

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example with a server")]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use spanline::Output;
use spanline::schema::Ecs;
use spanline::sink::{Spool, Tcp};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?; // nobody listens there now

    let sink = Spool::new(directory.path(), Tcp::new(address.to_string())).patience(Duration::from_millis(50));
    let output = Output::new(sink).schema(Ecs::new());
    let guard =
        spanline::builder().service("orders").filter_variable(None).on_complaint(|_| {}).output(output).init()?;
    let handle = guard.handle();
    (0..100).for_each(|order| tracing::info!(order, "order loaded"));

    let books = || handle.metrics().outputs.remove(0);
    let deadline = Instant::now() + Duration::from_secs(30);
    while books().spooled.total() < 100 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    println!("without a server: {} written, {} on disk", books().written.total(), books().spooled.total());

    // The server comes: the lines are sent in their order. SIGKILL before that would lose none of them.
    let listener = TcpListener::bind(address)?;
    let (stream, _) = listener.accept()?;
    let lines: Vec<String> = BufReader::new(stream).lines().take(100).collect::<Result<_, _>>()?;
    println!("the server has {} lines, the first: {}", lines.len(), lines[0]);
    guard.close()?;
    Ok(())
}
