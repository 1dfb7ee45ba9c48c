//! The claim of the HTTP sinks: 300,000 lines a second and more, to a server on the same machine.
//!
//! `cargo bench --all-features --bench http_sinks`: one thread logs and waits where the queue is full, and the time ends when
//! the server has answered for the last line. The server reads each request and answers 200, and does nothing else. What
//! the same bytes take over one connection without a log is printed beside it: the most that this server could take.

#![allow(clippy::expect_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spanline::sink::{Http, Otlp, Sink};
use spanline::{Output, Overflow};
use tracing_subscriber::prelude::*;

const LINES: u64 = 600_000;
const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads requests and answers them. Counts the bytes of bodies.
fn serve(stream: TcpStream, bytes: &AtomicU64) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(256 << 10, stream);
    let mut line = String::new();
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap_or(0),
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        bytes.fetch_add(length, Ordering::Relaxed);
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}

fn start() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let bytes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&bytes);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counted = Arc::clone(&counted);
            std::thread::spawn(move || serve(stream, &counted));
        }
    });
    (address, bytes)
}

/// Returns lines a second.
fn measured(sink: impl Sink) -> f64 {
    let output = Output::new(sink).queue_bytes(32 << 20_u64).overflow(Overflow::Block { max_wait: PATIENCE });
    let builder = spanline::builder().filter("info").service("orders").shutdown_timeout(PATIENCE, PATIENCE);
    let (layer, guard) = builder.output(output).build().expect("a log");
    let begun = Instant::now();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let _request = tracing::info_span!("request", request_id = "01981c1e-7a4b-7000-8000-000000000000").entered();
        for order in 0..LINES {
            tracing::info!(order, customer = "ada@example.com", amount = 12.5, "order loaded");
        }
        guard.handle().flush(PATIENCE).expect("a server that answers");
    });
    let took = begun.elapsed();
    let books = guard.handle().metrics().outputs.remove(0);
    assert_eq!((books.written.total(), books.dropped.total()), (LINES, 0), "{books:#?}");
    LINES as f64 / took.as_secs_f64()
}

/// Returns how many lines a second would arrive if only their bytes were sent.
fn bare(address: SocketAddr, bytes: u64) -> f64 {
    const BATCH: u64 = 1 << 20;
    let body = vec![b'x'; BATCH as usize];
    let mut stream = TcpStream::connect(address).expect("the server");
    let begun = Instant::now();
    for _ in 0..bytes.div_ceil(BATCH) {
        write!(stream, "POST / HTTP/1.1\r\nContent-Length: {BATCH}\r\n\r\n").expect("a server that reads");
        stream.write_all(&body).expect("a server that reads");
        let mut answer = [0; 38];
        stream.read_exact(&mut answer).expect("an answer");
    }
    LINES as f64 / begun.elapsed().as_secs_f64()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    println!("{:22} {:>14} {:>14} {:>14}", "", "lines/s", "bytes/line", "bare bytes/s*");
    type Make = fn(String) -> Box<dyn FnOnce() -> f64>;
    let cases: [(&str, Make); 6] = [
        ("Http, NDJSON", |url| Box::new(|| measured(Http::new(url)))),
        ("Http, NDJSON, gzip", |url| Box::new(|| measured(Http::new(url).gzip()))),
        ("Http, NDJSON, zstd", |url| Box::new(|| measured(Http::new(url).zstd()))),
        ("Http::loki", |url| Box::new(|| measured(Http::loki(url, [("env", "prod")])))),
        ("Otlp, protobuf", |url| Box::new(|| measured(Otlp::new(url)))),
        ("Otlp, JSON", |url| Box::new(|| measured(Otlp::new(url).json()))),
    ];
    for (name, make) in cases {
        let (address, bytes) = start();
        let url = format!("http://{address}");
        let ours = median((0..ROUNDS).map(|_| make(url.clone())()).collect());
        let sent = bytes.load(Ordering::Relaxed) / ROUNDS as u64;
        let most = median((0..ROUNDS).map(|_| bare(address, sent)).collect());
        println!("{name:22} {ours:>14.0} {:>14} {most:>14.0}", sent / LINES);
    }
    println!("* in lines of that size");
}
